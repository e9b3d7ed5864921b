"""Plots as inline SVG: bars of shares, and a line of bars over time. Colours are the style sheet's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One bar of a plot: its label, count, share of all (0–1) and how it is coloured."""

    label: str
    count: int
    share: float
    tone: str


def shares(counts: Mapping[str, int], order: Sequence[tuple[str, str, str]]) -> list[Bar]:
    """Return bars in an order: (key, label, tone) of each; keys that are not in the order follow it."""
    total = sum(counts.values())
    if not total:
        return []
    known = {key for key, _, _ in order}
    listed = [*order, *((key, key, "plain") for key in counts if key not in known)]
    return [Bar(label, counts[key], counts[key] / total, tone) for key, label, tone in listed if counts.get(key)]


@dataclass(frozen=True)
class Column:
    """One column over time: place and size in the plot's units, and what it says."""

    x: float
    y: float
    width: float
    height: float
    title: str


def columns(values: Sequence[tuple[str, int]], width: float = 600, height: float = 120) -> list[Column]:
    """Return columns for (label, count) from the oldest to the newest, scaled to the largest."""
    if not values:
        return []
    largest = max(count for _, count in values) or 1
    step = width / max(len(values), 8)
    return [
        Column(
            position * step + step * 0.1,
            height - height * count / largest,
            step * 0.8,
            height * count / largest,
            f"{label}: {count:,}",
        )
        for position, (label, count) in enumerate(values)
    ]
