"""Other publications that come through between a publication's first look and its commit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dissco_platform.errors import RegistryError
from dissco_platform.identity.parts import PartWriter
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset
from tests.identity.museum import Museum, edition
from tests.identity.rules import RULES

SHARED = "https://museum.example/shared.jpg"


@pytest.fixture
def museums(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> tuple[Museum, Museum]:
    """Return two datasets of one organisation in one registry and store."""
    return Museum(registry, enrol("moths"), tmp_path), Museum(registry, enrol("beetle"), tmp_path)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that has something done when parts are written and not committed, so many times."""

    def arrange(act: Callable[[], object], slug: str, times: int = 1) -> None:
        keep, left = PartWriter.keep, [times]

        def kept(writer: PartWriter) -> None:
            keep(writer)
            if writer.slug == slug and left[0]:
                left[0] -= 1
                act()

        monkeypatch.setattr(PartWriter, "keep", kept)

    return arrange


def sound(museum: Museum) -> None:
    """Make sure that registry and store agree, and that no part is left that nobody names."""
    assert verify(museum.registry, museum.store, "10.5555") == []


def test_ids_that_were_given_meanwhile_are_not_given_again(
    museums: tuple[Museum, Museum], meanwhile: Callable[..., None]
) -> None:
    moths, beetles = museums
    moths.publish(edition(1, 2))
    meanwhile(lambda: beetles.publish(edition(*range(10, 17))), "moths")
    report = moths.publish(edition(1, 2, 3, 4, n2="there"))
    assert (report.new, report.changed, report.unchanged, report.queued) == (2, 1, 1, 2)
    assert len(moths.suffixes()) == 4 and len(beetles.suffixes()) == 7
    sound(moths)
    assert moths.publish(edition(1, 2, 3, 4, n2="there")).data_version == report.data_version


def test_a_medium_that_another_dataset_took_meanwhile_is_shared(
    museums: tuple[Museum, Museum], meanwhile: Callable[..., None]
) -> None:
    moths, beetles = museums
    mine, theirs = edition(1, 2), edition(10)
    mine.media = {next(iter(mine.documents)): [SHARED]}
    theirs.media = {next(iter(theirs.documents)): [SHARED]}
    meanwhile(lambda: beetles.publish(theirs), "moths")
    report = moths.publish(mine)
    assert (report.new, report.media_versions["new"]) == (2, 0)
    assert moths.suffixes("media") == {}
    (medium,) = beetles.suffixes("media").values()
    links = [document.get("ods:hasEntityRelationships") for document in moths.documents().values()]
    assert str(links).count(f"10.5555/{medium}") == 2  # its DOI and its address, in one link
    sound(moths)


def test_a_specimen_that_another_dataset_took_meanwhile_is_held(
    museums: tuple[Museum, Museum], meanwhile: Callable[..., None]
) -> None:
    moths, beetles = museums
    meanwhile(lambda: beetles.publish(edition(1)), "moths")
    report = moths.publish(edition(1, 2))
    assert (report.new, report.held) == (1, 1)
    sound(moths)


def test_a_quota_that_was_used_meanwhile_is_not_exceeded(
    museums: tuple[Museum, Museum], meanwhile: Callable[..., None]
) -> None:
    moths, beetles = museums
    moths.rules = beetles.rules = replace(RULES, yearly_quota=5)
    meanwhile(lambda: beetles.publish(edition(10, 11)), "moths")
    report = moths.publish(edition(1, 2, 3, 4))
    assert (report.new, report.waiting_quota) == (3, 1)
    sound(moths)


def test_who_is_overtaken_again_says_so_and_has_changed_nothing(
    museums: tuple[Museum, Museum], meanwhile: Callable[..., None]
) -> None:
    moths, beetles = museums
    numbers = iter((1, 2))
    published: list[int] = []

    def overtake() -> None:
        published.append(next(numbers))
        beetles.publish(edition(*published))

    meanwhile(overtake, "moths", times=2)
    with pytest.raises(RegistryError, match="nothing was changed, run again"):
        moths.publish(edition(1, 2, 3))
    assert moths.suffixes() == {}
    sound(moths)
    report = moths.publish(edition(1, 2, 3))
    assert (report.new, report.held) == (1, 2)
