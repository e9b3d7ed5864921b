"""Letters: once each, decisions at once, news together and not against one's will; maildir and a real mail exchange."""

import mailbox
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dissco_platform.enrolment import desk
from dissco_platform.enrolment.links import Links, secret_key
from dissco_platform.enrolment.notifications import Maildir, Smtp, send_all
from dissco_platform.errors import SettingsError, SourceError
from dissco_platform.registry import Registry
from dissco_platform.registry import enrolment as statements
from tests.enrolment.test_desk import waiting
from tests.fakes.smtp import mail_server

LINKS = Links("https://portal.example", b"k" * 32)


def _problem(registry: Registry, slug: str, cause: str) -> None:
    with registry.write() as connection:
        desk.act(connection, slug, "problem", actor="runs", reason="It answered 404.", inputs={"cause": cause})


def _granted(registry: Registry, *slugs: str) -> None:
    for slug in slugs:
        waiting(registry, slug)
        with registry.write() as connection:
            desk.act(connection, slug, "grant", actor="anna", inputs={"count": 5, "reasons": [], "cause": "round-1"})


def test_letters_go_through_a_mail_server_encrypted_and_with_a_password(registry: Registry, tmp_path: Path) -> None:
    waiting(registry, title=".starts with a dot")
    with mail_server(tmp_path, users={"desk": "geheim!"}) as server:
        mailer = Smtp("127.0.0.1", server.port, "desk", "geheim!", trusted=server.client_context)
        assert send_all(registry, mailer, "Desk <desk@example.org>", LINKS) == {"sent": 4, "failed": 0, "waiting": 0}
        assert send_all(registry, mailer, "desk@example.org", LINKS)["sent"] == 0
        wrong = Smtp("127.0.0.1", server.port, "desk", "wrong", trusted=server.client_context)
        with pytest.raises(SourceError, match="did not take a letter"):
            wrong(server.letters[0])
    assert server.encrypted == [True] * 4
    assert {letter["To"] for letter in server.letters} == {"curator@example.org"}
    received = server.letters[0].get_content()
    with registry.read() as connection:
        page = LINKS.page(desk.get(connection, "moths").to_json())
        bodies = [row["body"] for row in statements.notifications_of(connection, "moths")]
    assert page in received and ".starts with a dot" in received
    assert not any(page.rsplit("/", 1)[1] in body for body in bodies), "the outbox holds no secret"


def test_a_server_that_is_not_who_it_says_gets_no_letter(registry: Registry, tmp_path: Path) -> None:
    waiting(registry)
    with mail_server(tmp_path) as server:
        done = send_all(registry, Smtp("127.0.0.1", server.port), "desk@example.org", LINKS)
        assert done == {"sent": 0, "failed": 4, "waiting": 0} and server.letters == []


def test_an_addressee_that_the_server_does_not_know_is_not_named_in_what_we_keep(
    registry: Registry, tmp_path: Path
) -> None:
    waiting(registry)
    with mail_server(tmp_path) as server:
        server.unknown.add("curator@example.org")
        mailer = Smtp("127.0.0.1", server.port, trusted=server.client_context)
        assert send_all(registry, mailer, "desk@example.org", LINKS)["failed"] == 4
        server.unknown.clear()
        assert send_all(registry, mailer, "desk@example.org", LINKS)["sent"] == 4
    with registry.read() as connection:
        rows = statements.notifications_of(connection, "moths")
    assert {row["error"] for row in rows} == {None} and {row["attempts"] for row in rows} == {2}


def test_letters_are_sent_once_and_kept_when_the_server_cannot_be_reached(registry: Registry, tmp_path: Path) -> None:
    waiting(registry)
    nobody = Smtp("127.0.0.1", 1, trusted=ssl.create_default_context())
    assert send_all(registry, nobody, "desk@example.org", LINKS) == {"sent": 0, "failed": 4, "waiting": 0}
    with registry.read() as connection:
        errors = {row["error"] for row in statements.notifications_of(connection, "moths")}
    assert errors == {"The mail server 127.0.0.1:1 did not take a letter (ConnectionRefusedError)."}
    maildir = Maildir(tmp_path / "mail")
    assert send_all(registry, maildir, "desk@example.org", LINKS)["sent"] == 4
    assert send_all(registry, maildir, "desk@example.org", LINKS)["sent"] == 0
    letters = list(mailbox.Maildir(tmp_path / "mail"))
    assert {letter["To"] for letter in letters} == {"curator@example.org"}
    assert len({letter["Message-ID"] for letter in letters}) == 4
    assert not any(letter["List-Unsubscribe"] for letter in letters), "decisions cannot be unsubscribed"


