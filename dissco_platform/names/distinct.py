"""The distinct names of a dataset's parsed tables, in the order of their keys, however many there are.

Names are held in memory up to `HELD`; a dataset with more of them has its names sorted in runs on disk, which are merged
by ranges of keys (keys are hashes: each range gets its share). What becomes of the names is in `harmonise.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from dissco_platform.errors import ChecklistError
from dissco_platform.names.keys import NAME_COLUMNS, name_columns, name_key
from dissco_platform.provenance import ContentVersion

TABLES = ("records", "identifications", "parts")
BATCH = 100_000
"""Names handed out at a time, at most."""
ROWS = 250_000
"""Rows of a parsed table looked at at a time."""
HELD = 500_000
"""Distinct names in memory before they are put on disk."""
_SCHEMA: dict[str, pl.DataType] = {
    "name_key": pl.String(),
    **dict.fromkeys(NAME_COLUMNS, pl.String()),
    "records": pl.UInt32(),
}


class DistinctNames:
    """Distinct names: `name_key`, NAME_COLUMNS, `records` (how many rows bear the name), sorted by key.

    `height`: how many there are. `keys`: a content version over their keys.
    """

    def __init__(self, parsed: Path, scratch: Path) -> None:
        """Find the names in the tables of `parsed`; `scratch` is a folder for what does not fit in memory."""
        tables = [path for name in TABLES if (path := parsed / f"{name}.parquet").is_file()]
        if not tables:
            raise ChecklistError(f"{parsed}: holds no records.parquet; parse the archive first")
        self._scratch = scratch
        self._runs: list[Path] = []
        self._held: list[pl.DataFrame] = [pl.DataFrame(schema=_SCHEMA)]
        scans = [pl.scan_parquet(path) for path in tables]
        rows = [int(scan.select(pl.len()).collect().item()) for scan in scans]
        self._ranges = max(-(-sum(rows) // BATCH), 1)
        for scan, height in zip(scans, rows, strict=True):
            self._take(scan, height)
        self.height, self._keys = 0, ContentVersion()
        if self._runs:
            self._spill(self._together())
            self._merge()
        else:
            self._names = self._together().sort("name_key")
            self._count(self._names)
        self._held = []

    @property
    def keys(self) -> str:
        """Return a content version over the names' keys."""
        return self._keys.hexdigest()

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the names in order, `BATCH` at a time (fewer in a batch where they were on disk)."""
        if not self._runs:
            yield from (self._names.slice(start, BATCH) for start in range(0, self.height, BATCH))
            return
        with pa.OSFile(str(self._merged)) as file, pa.ipc.open_file(file) as reader:
            waiting: list[pl.DataFrame] = []
            for place in range(reader.num_record_batches):
                names = _frame(reader.get_batch(place))
                if waiting and sum(one.height for one in waiting) + names.height > BATCH:
                    yield pl.concat(waiting)
                    waiting = []
                waiting.append(names)
            if waiting:
                yield pl.concat(waiting)

    @property
    def _merged(self) -> Path:
        return self._scratch / "names.arrow"

    def _take(self, scan: pl.LazyFrame, height: int) -> None:
        """Rows are grouped by their cells before keys are made: a name stands in many rows."""
        cells = [column for column in scan.collect_schema().names() if column in NAME_COLUMNS]
        for start in range(0, height if cells else 0, ROWS):
            frame = scan.slice(start, ROWS).select(cells).collect()
            grouped = frame.group_by(cells).agg(records=pl.len())
            self._held.append(grouped.select(name_key(cells), *name_columns(cells), "records"))
            if sum(frame.height for frame in self._held) > HELD:
                names = self._together()
                # What hardly shrinks when it is put together would only be put together again.
                if names.height > HELD // 2:
                    self._spill(names)
                    names = names.clear()
                self._held = [names]

    def _together(self) -> pl.DataFrame:
        return _one_a_key(pl.concat(self._held))

    def _spill(self, names: pl.DataFrame) -> None:
        """Write names to a file, sorted, one record batch a range of keys."""
        if names.is_empty():
            return
        names = names.sort("name_key")
        path = self._scratch / f"{len(self._runs)}.arrow"
        bounds = [f"{-(-(place << 32) // self._ranges):08x}" for place in range(1, self._ranges)]
        ends = [*names["name_key"].search_sorted(pl.Series(bounds, dtype=pl.String)).to_list(), names.height]
        with _written(path) as file:
            start = 0
            for end in ends:
                file.write_batch(_batch(names.slice(start, end - start)))
                start = end
        self._runs.append(path)

    def _merge(self) -> None:
        """Put the runs together, one range of keys after the other."""
        files = [pa.OSFile(str(path)) for path in self._runs]
        readers = [pa.ipc.open_file(file) for file in files]
        with _written(self._merged) as merged:
            for place in range(self._ranges):
                names = _one_a_key(pl.concat([_frame(reader.get_batch(place)) for reader in readers])).sort("name_key")
                if names.height:
                    merged.write_batch(_batch(names))
                    self._count(names)
        for file, path in zip(files, self._runs, strict=True):
            file.close()
            path.unlink()

    def _count(self, names: pl.DataFrame) -> None:
        self.height += names.height
        self._keys.add("keys", names["name_key"])


def keys_version(batches: Iterator[pl.Series]) -> str:
    """Return what `DistinctNames.keys` is for names with these keys, in batches of any size and order."""
    version = ContentVersion()
    for batch in batches:
        version.add("keys", batch)
    return version.hexdigest()


def _one_a_key(frame: pl.DataFrame) -> pl.DataFrame:
    named = frame.filter(pl.col("name_key").is_not_null())
    totals = named.group_by("name_key").agg(pl.col("records").sum())
    return named.drop("records").unique("name_key", keep="any").join(totals, on="name_key")


def _written(path: Path) -> pa.ipc.RecordBatchFileWriter:
    schema = _batch(pl.DataFrame(schema=_SCHEMA)).schema
    return pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))


def _batch(names: pl.DataFrame) -> pa.RecordBatch:
    table = names.select(list(_SCHEMA)).to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _frame(batch: pa.RecordBatch) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(batch), schema=_SCHEMA)
