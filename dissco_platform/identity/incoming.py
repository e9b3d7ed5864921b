"""What a build brings to its publication: a few columns of all its records, and the rest a row group at a time.

Identities are found over the whole dataset at once, so what that takes is held in memory; what only the documents and
DataCite's records of new and changed objects show is read from the build when they are written. What `specimens.parquet`
and `media.parquet` hold is defined by `opends.build`.
"""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

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
    "topicCategory",
    "accessURI",
    "media_type",
    "format",
    "rights_holder",
)
# Shown as well; not among what makes a new version of an object that is DOI only.
_SHOWN_BESIDES = ("topicOrigin",)

# Columns of a build that may hold a DOI of ours.
_CLAIMING = ("physicalSpecimenID", "occurrenceID", "catalogNumber", "otherSpecimenIds")

# What identities are found by, where the build's table has it.
_KEPT = ("content_hash", "doi_only", "batch", "is_marked_as_type", "specimen_name", "catalogNumber")


class Incoming:
    """One table of a build."""

    def __init__(self, path: Path, key: str, targets: str, prefix: str, organisation: str = "") -> None:
        """Open a table.

        Args:
            path: the Parquet file.
            key: column that identifies an object.
            targets: column with the keys of the linked objects.
            prefix: the DOI prefix.
            organisation: scope of the key, where it is not one by itself.
        """
        self._path, self._key, self._targets = path, key, targets
        self._prefix, self._organisation = prefix, organisation
        metadata = pq.read_metadata(path)
        self._columns = set(metadata.schema.to_arrow_schema().names)
        starts = [0]
        for group in range(metadata.num_row_groups):
            starts.append(starts[-1] + metadata.row_group(group).num_rows)
        self._groups = [(start, end - start) for start, end in pairwise(starts)]
        self._starts = pl.Series(starts[:-1], dtype=pl.Int64)
        self._shown = [name for name in (*VISIBLE, *_SHOWN_BESIDES) if name in self._columns]
        self._last: dict[int, pl.DataFrame] = {}  # the row groups that were asked for last

    def rows(self) -> pl.DataFrame:
        """Return every record, in order, with what identities are found by.

        Columns: `build_row`; `identity_key` and `targets` (keys of linked objects); `document_hash` (content of the
        document) and `content_hash` (of the object: with its links); `doi_only`, `batch`; of specimens `claims` (text in
        which a DOI of ours may be, null where there is none), `is_marked_as_type`, `specimen_name`, `catalogNumber`.
        """
        source = pl.scan_parquet(self._path)
        if not self._groups:
            return self._identified(source).collect()
        # A row group at a time: what is not kept is never there for all records at once.
        return pl.concat(
            [
                self._identified(source.slice(start, count)).with_columns(pl.col(ROW) + start).collect()
                for start, count in self._groups
            ]
        )

    def shown(self, rows: pl.Series) -> pl.DataFrame:
        """Return what DataCite shows of the records with the given numbers, in their order.

        Records that lie together in the build are best asked for together: their row group is read once.
        """
        wanted = pl.DataFrame({ROW: rows.cast(pl.Int64)}).with_row_index("place")
        wanted = wanted.with_columns(group=self._starts.search_sorted(wanted[ROW], side="right").cast(pl.Int64) - 1)
        found = []
        for (group,), members in wanted.group_by("group"):
            number = int(str(group))
            frame = self._group(number)[members[ROW] - self._groups[number][0]]
            found.append(frame.with_columns(members["place"]))
        return pl.concat(found).sort("place").drop("place")

    def _group(self, number: int) -> pl.DataFrame:
        if number not in self._last:
            start, count = self._groups[number]
            frame = pl.scan_parquet(self._path).slice(start, count).select(self._shown).collect()
            kept = list(self._last.items())[-1:]  # documents go on from one row group to the next
            self._last = {**dict(kept), number: frame}
        return self._last[number]

    def _identified(self, source: pl.LazyFrame) -> pl.LazyFrame:
        identity = pl.col(self._key)
        if self._organisation:
            identity = pl.concat_str([pl.lit(self._organisation + " "), identity])
        frame = source.with_columns(
            identity.alias("identity_key"),
            pl.col(self._targets).alias("targets"),
            pl.col("content_hash").alias("document_hash"),
        )
        # What an object shows of its links is part of its content: a medium that a second specimen uses has changed.
        # A DOI-only object has no document; what DataCite shows of it is all that can change.
        links = pl.col("targets").list.sort().list.join("\x1e")
        visible = fingerprint([pl.col(name) for name in VISIBLE if name in self._columns] + [links])
        linked = pl.when("doi_only").then(visible).otherwise(fingerprint(["content_hash", links]))
        claiming = [pl.col(name) for name in _CLAIMING if name in self._columns]
        text = pl.concat_str(claiming, separator=" ", ignore_nulls=True) if claiming else pl.lit(None, pl.String)
        kept = [name for name in _KEPT if name in self._columns]
        return (
            frame.with_columns(linked.alias("content_hash"))
            .with_columns(pl.when(text.str.contains(f"{self._prefix}/", literal=True)).then(text).alias("claims"))
            .with_row_index(ROW)
            .select(pl.col(ROW).cast(pl.Int64), "identity_key", "targets", "document_hash", *kept, "claims")
        )
