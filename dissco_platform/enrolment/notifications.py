"""Letters to applicants: an outbox in the registry, one template file each, sent by SMTP or put into a maildir.

A letter is queued in the transaction of its cause, under a key that its cause has once: seeing a cause twice sends one
letter. Sending is apart and repeatable. Addresses go into no log. Templates are in `templates/mail/<letter>.txt`: first
line the subject, then the text.
"""

import mailbox
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection

from dissco_platform.errors import SourceError
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
    "load": "first_doi",
    "activate": "finished",
    "problem": "problem",
}

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
    if letter is None:
        return False
    cause = inputs.get("cause", event)
    text = _environment.get_template(f"{letter}.txt").render(
        application=application, form=application["form"], facts=application["facts"], reason=reason, inputs=inputs
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
    """Sends letters through a mail server; `password` goes with STARTTLS only."""

    host: str
    port: int = 25
    user: str | None = None
    password: str | None = None

    def __call__(self, message: EmailMessage) -> None:
        """Send one letter.

        Raises:
            SourceError: the server cannot be reached or refuses it.
        """
        try:
            with smtplib.SMTP(self.host, self.port, timeout=30) as server:
                if self.user is not None:
                    server.starttls()
                    server.login(self.user, self.password or "")
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise SourceError(f"The mail server {self.host}:{self.port} did not take a letter ({error}).") from error


def send_all(registry: Registry, mailer: Mailer, sender: str) -> dict[str, int]:
    """Send what is queued, each letter in its own transaction; return how many were sent and how many failed.

    A letter whose sending is interrupted between the server's answer and our note is sent again under the same
    Message-ID, by which mail programs know it.
    """
    with registry.read() as connection:
        queued = statements.unsent_notifications(connection)
    done = {"sent": 0, "failed": 0}
    for row in queued:
        error = None
        try:
            mailer(_message(row["key"], row["recipient"], row["subject"], row["body"], sender))
        except SourceError as failure:
            error = str(failure)
        with registry.write() as connection:
            statements.note_sent(connection, row["key"], error)
        done["failed" if error else "sent"] += 1
    return done


def _message(key: str, recipient: str, subject: str, body: str, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = formatdate()
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    safe = "".join(sign if sign.isalnum() or sign in "-." else "." for sign in key)
    message["Message-ID"] = f"<{safe}@{domain}>" if safe else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message
