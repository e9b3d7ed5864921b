"""The benchmark's own archives: what was put in is what is counted."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.archives.conftest import Reader


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "archives" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


def test_the_counts_are_those_of_what_was_generated(generator: ModuleType, tmp_path: Path, read: Reader) -> None:
    dirt = generator.Dirt(short=0.01, broken=0.01, latin1=0.005, padded=0.05, null_mark=0.05, orphans=0.01)
    facts = generator.generate(tmp_path / "one.zip", 3000, dirt=dirt)
    got = read(tmp_path / "one.zip")
    assert got.parsed.rejects == {"too_few_columns": facts["short"]}
    assert got.parsed.records == facts["rows"] - facts["short"]
    assert got.table("identifications").height <= facts["identifications"]
    assert {"broken_rows_joined", "mixed_encoding"} <= {flag for file in got.parsed.files for flag in file.flags}


def test_the_next_edition_differs_where_it_was_changed(generator: ModuleType, tmp_path: Path, read: Reader) -> None:
    clean = generator.Dirt(0, 0, 0, 0, 0, 0)
    generator.generate(tmp_path / "one.zip", 2000, dirt=clean)
    facts = generator.generate(tmp_path / "two.zip", 2000, edition=2, dirt=clean)
    old = read(tmp_path / "one.zip").table().select("core_id", "fingerprint")
    new = read(tmp_path / "two.zip").table().select("core_id", "fingerprint")
    both = old.join(new, on="core_id", suffix="_new")
    changed = both.filter(both["fingerprint"] != both["fingerprint_new"]).height
    assert 0 < changed <= facts["changed"]
    assert new.join(old, on="core_id", how="anti").height == 10


def test_the_same_arguments_make_the_same_bytes(generator: ModuleType, tmp_path: Path) -> None:
    for name in ("one", "two"):
        generator.generate(tmp_path / f"{name}.zip", 500)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
