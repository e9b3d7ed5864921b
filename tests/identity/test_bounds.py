"""Publications that are larger than what is held at once: the same as small ones, whatever the limits are."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dissco_platform.errors import StoreError
from dissco_platform.identity import committing, parts, reserve, spool
from dissco_platform.identity.publish import publish
from dissco_platform.identity.resolve import state_fingerprints
from dissco_platform.identity.spool import Spool
from dissco_platform.identity.verify import verify
from dissco_platform.provenance import ContentVersion
from dissco_platform.registry import Registry, objects
from dissco_platform.registry.datasets import Dataset
from tests.identity import conftest
from tests.identity.conftest import Records
from tests.identity.museum import SPECIMEN, Museum, edition


@pytest.fixture
def museum(
    registry: Registry, enrol: Callable[[str], Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Museum:
    """Return a museum for which everything is too large: a few rows are written, spooled and reserved at a time."""
    monkeypatch.setattr(parts, "ROWS_PER_PORTION", 5)
    monkeypatch.setattr(parts, "ROWS_PER_PART", 4)
    monkeypatch.setattr(spool, "IN_MEMORY", 200)
    monkeypatch.setattr(reserve, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(reserve, "_LARGE", 10)
    monkeypatch.setattr(committing, "_ROWS_AT_ONCE", 9)
    monkeypatch.setattr(objects, "_IDS", 3)

    def write(rows: list[dict[str, object]], overrides: dict[str, object], path: Path) -> None:
        original(rows, overrides, path)
        frame = pl.read_parquet(path)
        if "content" in frame.columns:  # documents lie in another order than records
            frame = frame.sample(fraction=1.0, shuffle=True, seed=3)
        frame.write_parquet(path, row_group_size=3)

    original = conftest._write
    monkeypatch.setattr(conftest, "_write", write)
    return Museum(registry, enrol("moths"), tmp_path)


def version(museum: Museum) -> str:
    """Return the content version of the dataset, read anew."""
    total = ContentVersion()
    with museum.registry.read() as connection:
        for kind in ("specimen", "media"):
            for frame in objects.current_states(connection, museum.slug, kind):
                total.add(kind, state_fingerprints(frame))
    return total.hexdigest()


def with_media(records: Records) -> Records:
    """Give every third specimen two images, of which its neighbour has one as well."""
    for key in sorted(records.documents)[::3]:
        records.media[key] = [f"{key}/shared.jpg", f"{key}/own.jpg"]
    for one, other in zip(sorted(records.documents)[::3], sorted(records.documents)[1::3], strict=False):
        records.media[other] = [f"{one}/shared.jpg"]
    return records


def check(museum: Museum, records: Records) -> None:
    """Make sure that what is published is what the records say."""
    assert verify(museum.registry, museum.store, "10.5555") == []
    doi = {key: f"https://doi.org/10.5555/{suffix}" for key, suffix in museum.suffixes().items()}
    media = {
        key.partition(" ")[2]: f"https://doi.org/10.5555/{suffix}" for key, suffix in museum.suffixes("media").items()
    }
    documents = museum.documents()
    for key, said in records.documents.items():
        if key in records.doi_only:
            continue
        document = documents[doi[key]]
        assert said.items() <= document.items()
        links = document.get("ods:hasEntityRelationships", [])
        assert isinstance(links, list)
        assert [link["dwc:relatedResourceID"] for link in links] == [media[url] for url in records.media.get(key, [])]


def test_editions_come_out_as_they_are_whatever_is_held_at_once(museum: Museum) -> None:
    draw = random.Random(5)
    number = 20
    for _ in range(4):
        records = with_media(edition(*range(draw.randrange(3), number)))
        for key in draw.sample(sorted(records.documents), 4):
            records.documents[key]["dwc:locality"] = f"place {draw.random()}"
        records.doi_only = set(draw.sample(sorted(records.documents), 2))
        report = museum.publish(records)
        assert report.records == len(records.documents) == report.specimens + report.doi_only
        assert report.data_version == version(museum)
        check(museum, records)
        assert museum.publish(records).queued == 0
        number += draw.randrange(1, 12)


def test_the_version_of_a_dataset_is_that_of_its_states(museum: Museum) -> None:
    """Little of it changes, so that the version is made of the one before and of what was touched."""
    records = edition(*range(40))
    museum.publish(records)
    records.documents[SPECIMEN.format(3)]["dwc:locality"] = "there"
    assert museum.publish(records).data_version == version(museum)
    del records.documents[SPECIMEN.format(7)]
    assert museum.publish(records).data_version == version(museum)
    new = SPECIMEN.format(99)
    records.documents[new] = {"ods:physicalSpecimenID": new, "dwc:locality": "new"}
    assert museum.publish(records).data_version == version(museum)
    unchanged = museum.publish(records)
    assert (unchanged.unchanged, unchanged.data_version) == (40, version(museum))


def test_a_document_that_is_not_there_is_said(museum: Museum) -> None:
    build = conftest.write_build(edition(*range(12)), museum.folder / "documents" / museum.slug / "build1")
    pl.read_parquet(build / "documents.parquet").head(11).write_parquet(build / "documents.parquet")
    with pytest.raises(StoreError, match="1 documents are not in"):
        publish(museum.registry, museum.dataset(), build, museum.store, rules=museum.rules, made_from={"archive": "a"})
    assert museum.documents() == {}


def test_a_spool_gives_back_what_it_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1_000)
    frames = [pl.DataFrame({"a": np.arange(n), "b": [f"text {i}" for i in range(n)]}) for n in (1, 200, 3, 90)]
    waiting = Spool(tmp_path)
    for frame in frames:
        waiting.append(frame)
    for _ in range(2):
        assert pl.concat(list(waiting)).equals(pl.concat(frames))
    assert waiting.height == 294
    assert list(tmp_path.iterdir()) == []  # its file has no name
    waiting.close()
