"""Every address of the desk under generated requests: no defect, no answer that is not described (schemathesis)."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from fastapi.openapi.utils import get_openapi
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dissco_platform.portal.app import DESK
from dissco_platform.portal.desk.context import LIMITS
from tests.portal.desk.conftest import FORM, Visitor

EXAMPLES = 8
# What a page may say besides success; a defect (500) is none of them.
KNOWN = {200, 303, 400, 403, 404, 405, 409, 413, 415, 422, 429}


def _schema(app: Any) -> dict[str, Any]:
    """Describe the desk's addresses: the portal's own description leaves pages for people out."""
    routes = [route for room in DESK for route in room.routes]
    for route in routes:
        route.include_in_schema = True  # type: ignore[attr-defined]
    try:
        return get_openapi(title="desk", version="1", routes=routes)
    finally:
        for route in routes:
            route.include_in_schema = False  # type: ignore[attr-defined]


@pytest.fixture
def insider(visit: Callable[[], Visitor]) -> Visitor:
    """A browser that is signed in as a manager and has opened an application: nothing is behind a closed door."""
    visitor = visit()
    visitor.client.app.state.desk.limiter.limits.update(dict.fromkeys(LIMITS, (10**9, 1.0)))  # type: ignore[attr-defined]
    visitor.send("/enrolment/apply", FORM)
    visitor.client.get(visitor.link("moths-of-leiden"))
    return visitor.sign_in()


def test_generated_requests_meet_no_defect(insider: Visitor) -> None:
    client = insider.client
    schema = _schema(client.app)
    operations = list(schemathesis.openapi.from_dict(schema).get_all_operations())
    assert len(operations) >= 30, "every address is described"
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/enrolment/apply").text)
    assert token
    counted = itertools.count()
    seen: dict[str, set[int]] = {}
    for found in operations:
        operation = found.ok()

        strategy = st.one_of(
            operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
        )
        _try(client, strategy, operation, token[1], seen, counted)
    assert next(counted) > 150
    strange = {name: codes - KNOWN for name, codes in seen.items() if codes - KNOWN}
    assert not strange, strange


def _try(
    client: TestClient, strategy: Any, operation: Any, token: str, seen: dict[str, set[int]], counted: Any
) -> None:
    from hypothesis import given

    name = f"{operation.method.upper()} {operation.path}"
    cases = itertools.count()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def run(case: Any) -> None:
        # Every other one is for an application that is there, and carries the token of our own form.
        if next(cases) % 2:
            if case.path_parameters and "slug" in case.path_parameters:
                case.path_parameters["slug"] = "moths-of-leiden"
            if isinstance(case.body, dict):
                case.body = {**case.body, "csrf": token}
        asked = case.as_transport_kwargs(base_url="http://testserver")
        answer = client.request(
            asked["method"],
            asked["url"],
            params=asked.get("params"),
            headers=_plain(asked.get("headers")),
            data=asked.get("data") if isinstance(asked.get("data"), dict) else None,
            content=asked.get("data") if isinstance(asked.get("data"), str | bytes) else None,
            follow_redirects=False,
        )
        next(counted)
        seen.setdefault(name, set()).add(answer.status_code)
        assert answer.status_code < 500, (name, answer.text[:300])

    run()


def _plain(headers: Any) -> dict[str, str]:
    return {name: value for name, value in (headers or {}).items() if name.isascii() and value.isascii()}
