"""The proof of `benchmarks/identity/faults.py` in small: every fault strikes a few times, and the final state is whole."""

import pytest

from benchmarks.identity.faults import prove, strikes

STRIKES = strikes(longest=0.1)
# Those that a test has time for; faults of the service are drawn together in test_drain.
SMALL = (
    "killed in minting",
    "killed in publishing",
    "killed in committing",
    "killed in draining",
    "database locked",
    "database gone",
    "disk full",
)


@pytest.mark.parametrize("name", SMALL)
def test_a_fault_loses_and_doubles_nothing(name: str) -> None:
    proved = prove(name, STRIKES[name], repetitions=2, seed=7)
    assert proved["problems"] == []
    assert proved["struck"] >= 2
