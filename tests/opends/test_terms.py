"""Every class and term of openDS, shown by documents built from archives: Darwin Core, ABCD, a data package, published."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import polars as pl
import pyarrow.parquet as pq
import pytest

from dissco_platform.archives import read_archive
from dissco_platform.identity.stamping import stamp
from dissco_platform.identity.tombstones import tombstone_document
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.docs import NOT_MADE, not_made
from dissco_platform.opends.mapping import Mapping, load_mapping
from dissco_platform.opends.schema import json_schema
from dissco_platform.opends.terms import model
from dissco_platform.opends.typed import arrow_schema, write_typed
from tests.opends import samples
from tests.opends.tables import CONTEXT, MAPPINGS
from tests.opends.test_data_package import package
from tests.opends.test_documents import matched

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "opends" / "fdo-type"
ROOTS = {
    "ods:DigitalSpecimen": "digital-specimen/0.4.0/schema/digital-specimen.json",
    "ods:DigitalMedia": "digital-media/0.5.0/schema/digital-media.json",
}
# What a dataset's own mapping may give and no base mapping does.
OWN_RULES = """
ods:Georeference:
  records:
    '@id': {from: dwc:georeferenceSources, transform: {replace: {pattern: '^.*$', with: 'https://data.example.org/georeference/1'}}}
"""
OWN_AGENT_RULES = """
ods:Agent:
  agents:
    schema:email: verbatim:agentRemarks
    schema:url: dwc:agentID
"""
NAME = {
    "usageID": "4QHKG", "acceptedUsageID": "4QHKG", "acceptedName": "Puma concolor", "acceptedRank": "species",
    "acceptedAuthorship": "(Linnaeus, 1771)", "kingdom": "Animalia", "family": "Felidae", "genus": "Puma",
}  # fmt: skip


@cache
def _files() -> dict[str, Any]:
    files = [path for path in REFERENCE.rglob("*/schema/*.json") if "digital-media/0.4.0" not in str(path)]
    return {path.name: json.loads(path.read_text()) for path in files}


def _official_terms(owner: str, schema: dict[str, Any], seen: set[tuple[str, str]]) -> None:
    """Walk an official schema; classes are named as our model names what stands at the same place."""
    for name, found in schema["properties"].items():
        if (owner, name) in seen:
            continue
        seen.add((owner, name))
        inner = found.get("items", found)
        if "$ref" in inner:
            inner = _files()[inner["$ref"].rsplit("/", 1)[1]]
        if "properties" in inner:
            _official_terms(model().classes[owner][name].range, inner, seen)


def wanted() -> set[tuple[str, str]]:
    """Return (class, term) of all that there is: from the official schemas where they are at hand, else our own table."""
    if not REFERENCE.is_dir():
        return {(owner, name) for owner, terms in model().classes.items() for name in terms}
    seen: set[tuple[str, str]] = set()
    for owner, path in ROOTS.items():
        _official_terms(owner, json.loads((REFERENCE / path).read_text()), seen)
    return seen


@cache
def _validator(owner: str) -> Any:
    if not REFERENCE.is_dir():
        return jsonschema_rs.validator_for(json_schema(owner), validate_formats=True)
    schema = json.loads((REFERENCE / ROOTS[owner]).read_text())
    return jsonschema_rs.validator_for(
        schema, retriever=lambda uri: _files()[uri.rsplit("/", 1)[1]], validate_formats=True
    )


def _mapping(folder: Path, base: str, own: str) -> Mapping:
    (folder / f"{base}-own.yaml").write_text(own)
    return load_mapping(MAPPINGS / f"{base}.yaml", folder / f"{base}-own.yaml")


def _published(out: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the documents of a build as published, and what they become when they end."""
    tables = (("specimen", "ods:DigitalSpecimen", "documents"), ("media", "ods:DigitalMedia", "media_documents"))
    for kind, owner, table in tables:
        frame = pl.read_parquet(out / f"{table}.parquet").select(
            "content", "relationships", pl.lit("ABC-DEF-GHJ").alias("suffix"), pl.lit(1, dtype=pl.Int64).alias("version"),
            pl.lit("2026-01-02T03:04:05.000Z").alias("created"), pl.lit(["ABC-DEF-GHK"]).alias("links"),
        )  # fmt: skip
        for document in stamp(kind, frame, "10.3535", "2026-01-02T03:04:05.000Z"):
            ended = tombstone_document(
                document, 2, "2026-02-02T03:04:05.000Z", "gone", ["https://doi.org/10.3535/ABC-DEF-GHK"]
            )
            yield owner, json.loads(document)
            yield owner, json.loads(ended)


