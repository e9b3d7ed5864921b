"""Differences between two versions as people read them: which term, from what to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ALWAYS = frozenset({"/ods:version", "/dcterms:modified", "/version"})


@dataclass(frozen=True)
class Change:
    """One term that differs: `path` in words, values before and after (None: absent)."""

    path: str
    before: str | None
    after: str | None


def readable_difference(before: Any, after: Any) -> list[Change]:
    """Return what differs between two documents, but for their version and date of change."""
    one, two = dict(_leaves(before, "")), dict(_leaves(after, ""))
    paths = list(dict.fromkeys([*one, *two]))
    return [
        Change(_words(path), _text(one.get(path)), _text(two.get(path)))
        for path in paths
        if one.get(path) != two.get(path) and path not in _ALWAYS
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for position, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{path} {position}")
    else:
        yield path, value


def _words(path: str) -> str:
    return " › ".join(part for part in path.split("/") if part)


def _text(value: Any) -> str | None:
    return (
        None
        if value is None
        else {True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
    )
