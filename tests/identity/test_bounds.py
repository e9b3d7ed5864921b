"""Publications that are larger than what is held at once: the same as small ones, whatever the limits are."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from dissco_platform.errors import StoreError
from dissco_platform.identity import committing, minting, parts, reserve, spool
from dissco_platform.identity.datacite.metadata import DataCiteContext
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
    monkeypatch.setattr(parts, "DIVIDED_IN_MEMORY", 400)
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


def test_each_gets_a_suffix_of_its_own_where_many_would_get_the_same(
    museum: Museum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 33 suffixes 24 are given, in portions of seven: most are somebody's second or later choice."""
    monkeypatch.setattr(minting, "LENGTH", 1)
    museum.publish(edition(*range(12)))
    before = museum.suffixes()
    museum.publish(edition(*range(24)))
    after = museum.suffixes()
    assert len(set(after.values())) == 24
    assert before.items() <= after.items()
    check(museum, edition(*range(24)))


def test_a_part_is_in_the_order_of_suffixes_and_says_where_each_may_be(
    museum: Museum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are put in order before anything is made of them: what is made of a document is larger than the document."""
    made: list[pl.Series] = []

    def rendered(kind: str, frame: pl.DataFrame, context: DataCiteContext) -> pl.DataFrame:
        made.append(frame["suffix"])
        return original(kind, frame, context)

    original = parts.rendered
    monkeypatch.setattr(parts, "rendered", rendered)
    monkeypatch.setattr(parts, "ROWS_PER_PORTION", 1_000)
    monkeypatch.setattr(parts, "ROWS_PER_PART", 1_000)
    museum.publish(edition(*range(700)))
    (part,) = museum.folder.rglob("*-specimen.parquet")
    suffixes = pl.read_parquet(part)["suffix"]
    assert suffixes.is_sorted() and suffixes.n_unique() == 700
    assert [some.to_list() for some in made] == [suffixes.to_list()]
    metadata = pq.read_metadata(part)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [256, 256, 188]
    # A look-up reads one row group, which it finds by its suffixes.
    bounds = [bound for group in groups for bound in (group.column(0).statistics.min, group.column(0).statistics.max)]
    assert bounds == [suffixes[at] for at in (0, 255, 256, 511, 512, 699)]


def test_what_waits_holds_its_own_texts_alone(tmp_path: Path) -> None:
    """A few rows of a large frame are counted, and kept, as the few that they are."""
    waiting = Spool(tmp_path, in_memory=20_000)
    for number in range(100):
        page = pl.DataFrame({"a": [f"a text of row {row} of page {number}" for row in range(1_000)]})
        waiting.append(page[number : number + 1])
    # Buffers as they are: a table with views of texts has all that they are views of.
    held = [frame.to_arrow(compat_level=pl.CompatLevel.newest()).get_total_buffer_size() for frame in waiting]
    assert len(held) == waiting.height == 100
    assert sum(held) < 20_000


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
