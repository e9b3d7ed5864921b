"""Memory of a publication by its size: `python -m benchmarks.identity.memory [--records N …] [--limit 2048]`

Made-up builds as `opends.build` writes them (tables in the order of keys, documents in another order, 1.3 media a record) go
through three publications each on SQLite: all new, unchanged, 1 % changed; each in a process of its own. Prints JSON with
time, CPU and peak memory of each, and what the largest two sizes say of ten million records; exit code 1 where that is
beyond the limit (MiB). Needs some 4 GB of disk for a million records of the default size.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.identity.builds import documents, specimen_columns
from benchmarks.measuring import apart, machine
from dissco_platform.provenance import fingerprint

SLUG = "memory"
RUNS = {"new": "first", "unchanged": "first", "changed_1_percent": "second"}
ROWS = 50_000
DOCUMENTS = 1_000  # rows of a row group
TARGET = 10_000_000
_STEP = 7_919  # a prime: documents are in another order than keys


class Table:
    """A Parquet file that grows by frames."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path, self._rows = path, rows
        self._writer: pq.ParquetWriter | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows."""
        table: pa.Table = frame.to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", compression_level=1)
        self._writer.write_table(table, row_group_size=self._rows)

    def close(self) -> None:
        """End the file."""
        assert self._writer is not None
        self._writer.close()


def write_build(folder: Path, count: int, size: int, changed_every: int = 0) -> None:
    """Write the tables of a build; with `changed_every`, of which each so many records is another than in `first`."""
    folder.mkdir(parents=True)
    specimens, media = Table(folder / "specimens.parquet", ROWS), Table(folder / "media.parquet", ROWS)
    texts = Table(folder / "documents.parquet", DOCUMENTS)
    media_documents = Table(folder / "media_documents.parquet", DOCUMENTS)
    for numbers in _chunks(count):
        rows = _records(pl.select(number=numbers).lazy(), changed_every).collect()
        specimens.add(_specimens(rows, changed_every))
        images = _media(rows)
        media.add(images.drop("content"))
        if not changed_every:
            media_documents.add(images.select("content_hash", "content", pl.lit("[]").alias("relationships")))
    filler = ("A place at the edge of the forest. " * (size // 35 + 1))[:size]
    step = _STEP if count % _STEP else _STEP + 2
    for numbers in _chunks(count):
        rows = _records(pl.select(number=numbers * step % count).lazy(), changed_every).collect()
        rows = rows.filter("changed") if changed_every else rows
        texts.add(documents(rows, pl.col("place"), filler))
    for table in (specimens, media, texts, *([] if changed_every else [media_documents])):
        table.close()


def _chunks(count: int) -> Iterator[pl.Expr]:
    for start in range(0, count, ROWS):
        yield pl.int_range(start, min(start + ROWS, count), dtype=pl.Int64)


def _records(numbers: pl.LazyFrame, changed_every: int) -> pl.LazyFrame:
    is_changed = (pl.col("number") % changed_every == 0) if changed_every else pl.lit(False)
    padded = pl.col("number").cast(pl.String).str.pad_start(8, "0")
    return numbers.with_columns(
        is_changed.alias("changed"),
        pl.concat_str(pl.lit("https://museum.example/"), padded).alias("key"),
        pl.when(is_changed).then(pl.lit("there")).otherwise(pl.lit("here")).alias("place"),
    ).with_columns(fingerprint(["key", "place"]).alias("content_hash"))


def _image(number: int) -> pl.Expr:
    start = pl.col("key").str.replace("museum", "images", literal=True)
    return pl.concat_str(start, pl.lit(f"/{number}.jpg"))


def _specimens(rows: pl.DataFrame, changed_every: int) -> pl.DataFrame:
    second = pl.when(pl.col("number") % 10 < 3).then(pl.concat_list(_image(0), _image(1)))
    return rows.select(
        pl.col("number").alias("row"),
        pl.concat_str(pl.lit("MUS "), "number").alias("catalogNumber"),
        *specimen_columns(),
        (pl.col("number") % 50 == 1).alias("doi_only") & ~pl.col("changed"),
        pl.lit("Parus major Linnaeus, 1758").alias("specimen_name"),
        second.otherwise(pl.concat_list(_image(0))).alias("media_keys"),
        pl.when("changed").then(pl.lit("second")).otherwise(pl.lit("first")).alias("batch"),
    )


def _media(rows: pl.DataFrame) -> pl.DataFrame:
    images = [
        part.select("key", "number", media_key=_image(place))
        for place, part in ((0, rows), (1, rows.filter(pl.col("number") % 10 < 3)))
    ]
    content = pl.concat_str(pl.lit('{"ac:accessURI":"'), "media_key", pl.lit('"}'))
    return (
        pl.concat(images)
        .sort("media_key")
        .select(
            "media_key",
            pl.col("media_key").alias("accessURI"),
            pl.lit("StillImage").alias("media_type"),
            pl.lit("image/jpeg").alias("format"),
            pl.lit("CC0-1.0").alias("licence"),
            pl.lit(None, pl.String).alias("rights_holder"),
            pl.lit(False).alias("doi_only"),
            fingerprint(["media_key"]).alias("content_hash"),
            pl.concat_list("key").alias("specimen_ids"),
            pl.lit("first").alias("batch"),
            content.alias("content"),
        )
    )


def run(folder: Path, build: str, archive: str) -> dict[str, Any]:
    """Publish a build; return what came of it."""
    from benchmarks.identity.million import RULES
    from dissco_platform.identity.publish import publish
    from dissco_platform.registry import open_registry
    from dissco_platform.registry.datasets import add_dataset, get_dataset, list_datasets
    from dissco_platform.store import DatasetStore

    registry = open_registry(f"sqlite:///{folder / 'registry.sqlite'}")
    with registry.write() as connection:
        if not list_datasets(connection):
            add_dataset(
                connection, slug=SLUG, source="none", organisation_id="https://ror.org/0566bfb96", organisation_name="A",
                source_system_id="https://hdl.handle.net/20.5000.1025/AAA-BBB-CCC", doi_only=False,
            )  # fmt: skip
    with registry.read() as connection:
        dataset = get_dataset(connection, SLUG)
    store = DatasetStore(folder)
    report = publish(
        registry, dataset, store.path("documents", SLUG, build), store, rules=RULES, made_from={"archive": archive}
    )
    registry.close()
    return {
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "media": report.media,
        "registry_mb": round((folder / "registry.sqlite").stat().st_size / 1e6),
    }


def measure(folder: Path, count: int, size: int) -> dict[str, Any]:
    """Return the costs of the three publications of so many records."""
    try:
        for build, changed_every in (("first", 0), ("second", 100)):
            apart(_built, folder / "documents" / SLUG / build, count, size, changed_every)
        return {name: apart(run, folder, build, name) for name, build in RUNS.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _built(folder: Path, count: int, size: int, changed_every: int) -> dict[str, Any]:
    write_build(folder, count, size, changed_every)
    return {}


def at_target(sizes: list[int], peaks: list[int]) -> int:
    """Return the peak (MiB) of ten million records, on the line through the two largest sizes."""
    if len(sizes) < 2:
        return peaks[-1]
    slope = max(peaks[-1] - peaks[-2], 0) / (sizes[-1] - sizes[-2])
    return round(peaks[-1] + slope * (TARGET - sizes[-1]))


def main() -> int:
    """Measure, print, and say whether the limit is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[300_000, 1_000_000])
    parser.add_argument("--bytes", type=int, default=2_000, help="of a document")
    parser.add_argument("--limit", type=int, default=2_048, help="MiB for ten million records")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    arguments = parser.parse_args()
    sizes = sorted(arguments.records)
    result: dict[str, Any] = {"machine": machine(), "document_bytes": arguments.bytes, "runs": {}}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        for count in sizes:
            result["runs"][count] = measure(Path(name) / str(count), count, arguments.bytes)
            print(count, json.dumps(result["runs"][count]), file=sys.stderr, flush=True)
    peaks = {run: [result["runs"][count][run]["peak_mib"] for count in sizes] for run in RUNS}
    result["peak_mib_at_10_million"] = {run: at_target(sizes, found) for run, found in peaks.items()}
    print(json.dumps(result, indent=2))
    return int(max(result["peak_mib_at_10_million"].values()) > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
