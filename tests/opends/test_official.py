"""Against the official openDS schemas, with real archives."""

import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import polars as pl
import pytest

from dissco_platform.archives import read_archive
from dissco_platform.archives.datapackage import COLUMNS
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.docs import NOT_READ
from dissco_platform.opends.mapping import load_mapping, rule_columns
from dissco_platform.opends.schema import json_schema, placeholder_document
from dissco_platform.opends.terms import model
from tests.opends.tables import CONTEXT, MAPPINGS

pytestmark = pytest.mark.shared

ARCHIVES = [
    "dwca/beetles-no-descriptor.zip", "dwca/illinois-birds.zip", "dwca/kew-herbarium.zip", "dwca/luxembourg-fossils.zip",
    "dwca/mnhn-crustaceans.zip", "dwca/naturalis-ascidians.zip", "dwca/utrecht-fossils-separator-mismatch.zip",
    "dwca/vampire-moths.zip", "abcd/berlin-herbarium.xml", "abcd/berlin-invalid-media.xml", "abcd/stuttgart.xml",
    "abcd/stuttgart-type-specimen.xml", "abcd/taltech-efg-one-unit.xml",
]  # fmt: skip
SCHEMAS = {"ods:DigitalSpecimen": "digital-specimen/0.4.0", "ods:DigitalMedia": "digital-media/0.5.0"}


@cache
def official(folder: Path, owner: str) -> Any:
    files = [path for path in folder.rglob("*/schema/*.json") if "digital-media/0.4.0" not in str(path)]
    by_name = {path.name: json.loads(path.read_text()) for path in files}
    name = "digital-specimen.json" if owner == "ods:DigitalSpecimen" else "digital-media.json"
    return jsonschema_rs.validator_for(
        by_name[name], retriever=lambda uri: by_name[uri.rsplit("/", 1)[1]], validate_formats=True
    )


@pytest.mark.parametrize("archive", ARCHIVES)
def test_every_document_of_a_real_archive_fits_the_official_schema(shared: Path, tmp_path: Path, archive: str) -> None:
    for name in ("parsed", "names", "out"):
        (tmp_path / name).mkdir()
    parsed = read_archive(shared / "data" / archive, tmp_path / "parsed")
    mapping = load_mapping(MAPPINGS / ("abcd.yaml" if parsed.kind == "abcd" else "dwc.yaml"))
    report = build_specimens(tmp_path / "parsed", tmp_path / "names", mapping, CONTEXT, tmp_path / "out", batch="one")
    assert report.records == parsed.records == report.specimens + sum(report.rejects.values())
    assert "invalid_document" not in report.rejects
    folder = shared / "reference" / "opends" / "fdo-type"
    for owner, table in (("ods:DigitalSpecimen", "documents"), ("ods:DigitalMedia", "media_documents")):
        validator = official(folder, owner)
        rows = pl.read_parquet(tmp_path / "out" / f"{table}.parquet").select("content", "relationships").iter_rows()
        for content, relationships in rows:
            whole = placeholder_document(owner, content, relationships)
            del whole["@context"]
            problems = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(whole)]
            assert problems == []


def test_no_archive_is_left_out(shared: Path) -> None:
    data = shared / "data"
    assert {f"{path.parent.name}/{path.name}" for kind in ("dwca", "abcd") for path in (data / kind).iterdir()} == set(
        ARCHIVES
    )


def test_the_models_table_says_what_the_official_schemas_say(shared: Path) -> None:
    folder = shared / "reference" / "opends" / "fdo-type"
    for owner, path in SCHEMAS.items():
        schema = json.loads((folder / path / "schema" / f"{path.split('/')[0]}.json").read_text())
        terms = model().classes[owner]
        assert set(terms) == set(schema["properties"])
        assert {name for name, term in terms.items() if term.required} == set(schema["required"])


def sssom(shared: Path, table: str) -> list[dict[str, str]]:
    path = shared / "reference" / "opends" / "data-mapping" / "0.4.0" / f"{table}.tsv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize(("table", "mapping"), [("sssom_dwca", "dwc"), ("sssom_dwc_dp", "dwc-dp")])
def test_every_row_of_the_published_mappings_is_read_or_said_why_not(shared: Path, table: str, mapping: str) -> None:
    loaded = load_mapping(MAPPINGS / f"{mapping}.yaml")
    read = {
        column.lower() for rules in loaded.blocks.values() for rule in rules.values() for column in rule_columns(rule)
    }

    def column(term: str) -> str:  # as the reader of data packages names the field
        return (COLUMNS.get(term.partition(":")[2]) or term if mapping == "dwc-dp" else term).lower()

    said = {name.lower() for name in NOT_READ}
    missing = {row["object_id"] for row in sssom(shared, table) if column(row["object_id"]) not in read}
    assert {name for name in missing if name.lower() not in said} == set()


def test_what_is_said_not_to_be_read_is_in_the_published_mappings_and_not_read(shared: Path) -> None:
    rows = {row["object_id"].lower() for table in ("sssom_dwca", "sssom_dwc_dp") for row in sssom(shared, table)}
    assert {name for name in NOT_READ if name.lower() not in rows} == set()
    read = {
        column.lower() for name in ("dwc", "dwc-dp") for rules in load_mapping(MAPPINGS / f"{name}.yaml").blocks.values()
        for rule in rules.values() for column in rule_columns(rule)
    }  # fmt: skip
    assert {name for name in NOT_READ if name.lower() in read} == set()


