"""A running sandbox and a client's account on it."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from dissco_platform.identity.datacite.client import DataCiteAccount
from dissco_platform.sandbox import RunningSandbox, running_sandbox

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Run a sandbox."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite") as running:
        yield running


@pytest.fixture
def account(sandbox: RunningSandbox) -> DataCiteAccount:
    """The account that owns the sandbox's prefix."""
    return DataCiteAccount(sandbox.url, "DISSCO.SANDBOX", "sandbox", "10.5555")


@pytest.fixture
def admin(sandbox: RunningSandbox) -> Iterator[Callable[..., dict[str, Any]]]:
    """Set faults (keywords of a plan) and return the counters since; faults end with the test."""
    with httpx.Client(base_url=sandbox.url, trust_env=False) as client:

        def set_faults(**plan: Any) -> dict[str, Any]:
            if plan:
                client.put("/sandbox/faults", json=plan).raise_for_status()
            return dict(client.get("/sandbox/counters").json())

        client.delete("/sandbox/faults")
        client.delete("/sandbox/counters")
        yield set_faults
        client.delete("/sandbox/faults")


@pytest.fixture
def doi() -> str:
    """A DOI that nobody has used yet."""
    return f"10.5555/CLI-ENT-{next(_numbers):03d}"
