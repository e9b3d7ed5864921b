"""The client against a real sandbox: every class of outcome, and what follows from it."""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissco_platform.errors import DoiServiceError
from dissco_platform.identity.datacite.client import DataCiteAccount, DataCiteClient, Patience, doi_path, write_body
from dissco_platform.identity.datacite.outcomes import Kind, Outcome, error_message, outcome
from dissco_platform.identity.datacite.pace import Pace, jitter

Admin = Callable[..., dict[str, Any]]
QUICK = Patience(connect=2, read=1, attempts=1, base=0.01, longest=0.05, pause=0.2)
STUBBORN = Patience(connect=2, read=1, attempts=40, base=0.005, longest=0.02, pause=0.02)
RECORD = {
    "url": "https://example.org/ü",
    "creators": [{"name": "Muséum"}],
    "titles": [{"title": "Aus bus L."}],
    "publisher": {"name": "DiSSCo"},
    "publicationYear": 2026,
    "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Digital Specimen"},
    "version": "1",
}
ATTRIBUTES = orjson.dumps(RECORD).decode()


def _run(
    account: DataCiteAccount,
    task: Callable[[DataCiteClient], Awaitable[Any]],
    patience: Patience = QUICK,
    **options: Any,
) -> Any:
    async def run() -> Any:
        async with DataCiteClient(account, patience=patience, **options) as client:
            return await task(client)

    return asyncio.run(run())


def _put(account: DataCiteAccount, doi: str, attributes: str = ATTRIBUTES, event: str = "publish") -> Outcome:
    return _run(account, lambda client: client.put(doi, attributes, event=event))


def test_a_new_doi_is_registered_and_can_be_read_back(account: DataCiteAccount, doi: str) -> None:
    first, second = _put(account, doi), _put(account, doi)
    assert (first.kind, first.created, first.state) == (Kind.REGISTERED, True, "findable")
    assert (second.kind, second.created, second.ok) == (Kind.REGISTERED, False, True)
    held = _run(account, lambda client: client.get(doi))
    assert held is not None
    assert held["url"] == RECORD["url"]
    assert held["publisher"] == RECORD["publisher"]
    assert _run(account, lambda client: client.get(doi + "X")) is None


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("rate_limited", Kind.RATE_LIMITED),
        ("rate_limited_403", Kind.RATE_LIMITED),
        ("error_500", Kind.RETRYABLE),
        ("error_502", Kind.RETRYABLE),
        ("error_503", Kind.RETRYABLE),
        ("error_504", Kind.UNKNOWN),
        ("conflict", Kind.RETRYABLE),
        ("timeout", Kind.UNKNOWN),
        ("timeout_after_write", Kind.UNKNOWN),
        ("reset", Kind.UNKNOWN),
        ("dropped", Kind.UNKNOWN),
        ("truncated", Kind.UNKNOWN),
        ("unregistered", Kind.ACCEPTED),
    ],
)
def test_every_fault_has_its_class(account: DataCiteAccount, admin: Admin, doi: str, fault: str, kind: Kind) -> None:
    admin(rates={fault: 1}, hang_seconds=1.5)
    result = _put(account, doi)
    assert result.kind is kind
    assert result.message


def test_wrong_data_is_rejected_with_the_services_words(account: DataCiteAccount, doi: str) -> None:
    result = _put(account, doi, orjson.dumps({**RECORD, "creators": []}).decode())
    assert (result.kind, result.status) == (Kind.REJECTED, 422)
    assert result.message.startswith("creators: DOI ")


def test_another_prefix_is_rejected(account: DataCiteAccount) -> None:
    result = _put(account, "10.9999/ABC")
    assert (result.kind, result.status) == (Kind.REJECTED, 403)


