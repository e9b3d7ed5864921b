"""A running sandbox, and what a complete record looks like."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from dissco_platform.sandbox import RunningSandbox, running_sandbox

_numbers = itertools.count()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Run a sandbox of the module's own."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite") as running:
        yield running


@pytest.fixture
def service(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """Talk to the sandbox as its repository account, faults off."""
    with httpx.Client(base_url=sandbox.url, auth=("DISSCO.SANDBOX", "sandbox"), trust_env=False) as client:
        client.delete("/sandbox/faults")
        yield client
        client.delete("/sandbox/faults")


@pytest.fixture
def doi() -> str:
    """A DOI that nobody has used yet."""
    return f"10.5555/ABC-DEF-{next(_numbers):03d}"


@pytest.fixture
def complete() -> Callable[..., dict[str, Any]]:
    """Make the attributes of a record that may be published."""

    def make(**others: Any) -> dict[str, Any]:
        return {
            "url": "https://example.org/a",
            "creators": [{"name": "Museum", "nameType": "Organizational"}],
            "titles": [{"title": "Aus bus L."}],
            "publisher": {"name": "DiSSCo", "publisherIdentifier": "https://ror.org/02wddde16"},
            "publicationYear": 2026,
            "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Digital Specimen"},
            "event": "publish",
            **others,
        }

    return make


def body(attributes: dict[str, Any]) -> dict[str, Any]:
    """Wrap attributes as JSON:API asks."""
    return {"data": {"type": "dois", "attributes": attributes}}
