"""Withdrawals and merges: a tombstone that stays, whatever the source publishes, until a person takes it back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dissco_platform.errors import UsageError
from dissco_platform.identity.datacite.fdo import FdoContext
from dissco_platform.identity.decisions import Curator
from dissco_platform.identity.publications import Publications
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry, outbox
from dissco_platform.registry.datasets import Dataset
from tests.identity.museum import SPECIMEN, Museum, edition
from tests.identity.rules import PUBLISHER, RULES

IMAGE = "https://images.example/a.jpg"


@pytest.fixture
def museum(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> Museum:
    return Museum(registry, enrol("moths"), tmp_path)


@pytest.fixture
def curator(museum: Museum) -> Curator:
    publications = Publications(museum.registry, museum.store, FdoContext(RULES.datacite, *PUBLISHER))
    return Curator(museum.registry, museum.store, publications, RULES, "a curator")


def test_a_withdrawn_specimen_stays_a_tombstone_though_its_source_publishes_it(
    museum: Museum, curator: Curator
) -> None:
    museum.publish(edition(1, 2))
    suffix = museum.suffixes()[SPECIMEN.format(1)]
    assert curator.withdraw(suffix, "Its owner asked for it.") == 2
    found = curator.publications.get(suffix)
    assert found.is_tombstone and found.version().causes == ("withdrawn",)
    document = curator.publications.document(found)
    assert document is not None
    assert document["ods:hasTombstoneMetadata"]["ods:tombstoneText"] == "Its owner asked for it."
    assert "a curator" not in json.dumps([document, curator.publications.event(found)])  # the name stays with us
    for _ in range(2):
        report = museum.publish(edition(1, 2, n1="changed"))
        assert (report.records, report.ended, report.new, report.changed, report.missing) == (2, 1, 0, 0, 0)
    assert len(museum.documents()) == 1
    with pytest.raises(UsageError, match=r"was withdrawn on .* by a curator already"):
        curator.withdraw(suffix, "Again.")
    curator.restore(suffix)
    report = museum.publish(edition(1, 2, n1="changed"))
    assert (report.ended, report.changed) == (0, 1)
    revived = curator.publications.get(suffix)
    assert (revived.state, revived.version().causes) == ("active", ("returned",))
    with pytest.raises(UsageError, match="neither withdrawn nor merged"):
        curator.restore(suffix)
    assert verify(museum.registry, museum.store, "10.5555") == []


def test_a_duplicate_leads_to_the_specimen_that_remains(museum: Museum, curator: Curator) -> None:
    museum.publish(edition(1, 2))
    one, two = (museum.suffixes()[SPECIMEN.format(number)] for number in (1, 2))
    curator.merge(one, two)
    found = curator.publications.get(one)
    document = curator.publications.document(found)
    assert document is not None
    (related,) = document["ods:hasTombstoneMetadata"]["ods:hasRelatedPIDs"]
    assert related["dcterms:identifier"] == f"https://doi.org/10.5555/{two}"
    told = curator.publications.datacite_json(found)
    assert {"relatedIdentifier": f"10.5555/{two}", "relatedIdentifierType": "DOI", "relationType": "IsObsoletedBy"} in (
        told["relatedIdentifiers"]
    )
    record = curator.publications.fdo_record(found)
    assert record["hasRelatedPid"] == [
        {"pid": f"https://doi.org/10.5555/{two}", "relationshipType": "ods:isDuplicateOf"}
    ]
    with museum.registry.write() as connection:
        (first, *_) = outbox.lease(connection, "me", 10)
    assert (first.suffix, first.lane, first.ending) == (one, 0, "merged")
    with pytest.raises(UsageError, match="was merged on"):
        curator.merge(two, one)


@pytest.mark.parametrize("into", ["itself", "a medium", "nobody"])
def test_only_like_is_merged_and_never_into_itself(into: str, museum: Museum, curator: Curator) -> None:
    records = edition(1, 2)
    records.media = {SPECIMEN.format(1): [IMAGE]}
    museum.publish(records)
    one = museum.suffixes()[SPECIMEN.format(1)]
    other = {
        "itself": one,
        "a medium": next(iter(museum.suffixes("media").values())),
        "nobody": "10.5555/000-000-000",
    }[into]
    with pytest.raises(UsageError):
        curator.merge(one, other)
    assert not curator.publications.get(one).is_tombstone


def test_a_withdrawn_medium_is_linked_no_more(museum: Museum, curator: Curator) -> None:
    records = edition(1, 2)
    records.media = {SPECIMEN.format(1): [IMAGE]}
    museum.publish(records)
    curator.withdraw(next(iter(museum.suffixes("media").values())), "Its photographer asked for it.")
    assert museum.publish(records).changed == 1
    assert all("ods:hasEntityRelationships" not in document for document in museum.documents().values())
    assert museum.publish(records).changed == 0


def test_a_vanished_specimen_may_be_withdrawn_as_well(museum: Museum, curator: Curator) -> None:
    museum.publish(edition(*range(20)))
    suffix = museum.suffixes()[SPECIMEN.format(1)]
    kept = edition(*(number for number in range(20) if number != 1))
    for _ in range(3):
        museum.publish(kept)
    assert curator.withdraw(suffix, "It was never there.") == 3
    assert museum.publish(edition(*range(20))).ended == 1