def test_news_come_together_and_once_a_day(registry: Registry, tmp_path: Path) -> None:
    _granted(registry, "moths", "bees")
    maildir, moment = Maildir(tmp_path / "mail"), datetime.now(UTC)
    send_all(registry, maildir, "desk@example.org", LINKS, moment=moment)
    for slug in ("moths", "bees"):
        _problem(registry, slug, "w1")
    assert send_all(registry, maildir, "desk@example.org", LINKS, moment=moment) == {
        "sent": 2, "failed": 0, "waiting": 0,
    }  # fmt: skip
    _problem(registry, "moths", "w2")
    later = moment + timedelta(hours=20)
    assert send_all(registry, maildir, "desk@example.org", LINKS, moment=later)["waiting"] == 1
    tomorrow = moment + timedelta(hours=25)
    assert send_all(registry, maildir, "desk@example.org", LINKS, moment=tomorrow)["sent"] == 1
    news = [letter for letter in mailbox.Maildir(tmp_path / "mail") if letter["List-Unsubscribe"]]
    assert sorted(letter["Subject"] for letter in news) == [
        "2 pieces of news of your datasets",
        "Our weekly look at moths met a problem",
    ]
    assert {letter["List-Unsubscribe-Post"] for letter in news} == {"List-Unsubscribe=One-Click"}
    assert all(letter["List-Unsubscribe"].startswith("<https://portal.example/enrolment/no-news/") for letter in news)


def test_who_wants_no_news_gets_decisions_alone(registry: Registry, tmp_path: Path) -> None:
    _granted(registry, "moths", "bees")
    with registry.write() as connection:
        assert desk.end_news(connection, "moths") == ["bees", "moths"], "for all datasets of the same contact"
    _problem(registry, "moths", "w1")
    with registry.write() as connection:
        desk.act(connection, "moths", "pause", actor="anna", reason="moving house")
    with registry.read() as connection:
        letters = [row["event"] for row in statements.notifications_of(connection, "moths")]
        assert desk.replay("moths", desk.history(connection, "moths")) == desk.get(connection, "moths")
    assert "problem" not in letters and letters[-1] == "paused"


def test_a_new_contact_is_asked_again_and_old_links_end(registry: Registry) -> None:
    waiting(registry)
    with registry.write() as connection:
        before = desk.get(connection, "moths")
        token = LINKS.token(before.to_json())
        assert LINKS.opens(before.to_json(), token)
        after = desk.amend(connection, "moths", {"contact": "new@example.org"}, actor="applicant")
        assert (after.confirmed, after.state) == (False, "waiting"), "what was measured is still true"
        assert not LINKS.opens(after.to_json(), token)
        letter = statements.notifications_of(connection, "moths")[-1]
        assert (letter["event"], letter["recipient"]) == ("link", "new@example.org")


def test_a_link_opens_its_own_application_alone(registry: Registry) -> None:
    waiting(registry)
    waiting(registry, "bees")
    with registry.write() as connection:
        moths, bees = (desk.get(connection, slug).to_json() for slug in ("moths", "bees"))
        assert not LINKS.opens(bees, LINKS.token(moths))
        assert not LINKS.opens(moths, LINKS.token(moths, "news"))
        assert not Links(LINKS.base, b"x" * 32).opens(moths, LINKS.token(moths))
        fresh = desk.act(connection, "moths", "relink", actor="anna").to_json()
        assert not LINKS.opens(fresh, LINKS.token(moths))


def test_the_key_of_links_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    key = secret_key(None, tmp_path / "home")
    assert secret_key(None, tmp_path / "home") == key and len(key) == 32
    assert (tmp_path / "home" / "secret.key").stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="shorter than 32"):
        secret_key("short", tmp_path)