def _terms_of(owner: str, value: dict[str, Any], seen: set[tuple[str, str]]) -> None:
    for name, inner in value.items():
        seen.add((owner, name))
        term = model().classes[owner][name]
        if term.nested:
            for one in inner if term.many else [inner]:
                _terms_of(term.range, one, seen)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """(class, term) of all valid documents of the three kinds of archives."""
    seen: set[tuple[str, str]] = set()
    for kind in ("dwc", "abcd", "dwc-dp"):
        for owner, document in _made_of(tmp_path_factory.mktemp(kind), kind):
            assert [error.message for error in _validator(owner).iter_errors(document)] == []
            _terms_of(owner, document, seen)
    return seen


def _made_of(folder: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the published documents of an archive of one kind."""
    for name in ("parsed", "names", "out"):
        (folder / name).mkdir()
    mapping = _mapping(folder, kind, OWN_AGENT_RULES if kind == "dwc-dp" else OWN_RULES)
    archive = {
        "dwc": lambda at, mapping: samples.darwin_core(at / "archive.zip", mapping),
        "abcd": lambda at, mapping: samples.abcd(at / "unit.xml", mapping),
        "dwc-dp": lambda at, _: package(at / "package.zip"),
    }[kind](folder, mapping)
    parsed = read_archive(archive, folder / "parsed")
    assert (parsed.rejects, parsed.extension_rejects) == ({}, {})
    if kind == "dwc":
        key = pl.read_parquet(folder / "parsed" / "records.parquet")
        names = matched("exact", frame=key, **NAME)
        names.write_parquet(folder / "names" / "names.parquet")
    report = build_specimens(
        folder / "parsed", folder / "names", mapping, CONTEXT, folder / "out", batch="one"
    )  # fmt: skip
    assert (report.specimens, report.rejects, report.doi_only) == (parsed.records, {}, 0)
    for owner, document in _published(folder / "out"):
        document.pop("@context", None)
        yield owner, document


def test_every_term_stands_in_a_valid_document_but_for_those_that_the_docs_name(made: set[tuple[str, str]]) -> None:
    lacking = {f"{owner} {term}" for owner, term in wanted() - made}
    assert lacking == set(not_made())


def test_every_class_of_the_schemas_is_in_some_document(made: set[tuple[str, str]]) -> None:
    assert {owner for owner, _ in wanted()} - {owner for owner, _ in made} == {"ods:MediaDerivative"}


def test_what_is_not_made_is_said_with_a_reason_and_its_source() -> None:
    for terms, reason, source in NOT_MADE:
        assert terms
        assert reason
        assert source
    known = {f"{owner} {name}" for owner, terms in model().classes.items() for name in terms}
    assert set(not_made()) <= known


def test_typed_tables_hold_what_the_documents_say(tmp_path: Path) -> None:
    documents = [document for owner, document in _made_of(tmp_path, "dwc") if owner == "ods:DigitalSpecimen"]
    path = tmp_path / "specimens.parquet"
    assert write_typed((json.dumps(one) for one in documents), "ods:DigitalSpecimen", path) == len(documents)
    table = pq.read_table(path)
    assert table.schema.equals(arrow_schema("ods:DigitalSpecimen"))
    assert [_stated(row) for row in table.to_pylist()] == documents


def _stated(value: Any) -> Any:
    """Return a row without what it does not say: Parquet has a place for every term."""
    if isinstance(value, dict):
        return {name: _stated(inner) for name, inner in value.items() if inner is not None}
    return [_stated(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.shared
def test_our_table_has_exactly_the_terms_of_the_official_schemas(shared: Path) -> None:
    assert wanted() == {(owner, name) for owner, terms in model().classes.items() for name in terms}
