"""What strangers cannot do at the desk: forge, guess, list, flood, reach our network, read or change what is not theirs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dissco_platform.enrolment import desk as domain
from dissco_platform.errors import RegistryError
from dissco_platform.http import HttpClient
from dissco_platform.portal.desk import forms
from dissco_platform.portal.desk.context import LIMITS, Limiter
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry import desk as statements
from dissco_platform.registry.limited import RIGHTS, grants, open_limited
from dissco_platform.settings import Settings
from tests.portal.desk.conftest import FORM, Visitor

Visit = Callable[[], Visitor]


def _apply(visitor: Visitor, **changed: str) -> None:
    said = visitor.send("/enrolment/apply", {**FORM, **changed})
    assert "Please look into your mail" in said, re.findall(r"To mend:.*", said)


def test_a_form_from_elsewhere_is_not_used(visitor: Visitor) -> None:
    address = "/enrolment/apply"
    assert visitor.client.post(address, data=FORM).status_code == 403, "no token"
    page = visitor.get(address)
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token
    mine = {**FORM, "csrf": token[1]}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        assert visitor.client.post(address, data=mine, headers=headers).status_code == 403, headers
    ours = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert visitor.client.post(address, data=mine, headers=ours).status_code == 200


def test_another_browsers_token_is_worth_nothing(visit: Visit) -> None:
    one, other = visit(), visit()
    token = re.search(r'name="csrf" value="([^"]+)"', one.get("/enrolment/apply"))
    other.get("/enrolment/apply")
    assert token and other.client.post("/enrolment/apply", data={**FORM, "csrf": token[1]}).status_code == 403


def test_forms_are_bounded_in_size_type_and_number(visitor: Visitor) -> None:
    post = visitor.client.post
    assert post("/enrolment/apply", json=FORM).status_code == 415
    assert post("/enrolment/apply", files={"title": b"x"}).status_code == 415
    assert post("/enrolment/apply", data={"title": "x" * 70_000}).status_code == 413
    assert post("/enrolment/apply", data={f"f{number}": "x" for number in range(100)}).status_code == 400
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert post("/enrolment/apply", content=b"title=%ff", headers=form).status_code == 400
    said = visitor.send("/enrolment/apply", {**FORM, "title": "x" * 201}, status=422)
    assert "at most 200 characters" in said


def test_cookies_are_hidden_from_scripts_and_bound_to_https(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    from dissco_platform.portal.app import create_portal

    settings = Settings(home=tmp_path / "home", landing_page="https://portal.example")
    with TestClient(create_portal(settings), base_url="https://portal.example") as client:
        cookie = client.get("/enrolment/apply").headers["set-cookie"]
    assert cookie.startswith("__Host-desk-browser=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie


def test_whether_an_address_is_known_cannot_be_learnt(visit: Visit) -> None:
    _apply(visit())
    asker = visit()
    known = asker.send("/enrolment/link", {"contact": "curator@example.org"})
    unknown = asker.send("/enrolment/link", {"contact": "nobody@example.org"})
    # The forms' tokens are the same browser's, so the pages are equal to the last sign.
    assert known == unknown
    with asker.registry.read() as connection:
        sent = [row["event"] for row in statements_of(connection)]
    assert sent.count("link") == 1
    asker.send("/enrolment/link", {"contact": "curator@example.org"})
    with asker.registry.read() as connection:
        assert [row["event"] for row in statements_of(connection)].count("link") == 1, "one letter an hour"


def statements_of(connection: object) -> list[dict[str, str]]:
    from dissco_platform.registry import enrolment

    return [dict(row) for row in enrolment.notifications_of(connection, "moths-of-leiden")]  # type: ignore[arg-type]


def test_a_page_of_an_application_opens_with_its_own_link_alone(visit: Visit) -> None:
    owner, stranger = visit(), visit()
    _apply(owner)
    page = "/enrolment/datasets/moths-of-leiden"
    absent = stranger.get("/enrolment/datasets/no-such-thing", 404)
    hidden = stranger.get(page, 404)
    assert absent.replace("no-such-thing", "") == hidden.replace("moths-of-leiden", ""), "alike for both"
    for part in ("report", "report.html", "report.json", "dois.csv"):
        stranger.get(f"{page}/{part}", 404)
    assert stranger.client.get(f"/enrolment/open/moths-of-leiden/{'a' * 32}").status_code == 404
    opened = owner.client.get(owner.link("moths-of-leiden"))
    assert opened.status_code == 200 and opened.url.path == page
    assert opened.headers["cache-control"] == "no-store" and opened.headers["referrer-policy"] == "no-referrer"
    # A forged or a foreign cookie opens nothing.
    stranger.client.cookies.set("desk-opened", owner.client.cookies["desk-opened"][:-3] + "AAA")
    stranger.get(page, 404)


def test_what_was_said_by_others_than_the_applicant_cannot_be_done_on_their_page(visitor: Visitor) -> None:
    _apply(visitor)
    visitor.client.get(visitor.link("moths-of-leiden"))
    page = "/enrolment/datasets/moths-of-leiden"
    for action in ("accept", "judge", "grant", "activate", "nothing"):
        visitor.send(f"{page}/{action}", page=page, status=404)
    visitor.send(f"{page}/check", page=page, status=422)
    visitor.send(f"{page}/withdraw", page=page, status=422)
    visitor.send(f"{page}/confirm", page=page)
    with visitor.registry.read() as connection:
        assert domain.get(connection, "moths-of-leiden").confirmed
        jobs = statements.open_jobs(connection)
    assert [(job.kind, job.application) for job in jobs] == [("check", "moths-of-leiden")]
    visitor.send(f"{page}/check", page="/enrolment/apply")
    with visitor.registry.read() as connection:
        assert len(statements.open_jobs(connection)) == 1, "asked for twice, done once"
    visitor.send(f"{page}/leave", page=page)
    visitor.get(page, 404)


def test_too_much_from_one_network_is_refused_for_a_while(visitor: Visitor) -> None:
    visitor.client.app.state.desk.limiter.limits["sign-in"] = (3, 900.0)  # type: ignore[attr-defined]
    for _ in range(3):
        visitor.send("/staff/sign-in", {"token": "dissco_guess"}, status=403)
    token = re.search(r'name="csrf" value="([^"]+)"', visitor.get("/staff/sign-in"))
    assert token
    answer = visitor.client.post("/staff/sign-in", data={"csrf": token[1], "token": "dissco_guess"})
    assert answer.status_code == 429 and 0 < int(answer.headers["retry-after"]) <= 301
    assert "Please try again in 5 minutes" in answer.text


def test_nobodys_mailbox_is_filled_by_a_stranger(visitor: Visitor) -> None:
    for number in range(5):
        _apply(visitor, source=f"https://ipt.example.org/{number}.zip")
    more = {**FORM, "source": "https://ipt.example.org/more.zip", "contact": "Curator@example.org"}
    assert "Please confirm those first" in visitor.send("/enrolment/apply", more, status=422)
    visitor.send("/enrolment/apply", {**more, "contact": "other@example.org"})


def test_a_limiter_fills_again_and_forgets_the_quiet() -> None:
    limiter = Limiter({"x": (2, 60.0)})
    assert [limiter.wait("x", "a", 0.0) for _ in range(3)] == [0.0, 0.0, 30.0]
    assert limiter.wait("x", "b", 0.0) == 0.0 and limiter.wait("x", "a", 31.0) == 0.0
    for number in range(30_000):
        limiter.wait("x", str(number), 40.0)
    assert len(limiter._buckets) <= 20_000
    assert set(LIMITS) == {"apply", "probe", "link", "open", "sign-in", "write", "read"}


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:8000/", "http://[::1]/", "http://10.0.0.1/",
        "http://2130706433/", "http://localhost/",
    ],
)  # fmt: skip
def test_our_own_network_is_not_asked_for_strangers(address: str) -> None:
    said = forms.probe(HttpClient(timeout=5), address)
    assert said is not None and "DISSCO_" not in said
    assert re.search(r"does not lie on the public internet|uses port 8000", said), said


@pytest.mark.parametrize(
    "address",
    ["/etc/passwd", "file:///etc/passwd", "ftp://x.org/a", "https://user:pw@x.org/a", "https://", "https://a b"],
)
def test_only_web_addresses_are_taken(visitor: Visitor, address: str) -> None:
    said = visitor.send("/enrolment/apply", {**FORM, "source": address}, status=422)
    assert "This is no web address." in said and f'value="{address}"' in said, "what was typed is kept"


def test_staff_pages_ask_who_is_there_and_what_they_may(visit: Visit) -> None:
    stranger = visit()
    _apply(stranger)
    for page in ("", "/applications/moths-of-leiden", "/round", "/datasets", "/dead-letters", "/log"):
        answer = stranger.client.get(f"/staff{page}", follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/staff/sign-in")
    token = re.search(r'name="csrf" value="([^"]+)"', stranger.get("/enrolment/apply"))
    assert token
    for page in ("/applications/moths-of-leiden/decline", "/round", "/dead-letters"):
        assert stranger.client.post(f"/staff{page}", data={"csrf": token[1], "reason": "x"}).status_code == 403
    reader = visit().sign_in("reader", "rita")
    application = "/staff/applications/moths-of-leiden"
    assert "Moths of Leiden" in reader.get("/staff")
    reader.send(f"{application}/decline", {"reason": "x"}, page=application, status=403)
    officer = visit().sign_in("officer", "olaf")
    officer.send(f"{application}/comment", {"reason": "called them"}, page=application)
    officer.send("/staff/round", page="/staff/log", status=403)
    manager = visit().sign_in("manager", "anna")
    manager.send("/staff/round", {"reason": "november"})
    log = manager.get("/staff/log")
    for line in ("olaf", "comment", "called them", "rita", "sign-in", "november"):
        assert line in log
    assert "called them" not in _own_page(stranger), "comments are the desk's"
    assert log.count("decline") == 0


def _own_page(visitor: Visitor) -> str:
    visitor.client.get(visitor.link("moths-of-leiden"))
    return visitor.get("/enrolment/datasets/moths-of-leiden")


def test_access_that_was_revoked_ends_at_once(visitor: Visitor) -> None:
    from dissco_platform.enrolment import staff

    visitor.sign_in("manager", "anna")
    visitor.get("/staff")
    with visitor.registry.write() as connection:
        staff.revoke(connection, "anna", by="test")
    answer = visitor.client.get("/staff", follow_redirects=False)
    assert answer.status_code == 303
    with visitor.registry.read() as connection:
        assert [row["action"] for row in statements.list_audit(connection)] == ["staff.revoke", "sign-in", "staff.add"]


def test_what_happened_cannot_be_changed_by_anybody(registry_url: str) -> None:
    registry = open_registry(registry_url)
    with registry.write() as connection:
        form = {"source": "https://a.example/x", "organisation": "0566bfb96", "contact": "a@b.example"}
        domain.submit(connection, "moths", form, actor="x")
        statements.add_audit(connection, actor="anna", action="accept", subject="moths")
    for statement in (
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "UPDATE application_event SET reason = 'other'",
        "DELETE FROM application_event",
    ):
        with pytest.raises(RegistryError, match="can be added to, not changed"), registry.write() as connection:
            connection.exec_driver_sql(statement)
    registry.close()


def test_the_desks_handles_may_do_no_more_than_they_must(registry_url: str) -> None:
    registry = open_registry(registry_url)
    urls = _logins(registry, registry_url)
    form = {"source": "https://a.example/x", "organisation": "0566bfb96", "contact": "a@b.example"}
    for role in RIGHTS:
        limited = open_limited(urls[role], role)
        with limited.write() as connection:
            domain.submit(connection, role, {**form, "source": f"https://a.example/{role}"}, actor="x")
            statements.add_job(connection, "check", by="x", application=role)
            statements.add_audit(connection, actor="x", action="submit", subject=role)
        for statement in (
            "DELETE FROM application",
            "DELETE FROM audit",
            "INSERT INTO staff (name, role, created) VALUES ('eve', 'manager', '2026')",
            "UPDATE setting SET value = 'x'",
            "INSERT INTO allocation_round (id, time, actor, year, inputs, inputs_hash, result) VALUES (9,'','',1,'','','')",
            "UPDATE version SET cause = 'x'",
            "DROP TABLE audit",
            "CREATE TABLE eve (x INTEGER)",
            *(
                ["SELECT * FROM setting", "SELECT * FROM staff", "UPDATE dataset SET state = 'removed'"]
                if role == "desk"
                else []
            ),
        ):
            with pytest.raises(RegistryError), limited.write() as connection:
                connection.exec_driver_sql(statement)
        limited.close()
    registry.close()


def _logins(registry: Registry, url: str) -> dict[str, str]:
    """Return an address for each role: on PostgreSQL its own login, with what `dissco registry grants` prints."""
    if registry.is_sqlite:
        return dict.fromkeys(RIGHTS, url)
    from sqlalchemy import make_url

    found = {}
    with registry.write() as connection:
        for role in RIGHTS:
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS test_{role}")
            connection.exec_driver_sql(f"CREATE ROLE test_{role} LOGIN PASSWORD 'test'")
            for statement in grants(role, f"test_{role}"):
                connection.exec_driver_sql(statement)
            made = make_url(url).set(username=f"test_{role}", password="test")
            found[role] = made.render_as_string(hide_password=False)
    return found
