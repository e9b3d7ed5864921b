"""Real archives, read whole: counts that were established by hand."""

from pathlib import Path

import polars as pl
import pytest

from dissco_platform.archives import read_archive

pytestmark = pytest.mark.shared

COUNTS = {
    # archive: records, core rejects, extension rejects
    "mnhn-crustaceans.zip": (31_485, {}, {}),
    "naturalis-ascidians.zip": (14, {}, {}),
    "luxembourg-fossils.zip": (20, {}, {}),
    "kew-herbarium.zip": (19, {}, {"orphan_extension_row": 167_663}),
    "vampire-moths.zip": (1_336, {}, {}),
    "illinois-birds.zip": (3_253, {}, {}),
    "utrecht-fossils-separator-mismatch.zip": (1_000, {}, {}),
    "beetles-no-descriptor.zip": (1_610, {}, {}),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_real_archive_is_read_with_every_row_accounted_for(name: str, shared: Path, tmp_path: Path) -> None:
    parsed = read_archive(shared / "data" / "dwca" / name, tmp_path)
    records, rejects, extension_rejects = COUNTS[name]
    assert (parsed.records, parsed.rejects, parsed.extension_rejects) == (records, rejects, extension_rejects)
    for report in parsed.files:
        assert report.rows_read == report.rows_parsed + report.rows_rejected
    frame = pl.read_parquet(tmp_path / "records.parquet")
    assert frame.height == records
    assert frame["row"].to_list() == list(range(records))
    assert frame["fingerprint"].str.len_chars().unique().to_list() == [32]
    assert pl.read_parquet(tmp_path / "rejects.parquet").height == sum(rejects.values()) + sum(
        extension_rejects.values()
    )
