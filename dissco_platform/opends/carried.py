"""What holds of the build before: records found again by their fingerprints, their table carried over in its own order.

A record that neither changed nor hangs on a changed answer of the name matching needs no look but at its fingerprint. This
pays where few records changed (`FEW`); otherwise `build` makes keys of all records. How the rest is rendered is `build`'s
affair.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from dissco_platform.archives.tables import PARTS
from dissco_platform.names.keys import name_key
from dissco_platform.opends.outputs import SPECIMENS
from dissco_platform.opends.ranges import ParsedTables
from dissco_platform.opends.taxa import name_hashes, names_version

FEW = 0.1
"""Of the records: where more are new, changed or gone, the build is made from all records."""
NAMED = ("identifications", PARTS)
"""Tables besides the records that have names."""
NAME_HASHES = "name_hashes.parquet"
CHUNK = 100_000
ROWS = 500_000
_NONE = np.uint32(2**32 - 1)
_READ_AGAIN = ["row", "source_line"]


@dataclass
class MadeWith:
    """What a build was made with and what it came to; kept beside its tables for the next one."""

    inputs: str
    names_complete: bool
    """Whether every name of its records was in the result of the matching, so that only changed answers matter."""
    names: str | None = None
    """Version of the result of the matching (`taxa.names_version`)."""
    sums: dict[str, list[str]] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    """What the report said of the tables of specimens and media."""

    def write(self, folder: Path, lookup: pl.DataFrame) -> None:
        """Write it and the answers of the matching that the build used (`taxa.name_hashes`)."""
        (folder / "made_with.json").write_bytes(orjson.dumps(asdict(self)))
        lookup.write_parquet(folder / NAME_HASHES, compression="zstd", compression_level=1)

    @classmethod
    def read(cls, folder: Path) -> "MadeWith | None":
        """Return what a build was made with; None where it does not say."""
        try:
            return cls(**orjson.loads((folder / "made_with.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None


def name_answers(names: Path, previous: Path | None, inputs: str) -> pl.DataFrame:
    """Return `taxa.name_hashes`: those of the previous build where it was made with the same names and inputs."""
    version = names_version(names)
    made = MadeWith.read(previous) if previous is not None and version is not None else None
    if previous is not None and made is not None and (made.names, made.inputs) == (version, inputs):
        try:
            return pl.read_parquet(previous / NAME_HASHES)
        except (OSError, pl.exceptions.PolarsError):
            pass  # lost or damaged: they are made again
    return name_hashes(names)


def link(source: Path, target: Path) -> None:
    """Give a file that is never written again a second name; copy it where the file system knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _hashes(column: pl.Expr) -> list[pl.Expr]:
    """96 bits of hash within this process: of a hundred million records two are confused once in 10¹³ times."""
    return [column.hash(0).alias("high"), (column.hash(1) % 2**32).cast(pl.UInt32).alias("low")]


