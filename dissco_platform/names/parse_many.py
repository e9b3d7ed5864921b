"""Many names parsed: each distinct one once, kept across runs, in processes where there are very many.

Plain names are read on whole columns (`plain.py`), all others one by one (`parser.py`).
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import polars as pl

from dissco_platform.names.parser import INNER_COLUMNS, PARSER_VERSION, parse_name
from dissco_platform.names.plain import RANK_MARKS, plain_names
from dissco_platform.names.stem import stem_epithet
from dissco_platform.provenance import text_version

PARSE_SCHEMA: Final[dict[str, Any]] = {
    column: pl.Int8 if column == "quality" else pl.Boolean if column == "approximate" else pl.String
    for column in INNER_COLUMNS
}
_KEYS: Final = ("_name", "_authorship", "_code")
_KEPT_SCHEMA: Final[dict[str, Any]] = {**dict.fromkeys(_KEYS, pl.String), **PARSE_SCHEMA}
CHUNK: Final = 20_000
POOL_FROM: Final = 100_000
"""Names that the parser must read before processes pay: starting one costs a second."""
KEPT_FROM: Final = 500
"""Parses that are worth a file: fewer are parsed again in the time that finding them among many files would take."""
LOOKED_AT: Final = 50
"""Kept parses that are looked at for each name at most: a parse takes 20 µs, looking at a kept one 0.4."""


class ParseCache:
    """Parses of earlier runs, one Parquet file for each batch of names that was worth keeping, under the parser's version.

    A run where no name is new reads files and parses nothing. Files of other parser versions are never read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / text_version(PARSER_VERSION)[:12]

    def find(self, names: pl.DataFrame) -> pl.DataFrame:
        """Return the kept parses of `names` (name, authorship and code as asked), each once: these and INNER_COLUMNS.

        One file at a time is in memory; the search ends where looking costs more than parsing what is left.
        """
        found = [pl.DataFrame(schema=_KEPT_SCHEMA)]
        looked_at = 0
        for file in sorted(self.folder.glob("*.parquet"), key=lambda file: file.stat().st_size, reverse=True):
            looked_at += pl.scan_parquet(file).select(pl.len()).collect().item()
            if names.is_empty() or looked_at > names.height * LOOKED_AT:
                break
            kept = pl.read_parquet(file, columns=list(_KEPT_SCHEMA))
            hits = kept.join(names, on=_KEYS, how="semi", nulls_equal=True).unique(_KEYS, keep="any")
            if hits.height:
                found.append(hits)
                names = names.join(hits, on=_KEYS, how="anti", nulls_equal=True)
        return pl.concat(found)

    def add(self, parses: pl.DataFrame) -> None:
        """Keep new parses, if there are enough; written aside and renamed, so that a broken run leaves no half file."""
        if parses.height < KEPT_FROM:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        sums = parses.select(pl.concat_str(pl.all().cast(pl.String).fill_null("")).hash().sum()).item()
        name = text_version(str(sums), str(parses.height))
        part = self.folder / f".{name}.{os.getpid()}"
        parses.write_parquet(part, compression="zstd")
        part.replace(self.folder / f"{name}.parquet")


def parse_names(asked: pl.DataFrame, *, cache: ParseCache | None = None, processes: int | None = None) -> pl.DataFrame:
    """Return INNER_COLUMNS for every row of `asked` (name, authorship, code), in order.

    `processes`: how many may be used for a large job (default: one for each core; 1: none but this one).
    """
    keyed = asked.select(pl.col(key.removeprefix("_")).alias(key) for key in _KEYS)
    distinct = keyed.unique()
    plain = plain_names(distinct)
    is_plain = plain["plain"]
    easy = _plain_parses(distinct.filter(is_plain), plain.filter(is_plain))
    rest = distinct.filter(~is_plain)
    parts = [easy]
    if cache is not None and rest.height:
        found = cache.find(rest)
        rest = rest.join(found, on=_KEYS, how="anti", nulls_equal=True)
        parts.append(found)
    parsed = _parse_rows(rest, processes)
    if cache is not None:
        cache.add(parsed)
    table = pl.concat([*parts, parsed])
    return keyed.join(table, on=_KEYS, how="left", nulls_equal=True, maintain_order="left").select(INNER_COLUMNS)


def _plain_parses(asked: pl.DataFrame, plain: pl.DataFrame) -> pl.DataFrame:
    canonical = pl.concat_str("g", "e1", "e2", separator=" ", ignore_nulls=True)
    epithets = pl.concat([plain["e1"].rename("word"), plain["e2"].rename("word")]).drop_nulls().unique()
    stems = pl.DataFrame(
        {"word": epithets, "stem": [stem_epithet(word) for word in epithets]},
        schema={"word": pl.String, "stem": pl.String},
    )
    frame = plain.join(stems.rename({"word": "e1", "stem": "t1"}), on="e1", how="left", maintain_order="left")
    frame = frame.join(stems.rename({"word": "e2", "stem": "t2"}), on="e2", how="left", maintain_order="left")
    rank = (
        pl.when(pl.col("m").is_not_null())
        .then(pl.col("m").replace_strict(RANK_MARKS, default=None, return_dtype=pl.String))
        .when(pl.col("e2").is_not_null())
        # with the citation of a zoologist (author, year) three plain words are a subspecies
        .then(pl.when(pl.col("year").is_not_null()).then(pl.lit("subspecies")).otherwise(pl.lit("infraspecific name")))
        .when(pl.col("e1").is_not_null())
        .then(pl.lit("species"))
        .otherwise(pl.lit("unranked"))
    )
    parsed = frame.select(
        canonicalName=canonical,
        canonicalStem=pl.concat_str("g", "t1", "t2", separator=" ", ignore_nulls=True),
        authorship="a",
        year="year",
        genericName="g",
        specificEpithet="e1",
        infraspecificEpithet="e2",
        rank=rank,
        notho=pl.lit(None, dtype=pl.String),
        outcome=pl.lit("parsed"),
        quality=pl.lit(1, dtype=pl.Int8),
        approximate=pl.lit(value=False),
    )
    return pl.concat([asked, parsed], how="horizontal")


def _parse_rows(rows: pl.DataFrame, processes: int | None) -> pl.DataFrame:
    """Parse row by row, in this process or, for very many, in others (the parser holds the interpreter's lock)."""
    workers = processes if processes is not None else (os.cpu_count() or 1)
    if workers < 2 or rows.height < POOL_FROM:
        return _parse_chunk(rows)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return pl.concat(pool.map(_parse_chunk, _chunks(rows)))


def _chunks(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for start in range(0, rows.height, CHUNK):
        yield rows.slice(start, CHUNK)


def _parse_chunk(rows: pl.DataFrame) -> pl.DataFrame:
    parses = [parse_name(name, authorship, None, code) for name, authorship, code in rows.select(_KEYS).iter_rows()]
    table = pl.DataFrame(
        {column: [getattr(parse, column) for parse in parses] for column in INNER_COLUMNS}, schema=PARSE_SCHEMA
    )
    return pl.concat([rows.select(_KEYS), table], how="horizontal")