def test_every_term_of_the_published_abcd_mapping_is_mapped(shared: Path) -> None:
    mapped = {term.lower() for (_, _), rules in load_mapping(MAPPINGS / "abcd.yaml").blocks.items() for term in rules}
    terms = {row["subject_id"].lower() for row in sssom(shared, "sssom_abcdefg")}
    assert terms - mapped - {"schema:name"} == set()  # names of agents: ods:hasAgents


@pytest.mark.parametrize("path", ["digital-specimen/0.4.0", "digital-media/0.4.0", "digital-media/0.5.0"])
def test_our_schema_finds_in_the_official_examples_what_theirs_finds(shared: Path, path: str) -> None:
    owner = "ods:DigitalMedia" if "media" in path else "ods:DigitalSpecimen"
    folder = shared / "reference" / "opends" / "fdo-type"
    theirs = official(folder, owner)
    ours = jsonschema_rs.validator_for(json_schema(owner), validate_formats=True)
    for example in sorted((folder / path / "examples").glob("*digital-*-example.json")):
        document = json.loads(example.read_text())
        if document.get("@type") != owner:
            continue

        def places(validator: Any, whole: Any = document) -> set[str]:
            return {"/".join(str(step) for step in error.instance_path) for error in validator.iter_errors(whole)}

        assert places(ours) == places(theirs), example.name


_EVENT = {f"ods:hasEvents/{name}" for name in (
    "dwc:continent", "dwc:country", "dwc:countryCode", "dwc:hasGeologicalContext", "dwc:locality", "dwc:locationID",
    "dwc:municipality", "dwc:stateProvince", "ods:hasGeoreference",
)}  # fmt: skip
_RELATION = {"ods:hasEntityRelationships/dwc:relatedResourceURI"}
# Terms that the published examples use and the published schemas do not know.
UNKNOWN_IN_EXAMPLES = {
    "digital-specimen/0.4.0/digital-specimen-example.json": _EVENT | _RELATION
    | {"ods:hasIdentifications/ods:hasTaxonIdentifications/ods:scientificNameHtmlLabel"},
    "digital-specimen/0.4.0/digital-specimen-specimen-parts-example.json": _EVENT | _RELATION
    | {"dwc:hasSpecimenParts"},
    "digital-media/0.4.0/digital-media-example.json": _RELATION,
    "digital-media/0.4.0/tombstoned-digital-media-example.json": _RELATION
    | {"ods:hasTombstoneMetadata/ods:hasRelatedPID"},
    "digital-media/0.5.0/digital-media-derivative-example.json": _RELATION | {"ods:hasMediaDerivatives/ods:hasAgent"},
}  # fmt: skip


@pytest.mark.parametrize("example", UNKNOWN_IN_EXAMPLES)
def test_our_schema_names_the_terms_of_the_official_examples_that_do_not_exist(shared: Path, example: str) -> None:
    folder, _, name = example.rpartition("/")
    document = json.loads((shared / "reference/opends/fdo-type" / folder / "examples" / name).read_text())
    validator = jsonschema_rs.validator_for(json_schema(document["@type"]), validate_formats=True)
    unknown = set()
    for error in validator.iter_errors(document):
        if terms := re.search(r"\((.*) w(?:as|ere) unexpected\)", error.message):
            steps = [step for step in error.instance_path if isinstance(step, str)]
            unknown |= {"/".join([*steps, term]) for term in re.findall(r"'([^']+)'", terms[1])}
    assert unknown == UNKNOWN_IN_EXAMPLES[example]


# Filled from the source, and by no rule of a mapping: classes within classes, which the build puts together.
PUT_TOGETHER = {
    "ods:DigitalSpecimen": {"ods:hasSpecimenParts", "ods:hasIdentifications", "ods:hasAgents", "ods:hasEvents",
                            "ods:hasChronometricAges"},
    "ods:Identification": {"ods:hasTaxonIdentifications"},
    "ods:Event": {"ods:hasAssertions", "ods:hasLocation"},
    "ods:SpecimenPart": {"ods:hasIdentifications", "ods:hasEvents", "ods:hasChronometricAges"},
    "ods:Location": {"ods:hasGeoreference", "ods:hasGeologicalContext"},
}  # fmt: skip
NOT_PRODUCED = {
    # A georeference has no identifier of its own in Darwin Core, ABCD or DwC-DP; a dataset's mapping may give one.
    "ods:Georeference": {"@id"},
}


def test_every_term_is_fed_by_a_mapping_or_said_why_not() -> None:
    fed = {
        (owner, term)
        for name in ("dwc", "abcd", "dwc-dp")
        for (owner, _), rules in load_mapping(MAPPINGS / f"{name}.yaml").blocks.items()
        for term in rules
    }
    labels = {"ods:TaxonIdentification": {"ods:scientificNameHTMLLabel", "ods:genusHTMLLabel"}}  # made of the names
    argued = {
        (owner, term) for terms in (PUT_TOGETHER, NOT_PRODUCED, labels) for owner in terms for term in terms[owner]
    }
    wanted = {
        (owner, name)
        for owner, terms in model().classes.items()
        for name, term in terms.items()
        if term.filled == "source"
    }
    assert wanted - fed == argued
