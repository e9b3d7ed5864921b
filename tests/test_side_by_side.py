"""What is worked on ahead or side by side comes out in order, with its errors, and never further ahead than is said."""

from collections.abc import Iterator

import pytest

from dissco_platform.side_by_side import ahead


def numbers(made: list[int], count: int = 100, fails_at: int = -1) -> Iterator[int]:
    for number in range(count):
        if number == fails_at:
            raise ValueError(str(number))
        made.append(number)
        yield number


@pytest.mark.parametrize("size", [1, 2, 5])
def test_items_come_in_order_and_no_more_than_so_many_are_made_ahead(size: int) -> None:
    made: list[int] = []
    for taken, number in enumerate(ahead(numbers(made), size)):
        assert number == taken
        assert len(made) <= taken + 1 + size
    assert made == list(range(100))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_items_are_all_there_are(count: int) -> None:
    assert list(ahead(numbers([], count), 2)) == list(range(count))


def test_an_error_is_raised_where_its_item_would_have_come() -> None:
    items = ahead(numbers([], fails_at=3), 2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(items)


def test_nothing_more_is_made_for_who_stops_taking() -> None:
    made: list[int] = []
    items = ahead(numbers(made), 2)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 3
