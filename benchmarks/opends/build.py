"""How fast and in how much memory specimens are built: `python benchmarks/opends/build.py [RECORDS]`.

Writes made-up parsed tables (60 columns, one identification and one medium a record, 5 kB documents) to a temporary
folder, builds them twice (all new, then nothing changed) and prints records/s, CPU time and peak memory.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import load_mapping

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
STEP = 100_000
CONTEXT = DatasetContext(
    "bench",
    "https://ror.org/0566bfb96",
    "A Museum",
    "https://hdl.handle.net/20.5000.1025/ABC-DEF-GHI",
    "A Museum",
    licence="CC0",
)


def pick(values: list[str], at: pl.Expr, by: int) -> pl.Expr:
    """Return values by a scrambled row number."""
    index = (at * by) % len(values)
    return index.replace_strict(list(range(len(values))), values, return_dtype=pl.String)


def records(start: int, count: int) -> pl.DataFrame:
    """Return made-up records."""
    at = pl.col("row")
    n = at.cast(pl.String)
    places = [
        f"A place called {number}, 3 km south of the bridge, at the edge of the forest" for number in range(20_000)
    ]
    species = [f"Genus{number % 400} species{number}" for number in range(2_000)]
    return pl.select(pl.int_range(start, start + count, dtype=pl.Int64).alias("row")).with_columns(
        pl.lit("occurrence.txt").alias("source_file"), (at + 2).alias("source_line"), n.alias("core_id"),
        pl.concat_str(pl.lit("f"), n).alias("fingerprint"),
        pl.concat_str(pl.lit("https://data.example.org/specimen/"), n).alias("dwc:occurrenceID"),
        pl.concat_str(pl.lit("MUS "), n).alias("dwc:catalogNumber"),
        pl.lit("PreservedSpecimen").alias("dwc:basisOfRecord"), pl.lit("MUS").alias("dwc:institutionCode"),
        pl.lit("Lepidoptera").alias("dwc:collectionCode"), pl.lit("pinned").alias("dwc:preparations"),
        pl.lit("http://creativecommons.org/licenses/by/4.0/legalcode").alias("dcterms:license"),
        pl.lit("2024-02-03T10:11:12Z").alias("dcterms:modified"), pick(species, at, 7919).alias("dwc:scientificName"),
        pl.lit("Animalia").alias("dwc:kingdom"), pl.lit("Arthropoda").alias("dwc:phylum"),
        pl.lit("Insecta").alias("dwc:class"), pl.lit("Lepidoptera").alias("dwc:order"),
        pick([f"Family{number}" for number in range(50)], at, 31).alias("dwc:family"), pl.lit("species").alias("dwc:taxonRank"),
        pick(["male", "female", "Weibchen", "♂", "unknown"], at, 3).alias("dwc:sex"),
        pick(["adult", "imago", "larva", "juv."], at, 5).alias("dwc:lifeStage"),
        pick(["holotype", "Paratypus", "not a type"], at, 1009).alias("dwc:typeStatus"),
        pick([f"J. Collector{number} & B. Helper" for number in range(3_000)], at, 101).alias("dwc:recordedBy"),
        pl.concat_str(pl.lit("K"), n).alias("dwc:recordNumber"),
        pl.concat_str(
            pl.lit("19"), (at % 100).cast(pl.String).str.zfill(2), pl.lit("-05-"), (at % 28 + 1).cast(pl.String).str.zfill(2)
        ).alias("dwc:eventDate"),
        pick(["Peru", "Niederlande", "France"], at, 7).alias("dwc:country"),
        pick(places, at, 7919).alias("dwc:locality"),
        pick([f"Province {number}" for number in range(90)], at, 11).alias("dwc:stateProvince"),
        ((at % 170_000) / 1000 - 85).cast(pl.String).alias("dwc:decimalLatitude"),
        ((at % 340_000) / 1000 - 170).cast(pl.String).alias("dwc:decimalLongitude"),
        pl.lit("WGS84").alias("dwc:geodeticDatum"),
        (at % 900).cast(pl.String).alias("dwc:coordinateUncertaintyInMeters"),
        (at % 3000).cast(pl.String).alias("dwc:minimumElevationInMeters"),
        pl.lit("montane forest, at light").alias("dwc:habitat"),
        pl.concat_str(
            pl.lit("Label: "), n, pl.lit(' leg. Collector, a text of some length as labels have them, with a "quotation" in it')
        ).alias("dwc:verbatimLabel"),
        pl.lit("Found under a stone; wings slightly damaged").alias("dwc:occurrenceRemarks"),
        pick([f"D. Expert{number}" for number in range(300)], at, 13).alias("dwc:identifiedBy"),
        pl.lit("1999").alias("dwc:dateIdentified"),
    )  # fmt: skip


def media(start: int, count: int) -> pl.DataFrame:
    """Return one made-up medium a record."""
    n = pl.col("row").cast(pl.String)
    return pl.select(pl.int_range(start, start + count, dtype=pl.Int64).alias("row")).with_columns(
        pl.lit("multimedia.txt").alias("source_file"), (pl.col("row") + 2).alias("source_line"),
        pl.lit("ac:Multimedia").alias("row_type"),
        pl.concat_str(pl.lit("https://img.example.org/"), n, pl.lit(".jpg")).alias("ac:accessURI"),
        pl.lit("http://creativecommons.org/publicdomain/zero/1.0/").alias("dcterms:license"),
        pl.lit("StillImage").alias("dcterms:type"),
        pl.lit("A Museum").alias("dcterms:rightsHolder"),
    )  # fmt: skip


def measured(label: str, count: int, parsed: Path, out: Path, previous: Path | None) -> None:
    """Build once and print the figures."""
    out.mkdir()
    wall, cpu = time.perf_counter(), time.process_time()
    mapping = load_mapping(MAPPINGS / "dwc.yaml")
    report = build_specimens(parsed, parsed, mapping, CONTEXT, out, previous=previous, batch=label)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{label}: {count:,} records, {report.rendered:,} rendered, {report.media:,} media, {wall:.1f} s = {count / wall:,.0f}/s,"
        f" CPU {cpu:.1f} s = {cpu / count * 1e6:.0f} µs a record, peak {peak} MiB",
        flush=True,
    )


def main() -> None:
    """Run the benchmark."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with_media = "--no-media" not in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        parsed = root / "parsed"
        parsed.mkdir()
        for name, make in (("records", records), ("media", media)):
            if name == "media" and not with_media:
                continue
            lazy = pl.concat([make(start, min(STEP, count - start)).lazy() for start in range(0, count, STEP)])
            lazy.sink_parquet(parsed / f"{name}.parquet", row_group_size=STEP)
        measured("all new", count, parsed, root / "one", None)
        measured("unchanged", count, parsed, root / "two", root / "one")


if __name__ == "__main__":
    main()
