"""The build as a whole: accounting, identity, carrying over, documents."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissco_platform.opends.schema import json_schema
from tests.opends.tables import CONTEXT, build, document, documents, specimens


def test_a_record_becomes_a_specimen_with_a_document(tmp_path: Path) -> None:
    report, out = build(tmp_path, {})
    (row,) = specimens(out)
    assert (report.records, report.specimens, report.documents, report.rejects) == (1, 1, 1, {})
    assert row["normalisedPhysicalSpecimenID"] == "https://data.example.org/specimen/1"
    assert row["physicalSpecimenIDType"] == "Resolvable"
    assert row["licence"] == "CC-BY-4.0"
    assert row["topicDiscipline"] == "Zoology"
    (content,) = documents(out)
    assert content["ods:specimenName"] == "Puma concolor (Linnaeus, 1771)"
    assert not {"@id", "@type", "dcterms:identifier", "ods:version", "dcterms:created", "dcterms:modified"} & set(
        content
    )


def test_a_record_without_an_id_is_set_aside_with_its_line_number(tmp_path: Path) -> None:
    report, out = build(tmp_path, {"dwc:occurrenceID": None, "dwc:catalogNumber": None}, {})
    (reject,) = pl.read_parquet(out / "rejects.parquet").to_dicts()
    assert (reject["reason"], reject["source_line"], reject["core_id"]) == ("missing_identifier", 2, "0")
    assert report.records == report.specimens + sum(report.rejects.values()) == 2


def test_the_second_record_with_an_identifier_is_set_aside_and_says_which_was_first(tmp_path: Path) -> None:
    report, out = build(tmp_path, {}, {"dwc:catalogNumber": "other"})
    (reject,) = pl.read_parquet(out / "rejects.parquet").to_dicts()
    assert (reject["reason"], reject["row"]) == ("duplicate_identifier", 1)
    assert "line 2" in reject["message"]
    assert report.rejects == {"duplicate_identifier": 1}


@pytest.mark.parametrize("basis", ["HumanObservation", "machine observation", "Literature"])
def test_observations_are_no_specimens(tmp_path: Path, basis: str) -> None:
    report, _ = build(tmp_path, {"dwc:basisOfRecord": basis})
    assert report.rejects == {"not_a_specimen": 1}


def test_a_local_identifier_is_scoped_by_the_source_system(tmp_path: Path) -> None:
    _, out = build(tmp_path, {"dwc:occurrenceID": None})
    (row,) = specimens(out)
    assert (row["physicalSpecimenIDType"], row["normalisedPhysicalSpecimenID"]) == ("Local", "A 1:ABC-DEF-GHI")


def test_an_unchanged_record_is_carried_over_with_the_name_of_its_batch(tmp_path: Path) -> None:
    one = {"dwc:occurrenceID": "https://data.example.org/1"}
    two = {"dwc:occurrenceID": "https://data.example.org/2", "dwc:sex": "female"}
    _, before = build(tmp_path, one, two)
    report, after = build(tmp_path, two | {"dwc:sex": "male"}, one, previous=before, name="two")
    assert (report.rendered, report.carried_over, report.specimens) == (1, 1, 2)
    assert [(row["batch"], row["row"]) for row in specimens(after)] == [("one", 1), ("two", 0)]
    assert len(documents(after)) == 1


def test_the_same_content_gives_the_same_version_whatever_the_order_of_rows(tmp_path: Path) -> None:
    records = [{"dwc:occurrenceID": f"https://data.example.org/{at}"} for at in range(5)]
    one, _ = build(tmp_path, *records)
    other, _ = build(tmp_path, *reversed(records), name="two", batch_rows=2)
    assert one.data_version == other.data_version


def test_children_in_another_order_are_the_same_content(tmp_path: Path) -> None:
    rows = [{"row": 0, "dwc:measurementType": kind, "dwc:measurementValue": "1"} for kind in ("length", "width")]
    _, one = build(tmp_path, {}, measurements=rows)
    _, other = build(tmp_path, {}, measurements=rows[::-1], name="two")
    assert specimens(one)[0]["content_hash"] == specimens(other)[0]["content_hash"]


def test_every_reached_context_setting_makes_documents_new(tmp_path: Path) -> None:
    _, before = build(tmp_path, {})
    report, _ = build(tmp_path, {}, previous=before, name="two", context=replace(CONTEXT, organisation_name="Renamed"))
    assert report.rendered == 1


def test_quotes_backslashes_and_line_breaks_survive(tmp_path: Path) -> None:
    text = 'a "quoted" \\ back\nnew\tline'
    assert document(tmp_path, {"dwc:verbatimLabel": text})["dwc:verbatimLabel"] == text


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.text(max_size=20))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_are_specimens_plus_rejects_whatever_is_written(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], text: str
) -> None:
    records = [
        {"dwc:occurrenceID": one or None, "dwc:catalogNumber": None, "dwc:locality": text or None, "dwc:sex": text or None,
         "dwc:eventDate": text or None, "dwc:decimalLatitude": text or None, "dwc:decimalLongitude": "5"}
        for one in ids
    ]  # fmt: skip
    report, out = build(tmp_path_factory.mktemp("any"), *records)
    assert report.records == report.specimens + sum(report.rejects.values())
    assert len({row["normalisedPhysicalSpecimenID"] for row in specimens(out)}) == report.specimens


def test_no_records_is_an_empty_build(tmp_path: Path) -> None:
    report, out = build(tmp_path)
    assert (report.records, report.specimens) == (0, 0)
    assert specimens(out) == []


def test_the_schema_of_content_leaves_identifiers_to_publication() -> None:
    content = json_schema("ods:DigitalSpecimen", content=True)["$defs"]["ods:DigitalSpecimen"]
    assert "@id" not in content["properties"]
    assert "ods:physicalSpecimenID" in content["required"]


def test_many_buckets_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        {
            "dwc:occurrenceID": f"https://data.example.org/{at * 37 % 50}",
            "dwc:associatedMedia": f"https://img.example.org/{at % 7}.jpg",
        }
        for at in range(60)
    ]
    one, single = build(tmp_path, *records)
    monkeypatch.setattr("dissco_platform.opends.build.SPECIMENS_A_BUCKET", 10)
    monkeypatch.setattr("dissco_platform.opends.build.MEDIA_A_BUCKET", 5)
    many, split = build(tmp_path, *records, name="many", batch_rows=7)
    assert many.data_version == one.data_version
    assert many.rejects == one.rejects == {"duplicate_identifier": 10}
    ids = [row["normalisedPhysicalSpecimenID"] for row in specimens(split)]
    assert ids == sorted(ids) == [row["normalisedPhysicalSpecimenID"] for row in specimens(single)]
    for name in ("documents", "media_documents"):
        hashes = pl.read_parquet(split / f"{name}.parquet")["content_hash"]
        assert hashes.is_unique().all()
        assert set(hashes) == set(pl.read_parquet(single / f"{name}.parquet")["content_hash"])
    again, _ = build(tmp_path, *records, name="again", previous=split, batch_rows=7)
    assert (again.rendered, again.carried_over, again.media_rendered) == (0, 50, 0)
    assert again.data_version == one.data_version


def test_where_few_records_changed_only_the_media_they_touch_are_rendered_and_all_is_as_if_built_anew(
    tmp_path: Path,
) -> None:
    def edition(
        changed: dict[int, dict[str, str | None]], without: tuple[int, ...] = ()
    ) -> list[dict[str, str | None]]:
        return [
            {
                "dwc:occurrenceID": f"https://data.example.org/{at}",
                # 0 and 1 share a picture; 5 names none that can be reached
                "dwc:associatedMedia": "not there" if at == 5 else f"https://img.example.org/{max(at, 1)}.jpg",
            }
            | changed.get(at, {})
            for at in range(60)
            if at not in without
        ]

    _, first = build(tmp_path, *edition({}), batch_rows=7)
    second = edition(
        {
            2: {"dwc:associatedMedia": "https://img.example.org/1.jpg"},  # joins the shared picture and leaves its own
            9: {"dwc:associatedMedia": "https://img.example.org/9.jpg|https://img.example.org/30.jpg"},
            20: {"dwc:sex": "female"},
        },
        without=(40,),
    )
    one, after = build(tmp_path, *second, previous=first, name="second", batch_rows=7)
    anew, whole = build(tmp_path, *second, name="anew", batch_rows=7)
    assert (one.rendered, one.carried_over, one.media_rendered) == (3, 56, 2)
    assert one.data_version == anew.data_version
    assert one.media_rejects == anew.media_rejects == {"media_without_access_uri": 1}
    columns = ["media_key", "content_hash", "specimen_ids", "accessURI", "input_hash"]
    media = [pl.read_parquet(folder / "media.parquet") for folder in (after, whole)]
    in_order = [table.select(columns).sort("media_key") for table in media]
    assert in_order[0].equals(in_order[1])
    by_key = dict(media[0].select("accessURI", "batch").iter_rows())
    assert {key.rsplit("/")[-1] for key, batch in by_key.items() if batch == "second"} == {"1.jpg", "30.jpg"}


def test_batches_rendered_side_by_side_give_the_bytes_of_one_after_the_other(tmp_path: Path) -> None:
    records = [
        {
            "dwc:occurrenceID": f"https://data.example.org/{at}",
            "dwc:sex": ("male", f"strange {at}", "unknown")[at % 3],
            "dwc:eventDate": ("1930-05-06", "6.5.1930", "nonsense")[at % 3],
            "dwc:associatedMedia": f"https://img.example.org/{at % 7}.jpg",
        }
        for at in range(60)
    ]
    rows = [{"row": at, "dwc:scientificName": f"Felis number{at}"} for at in range(0, 60, 2)]
    one, serial = build(tmp_path / "serial", *records, identifications=rows, batch_rows=7, workers=1)
    two, parallel = build(tmp_path / "parallel", *records, identifications=rows, batch_rows=7, workers=3)
    assert two == one
    for path in serial.glob("*.parquet"):
        assert path.read_bytes() == (parallel / path.name).read_bytes(), path.name
