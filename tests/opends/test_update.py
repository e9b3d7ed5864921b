"""A build made from the one before is what a build from all records is, and does work for what changed alone."""

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissco_platform.names.keys import name_key
from dissco_platform.opends.build import BuildReport, build_specimens
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.opends.taxa import name_hashes
from tests.opends.tables import BASE, CONTEXT, MAPPINGS, build, specimens, write

Record = dict[str, str | None]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissco_platform.opends.carried.CHUNK", 4)
    monkeypatch.setattr("dissco_platform.opends.carried.ROWS", 5)
    monkeypatch.setattr("dissco_platform.opends.media_tables.CHUNK", 3)


def record(at: int, **own: str | None) -> Record:
    return {
        "dwc:occurrenceID": f"https://data.example.org/{at:02}",
        "dwc:scientificName": f"Felis number{at % 5}",
        "dwc:associatedMedia": f"https://img.example.org/{at % 7}.jpg",
        **own,
    }


def answers(names: dict[str, str], records: list[Record]) -> pl.DataFrame:
    """Return a table of names as the matching writes it: each name is what `names` says, else itself."""
    table = pl.DataFrame([BASE | one for one in records], infer_schema_length=None)
    keyed = table.select(name_key(table.columns), found="dwc:scientificName").drop_nulls().unique("name_key")
    accepted = pl.col("found").replace(list(names), list(names.values()))
    return keyed.select(
        "name_key", pl.lit("col 1").alias("release"), pl.lit("exact").alias("matchType"),
        accepted.alias("usageID"), accepted.alias("acceptedUsageID"), accepted.alias("matchedName"),
        accepted.alias("acceptedName"), pl.lit("species").alias("acceptedRank"), pl.lit("Animalia").alias("kingdom"),
    )  # fmt: skip


def made(folder: Path, records: list[Record], name: str, previous: Path | None, names: dict[str, str]) -> Any:
    return build(folder, *records, previous=previous, name=name, batch_rows=6, names=answers(names, records))


def told(report: BuildReport, out: Path) -> dict[str, object]:
    """Return all that does not depend on how the build was made."""
    tables = {
        name: pl.read_parquet(out / f"{name}.parquet").drop("batch", strict=False).sort(key)
        for name, key in (("specimens", "normalisedPhysicalSpecimenID"), ("media", "media_key"), ("rejects", "row"))
    }
    same = (
        "specimens",
        "rejects",
        "media",
        "media_rejects",
        "media_doi_only",
        "mids_levels",
        "doi_only",
        "data_version",
    )
    return {name: table.to_dicts() for name, table in tables.items()} | {
        f"report {name}": getattr(report, name) for name in same
    }


EDIT = st.one_of(
    st.fixed_dictionaries({"dwc:sex": st.sampled_from(["male", "female", None])}),
    st.fixed_dictionaries({"dwc:associatedMedia": st.sampled_from(["https://img.example.org/3.jpg", "nowhere", None])}),
    st.fixed_dictionaries({"dwc:scientificName": st.sampled_from(["Felis number1", "Felis other", None])}),
    st.fixed_dictionaries({"dwc:occurrenceID": st.sampled_from(["https://data.example.org/03", None])}),
    st.fixed_dictionaries({"dwc:basisOfRecord": st.just("HumanObservation")}),
)


