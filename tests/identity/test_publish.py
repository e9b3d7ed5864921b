"""Publication: what is new, changed, missing; one DOI for ever; one version per change; nothing overwritten."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dissco_platform.errors import RegistryError
from dissco_platform.identity.parts import read_version
from dissco_platform.registry import Registry, objects, vanished
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.outbox import waiting
from tests.identity.museum import SPECIMEN, Museum, edition
from tests.identity.rules import RULES


@pytest.fixture
def museum(registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path) -> Museum:
    return Museum(registry, enrol("moths"), tmp_path)


def test_a_new_specimen_gets_a_doi_and_a_first_version(museum: Museum) -> None:
    report = museum.publish(edition(1, 2))
    assert (report.new, report.changed, report.unchanged, report.specimens) == (2, 0, 0, 2)
    for doi, document in museum.documents().items():
        assert re.fullmatch(r"https://doi\.org/10\.5555/([A-HJ-NP-TV-Z0-9]{3}-){2}[A-HJ-NP-TV-Z0-9]{3}", doi)
        assert document["dcterms:identifier"] == doi
        assert document["ods:version"] == 1
    with museum.registry.read() as connection:
        assert waiting(connection)[0] == 2


def test_an_unchanged_edition_writes_nothing(museum: Museum) -> None:
    first = museum.publish(edition(1, 2))
    before = sorted(museum.published.iterdir())
    again = museum.publish(edition(1, 2))
    assert (again.new, again.changed, again.unchanged, again.queued) == (0, 0, 2, 0)
    assert sorted(museum.published.iterdir()) == before
    assert again.data_version == first.data_version


def test_a_changed_record_gets_its_next_version_and_keeps_its_doi(museum: Museum) -> None:
    museum.publish(edition(1, 2))
    before = museum.suffixes()
    report = museum.publish(edition(1, 2, n2="there"))
    assert (report.new, report.changed, report.unchanged) == (0, 1, 1)
    assert museum.suffixes() == before
    suffix = before[SPECIMEN.format(2)]
    document = museum.documents()[f"https://doi.org/10.5555/{suffix}"]
    assert (document["ods:version"], document["dwc:locality"]) == (2, "there")
    with museum.registry.read() as connection:
        found = objects.find_object(connection, suffix)
        assert found is not None
        versions = objects.versions_of(connection, found["id"])
    assert [(row["version"], row["cause"]) for row in versions] == [(1, "new"), (2, "source")]
    first, _ = read_version(museum.store, museum.slug, versions[0]["path"], suffix)
    assert first is not None and json.loads(first)["dwc:locality"] == "here"
    assert document["dcterms:created"] == json.loads(first)["dcterms:created"]


def test_the_cause_of_a_version_is_the_input_that_changed(museum: Museum) -> None:
    museum.edition = 6
    museum.publish(edition(1), mapping="m1", archive="a", release="r")
    museum.publish(edition(1, n1="mapped otherwise"), mapping="m2", archive="a", release="r")
    suffix = museum.suffixes()[SPECIMEN.format(1)]
    with museum.registry.read() as connection:
        found = objects.find_object(connection, suffix)
        assert found is not None
        assert objects.versions_of(connection, found["id"])[-1]["cause"] == "mapping"


def test_a_vanished_specimen_is_missing_and_comes_back_as_it_was(museum: Museum) -> None:
    museum.publish(edition(1, 2))
    suffixes = museum.suffixes()
    report = museum.publish(edition(1))
    assert (report.missing, report.unchanged) == (1, 1)
    assert len(museum.documents()) == 2  # its document stays readable
    report = museum.publish(edition(1, 2))
    assert (report.missing, report.new, report.unchanged) == (0, 0, 2)
    assert museum.suffixes() == suffixes


def test_specimens_and_media_link_to_each_other(museum: Museum) -> None:
    records = edition(1, 2)
    image = "https://images.example/a.jpg"
    records.media = {SPECIMEN.format(1): [image], SPECIMEN.format(2): [image]}
    report = museum.publish(records)
    assert report.media == 1
    media = next(iter(museum.documents("media").values()))
    specimens = museum.documents()
    linked = {link["dwc:relatedResourceID"] for link in media["ods:hasEntityRelationships"]}
    assert linked == set(specimens)
    for document in specimens.values():
        assert [link["dwc:relatedResourceID"] for link in document["ods:hasEntityRelationships"]] == [media["@id"]]


def test_a_medium_that_a_second_specimen_uses_gets_a_new_version(museum: Museum) -> None:
    records = edition(1, 2)
    image = "https://images.example/a.jpg"
    records.media = {SPECIMEN.format(1): [image]}
    museum.publish(records)
    records.media[SPECIMEN.format(2)] = [image]
    report = museum.publish(records)
    assert report.media_versions == {"new": 0, "changed": 1, "unchanged": 0, "missing": 0}
    assert (report.changed, report.unchanged) == (1, 1)


def test_another_datasets_specimen_is_held_and_never_overwritten(
    museum: Museum, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    museum.publish(edition(1))
    before = museum.documents()
    other = Museum(museum.registry, enrol("butterflies"), tmp_path)
    report = other.publish(edition(1, 2, n1="elsewhere"))
    assert (report.held, report.new, report.specimens) == (1, 1, 1)
    assert museum.documents() == before
    assert len(other.documents()) == 1


def test_a_doi_only_record_has_a_doi_and_no_document(museum: Museum) -> None:
    records = edition(1, 2)
    records.doi_only = {SPECIMEN.format(2)}
    report = museum.publish(records)
    assert (report.specimens, report.doi_only) == (1, 1)
    assert len(museum.documents()) == 1
    assert len(museum.suffixes()) == 2


def test_the_quota_is_spent_on_types_first_then_on_records_with_images(museum: Museum) -> None:
    museum.rules = replace(RULES, yearly_quota=3)
    records = edition(1, 2, 3, 4)
    records.types = {SPECIMEN.format(4)}
    records.media = {SPECIMEN.format(3): ["https://images.example/3.jpg"]}
    report = museum.publish(records)
    assert (report.specimens, report.waiting_quota, report.media) == (2, 2, 1)
    served = {key for key, suffix in museum.suffixes().items() if suffix}
    assert served == {SPECIMEN.format(4), SPECIMEN.format(3)}
    museum.rules = replace(RULES, yearly_quota=5)
    report = museum.publish(records)
    assert (report.specimens, report.waiting_quota, report.new, report.unchanged) == (4, 0, 2, 2)


def test_a_publication_that_another_one_overtook_changes_nothing(museum: Museum) -> None:
    stale = museum.dataset()
    museum.publish(edition(1))
    museum.dataset = lambda: stale  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match="Another process published moths"):
        museum.publish(edition(1, 2))
    del museum.dataset
    assert len(museum.documents()) == 1
    assert museum.publish(edition(1, 2)).new == 1


def test_the_same_key_always_gets_the_same_doi(
    registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path
) -> None:
    museum = Museum(registry, enrol("moths"), tmp_path)
    museum.publish(edition(*range(50)))
    with registry.read() as connection:
        key = connection.exec_driver_sql("SELECT value FROM setting WHERE name = 'minting_key'").scalar_one()
    import polars as pl

    from dissco_platform.identity.minting import suffixes

    frame = pl.DataFrame({"key": list(museum.suffixes())})
    derived = frame.select(suffixes(pl.lit("specimen"), pl.col("key"), pl.lit(0), key).alias("s"))["s"].to_list()
    assert derived == list(museum.suffixes().values())


def test_a_specimen_becomes_a_tombstone_after_two_further_harvests(museum: Museum) -> None:
    museum.publish(edition(*range(20)))
    gone = museum.suffixes()[SPECIMEN.format(19)]
    for expected in ((1, 0), (1, 0)):
        report = museum.publish(edition(*range(19)))
        assert (report.missing, report.tombstoned) == expected
    report = museum.publish(edition(*range(19)))
    assert (report.missing, report.tombstoned, report.queued) == (1, 1, 1)
    with museum.registry.read() as connection:
        found = objects.find_object(connection, gone)
        assert found is not None and found["state"] == "tombstoned"
        versions = objects.versions_of(connection, found["id"])
    assert [(row["version"], row["cause"]) for row in versions] == [(1, "new"), (2, "vanished")]
    text, payload = read_version(museum.store, museum.slug, versions[1]["path"], gone)
    document = json.loads(text or "")
    assert (document["ods:status"], document["ods:version"]) == ("Tombstone", 2)
    assert "3 harvests in a row" in document["ods:hasTombstoneMetadata"]["ods:tombstoneText"]
    assert any(date["dateType"] == "Withdrawn" for date in json.loads(payload)["dates"])
    assert museum.publish(edition(*range(19))).tombstoned == 0
    report = museum.publish(edition(*range(20)))
    assert (report.new, report.changed, report.missing) == (0, 1, 0)
    revived = museum.documents()[f"https://doi.org/10.5555/{gone}"]
    assert (revived["ods:version"], revived["ods:status"]) == (3, "Active")


def test_a_mapping_change_is_no_harvest(museum: Museum) -> None:
    museum.publish(edition(*range(20)), archive="a")
    for mapping in ("m1", "m2", "m3", "m4"):
        report = museum.publish(edition(*range(19)), archive="b", mapping=mapping)
    assert (report.missing, report.tombstoned) == (1, 0)


def test_a_mass_disappearance_waits_for_an_operator(museum: Museum) -> None:
    museum.publish(edition(*range(20)))
    for _ in range(5):
        report = museum.publish(edition(*range(10)))
    assert (report.missing, report.tombstoned, report.unconfirmed) == (10, 0, 10)
    with museum.registry.write() as connection:
        assert vanished.confirm(connection, museum.slug, "an operator") == 10
    report = museum.publish(edition(*range(10)))
    assert (report.tombstoned, report.unconfirmed) == (10, 0)


def test_a_medium_ends_only_when_no_specimen_uses_it(museum: Museum) -> None:
    records = edition(*range(20))
    image = "https://images.example/a.jpg"
    records.media = {SPECIMEN.format(18): [image], SPECIMEN.format(19): [image]}
    museum.publish(records)
    del records.documents[SPECIMEN.format(19)], records.media[SPECIMEN.format(19)]
    for _ in range(4):
        museum.publish(records)
    assert len(museum.documents("media")) == 1
    del records.media[SPECIMEN.format(18)]
    for _ in range(4):
        museum.publish(records)
    assert museum.documents("media") == {}
