"""Score the parser and the matcher on the peers' cases: `python benchmarks/names/suites.py ../shared/data/suites [--misses]`."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from dissco_platform.names.backbone import build_backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.parse_many import parse_names
from dissco_platform.names.query import make_queries
from dissco_platform.names.ranks import CODES

Row = dict[str, Any]


def cases(path: Path) -> list[Row]:
    """Return the cases of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def names_frame(rows: list[dict[str, str | None]]) -> pl.DataFrame:
    """Return NAME_COLUMNS of rows given with bare terms."""
    return pl.DataFrame(
        {column: [row.get(column.removeprefix("dwc:")) for row in rows] for column in NAME_COLUMNS},
        schema=dict.fromkeys(NAME_COLUMNS, pl.String),
    )


def match(index: Path, rows: list[dict[str, str | None]], *, higher_rank: bool = True) -> list[Row]:
    """Match rows on an index."""
    queries, _ = make_queries(names_frame(rows))
    return match_queries(queries, open_backbone(index), higher_rank=higher_rank).to_dicts()


def gbif(suites: Path, scratch: Path) -> tuple[int, int, list[str]]:
    """Score GBIF's cases: the expected usage or none, and the type where one is given."""
    index = scratch / "gbif"
    build_backbone(suites / "matching/gbif_index.NameUsage.tsv", index)
    rows = cases(suites / "matching/gbif_matching_ws_cases.dev.jsonl")
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus")
    asked = [{"scientificName": r["name"], "taxonRank": r["rank"], **{k: r[k] for k in ranks}} for r in rows]
    misses = []
    for row, got in zip(rows, match(index, asked), strict=True):
        right = got["usageID"] == row["expected_key"] if row["expect"] == "match" else got["usageID"] is None
        kind = (row["expected_type"] or "").lower()
        if right and kind:
            right = kind == got["matchType"].lower() or (kind == "variant" and got["matchType"] == "fuzzy")
        if not right:
            misses.append(f"{ ({k: v for k, v in row.items() if v}) }\n      → {_short(got)}")
    return len(rows) - len(misses), len(rows), misses


def col(suites: Path, scratch: Path) -> tuple[int, int, list[str]]:
    """Score the Catalogue of Life's cases, each on its own little checklist."""
    table = pl.read_csv(
        suites / "matching/col_index.NameUsage.tsv", separator="\t", quote_char=None, infer_schema=False
    )
    rows = cases(suites / "matching/col_usagematcher_cases.dev.jsonl")
    misses = []
    for name in sorted({r["dataset"] for r in rows}):
        folder = scratch / f"col-{name}"
        folder.mkdir()
        table.filter(pl.col("dataset") == name).drop("dataset").write_csv(
            folder / "NameUsage.tsv", separator="\t", quote_style="never"
        )
        index = scratch / f"index-{name}"
        build_backbone(folder, index)
        own = [r for r in rows if r["dataset"] == name]
        asked = [
            {
                "scientificName": r["name"],
                "scientificNameAuthorship": r["authorship"],
                "taxonRank": r["rank"],
                **r["classification"],
            }
            for r in own
        ]
        for row, got in zip(own, match(index, asked, higher_rank=False), strict=True):
            right = got["usageID"] == (row["expected_id"] if row["expect"] == "match" else None)
            if not right:
                misses.append(f"{ ({k: v for k, v in row.items() if v}) }\n      → {_short(got)}")
    return len(rows) - len(misses), len(rows), misses


def _short(got: Row) -> Row:
    keep = ("matchType", "confidence", "usageID", "matchedName", "matchedAuthorship", "note", "alternatives")
    scores = [got[k] for k in ("nameScore", "authorshipScore", "classificationScore", "rankScore", "statusScore")]
    return {**{k: got[k] for k in keep if got[k] is not None}, "scores": scores}


