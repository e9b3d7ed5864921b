"""What a build brings to its publication, read a row group at a time: its tables are never in memory as a whole.

A page is what is read of one row group. What `specimens.parquet` and `media.parquet` hold, in the order of their keys, is
defined by `opends.build`; what is held in memory of all records is `records`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dissco_platform.identity.records import Numbers
from dissco_platform.provenance import fingerprint

ROW = "build_row"  # number of a record in the build's table

# Columns of a build that DataCite's record of an object shows.
VISIBLE = (
    "normalisedPhysicalSpecimenID",
    "catalogNumber",
    "physicalSpecimenID",
    "specimen_name",
    "licence",
    "topicDiscipline",
    "topicDomain",
    "topicOrigin",
    "topicCategory",
    "accessURI",
    "media_type",
    "format",
    "rights_holder",
)

_LINKS = "_links"  # of what a page is made: the keys of the linked objects, see `_ordered`

# Columns of a build that may hold a DOI of ours.
_CLAIMING = ("physicalSpecimenID", "occurrenceID", "catalogNumber", "otherSpecimenIds")


class Incoming:
    """One table of a build."""

    def __init__(
        self,
        path: Path,
        key: str,
        targets: str,
        prefix: str,
        *,
        organisation: str = "",
        target_organisation: str = "",
        seed: int = 0,
    ) -> None:
        """Open a table.

        Args:
            path: the Parquet file.
            key: column that identifies an object.
            targets: column with the keys of the linked objects.
            prefix: the DOI prefix.
            organisation: scope of the key, where it is not one by itself.
            target_organisation: scope of the linked objects' keys, likewise.
            seed: of the hashes of keys.
        """
        self._path, self._key, self._targets = path, key, targets
        self._prefix, self._organisation, self._target_organisation = prefix, organisation, target_organisation
        self._seed = seed
        metadata = pq.read_metadata(path)
        self._columns = set(metadata.schema.to_arrow_schema().names)
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        starts = np.cumsum([0, *counts])
        self._groups = [(int(start), int(end - start)) for start, end in pairwise(starts)]
        self.height = int(starts[-1])
        self.shown = tuple(name for name in VISIBLE if name in self._columns)

    # --- pages ----------------------------------------------------------------------------------------------------------

    def identified(self) -> Iterator[pl.DataFrame]:
        """Yield every record with what identities are found by.

        Columns: `build_row`; `identity_key` and its hash `key`; `content`, hash of the object's content hash; `doi_only`;
        `is_marked_as_type`; `linking`, whether it names linked objects; `claims`, text in which a DOI of ours may be,
        null where there is none.
        """
        claiming = [pl.col(name) for name in _CLAIMING if name in self._columns]
        text = pl.concat_str(claiming, separator=" ", ignore_nulls=True) if claiming else pl.lit(None, pl.String)
        is_type = pl.col("is_marked_as_type").fill_null(False) if self._has("is_marked_as_type") else pl.lit(False)
        columns: list[str | pl.Expr] = [
            ROW,
            self._identity,
            self._identity.hash(self._seed).alias("key"),
            self._content_hash.hash(self._seed).alias("content"),
            "doi_only",
            is_type.alias("is_marked_as_type"),
            (pl.col(self._targets).list.len() > 0).fill_null(False).alias("linking"),
            pl.when(text.str.contains(f"{self._prefix}/", literal=True)).then(text).alias("claims"),
        ]
        yield from self._selected(None, columns)

    def whole(self, rows: Numbers) -> Iterator[pl.DataFrame]:
        """Yield the records with the given numbers (ascending) with all that is published of them but the document.

        Columns: `build_row, identity_key, content_hash` (of the object: with its links), `document_hash` (of the document),
        `doi_only`, and what DataCite shows.
        """
        beside = [name for name in self.shown if name != "identity_key"]
        columns: list[str | pl.Expr] = [
            ROW,
            self._identity,
            self._content_hash.alias("content_hash"),
            pl.col("content_hash").alias("document_hash"),
            "doi_only",
            *beside,
        ]
        yield from self._selected(rows, columns)

    def keys(self, rows: Numbers) -> Iterator[pl.DataFrame]:
        """Yield `build_row, identity_key` of the records with the given numbers (ascending)."""
        yield from self._selected(rows, [ROW, self._identity])

    def columns(self, rows: Numbers, names: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield `build_row, identity_key` and columns of the table (null where it has not got them), likewise."""
        found = [name if self._has(name) else pl.lit(None, pl.String).alias(name) for name in names]
        yield from self._selected(rows, [ROW, self._identity, *found])

    def addresses(self, rows: Numbers) -> Iterator[pl.DataFrame]:
        """Yield `build_row, document` (hash of the document's hash, see `contents`), `batch`, likewise."""
        document = pl.col("content_hash").hash().alias("document")
        yield from self._selected(rows, [pl.col(ROW).cast(pl.UInt32), document, pl.col("batch").cast(pl.Categorical)])

    def targets(self, rows: Numbers) -> Iterator[pl.DataFrame]:
        """Yield `build_row, target`: hashes of the keys of the linked objects, in the source's order, likewise."""
        for page in self._selected(rows, [ROW, pl.col(self._targets).alias("target")]):
            named = page.explode("target", empty_as_null=False).drop_nulls()
            yield named.with_columns(
                _scoped(pl.col("target"), self._target_organisation).hash(self._seed).alias("target")
            )

    def _selected(self, rows: Numbers | None, columns: list[str | pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield columns of the records with the given numbers, of all for None."""
        made = [pl.col(column) if isinstance(column, str) else column for column in columns]
        named = {name for column in made for name in column.meta.root_names()}
        read = sorted(named - {_LINKS} | {self._targets}) if _LINKS in named else sorted(named)
        for group, (start, count) in enumerate(self._groups):
            first, last = 0, count
            if rows is not None:  # of one type: all numbers would be copied otherwise
                first, last = np.searchsorted(rows, np.array((start, start + count), rows.dtype))
            if first == last:
                continue
            page = self._scan(group).select(read).collect()
            if rows is not None and last - first < count:  # what is made is made of those that are wanted only
                page = page[rows[first:last] - start]
            if _LINKS in named:
                page = page.with_columns(_ordered(page[self._targets]).alias(_LINKS))
            yield page.lazy().select(made).collect()

    def _scan(self, group: int) -> pl.LazyFrame:
        start, count = self._groups[group]
        number = (pl.col(ROW).cast(pl.Int64) + start).alias(ROW)
        return pl.scan_parquet(self._path).slice(start, count).with_row_index(ROW).with_columns(number)

    def _has(self, name: str) -> bool:
        return name in self._columns

    @property
    def _identity(self) -> pl.Expr:
        return _scoped(pl.col(self._key), self._organisation).alias("identity_key")

    @property
    def _content_hash(self) -> pl.Expr:
        # What an object shows of its links is part of its content: a medium that a second specimen uses has changed.
        # A DOI-only object has no document; what DataCite shows of it is all that can change.
        visible = fingerprint([*self.shown, _LINKS])
        return pl.when("doi_only").then(visible).otherwise(fingerprint(["content_hash", _LINKS]))


def _ordered(keys: pl.Series) -> pl.Series:
    """Return the members of each list in alphabetical order as one text, null for null."""
    first = keys.to_frame("keys").select(
        pl.when(pl.col("keys").is_not_null()).then(pl.col("keys").list.first().fill_null(""))
    )
    several = np.flatnonzero((keys.list.len() > 1).fill_null(False).to_numpy())
    if not several.size:
        return first.to_series()
    # Of most records there is nothing to put in order, and to look at each list costs more than all else of them.
    # As an expression: the methods of a series take thirty times as long (Polars 2.1).
    joined = keys[several].to_frame("keys").select(pl.col("keys").list.sort().list.join("\x1e")).to_series()
    places = np.arange(keys.len())
    places[several] = keys.len() + np.arange(several.size)
    return pl.concat([first.to_series().alias("text"), joined.alias("text")])[places]


def _scoped(key: pl.Expr, organisation: str) -> pl.Expr:
    return pl.concat_str([pl.lit(organisation + " "), key]) if organisation else key
