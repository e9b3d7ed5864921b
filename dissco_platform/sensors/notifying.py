"""Telling people: one notice, given to every sink that is configured. A sink that fails stops neither the others nor a sensor.

The file is always written; `DISSCO_NOTIFY` adds web hooks (`https://…`, one JSON object with a `text` that chat programs
show) and mail (`mailto:…`, through `DISSCO_MAIL_SERVER`). Another sink is a function over a notice, added in `sinks`.
"""

import json
import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dagster as dg
import httpx
from pydantic import Field

from dissco_platform.errors import SettingsError

TIMEOUT = 10.0
ATTEMPTS = 2
PAUSE = 1.0


@dataclass(frozen=True)
class Notice:
    """What people are told: `kind` is failed run, needs a person, source out of reach, or new release."""

    kind: str
    subject: str  # the dataset, or the release
    time: str
    sentence: str
    run_id: str = ""
    step: str = ""
    cause: str = ""
    link: str = ""

    @property
    def text(self) -> str:
        """The notice in one line."""
        return f"{self.subject}: {self.kind}: {self.sentence}"


Sink = Callable[[Notice], None]


@dataclass(frozen=True)
class FileSink:
    """Appends one JSON object a line."""

    path: Path

    def __call__(self, notice: Notice) -> None:
        """Write one line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(notice), ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class WebhookSink:
    """Posts JSON to an address that an operator named; what lies behind `text` are the notice's own fields."""

    address: str

    def __call__(self, notice: Notice) -> None:
        """Post one notice, twice at most."""
        link = f" {notice.link}" if notice.link else ""
        body = {"text": notice.text + link, **asdict(notice)}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                httpx.post(self.address, json=body, timeout=TIMEOUT, trust_env=False).raise_for_status()
                return
            except httpx.HTTPError:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(PAUSE)


@dataclass(frozen=True)
class MailSink:
    """Sends a letter through a mail server, `smtp://[user:password@]host[:port]`; a password goes with STARTTLS only."""

    recipient: str
    server: str
    sender: str

    def __call__(self, notice: Notice) -> None:
        """Send one letter."""
        message = EmailMessage()
        message["From"], message["To"] = self.sender, self.recipient
        message["Subject"] = " ".join(f"[DiSSCo] {notice.subject}: {notice.kind}".split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        lines = [notice.sentence, ""]
        lines += [f"{name}: {value}" for name, value in asdict(notice).items() if value and name != "sentence"]
        message.set_content("\n".join(lines) + "\n")
        parts = urlsplit(self.server)
        with smtplib.SMTP(parts.hostname or "localhost", parts.port or 25, timeout=TIMEOUT) as server:
            if parts.username:
                server.starttls()
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)


def sinks(path: Path, targets: str, mail_server: str, sender: str) -> Iterator[tuple[str, Sink]]:
    """Yield every sink with its name for messages (a web hook's address is a secret, its host is not).

    Raises:
        SettingsError: a target is neither a web address nor a mail address.
    """
    yield f"file {path}", FileSink(path)
    for target in filter(None, (part.strip() for part in targets.split(","))):
        parts = urlsplit(target)
        if parts.scheme in {"http", "https"} and parts.hostname:
            yield f"web hook at {parts.hostname}", WebhookSink(target)
        elif parts.scheme == "mailto" and "@" in parts.path:
            yield f"mail to {parts.path}", MailSink(parts.path, mail_server, sender)
        else:
            shown = f"{parts.scheme}:…" if parts.scheme else target
            raise SettingsError(f"DISSCO_NOTIFY: {shown} is neither https://… nor mailto:name@host.")


class Notifier(dg.ConfigurableResource[Any]):
    """Tells people of failed runs, datasets that need a person, sources out of reach, and new releases."""

    path: str = Field(description="File that gets one JSON object a line")
    targets: str = Field("", repr=False, description="Comma-separated https:// web hooks and mailto: addresses")
    mail_server: str = Field("", repr=False, description="smtp://[user:password@]host[:port]")
    sender: str = Field("dissco@localhost", description="Address that letters come from")
    dagster_url: str = Field("", description="Address of the web interface, for links")

    def notify(self, notice: Notice) -> list[str]:
        """Tell of one notice; return in words which sinks failed."""
        failed = []
        for name, sink in sinks(Path(self.path), self.targets, self.mail_server, self.sender):
            try:
                sink(notice)
            except (OSError, smtplib.SMTPException, httpx.HTTPError) as error:
                failed.append(f"{name} did not take the notice of {notice.subject} ({type(error).__name__})")
        return failed

    def notify_all(self, notices: Sequence[Notice], log: Callable[[str], None]) -> None:
        """Tell of several notices; sinks that fail are said in the tick's log."""
        for notice in notices:
            for failure in self.notify(notice):
                log(failure)

    def run_link(self, run_id: str) -> str:
        """Return the address of a run in the web interface."""
        return f"{self.dagster_url.rstrip('/')}/runs/{run_id}" if self.dagster_url and run_id else ""

    def dataset_link(self, asset: str, slug: str) -> str:
        """Return the address of an asset's partition in the web interface."""
        base = self.dagster_url.rstrip("/")
        return f"{base}/assets/{asset}?view=partitions&partition={slug}" if base else ""