def gnparser(suites: Path) -> list[tuple[str, int, int, list[str]]]:
    """Score gnparser's names: canonical, year; whether there is a name at all."""
    rows = cases(suites / "parsing/gnparser_names.dev.jsonl")
    got = parse_names(_asked([(r["verbatim"], None, None, CODES.get(r["code"] or "")) for r in rows])).to_dicts()
    out = []
    for ours, theirs in (
        ("canonicalName", "canonical_simple"),
        ("canonicalStem", "canonical_stemmed"),
        ("year", "year"),
    ):
        misses = [
            f"{r['verbatim']!r}: {g[ours]!r}, expected {r[theirs]!r} [{g['outcome']}]"
            for r, g in zip(rows, got, strict=True)
            if (g[ours] or None) != (r[theirs] or None)
        ]
        out.append((f"gnparser {ours}", len(rows) - len(misses), len(rows), misses))
    return out


def _asked(rows: list[tuple[str | None, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(("name", "authorship", "rank", "code"), pl.String), orient="row")


def gbif_asserts(suites: Path) -> list[tuple[str, int, int, list[str]]]:
    """Score GBIF's assertions on genus and epithets, as the source spells them."""
    rows = cases(suites / "parsing/gbif_nameparser_asserts.dev.jsonl")
    got = parse_names(
        _asked([(r["verbatim"], r["authorship_in"], r["rank_in"], r["code_in"]) for r in rows])
    ).to_dicts()
    misses: list[str] = []
    total = 0
    outcome: Counter[str] = Counter()
    wrong = []
    for r, g in zip(rows, got, strict=True):
        expect = r["expect"]
        outcome[r["outcome"]] += 1
        said = {"parsed": "parsed", "informal": "informal"}.get(g["outcome"], "unparsable")
        if said != r["outcome"] and g["outcome"] != r["outcome"]:
            wrong.append(f"{r['verbatim']!r}: {g['outcome']}, expected {r['outcome']} {expect}")
        if r["outcome"] != "parsed":
            continue
        total += 1
        genus = expect.get("uninomial") or expect.get("genus") or expect.get("genus_or_uninomial")
        want = (genus, expect.get("specific_epithet"), expect.get("infraspecific_epithet"))
        have = (g["genericName"], g["specificEpithet"], g["infraspecificEpithet"])
        pairs = [(w, h) for w, h in zip(want, have, strict=True) if w is not None]
        if any(w != h for w, h in pairs):
            misses.append(f"{r['verbatim']!r} ({r['authorship_in']}): {have}, expected {expect}")
    return [
        ("gbif genus and epithets", total - len(misses), total, misses),
        ("gbif outcome", len(rows) - len(wrong), len(rows), wrong),
    ]


def stems(suites: Path) -> tuple[str, int, int, list[str]]:
    """Score gnparser's stems."""
    from dissco_platform.names.stem import stem_epithet

    table = pl.read_csv(suites / "parsing/gnparser_stems.dev.tsv", separator="\t", quote_char=None, infer_schema=False)
    misses = [f"{w}: {stem_epithet(w)}, expected {s}" for w, s in table.iter_rows() if stem_epithet(w) != s]
    return "gnparser stems", table.height - len(misses), table.height, misses


def main() -> None:
    """Print a line for each suite, and the misses where asked."""
    suites = Path(sys.argv[1])
    show = "--misses" in sys.argv
    only = [a.removeprefix("--only=") for a in sys.argv if a.startswith("--only=")]
    results: list[tuple[str, int, int, list[str]]] = []
    with tempfile.TemporaryDirectory() as folder:
        if not only or "match" in only:
            results.append(("GBIF matching", *gbif(suites, Path(folder))))
            results.append(("CoL matching", *col(suites, Path(folder))))
        if not only or "parse" in only:
            results += gnparser(suites) + gbif_asserts(suites)
            results.append(stems(suites))
    for name, right, total, misses in results:
        print(f"{name:28} {right}/{total} {100 * right / total:.1f} %")
        if show:
            for miss in misses[:400]:
                print("   ", miss)


if __name__ == "__main__":
    main()
