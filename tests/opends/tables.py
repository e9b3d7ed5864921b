"""Small parsed tables for the tests of opends, in the form that archives/ writes."""

from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.opends.build import BuildReport, build_specimens
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import Mapping, load_mapping
from dissco_platform.provenance import json_version

REPOSITORY = Path(__file__).resolve().parents[2]
MAPPINGS = REPOSITORY / "mappings"
CONTEXT = DatasetContext(
    slug="herbarium",
    organisation_id="https://ror.org/0566bfb96",
    organisation_name="A Museum",
    source_system_id="https://hdl.handle.net/20.5000.1025/ABC-DEF-GHI",
    source_system_name="A Museum: herbarium",
    licence="CC0 1.0",
)
BASE = {
    "dwc:occurrenceID": "https://data.example.org/specimen/1",
    "dwc:catalogNumber": "A 1",
    "dwc:basisOfRecord": "PreservedSpecimen",
    "dwc:scientificName": "Puma concolor (Linnaeus, 1771)",
    "dwc:kingdom": "Animalia",
    "dcterms:license": "http://creativecommons.org/licenses/by/4.0/legalcode",
    "dcterms:modified": "2024-01-02",
    "dwc:preparations": "skin",
}


def write(folder: Path, *records: dict[str, str | None], **tables: list[dict[str, Any]]) -> Path:
    """Write parsed tables: records with the columns of BASE laid under, children with a `row`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for row, own in enumerate(records):
        terms = {key: value for key, value in (BASE | own).items() if value is not None}
        children = {name: [child for child in children if child["row"] == row] for name, children in tables.items()}
        rows.append(
            {
                "row": row,
                "source_file": "occurrence.txt",
                "source_line": row + 2,
                "core_id": str(row),
                "fingerprint": json_version([terms, children]),
                **terms,
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=["row", *BASE])
    frame.with_columns(pl.col("row").cast(pl.Int64)).write_parquet(folder / "records.parquet")
    for name, children in tables.items():
        full = [
            {"source_file": f"{name}.txt", "source_line": at + 2, "row_type": name, **child}
            for at, child in enumerate(children)
        ]
        pl.DataFrame(full, infer_schema_length=None).sort("row", maintain_order=True).write_parquet(
            folder / f"{name}.parquet"
        )
    (folder / "dataset.json").write_bytes(orjson.dumps({"title": "A Museum: herbarium"}))
    return folder


def build(
    tmp_path: Path,
    *records: dict[str, str | None],
    mapping: Mapping | None = None,
    context: DatasetContext = CONTEXT,
    previous: Path | None = None,
    name: str = "one",
    names: pl.DataFrame | None = None,
    batch_rows: int = 20_000,
    workers: int = 2,
    **tables: list[dict[str, Any]],
) -> tuple[BuildReport, Path]:
    """Write tables and build them; returns the report and the folder of the build."""
    parsed = write(tmp_path / f"{name}-parsed", *records, **tables)
    out, taxa = tmp_path / f"{name}-out", tmp_path / f"{name}-names"
    out.mkdir()
    taxa.mkdir()
    if names is not None:
        names.write_parquet(taxa / "names.parquet")
    mapping = mapping or load_mapping(MAPPINGS / "dwc.yaml")
    report = build_specimens(
        parsed, taxa, mapping, context, out, previous=previous, batch=name, batch_rows=batch_rows, workers=workers
    )
    return report, out


def specimens(out: Path) -> list[dict[str, Any]]:
    """Return the rows of specimens.parquet."""
    return pl.read_parquet(out / "specimens.parquet").to_dicts()


def documents(out: Path, table: str = "documents") -> list[dict[str, Any]]:
    """Return the documents' contents, each with its relationships under `relationships`."""
    rows = pl.read_parquet(out / f"{table}.parquet").iter_rows(named=True)
    return [orjson.loads(row["content"]) | {"relationships": orjson.loads(row["relationships"])} for row in rows]


def document(tmp_path: Path, record: dict[str, str | None], **options: Any) -> dict[str, Any]:
    """Build one record and return its document."""
    _, out = build(tmp_path, record, **options)
    (only,) = documents(out)
    return only