@given(
    edits=st.dictionaries(st.integers(0, 19), EDIT, max_size=5),
    gone=st.sets(st.integers(0, 19), max_size=3),
    order=st.permutations(range(23)),
    moved=st.booleans(),
    renamed=st.sampled_from([{}, {"Felis number2": "Felis secunda"}, {"Felis number0": "Felis nulla"}]),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_later_edition_is_as_if_built_from_all_its_records(
    edits: dict[int, Record],
    gone: set[int],
    order: list[int],
    moved: bool,
    renamed: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("carried", "update"):
        monkeypatch.setattr(f"dissco_platform.opends.{module}.FEW", 1.0)
    folder = tmp_path_factory.mktemp("edition")
    first = [record(at) for at in range(20)] + [{**record(90), "dwc:occurrenceID": None, "dwc:catalogNumber": None}]
    second = [record(at, **edits.get(at, {})) for at in range(20) if at not in gone]
    second += [record(50), record(51, **{"dwc:associatedMedia": "https://img.example.org/new.jpg"})]
    if moved:
        second = [second[at] for at in order if at < len(second)]
    _, before = made(folder, first, "first", None, {})
    updated, one = made(folder, second, "updated", before, renamed)
    anew, other = made(folder, second, "anew", None, renamed)
    assert told(updated, one) == told(anew, other)
    assert updated.rendered + updated.carried_over >= updated.specimens


def test_an_edition_with_the_same_records_takes_the_files_over(tmp_path: Path) -> None:
    records = [record(at) for at in range(20)]
    first, before = made(tmp_path, records, "first", None, {})
    again, after = made(tmp_path, records, "again", before, {})
    assert (again.rendered, again.carried_over, again.media_rendered) == (0, 20, 0)
    assert told(again, after) == told(first, before)
    for name in ("specimens", "media"):
        assert (after / f"{name}.parquet").samefile(before / f"{name}.parquet")
    assert pl.read_parquet(after / "documents.parquet").is_empty()
    third, last = made(tmp_path, [record(99), *records], "third", after, {})
    assert (third.rendered, third.carried_over) == (1, 20)
    assert [row["row"] for row in specimens(last)] == [*range(1, 21), 0]


def test_another_answer_of_the_matching_reaches_only_the_records_with_that_name(tmp_path: Path) -> None:
    records = [record(at) for at in range(60)]
    records[0]["dwc:scientificName"] = "Felis sola"
    _, before = made(tmp_path, records, "first", None, {})
    report, after = made(tmp_path, records, "again", before, {"Felis sola": "Felis nova"})
    assert (report.rendered, report.carried_over) == (1, 59)
    assert specimens(after)[0]["specimen_name"] == "Felis nova"


def test_a_new_record_that_stands_before_an_old_one_with_its_identifier_comes_first(tmp_path: Path) -> None:
    records = [record(at) for at in range(30)]
    _, before = made(tmp_path, records, "first", None, {})
    report, after = made(tmp_path, [record(7, **{"dwc:sex": "male"}), *records], "again", before, {})
    assert report.rejects == {"duplicate_identifier": 1}
    assert [row["row"] for row in specimens(after)][7] == 0


def test_all_later_records_with_an_identifier_name_the_line_of_the_one_that_was_carried_over(tmp_path: Path) -> None:
    records = [record(at) for at in range(30)]
    _, before = made(tmp_path, records, "first", None, {})
    others = [record(7, **{"dwc:sex": sex}) for sex in ("male", "female", "mixed")]
    report, after = made(tmp_path, [*records, *others], "again", before, {})
    assert (report.rendered, report.rejects) == (0, {"duplicate_identifier": 3})
    told_lines = pl.read_parquet(after / "rejects.parquet")["message"].str.extract(r"on line (\d+)").to_list()
    assert told_lines == [str(specimens(after)[7]["source_line"])] * 3


@pytest.mark.parametrize("lost", ["made_with.json", "name_hashes.parquet", "media.parquet", "media_aside.parquet"])
def test_a_previous_build_that_lacks_a_file_is_not_trusted(tmp_path: Path, lost: str) -> None:
    records = [record(at) for at in range(20)]
    first, before = made(tmp_path, records, "first", None, {})
    expected = told(first, before)
    whole = (before / lost).read_bytes()
    (before / lost).unlink()
    again, after = made(tmp_path, records, "again", before, {})
    assert told(again, after) == expected
    if lost == "media_aside.parquet":
        (before / lost).write_bytes(whole[: len(whole) // 2])
        mended, after = made(tmp_path, records, "mended", before, {})
        assert told(mended, after) == expected


def test_what_names_no_medium_is_counted_with_the_records_that_are_carried_over(tmp_path: Path) -> None:
    said = (
        "https://img.org/a.jpg",
        None,
        "not there",
        "nowhere",
        "https://img.org/b.jpg|gone",
        "https://img.org/b.jpg",
    )
    records = [record(at, **{"dwc:associatedMedia": said[at % len(said)]}) for at in range(60)]
    first, before = made(tmp_path, records, "first", None, {})
    aside = first.media_rejects["media_without_access_uri"]
    assert aside == pl.read_parquet(before / "media_aside.parquet").height > 10
    later = list(records)
    later[3] |= {"dwc:associatedMedia": "https://img.org/found.jpg"}  # was "nowhere"
    later[4] |= {"dwc:sex": "female"}
    del later[33]  # "nowhere" too
    second, after = made(tmp_path, later, "second", before, {})
    anew, whole = made(tmp_path, later, "anew", None, {})
    assert (second.rendered, second.media_rejects) == (2, {"media_without_access_uri": aside - 2})
    assert told(second, after) == told(anew, whole)
    columns = ["fingerprint", "reason"]
    kept, found = (pl.read_parquet(folder / "media_aside.parquet").sort(columns) for folder in (after, whole))
    assert kept.equals(found)


def test_a_change_that_no_medium_shows_leaves_their_table_as_it_is(tmp_path: Path) -> None:
    records = [record(at) for at in range(40)]
    _, before = made(tmp_path, records, "first", None, {})
    records[5] |= {"dwc:sex": "female"}
    one, after = made(tmp_path, records, "second", before, {})
    assert (one.rendered, one.media_rendered, one.media) == (1, 0, 7)
    assert (after / "media.parquet").samefile(before / "media.parquet")
    records[6] |= {"dwc:associatedMedia": "https://img.example.org/0.jpg"}  # which 7 others name
    two, third = made(tmp_path, records, "third", after, {})
    assert (two.rendered, two.media_rendered) == (1, 2)
    assert not (third / "media.parquet").samefile(after / "media.parquet")
    assert told(two, third) == told(*made(tmp_path, records, "anew", None, {}))


def test_answers_are_hashed_again_only_where_the_names_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def counted(names: Path) -> pl.DataFrame:
        asked.append(names)
        return name_hashes(names)

    monkeypatch.setattr("dissco_platform.opends.carried.name_hashes", counted)
    records = [record(at) for at in range(20)]
    mapping, folder = load_mapping(MAPPINGS / "dwc.yaml"), write(tmp_path / "parsed", *records)

    def step(name: str, sums: str | None, names: dict[str, str], previous: Path | None) -> tuple[BuildReport, Path]:
        taxa, out = tmp_path / f"{name}-names", tmp_path / name
        taxa.mkdir()
        out.mkdir()
        answers(names, records).write_parquet(taxa / "names.parquet")
        if sums is not None:
            (taxa / "made_with.json").write_bytes(orjson.dumps({"version": "1", "sums": {"names": [sums, "5"]}}))
        return build_specimens(folder, taxa, mapping, CONTEXT, out, previous=previous, batch=name), out

    _, first = step("first", "a", {}, None)
    again, second = step("again", "a", {}, first)
    assert (len(asked), again.rendered, again.carried_over) == (1, 0, 20)
    other, third = step("other", "b", {"Felis number2": "Felis silvestris"}, second)
    assert (len(asked), other.rendered) == (2, 4)
    (third / "name_hashes.parquet").write_bytes(b"damaged")
    mended, fourth = step("mended", "b", {"Felis number2": "Felis silvestris"}, third)
    assert (len(asked), mended.rendered, mended.data_version) == (3, 0, other.data_version)
    silent, _ = step("silent", None, {"Felis number2": "Felis silvestris"}, fourth)
    assert (len(asked), silent.rendered) == (4, 0)
