"""Which specimen is it? Renamed, published back with our DOI, moved between datasets, alike: nothing minted twice."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dissco_platform.errors import UsageError
from dissco_platform.identity import decisions as deciding
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry, decisions, objects
from dissco_platform.registry.datasets import Dataset
from tests.identity.conftest import Records
from tests.identity.museum import SPECIMEN, Museum, edition
from tests.identity.rules import RULES

NEW_ID = "https://museum.example/renamed-1"


@pytest.fixture
def museum(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> Museum:
    return Museum(registry, enrol("moths"), tmp_path)


def renamed(locality: str = "an island of its own") -> Records:
    """Return an edition in which the first of twenty specimens has a new identifier and says what it said."""
    records = edition(*range(2, 21))
    records.documents[NEW_ID] = {"ods:physicalSpecimenID": NEW_ID, "dwc:locality": locality}
    return records


def held(museum: Museum) -> list[decisions.HeldRecord]:
    with museum.registry.read() as connection:
        return decisions.held_records(connection, museum.slug)


def accept(museum: Museum) -> None:
    with museum.registry.write() as connection:
        for record in decisions.held_records(connection, museum.slug):
            deciding.accept(connection, museum.dataset(), record)


def causes(museum: Museum, suffix: str) -> list[str]:
    with museum.registry.read() as connection:
        found = objects.find_object(connection, suffix)
        assert found is not None
        return [row["cause"] for row in objects.versions_of(connection, found["id"])]


def is_whole(museum: Museum) -> bool:
    return verify(museum.registry, museum.store, "10.5555") == []


def test_the_same_content_under_a_new_identifier_is_held_and_mints_nothing(museum: Museum) -> None:
    museum.publish(edition(*range(1, 21), n1="an island of its own"))
    report = museum.publish(renamed())
    assert (report.records, report.held, report.new, report.missing) == (20, 1, 0, 1)
    (record,) = held(museum)
    assert (record.identity_key, record.reason) == (NEW_ID, "likely_rename")
    assert record.doi_suffix == museum.suffixes()[SPECIMEN.format(1)]
    for _ in range(4):
        report = museum.publish(renamed())  # what a held record may be does not end while the question is open
    assert (report.tombstoned, report.missing, report.held) == (0, 1, 1)


def test_an_accepted_rename_keeps_the_doi_and_its_history(museum: Museum) -> None:
    museum.publish(edition(*range(1, 21), n1="an island of its own"))
    suffix = museum.suffixes()[SPECIMEN.format(1)]
    museum.publish(renamed())
    accept(museum)
    report = museum.publish(renamed())
    assert (report.held, report.new, report.changed, report.missing) == (0, 0, 1, 0)
    assert museum.suffixes()[NEW_ID] == suffix
    assert causes(museum, suffix) == ["new", "source,identifier"]
    with museum.registry.read() as connection:
        found = objects.find_object(connection, suffix)
        assert found is not None
        assert [key for key, _ in decisions.former_keys_of(connection, found["id"])] == [SPECIMEN.format(1)]
    assert museum.publish(renamed()).unchanged == 20
    back = museum.publish(edition(*range(1, 21), n1="an island of its own"))  # the institution takes it back
    assert (back.new, back.held, back.changed) == (0, 0, 1)
    assert museum.suffixes()[SPECIMEN.format(1)] == suffix
    assert is_whole(museum)


def test_a_refused_rename_is_a_specimen_of_its_own(museum: Museum) -> None:
    museum.publish(edition(*range(1, 21), n1="an island of its own"))
    museum.publish(renamed())
    with museum.registry.write() as connection:
        (record,) = decisions.held_records(connection, museum.slug)
        deciding.refuse(connection, museum.dataset(), record, "a curator")
    report = museum.publish(renamed())
    assert (report.held, report.new, report.missing) == (0, 1, 1)
    assert len(set(museum.suffixes().values())) == 21


def test_what_many_specimens_say_names_none_of_them(museum: Museum) -> None:
    museum.publish(edition(*range(1, 21)))  # all say the same
    records = edition(*range(3, 21))
    for number in (101, 102):
        key = SPECIMEN.format(number)
        records.documents[key] = {"ods:physicalSpecimenID": key, "dwc:locality": "here"}
    report = museum.publish(records)
    assert (report.held, report.new) == (0, 2)


def test_a_doi_of_ours_that_is_published_back_is_recognised(museum: Museum) -> None:
    museum.publish(edition(1, 2))
    suffix = museum.suffixes()[SPECIMEN.format(1)]
    records = edition(2)
    doi = f"https://doi.org/10.5555/{suffix}"
    records.documents[doi] = {"ods:physicalSpecimenID": doi, "dwc:locality": "somewhere else"}
    report = museum.publish(records)
    assert (report.new, report.changed, report.missing, report.held) == (0, 1, 0, 0)
    assert museum.suffixes()[doi] == suffix
    assert causes(museum, suffix) == ["new", "source,identifier"]
    assert is_whole(museum)


def test_a_doi_of_ours_among_the_identifiers_is_recognised(museum: Museum) -> None:
    museum.publish(edition(1, 2))
    suffix = museum.suffixes()[SPECIMEN.format(1)]
    records = edition(2)
    records.documents[NEW_ID] = {
        "ods:physicalSpecimenID": NEW_ID,
        "ods:hasIdentifiers": [
            {"dcterms:title": "dwc:digitalSpecimenID", "dcterms:identifier": f"10.5555/{suffix.lower()}"}
        ],
        "dwc:locality": "somewhere else",
    }
    report = museum.publish(records)
    assert (report.new, report.changed, report.held) == (0, 1, 0)
    assert museum.suffixes()[NEW_ID] == suffix


@pytest.mark.parametrize(
    ("carried", "reason"), [("taken", "doi_of_another_specimen"), ("10.5555/000-000-000", "unknown_doi")]
)
def test_a_doi_that_cannot_be_its_own_is_held(carried: str, reason: str, museum: Museum) -> None:
    museum.publish(edition(1, 2))
    doi = f"10.5555/{museum.suffixes()[SPECIMEN.format(1)]}" if carried == "taken" else carried
    records = edition(1, 2)
    records.documents[doi] = {"ods:physicalSpecimenID": doi}
    report = museum.publish(records)
    assert (report.held, report.new, report.unchanged) == (1, 0, 2)
    assert [record.reason for record in held(museum)] == [reason]


def test_two_records_that_carry_one_doi_are_both_held(museum: Museum) -> None:
    museum.publish(edition(1, 2))
    doi = f"10.5555/{museum.suffixes()[SPECIMEN.format(1)]}"
    records = edition(2)
    for key in ("a", "b"):
        records.documents[key] = {"ods:hasIdentifiers": [{"dcterms:identifier": doi}], "dwc:locality": key}
    assert museum.publish(records).held == 2
    with museum.registry.write() as connection, pytest.raises(UsageError, match="so does another record"):
        deciding.accept(connection, museum.dataset(), decisions.held_records(connection, museum.slug)[0])


def test_a_specimen_moves_to_the_dataset_that_publishes_it_when_its_own_no_longer_does(
    museum: Museum, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    museum.publish(edition(1, 2, 3))
    suffix = museum.suffixes()[SPECIMEN.format(3)]
    other = Museum(museum.registry, enrol("butterflies"), tmp_path)
    assert other.publish(edition(3)).held == 1
    museum.publish(edition(1, 2))
    report = other.publish(edition(3))
    assert (report.held, report.new, report.changed) == (0, 0, 1)
    assert other.suffixes() == {SPECIMEN.format(3): suffix}
    assert causes(other, suffix)[-1].endswith("dataset")
    assert museum.publish(edition(1, 2)).missing == 0
    assert len(other.documents()) == 1 and is_whole(museum)


def test_a_held_specimen_of_another_dataset_comes_over_when_a_person_says_so(
    museum: Museum, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    museum.publish(edition(1, 2))
    suffix = museum.suffixes()[SPECIMEN.format(2)]
    other = Museum(museum.registry, enrol("butterflies"), tmp_path)
    other.publish(edition(2, n2="said by another"))
    with museum.registry.write() as connection, pytest.raises(UsageError, match="cannot be a specimen of its own"):
        deciding.refuse(connection, other.dataset(), decisions.held_records(connection, other.slug)[0], "me")
    accept(other)
    assert other.publish(edition(2, n2="said by another")).changed == 1
    assert other.suffixes() == {SPECIMEN.format(2): suffix}
    assert museum.publish(edition(1, 2)).held == 1  # now the other one holds it


def test_a_publication_under_way_does_not_overwrite_a_decision(museum: Museum) -> None:
    museum.publish(edition(*range(1, 21), n1="an island of its own"))
    museum.publish(renamed())
    stale = museum.dataset()
    accept(museum)
    museum.dataset = lambda: stale  # type: ignore[method-assign]
    with pytest.raises(Exception, match="Another process published moths"):
        museum.publish(renamed())
    del museum.dataset
    assert museum.publish(renamed()).changed == 1


def test_a_successor_takes_over_the_source_system_and_every_doi(
    museum: Museum, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    museum.publish(edition(1, 2))
    suffixes, handle = museum.suffixes(), museum.dataset().source_system_id
    successor = Museum(museum.registry, enrol("lepidoptera"), tmp_path)
    with museum.registry.write() as connection:
        moved = deciding.transfer(connection, "moths", "lepidoptera", "https://hdl.handle.net/20.5000.1025/ZZZ-ZZZ-ZZZ")
    assert moved == {"source_system": handle, "objects": 2}
    assert len(successor.documents()) == 2  # read where the old dataset published them
    with museum.registry.read() as connection:
        assert objects.endings_due(connection, 2) == {"moths": 1, "lepidoptera": 1}
    report = successor.publish(edition(1, 2, 3))
    assert (report.new, report.unchanged, report.held) == (1, 2, 0)
    assert successor.dataset().source_system_id == handle
    assert {key: suffix for key, suffix in successor.suffixes().items() if key in suffixes} == suffixes
    assert museum.dataset().state == "removed" and is_whole(museum)
    with museum.registry.write() as connection, pytest.raises(UsageError, match="has objects of its own"):
        deciding.transfer(connection, "moths", "lepidoptera", "https://hdl.handle.net/20.5000.1025/YYY-YYY-YYY")


def test_local_identifiers_that_two_datasets_have_are_reported_and_stay_two(
    museum: Museum, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    other = Museum(museum.registry, enrol("butterflies"), tmp_path)
    for each in (museum, other):
        key = "123:" + each.dataset().source_system_id.rsplit("/", 1)[-1]
        records = Records(documents={key: {"dwc:locality": each.slug}})
        report = each.publish(records)
    assert (report.new, report.alike) == (1, 1)
    with museum.registry.read() as connection:
        (pair,) = decisions.likenesses(connection, other.slug)
    assert pair["other_dataset"] == "moths" and pair["suffix"] != pair["other_suffix"]


def test_a_medium_that_another_dataset_uses_does_not_end(
    museum: Museum, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    image = "https://images.example/a.jpg"
    records, theirs = edition(*range(20)), edition(30)
    records.media = {SPECIMEN.format(1): [image]}
    museum.publish(records)
    theirs.media = {SPECIMEN.format(30): [image]}
    other = Museum(museum.registry, enrol("butterflies"), tmp_path)
    other.publish(theirs)
    records.media = {}
    for _ in range(4):
        museum.publish(records)
    assert len(museum.documents("media")) == 1
    theirs.media = {}
    other.publish(theirs)
    for _ in range(3):
        museum.publish(records)
    assert museum.documents("media") == {}


def test_a_doi_that_is_granted_later_is_linked_from_what_waited_for_it(museum: Museum) -> None:
    image = "https://images.example/a.jpg"
    records = edition(1, 2)
    records.media = {SPECIMEN.format(1): [image], SPECIMEN.format(2): [image]}
    museum.rules = replace(RULES, yearly_quota=2)
    museum.publish(records)
    museum.rules = replace(RULES, yearly_quota=3)
    report = museum.publish(records)
    assert (report.new, report.media_versions["changed"]) == (1, 1)
    (medium,) = museum.documents("media").values()
    linked = {link["dwc:relatedResourceID"] for link in medium["ods:hasEntityRelationships"]}
    assert linked == set(museum.documents())
    assert causes(museum, str(medium["@id"]).rsplit("/", 1)[-1]) == ["new", "linked"]
    assert museum.publish(records).media_versions["changed"] == 0
