"""Make a Darwin Core Archive of any size: realistic columns, skewed names, extensions, dirt at set rates, next editions.

The same arguments give the same bytes on any machine: all choices come from SplitMix64 over (row, column, seed). A file
`<name>.facts.json` says what was put in, so that a reader's counts can be checked.

    python benchmarks/archives/generate.py million.zip --rows 1000000
    python benchmarks/archives/generate.py million-next-week.zip --rows 1000000 --edition 2 --changed 0.01

What the records say, and after which archives, stands in `values.py`.
"""

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.archives.values import COLUMNS, Rows, species_of, unit

BLOCK = 50_000
FIXED_DATE = (2026, 1, 1, 0, 0, 0)

MEDIA = ["dcterms:identifier", "dcterms:format", "dcterms:license", "dcterms:creator", "dcterms:title"]
IDENTIFICATION = ["dwc:scientificName", "dwc:identifiedBy", "dwc:dateIdentified", "dwc:family", "dwc:taxonRank"]
NAMESPACES = {"dwc": "http://rs.tdwg.org/dwc/terms/", "dcterms": "http://purl.org/dc/terms/"}


@dataclass(frozen=True)
class Dirt:
    """Shares of rows with each kind of dirt."""

    short: float = 0.0002
    broken: float = 0.0002
    latin1: float = 0.0001
    padded: float = 0.002
    null_mark: float = 0.01
    orphans: float = 0.001


@dataclass(frozen=True)
class Change:
    """Shares of an edition's records that differ from the first one: changed, vanished, new."""

    changed: float = 0.02
    vanished: float = 0.001
    new: float = 0.005


def _lines(frame: pl.DataFrame) -> list[bytes]:
    text = frame.write_csv(separator="\t", include_header=False, quote_style="never", null_value="")
    return text.encode().split(b"\n")[:-1]


def core_blocks(
    count: int, edition: int, dirt: Dirt, facts: dict[str, int], change: Change
) -> Iterator[tuple[pl.Series, bytes]]:
    """Yield (row numbers, text) of the core, dirt included."""
    end = count + (round(count * change.new) if edition > 1 else 0)
    for start in range(0, end, BLOCK):
        stop = min(start + BLOCK, end)
        rows = pl.int_range(start, stop, dtype=pl.Int64, eager=True)
        if edition > 1:
            rows = rows.filter(~((unit(rows, 900 + edition) < change.vanished) & (rows < count)))
        changed = (unit(rows, 950 + edition) < change.changed) if edition > 1 else pl.Series([False] * rows.len())
        frame = Rows(rows, species_of(rows)).frame(COLUMNS, 10).insert_column(0, rows.cast(pl.String).alias("id"))
        if edition > 1:
            moved = pl.format("{} (relocated {})", pl.col("dwc:locality").fill_null("unknown"), pl.lit(str(edition)))
            frame = frame.with_columns(pl.when(changed).then(moved).otherwise("dwc:locality").alias("dwc:locality"))
            facts["changed"] = facts.get("changed", 0) + int(changed.sum())
        marked = unit(rows, 801) < dirt.null_mark
        frame = frame.with_columns(
            pl.when(marked).then(pl.lit("\\N")).otherwise("dwc:island").alias("dwc:island"),
            pl.when(unit(rows, 802) < dirt.padded)
            .then(pl.format("  {} ", "dwc:genus")).otherwise("dwc:genus").alias("dwc:genus"),
        )  # fmt: skip
        lines = _lines(frame)
        _soil(lines, rows, dirt, facts)
        facts["rows"] = facts.get("rows", 0) + len(lines)
        yield rows, b"\n".join(lines) + b"\n"


def _soil(lines: list[bytes], rows: pl.Series, dirt: Dirt, facts: dict[str, int]) -> None:
    for at in (unit(rows, 803) < dirt.short).arg_true():
        lines[at] = b"\t".join(lines[at].split(b"\t")[:40])
        facts["short"] = facts.get("short", 0) + 1
    for at in ((unit(rows, 804) < dirt.broken) & ~(unit(rows, 803) < dirt.short)).arg_true():
        cells = lines[at].split(b"\t")
        cells[33] = b"upper\nlower valley"
        lines[at] = b"\t".join(cells)
        facts["broken"] = facts.get("broken", 0) + 1
    for at in (unit(rows, 805) < dirt.latin1).arg_true():
        lines[at] = lines[at].replace(b"Example Museum", "Musée".encode("latin-1"))
        facts["latin1"] = facts.get("latin1", 0) + 1


