"""Where documents are: records are divided in the order of their documents, each once, whoever shares one."""

import random
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from dissco_platform.errors import StoreError
from dissco_platform.identity import contents
from dissco_platform.identity.contents import Segment, plan
from dissco_platform.identity.incoming import ROW


def hashes(path: Path, groups: list[int]) -> set[str]:
    """Return the hashes of the documents that are in some row groups."""
    file = pq.ParquetFile(path / "documents.parquet")
    return {found for group in groups for found in file.read_row_group(group)["content_hash"].to_pylist()}


@pytest.mark.parametrize("trial", range(12))
def test_every_record_is_in_one_portion_with_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trial: int
) -> None:
    """Some documents are there twice, some records share one, some builds have none that is wanted."""
    draw = random.Random(trial)
    monkeypatch.setattr(contents, "_HASHES_AT_ONCE", draw.randint(1, 9))
    where: list[tuple[str, str]] = []
    for batch in ("one", "three", "two"):
        (tmp_path / batch).mkdir()
        documents = [f"{batch} {draw.randrange(12)}" for _ in range(draw.randint(1, 20))]
        pl.DataFrame({"content_hash": documents}).write_parquet(
            tmp_path / batch / "documents.parquet", row_group_size=3
        )
        where += [(document, batch) for document in draw.choices(documents, k=draw.randrange(15))]
    size = draw.randint(1, 7)
    addresses = pl.DataFrame(where, schema={"hash": pl.String, "batch": pl.Categorical}, orient="row").select(
        pl.int_range(len(where), dtype=pl.UInt32).alias(ROW), pl.col("hash").hash().alias("document"), "batch"
    )
    portions = plan("specimen", addresses.iter_slices(4), lambda batch: tmp_path / batch, size)
    assert sorted(np.concatenate([portion.rows for portion in portions])) == list(range(len(where)))
    assert all(portion.rows.size == size for portion in portions[:-1])
    for portion in portions:
        there = {
            (found, segment.batch)
            for segment in portion.segments
            for found in hashes(tmp_path / segment.batch, segment.groups)
        }
        assert {where[row] for row in portion.rows} <= there


def test_portions_follow_the_documents(tmp_path: Path) -> None:
    names = [f"document {number}" for number in range(10)]
    pl.DataFrame({"content_hash": names}).write_parquet(tmp_path / "documents.parquet", row_group_size=2)
    rows = pl.DataFrame({ROW: range(10), "hash": names[::-1]}, schema_overrides={ROW: pl.UInt32})
    addresses = rows.select(ROW, pl.col("hash").hash().alias("document"), pl.lit("b", pl.Categorical).alias("batch"))
    portions = plan("specimen", iter([addresses]), lambda _: tmp_path, 4)
    assert [portion.rows.tolist() for portion in portions] == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    assert [portion.segments for portion in portions] == [
        [Segment("b", [0, 1])],
        [Segment("b", [2, 3])],
        [Segment("b", [4])],
    ]
    beyond = addresses.with_columns(pl.lit(7, pl.UInt64).alias("document"))
    with pytest.raises(StoreError, match="10 documents are not in"):
        plan("specimen", iter([beyond]), lambda _: tmp_path, 4)
