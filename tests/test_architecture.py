"""A storey imports only those below it, and the field knows neither Dagster nor the environment."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "dissco_platform"
STOREYS = [
    {
        "registry",
        "store",
        "http",
        "localfiles",
        "provenance",
        "settings",
        "errors",
        "logs",
        "backup",
        "memory",
        "side_by_side",
    },
    {"archives", "names", "opends", "identity", "enrolment", "search"},
    {"definitions", "assets", "sensors", "resources", "cluster"},
    {"cli", "sandbox", "portal"},
]
# The glue starts a sandbox where no DOI service is configured.
EXCEPTIONS = {("resources", "sandbox")}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _storey(room: str) -> int:
    return next(index for index, rooms in enumerate(STOREYS) if room in rooms)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_storey_imports_only_those_below_it(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "dissco_platform" and len(parts) > 1 and (room, parts[1]) not in EXCEPTIONS:
            assert _storey(parts[1]) <= _storey(room), f"{room} must not import {name}"
        if _storey(room) < 2:
            assert parts[0] != "dagster", f"{room} must not know Dagster"
        if _storey(room) == 1:
            assert name != "os.environ"
