"""What all tests share: where real data lives, and that no test reads the user's own state."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True)  # a run says the same of the same code, wherever it is
settings.register_profile("search", print_blob=True)  # other examples every time: `make search`
settings.load_profile("same")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our own options."""
    parser.addoption(
        "--on-postgresql",
        action="store_true",
        help="automation's scenarios on PostgreSQL, registry and Dagster's storage",
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real archives, checklists and schemas kept beside the checkout."""
    path = REPOSITORY.parent / "shared"
    if not (path / "data").is_dir():
        pytest.skip("real data (../shared) is not beside this checkout")
    return path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a developer's DISSCO_* variables and .dissco folder out of the tests."""
    import os

    for name in list(os.environ):
        if name.startswith(("DISSCO_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DISSCO_HOME", str(tmp_path / "dissco-home"))