def test_a_wrong_password_stops_everything_that_follows(account: DataCiteAccount, admin: Admin, doi: str) -> None:
    wrong = DataCiteAccount(account.url, account.repository, "wr0ng-secret", account.prefix)

    async def many(client: DataCiteClient) -> list[Outcome]:
        return [result async for result in client.put_many((f"{doi}{n}", ATTRIBUTES) for n in range(50))]

    results = _run(wrong, many, concurrency=2)
    assert Counter(result.kind for result in results) == {Kind.UNAUTHORIZED: 50}
    assert admin()["requests"]["PUT"] <= 2
    assert "wr0ng-secret" not in repr(results)


def test_a_write_can_be_hidden_even_if_it_was_never_published(account: DataCiteAccount, doi: str) -> None:
    assert _put(account, doi, event="hide").state == "registered"
    assert _put(account, doi).state == "findable"
    hidden = _put(account, doi, event="hide")
    assert (hidden.kind, hidden.state) == (Kind.REGISTERED, "registered")


def test_faults_of_all_kinds_lose_and_double_nothing(account: DataCiteAccount, admin: Admin) -> None:
    kinds = ["rate_limited", "error_500", "error_502", "reset", "dropped", "truncated", "conflict", "error_504"]
    admin(rates=dict.fromkeys(kinds, 0.05), seed=3)
    names = [f"10.5555/FAULT-{number}" for number in range(200)]

    async def many(client: DataCiteClient) -> list[Outcome]:
        return [result async for result in client.put_many((name, ATTRIBUTES) for name in names)]

    results = _run(account, many, STUBBORN)
    assert Counter(result.kind for result in results) == {Kind.REGISTERED: 200}
    assert sorted(result.doi for result in results) == sorted(names)
    admin(rates={})
    held = _run(account, _walk)
    found = [entry["doi"] for entry in held if entry["doi"].startswith("10.5555/fault-")]
    assert len(found) == len(set(found)) == 200


async def _walk(client: DataCiteClient) -> list[dict[str, Any]]:
    return [entry async for entry in client.walk()]


def test_a_limit_is_kept_and_used(account: DataCiteAccount) -> None:
    async def many(client: DataCiteClient) -> float:
        client.pace = Pace(100, window=2.0)
        begin = time.monotonic()
        async for _ in client.put_many((f"10.5555/PACE-{number}", ATTRIBUTES) for number in range(60)):
            pass
        return time.monotonic() - begin

    seconds = _run(account, many)
    assert seconds >= 59 * 2.0 / 100


def test_after_a_rate_limit_nothing_is_sent_for_a_while(account: DataCiteAccount, admin: Admin, doi: str) -> None:
    async def twice(client: DataCiteClient) -> float:
        admin(rates={"rate_limited": 1})
        # The pause begins with the answer: measured from before it, a slow machine cannot make it look shorter.
        begin = time.monotonic()
        assert (await client.put(doi, ATTRIBUTES)).kind is Kind.RATE_LIMITED
        admin(rates={})
        assert (await client.put(doi, ATTRIBUTES)).ok
        return time.monotonic() - begin

    assert _run(account, twice) >= QUICK.pause * 0.9


def test_check_is_silent_where_all_is_well(account: DataCiteAccount, admin: Admin) -> None:
    _run(account, lambda client: client.check())
    assert admin()["stored"]["deleted"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "nope"}, "refused the credentials of repository DISSCO.SANDBOX"),
        ({"repository": "OTHER.REPO"}, "refused the credentials of repository OTHER.REPO"),
        ({"prefix": "10.4444"}, "Prefix 10.4444 does not belong to repository"),
    ],
)
def test_check_says_in_one_sentence_what_to_mend(
    account: DataCiteAccount, admin: Admin, change: dict[str, str], said: str
) -> None:
    before = admin()["stored"]
    parts = {"url": account.url, "repository": account.repository, "password": "sandbox", "prefix": account.prefix}
    wrong = DataCiteAccount(**{**parts, **change})
    with pytest.raises(DoiServiceError, match=said) as caught:
        _run(wrong, lambda client: client.check())
    assert "DISSCO_" in str(caught.value)
    assert "nope" not in str(caught.value)
    assert admin()["stored"] == before


