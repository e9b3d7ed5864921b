"""Letters to applicants: an outbox in the registry, one template file each, sent by SMTP or put into a maildir.

A letter is queued in the transaction of its cause, under a key that its cause has once: seeing a cause twice sends one
letter. Sending is apart and repeatable. Addresses go into no log. Templates are in `templates/mail/<letter>.txt`: first
line the subject, then the text.

Decisions and what an applicant has to do are sent at once. News (`NEWS`) come at most once a day, those of a day together,
and can be ended by one click (RFC 8058). Secret links are put in when a letter is sent, so that the outbox holds none.
"""

import mailbox
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection, RowMapping

from dissco_platform.enrolment.links import Links
from dissco_platform.errors import SettingsError, SourceError
from dissco_platform.registry import Registry
from dissco_platform.registry import enrolment as statements

TEMPLATES = Path(__file__).parent / "templates"

# Action at the desk → letter. A check has two; a load and an activation are the first DOI and the end.
LETTERS = {
    "submit": "received",
    "confirm": "confirmed",
    "accept": "accepted",
    "decline": "declined",
    "pause": "paused",
    "resume": "resumed",
    "withdraw": "withdrawn",
    "grant": "granted",
    "postpone": "postponed",
    "load": "first_doi",
    "activate": "finished",
    "problem": "problem",
    "grow": "grown",
    "relink": "link",
}
NEWS = frozenset({"first_doi", "problem", "grown", "postponed"})
"""Letters that nobody has to have; the others tell of decisions, or of what only the applicant can do."""

PAGE = "[[page]]"
"""Stands in a queued letter where the secret link goes."""
_DAY = timedelta(hours=24)

Mailer = Callable[[EmailMessage], None]

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES / "mail"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  plain text
    trim_blocks=True,
    lstrip_blocks=True,
)


