"""What nobody holds goes back to the system when a step of the chain has ended."""

import gc
import weakref

import pytest

from dissco_platform import memory


class Held:
    """Something that holds itself, which only a look through all objects finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("is_large", [False, True])
def test_only_a_large_process_is_looked_through(monkeypatch: pytest.MonkeyPatch, is_large: bool) -> None:
    monkeypatch.setattr(memory, "LARGE", 0 if is_large else 2**60)
    gc.disable()
    memory.give_back()  # what is there so far is left alone
    assert gc.get_freeze_count() > 0
    try:
        left = weakref.ref(Held())
        memory.give_back()
        assert (left() is None) == is_large
    finally:
        gc.enable()