def extension_blocks(
    columns: list[tuple[str, str, float]], ids: list[pl.Series], shares: tuple[float, int], facts: dict[str, int],
    key: str, orphans: float,
) -> Iterator[bytes]:  # fmt: skip
    """Yield text of an extension: each record has `share` chance of each of `most` rows; a few name no record."""
    share, most = shares
    for rows in ids:
        for copy in range(most):
            chosen = rows.filter(unit(rows, 600 + copy + most) < share)
            own = (chosen * 10 + copy).cast(pl.Int64)
            # the first row of a record says its current name again
            frame = Rows(own, species_of(chosen if copy == 0 else own)).frame(columns, 300 + 50 * most)
            lost = unit(own, 870) < orphans
            keys = pl.select(
                pl.when(lost).then(pl.format("lost-{}", own)).otherwise(chosen.cast(pl.String)).alias("k")
            )["k"]
            facts[key] = facts.get(key, 0) + chosen.len()
            facts["orphans"] = facts.get("orphans", 0) + int(lost.sum())
            text = frame.insert_column(0, keys).write_csv(separator="\t", include_header=False, quote_style="never")
            yield text.encode()


def _iri(term: str) -> str:
    prefix, name = term.split(":", 1)
    return NAMESPACES[prefix] + name


def _meta(kind: str, row_type: str, file: str, terms: list[str]) -> str:
    fields = "".join(f'<field index="{i + 1}" term="{_iri(t)}"/>' for i, t in enumerate(terms))
    name = "id" if kind == "core" else "coreid"
    return (f'<{kind} encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" '
            f'ignoreHeaderLines="1" rowType="{row_type}"><files><location>{file}</location></files>'
            f'<{name} index="0"/>{fields}</{kind}>')  # fmt: skip


EML = """<?xml version="1.0" encoding="UTF-8"?>
<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1" packageId="6f1b6f1e-0000-4000-8000-000000000000/v1.{edition}">
<dataset><title>Example collections</title><creator><organizationName>Example Museum</organizationName></creator>
<pubDate>2026-01-0{edition}</pubDate><language>eng</language><intellectualRights><para>
<ulink url="http://creativecommons.org/publicdomain/zero/1.0/legalcode"><citetitle>CC0</citetitle></ulink></para>
</intellectualRights></dataset></eml:eml>
"""


def generate(
    path: Path,
    rows: int,
    *,
    edition: int = 1,
    dirt: Dirt | None = None,
    extensions: bool = True,
    change: Change | None = None,
) -> dict[str, int]:
    """Write the archive; return its facts (also written beside it)."""
    dirt = dirt if dirt is not None else Dirt()
    facts: dict[str, int] = {}
    terms = [term for term, _, _ in COLUMNS]
    ids: list[pl.Series] = []

    def info(name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, FIXED_DATE)
        entry.compress_type = zipfile.ZIP_DEFLATED
        return entry

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        with archive.open(info("occurrence.txt"), "w", force_zip64=True) as file:
            file.write("\t".join(["id", *(t.split(":")[1] for t in terms)]).encode() + b"\n")
            for numbers, text in core_blocks(rows, edition, dirt, facts, change or Change()):
                file.write(text)
                ids.append(numbers)
        meta = _meta("core", NAMESPACES["dwc"] + "Occurrence", "occurrence.txt", terms)
        tables = [
            ("multimedia.txt", "http://rs.gbif.org/terms/1.0/Multimedia", MEDIA, (0.65, 2), "media",
             [("dcterms:identifier", "url", 1.0), ("dcterms:format", "const:image/jpeg", 1.0),
              ("dcterms:license", "const:http://creativecommons.org/licenses/by/4.0/", 1.0),
              ("dcterms:creator", "collector", 0.7), ("dcterms:title", "name", 0.8)]),
            ("identification.txt", NAMESPACES["dwc"] + "Identification", IDENTIFICATION, (0.37, 3), "identifications",
             [("dwc:scientificName", "name", 1.0), ("dwc:identifiedBy", "collector", 0.7), ("dwc:dateIdentified", "date", 0.6),
              ("dwc:family", "family", 0.9), ("dwc:taxonRank", "const:species", 0.9)]),
        ]  # fmt: skip
        for name, row_type, columns, shares, key, kinds in tables if extensions else []:
            with archive.open(info(name), "w", force_zip64=True) as file:
                file.write("\t".join(["coreid", *(t.split(":")[1] for t in columns)]).encode() + b"\n")
                for text in extension_blocks(kinds, ids, shares, facts, key, dirt.orphans):
                    file.write(text)
            meta += _meta("extension", row_type, name, columns)
        archive.writestr(
            info("meta.xml"), f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">{meta}</archive>'
        )
        archive.writestr(info("eml.xml"), EML.format(edition=edition))
    path.with_suffix(".facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--edition", type=int, default=1)
    for share, value in vars(Change()).items():
        parser.add_argument(f"--{share}", type=float, default=value, help="share of the records, from edition 2 on")
    parser.add_argument("--clean", action="store_true", help="no dirt")
    parser.add_argument("--no-extensions", action="store_true")
    options = parser.parse_args()
    dirt = Dirt(0, 0, 0, 0, 0, 0) if options.clean else Dirt()
    print(
        generate(
            options.path,
            options.rows,
            edition=options.edition,
            dirt=dirt,
            extensions=not options.no_extensions,
            change=Change(options.changed, options.vanished, options.new),
        )
    )


if __name__ == "__main__":
    main()