def test_an_address_where_nobody_listens_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    nowhere = DataCiteAccount(f"http://127.0.0.1:{port}", "A.B", "secret", "10.5555")
    with pytest.raises(DoiServiceError, match="cannot be used"):
        _run(nowhere, lambda client: client.check())
    assert _put(nowhere, "10.5555/A").kind is Kind.RETRYABLE


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(DoiServiceError, match="not the address of a DOI service"):
        DataCiteClient(DataCiteAccount("api.datacite.org", "A.B", "secret", "10.5555"))


def test_a_service_that_is_no_datacite_is_refused(account: DataCiteAccount) -> None:
    other = DataCiteAccount(f"{account.url}/elsewhere", account.repository, "sandbox", account.prefix)
    with pytest.raises(DoiServiceError, match="does not answer as DataCite does"):
        _run(other, lambda client: client.check())


def test_secrets_are_never_shown(account: DataCiteAccount, doi: str, caplog: pytest.LogCaptureFixture) -> None:
    secret = DataCiteAccount(account.url, account.repository, "s3cret-word", account.prefix)
    with caplog.at_level(logging.DEBUG):
        result = _put(secret, doi)
    client = DataCiteClient(secret)
    for text in (repr(secret), repr(client), str(client), repr(result), caplog.text):
        assert "s3cret-word" not in text


def test_httpx_own_transport_gives_the_same_outcomes(account: DataCiteAccount, admin: Admin, doi: str) -> None:
    """DataCite is asked through httpx's own transport, the sandbox through the lean one."""

    async def tasks(client: DataCiteClient) -> list[Kind]:
        client._lean, client._http = None, httpx.AsyncClient(timeout=1.0, trust_env=False)
        kinds = [(await client.put(doi, ATTRIBUTES)).kind]
        for fault in ("timeout", "reset", "dropped", "truncated", "error_502"):
            admin(rates={fault: 1}, hang_seconds=1.5)
            kinds.append((await client.put(doi, ATTRIBUTES)).kind)
        return kinds

    assert _run(account, tasks) == [Kind.REGISTERED, *[Kind.UNKNOWN] * 4, Kind.RETRYABLE]


def test_validate_tells_without_writing(account: DataCiteAccount, doi: str) -> None:
    assert _run(account, lambda client: client.validate(doi, ATTRIBUTES)) == []
    (said,) = _run(account, lambda client: client.validate(doi, "{}"))
    assert "creators" in said
    assert _run(account, lambda client: client.get(doi)) is None


@given(st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.text()), max_size=4), st.text(min_size=1))
def test_a_body_holds_the_attributes_as_they_are(attributes: dict[str, Any], suffix: str) -> None:
    body = orjson.loads(write_body(f"10.5555/{suffix}", orjson.dumps(attributes), "publish"))
    expected = {"doi": f"10.5555/{suffix}", "event": "publish", **attributes}
    assert body == {"data": {"type": "dois", "attributes": expected}}


def test_paths_are_quoted() -> None:
    assert doi_path("10.5555/ABC-DEF GHJ?#") == "/dois/10.5555/ABC-DEF%20GHJ%3F%23"


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_has_an_outcome(status: int, body: bytes) -> None:
    result = outcome("10.5555/A", status, body)
    assert result.ok is False
    assert error_message(status, body)


def test_a_success_that_left_the_doi_a_draft_is_rejected() -> None:
    body = orjson.dumps({"data": {"id": "10.5555/a", "attributes": {"state": "draft", "registered": None}}})
    assert outcome("10.5555/A", 200, body).kind is Kind.REJECTED


@given(st.integers(1, 100), st.floats(0, 1))
def test_waits_stay_within_their_bounds(attempt: int, drawn: float) -> None:
    assert 0 <= jitter(attempt, base=0.5, longest=60, draw=lambda: drawn) <= 60