class Carried:
    """The specimens of a previous build whose records are there unchanged.

    `state` has for each row number 2 where the record is carried over, else 0; `left` are the rows of the other records;
    `count` is the number of specimens carried over, `gone` that of the previous ones which are not.
    """

    def __init__(self, folder: Path, made: MadeWith, parsed: ParsedTables, stale: pl.Series) -> None:
        self.folder, self.made = folder, made
        self.path = folder / "specimens.parquet"
        self._scan = pl.scan_parquet(self.path)
        highest = parsed.bounds[-1] if parsed.bounds else 0
        self._lines = np.zeros(highest, dtype=np.uint32)
        self._files: list[str] = []
        self._file = np.zeros(highest, dtype=np.uint16)
        present = np.zeros(highest, dtype=bool)
        state = np.zeros(highest, dtype=np.uint8)
        renamed = np.zeros(highest + 1, dtype=bool)
        renamed[stale.to_numpy()] = True
        high, low, rows = self._prints(parsed, present)
        self.same_places = True  # the carried records stand where they stood
        found, firsts = [], []
        for _, frame in self._chunks([*_READ_AGAIN, "source_file", "fingerprint", "normalisedPhysicalSpecimenID"]):
            prints = frame.select(_hashes(pl.col("fingerprint")))
            asked = prints["high"].to_numpy()
            at = np.minimum(np.searchsorted(high, asked), max(len(high) - 1, 0))
            hit = np.zeros(len(asked), dtype=bool)
            new = np.full(len(asked), _NONE)
            if len(high):
                hit = (high[at] == asked) & (low[at] == prints["low"].to_numpy()) & ~renamed[rows[at]]
                new[hit] = rows[at][hit]
            state[new[hit]] = 2
            found.append(new)
            firsts.append(str(frame["normalisedPhysicalSpecimenID"][0]))
            self.same_places = self.same_places and bool(hit.all()) and self._stand(frame, new)
        self._new = np.concatenate(found) if found else np.zeros(0, dtype=np.uint32)
        self.borders = firsts[1:]  # of the chunks that the table is read in
        self.state = pl.Series("state", state)
        self.left = pl.Series("row", np.flatnonzero(present & (state == 0)), dtype=pl.Int64)
        self.count = int((self._new != _NONE).sum())
        self.gone = int((self._new == _NONE).sum())

    def _prints(self, parsed: ParsedTables, present: "np.ndarray") -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
        """Return (high, low, row) of all records, sorted by `high`, then row; note where each record stands."""
        parts = []
        for start in range(0, parsed.height, ROWS):
            frame = parsed.records.slice(start, ROWS).select(
                "row", "source_file", "source_line", *_hashes(pl.col("fingerprint"))
            ).collect()  # fmt: skip
            row = frame["row"].to_numpy()
            present[row] = True
            self._lines[row] = frame["source_line"].to_numpy()
            names = frame["source_file"].unique(maintain_order=True).to_list()
            self._files += [name for name in names if name not in self._files]
            if len(self._files) > 1:
                codes = frame["source_file"].replace_strict(
                    self._files, list(range(len(self._files))), return_dtype=pl.UInt16
                )
                self._file[row] = codes.to_numpy()
            parts.append((frame["high"].to_numpy(), frame["low"].to_numpy(), row.astype(np.uint32)))
        if not parts:
            return np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.uint32)
        high, low, row = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(high, kind="stable")
        return high[order], low[order], row[order]

    def _chunks(self, columns: list[str]) -> Iterator[tuple[int, pl.DataFrame]]:
        height = self._scan.select(pl.len()).collect().item()
        for start in range(0, height, CHUNK):
            yield start, self._scan.slice(start, CHUNK).select(columns).collect()

    def _stand(self, frame: pl.DataFrame, new: "np.ndarray") -> bool:
        return bool(
            (frame["row"].to_numpy() == new).all()
            and (frame["source_line"].to_numpy() == self._lines[new]).all()
            and frame["source_file"].equals(self._source_files(new))
        )

    def _source_files(self, rows: "np.ndarray") -> pl.Series:
        files = pl.Series("source_file", self._files, dtype=pl.String)
        return files.gather(pl.Series(self._file[rows])).alias("source_file")

    def clashes(self, keys: pl.Series) -> pl.DataFrame:
        """Return (normalisedPhysicalSpecimenID, row, source_line) of carried specimens that have one of these ids."""
        found = [
            pl.DataFrame(schema={"normalisedPhysicalSpecimenID": pl.String, "first": pl.Int64, "first_line": pl.Int64})
        ]
        for start, frame in self._chunks(["normalisedPhysicalSpecimenID"]):
            new = self._new[start : start + frame.height]
            hit = frame["normalisedPhysicalSpecimenID"].is_in(keys.implode()).to_numpy() & (new != _NONE)
            if hit.any():
                found.append(
                    frame.filter(pl.Series(hit)).with_columns(
                        pl.Series("first", new[hit], dtype=pl.Int64),
                        pl.Series("first_line", self._lines[new[hit]], dtype=pl.Int64),
                    )
                )
        return pl.concat(found)

    def chunks(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield (carried, gone) rows of the specimens table, in its order; carried ones say where they stand now."""
        for start, frame in self._chunks(list(SPECIMENS)):
            new = self._new[start : start + frame.height]
            kept = new != _NONE
            mask = pl.Series(kept)
            rows = new[kept]
            carried = frame.filter(mask).with_columns(
                pl.Series("row", rows, dtype=pl.Int64),
                pl.Series("source_line", self._lines[rows], dtype=pl.Int64),
                self._source_files(rows),
            )
            yield carried, frame.filter(~mask)


def carried_over(folder: Path | None, inputs: str, lookup: pl.DataFrame, parsed: ParsedTables) -> Carried | None:
    """Return what holds of the build in `folder`; None where all records must be looked at.

    Args:
        folder: of the previous build.
        inputs: version of everything that all documents hang on (mapping, settings, code).
        lookup: answers of the name matching (`taxa.name_hashes`), sorted by key.
        parsed: the parsed tables.
    """
    if folder is None or (made := MadeWith.read(folder)) is None or made.inputs != inputs or not made.names_complete:
        return None
    try:
        if (
            not (folder / "media.parquet").is_file()
            or "fingerprint" not in pl.scan_parquet(folder / "specimens.parquet").collect_schema().names()
            or "fingerprint" not in pl.scan_parquet(folder / "media_aside.parquet").collect_schema().names()
        ):
            return None
        stale = _with_other_answers(pl.read_parquet(folder / NAME_HASHES), lookup, parsed)
    except (OSError, pl.exceptions.PolarsError):
        return None
    if stale is None or "invalid_media_document" in made.report.get("media_rejects", {}):
        return None  # in the latter case specimens name media that the table lacks
    carried = Carried(folder, made, parsed, stale)
    many = FEW * parsed.height
    return None if carried.gone > many or len(carried.left) > 2 * many else carried


def _with_other_answers(before: pl.DataFrame, now: pl.DataFrame, parsed: ParsedTables) -> pl.Series | None:
    """Return the rows of records with a name that the matching answers otherwise than before; None where that may be all."""
    none = pl.Series("row", [], dtype=pl.Int64)
    if before.equals(now):
        return none
    if before.is_empty() != now.is_empty():  # nothing was matched then, or nothing is now
        return None
    both = before.join(now, on="name_key", how="inner", suffix="_now")
    other = both.filter(pl.col("name_hash") != pl.col("name_hash_now"))["name_key"]
    if other.is_empty():
        return none
    found = [none]
    for path in (parsed.parsed / "records.parquet", *(path for name, path in parsed.tables.items() if name in NAMED)):
        scan = pl.scan_parquet(path)
        named = scan.select("row", name_key(scan.collect_schema().names()))
        for start in range(0, scan.select(pl.len()).collect().item(), ROWS):
            part = named.slice(start, ROWS).collect()
            found.append(part.filter(pl.col("name_key").is_in(other.implode()))["row"])
    return pl.concat(found).unique()