def letter_of(action: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the letter that an action at the desk calls for, or None."""
    if action == "check":
        return "not_ready" if inputs["not_met"] else "ready"
    return LETTERS.get(action)


def notify(
    connection: Connection,
    application: Mapping[str, Any],
    action: str,
    reason: str,
    inputs: Mapping[str, Any],
    event: int,
) -> bool:
    """Queue the letter of an event; False where there is none or it was queued before.

    The key is the event's cause: a round, a check's findings, the text of a problem; else the event itself.
    """
    letter = letter_of(action, inputs)
    if letter is None or (letter in NEWS and not application["news"]):
        return False
    cause = inputs.get("cause", event)
    text = _environment.get_template(f"{letter}.txt").render(
        application=application,
        form=application["form"],
        facts=application["facts"],
        reason=reason,
        inputs=inputs,
        page=PAGE,
    )
    subject, _, body = text.partition("\n")
    return statements.queue_notification(
        connection,
        {
            "key": f"{application['slug']}:{letter}:{cause}"[:160],
            "application": application["slug"],
            "event": letter,
            "recipient": application["form"]["contact"],
            "subject": " ".join(subject.split()),
            "body": body.strip() + "\n",
        },
    )


@dataclass(frozen=True)
class Maildir:
    """Puts letters into a maildir, where any mail program reads them: the default, for trying out and for a hand-over."""

    folder: Path

    def __call__(self, message: EmailMessage) -> None:
        """Deliver one letter."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        mailbox.Maildir(self.folder, create=True).add(message)


@dataclass(frozen=True)
class Smtp:
    """Sends letters through a mail server.

    `secure`: `smtps` speaks TLS from the first byte; else STARTTLS is used where the server offers it, and is required
    where there is a password.
    """

    host: str
    port: int = 25
    user: str | None = None
    password: str | None = None
    secure: bool = False
    trusted: ssl.SSLContext | None = None
    """Certificates that are believed; None: the machine's."""

    @classmethod
    def from_address(cls, address: str) -> "Smtp":
        """Return the server at `smtp://[user:password@]host[:port]` or `smtps://…`.

        Raises:
            SettingsError: it is no such address.
        """
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == -1:
            raise SettingsError("DISSCO_MAIL_SERVER is not smtp://[user:password@]host[:port].")
        secure = parts.scheme == "smtps"
        user = unquote(parts.username) if parts.username else None
        return cls(parts.hostname, port or (465 if secure else 25), user, unquote(parts.password or ""), secure)

    def __call__(self, message: EmailMessage) -> None:
        """Send one letter.

        Raises:
            SourceError: the server cannot be reached, or refuses it.
        """
        tls = self.trusted or ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, timeout=30, context=tls)
                if self.secure
                else smtplib.SMTP(self.host, self.port, timeout=30)
            ) as server:
                server.ehlo()
                if not self.secure and (self.user is not None or server.has_extn("starttls")):
                    server.starttls(context=tls)
                    server.ehlo()
                if self.user is not None:
                    server.login(self.user, self.password or "")
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            # The answer repeats the address, which belongs into no log.
            codes = sorted({code for code, _ in error.recipients.values()})
            raise SourceError(
                f"The mail server {self.host}:{self.port} does not know the addressee ({', '.join(map(str, codes))})."
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            said = f"{error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else type(error).__name__
            raise SourceError(f"The mail server {self.host}:{self.port} did not take a letter ({said}).") from error


def mailer_of(kind: str, home: Path, server: str) -> Mailer:
    """Return what sends letters: `smtp` through the server's address, else a maildir in the platform's folder."""
    return Smtp.from_address(server) if kind == "smtp" else Maildir(home / "maildir")


def send_all(
    registry: Registry, mailer: Mailer, sender: str, links: Links, *, moment: datetime | None = None
) -> dict[str, int]:
    """Send what is queued, each letter in its own transaction; return how many were sent, failed and wait for their day.

    A letter whose sending is interrupted between the server's answer and our note is sent again under the same
    Message-ID, by which mail programs know it.
    """
    moment = moment or datetime.now(UTC)
    with registry.read() as connection:
        queued = statements.unsent_notifications(connection)
        applications = {row["application"]: _application(connection, row["application"]) for row in queued}
        yesterday = (moment - _DAY).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        served = statements.recipients_since(connection, NEWS, yesterday)
    done = {"sent": 0, "failed": 0, "waiting": 0}
    for rows in _bundled(queued):
        news = rows[0]["event"] in NEWS
        if news and rows[0]["recipient"] in served:
            done["waiting"] += len(rows)
            continue
        error = None
        try:
            mailer(_message(rows, [applications[row["application"]] for row in rows], sender, links))
        except SourceError as failure:
            error = str(failure)
        with registry.write() as connection:
            for row in rows:
                statements.note_sent(connection, row["key"], error)
        done["failed" if error else "sent"] += len(rows)
    return done


def _bundled(queued: Sequence[RowMapping]) -> list[list[RowMapping]]:
    """Return the letters as they go out: each by itself, but the news of one recipient together, after the rest."""
    alone = [[row] for row in queued if row["event"] not in NEWS]
    news: dict[str, list[RowMapping]] = {}
    for row in queued:
        if row["event"] in NEWS:
            news.setdefault(row["recipient"], []).append(row)
    return [*alone, *news.values()]


def _application(connection: Connection, slug: str) -> dict[str, Any]:
    row = statements.find_application(connection, slug)
    assert row is not None, "a letter's application is in the registry"
    return {"slug": slug, **statements.loads(row["body"])}


def _message(
    rows: Sequence[RowMapping], applications: Sequence[Mapping[str, Any]], sender: str, links: Links
) -> EmailMessage:
    message = EmailMessage()
    first = rows[0]
    message["From"], message["To"] = sender, first["recipient"]
    message["Subject"] = first["subject"] if len(rows) == 1 else f"{len(rows)} pieces of news of your datasets"
    message["Date"] = formatdate()
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    key = first["key"] if len(rows) == 1 else f"{first['key']}.{len(rows)}"
    safe = "".join(sign if sign.isalnum() or sign in "-." else "." for sign in key)
    message["Message-ID"] = f"<{safe}@{domain}>" if safe else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    texts = []
    for row, application in zip(rows, applications, strict=True):
        # A link goes to the contact of today alone: a letter that was queued for an earlier one gets none.
        own = application["form"]["contact"] == row["recipient"]
        where = links.page(application) if own else "(the link was sent to the new contact)"
        body = row["body"].replace(PAGE, where)
        texts.append(body if len(rows) == 1 else f"{row['subject']}\n{'-' * len(row['subject'])}\n\n{body}")
    text = "\n\n".join(texts)
    if first["event"] in NEWS:
        end = links.no_news(applications[0])
        message["List-Unsubscribe"] = f"<{end}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        text += f"\nNo more news like this (decisions on your datasets are still sent):\n{end}\n"
    message.set_content(text)
    return message
