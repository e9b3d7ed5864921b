"""An opened index of a checklist: its tables, read when first used, and the way to look something up in them.

The tables are described and written in `backbone.py`.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import orjson
import polars as pl

from dissco_platform.errors import ChecklistError
from dissco_platform.names.ranks import CLASSIFICATION, CODES, RANKS, STATUSES
from dissco_platform.names.score import taxon_key

INDEX_VERSION: Final = 3
"""Raised whenever the tables or the keys change: an index of another version is built again, never guessed at."""

CODE_WORDS: Final = tuple(sorted(set(CODES.values())))
WORD_BITS: Final = 21
MAX_WORDS: Final = 2**WORD_BITS
MAX_DEPTH: Final = 64

RANK_ENUM: Final = pl.Enum([rank for rank, _ in RANKS])
STATUS_ENUM = pl.Enum(list(STATUSES))
CODE_ENUM = pl.Enum(list(CODE_WORDS))


@dataclass(frozen=True)
class BackboneInfo:
    """What an index was built from and what it holds."""

    key: str
    title: str
    version: str
    doi: str
    licence: str
    issued: str
    kind: str
    usages: int
    by_status: dict[str, int]
    by_rank: dict[str, int]
    data_version: str
    index_version: int = INDEX_VERSION
    temporary_ids: float = 0.0
    """Share of identifiers that have neither the shape of a Catalogue of Life id nor of an OTU."""
    warnings: list[str] = field(default_factory=list)

    @property
    def release(self) -> str:
        """Return how the release is cited in a result: alias or key with its version."""
        return " ".join(part for part in (self.key, self.version) if part) or self.title or self.data_version[:12]


def pack(g: pl.Series, one: pl.Series, two: pl.Series) -> pl.Series:
    """Return the 63-bit key of (genus or uninomial number, stem numbers of the epithets; null counts as none)."""
    return (
        pl.DataFrame({"g": g, "one": one, "two": two})
        .select(
            pl.col("g").cast(pl.UInt64) * (2 ** (2 * WORD_BITS))
            + pl.col("one").cast(pl.UInt64).fill_null(0) * 2**WORD_BITS
            + pl.col("two").cast(pl.UInt64).fill_null(0)
        )
        .to_series()
    )


class Backbone:
    """An opened index; its tables are read when first used and kept in memory."""

    def __init__(self, path: Path, info: BackboneInfo) -> None:
        self.path = path
        self.info = info

    def _table(self, name: str) -> pl.DataFrame:
        try:
            return pl.read_parquet(self.path / f"{name}.parquet").rechunk()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ChecklistError(f"{self.path}: the index lacks {name}.parquet; build it again") from error

    @cached_property
    def usages(self) -> pl.DataFrame:
        """Return the usages table."""
        return self._table("usages")

    @cached_property
    def lineages(self) -> pl.DataFrame:
        """Return the lineages table."""
        return self._table("lineages")

    @cached_property
    def lineage_keys(self) -> pl.DataFrame:
        """Return the lineages' names as they are compared with a record's classification."""
        return self.lineages.select([taxon_key(pl.col(rank)).alias(rank) for rank in CLASSIFICATION])

    @cached_property
    def authorships(self) -> pl.Series:
        """Return the distinct authorships by number."""
        return self._table("authorships")["authorship"]

    @cached_property
    def words(self) -> pl.Series:
        """Return for every usage the packed numbers of its words: genus, epithets (see `pack`)."""
        return self._table("words")["words"]

    @cached_property
    def epithet_words(self) -> pl.Series:
        """Return the epithet words by number (number 0 is none)."""
        return pl.concat([pl.Series("word", [""]), self.epithets["word"]])

    @cached_property
    def genera(self) -> pl.DataFrame:
        """Return words of genera and uninomials: id, word."""
        return self._table("genera")

    @cached_property
    def epithets(self) -> pl.DataFrame:
        """Return words of epithets: word, stem, stem_id."""
        return self._table("epithets")

    @cached_property
    def epithet_numbers(self) -> pl.DataFrame:
        """Return word → number of epithets."""
        return self.epithets.select("word", number=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))

    @cached_property
    def stem_numbers(self) -> pl.DataFrame:
        """Return stem → number (`s`)."""
        return self.epithets.select("stem", s="stem_id").unique("s")

    @cached_property
    def stems(self) -> pl.Series:
        """Return the stems by number (number 0 is none)."""
        stems = self.epithets.select("stem_id", "stem").unique("stem_id").sort("stem_id")["stem"]
        return pl.concat([pl.Series("stem", [""]), stems])

    @cached_property
    def genus_words(self) -> pl.Series:
        """Return the genus words by number (number 0 is none)."""
        return pl.concat([pl.Series("word", [""]), self.genera["word"]])

    @cached_property
    def keys(self) -> "SortedTable":
        """Return key → rows."""
        return SortedTable.of(self._table("keys"), "key", "row")

    @cached_property
    def identifiers(self) -> "SortedTable":
        """Return hash of an id → rows."""
        return SortedTable.of(self._table("identifiers"), "hash", "row")

    @cached_property
    def genus_deletions(self) -> "SortedTable":
        """Return hash of a genus word with a letter left out → word numbers."""
        return SortedTable.of(self._table("genus_deletions"), "hash", "id")

    @cached_property
    def epithet_deletions(self) -> "SortedTable":
        """Return hash of an epithet with a letter left out → word numbers."""
        return SortedTable.of(self._table("epithet_deletions"), "hash", "id")

    @cached_property
    def stem_deletions(self) -> "SortedTable":
        """Return hash of a stem with a letter left out → stem numbers."""
        return SortedTable.of(self._table("stem_deletions"), "hash", "id")


@dataclass(frozen=True)
class SortedTable:
    """Values by sorted UInt64 keys, looked up by bisection: nothing is hashed when an index is opened."""

    keys: pl.Series
    values: pl.Series

    @classmethod
    def of(cls, frame: pl.DataFrame, key: str, value: str) -> "SortedTable":
        """Take two columns of a frame sorted by `key`."""
        return cls(frame[key].rechunk().set_sorted(), frame[value].rechunk())

    def find(self, wanted: pl.Series) -> pl.DataFrame:
        """Return `place` (UInt32, in `wanted`) and `value` of every hit, in the order of `wanted`; a null hits nothing."""
        asked = wanted.to_frame("key").with_row_index("place").drop_nulls("key")
        low = self.keys.search_sorted(asked["key"], side="left")
        # most words with a letter left out hit nothing: only for hits is it asked where they end
        if self.keys.len():
            there = self.keys.gather(low.clip(upper_bound=self.keys.len() - 1)) == asked["key"]
            asked = asked.with_columns(low=low).filter(there)
        if asked.is_empty() or not self.keys.len():
            return pl.DataFrame(schema={"place": pl.UInt32, "value": self.values.dtype})
        high = self.keys.search_sorted(asked["key"], side="right")
        hits = (
            asked.select("place", "low")
            .with_columns(high=high)
            .select("place", at=pl.int_ranges("low", "high", dtype=pl.UInt32))
            .explode("at")
        )
        return hits.select("place", value=self.values.gather(hits["at"]))


def open_backbone(path: Path) -> Backbone:
    """Open an index that `build_backbone` wrote; ChecklistError where there is none or it is of another version."""
    file = path / "info.json"
    if not file.is_file():
        raise ChecklistError(f"{path}: holds no index of a checklist; build one with a ColDP or Darwin Core checklist")
    try:
        info = BackboneInfo(**orjson.loads(file.read_bytes()))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise ChecklistError(f"{file}: cannot be read; build the index again") from error
    if info.index_version != INDEX_VERSION:
        raise ChecklistError(
            f"{path}: index version {info.index_version}, this release reads {INDEX_VERSION}; build it again"
        )
    return Backbone(path, info)
