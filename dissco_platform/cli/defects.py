"""Unexpected errors: one sentence for the person, everything else into a file that a maintainer can use."""

import platform
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from dissco_platform import __version__

_SENTENCE_LENGTH = 300


def first_line(message: str) -> str:
    """Return an error's first line, cut where it goes on for long."""
    line = next((line.strip() for line in message.splitlines() if line.strip()), "no message")
    return line if len(line) <= _SENTENCE_LENGTH else f"{line[:_SENTENCE_LENGTH]} …"


def write_log(home: Path, details: str) -> Path | None:
    """Write what a maintainer needs to know of a defect; None where the state's folder cannot be written."""
    moment = datetime.now(UTC)
    path = home / "logs" / f"error-{moment:%Y%m%dT%H%M%S.%f}.log"
    head = [
        f"dissco {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"{moment:%Y-%m-%d %H:%M:%S} UTC: dissco {' '.join(sys.argv[1:])}",
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*head, "", details, ""]), encoding="utf-8")
    except OSError:
        return None
    return path.absolute()


def sentence(what: str, message: str, log: Path | None) -> str:
    """Return the sentence that a person reads."""
    where = f"Details are in {log}" if log is not None else "Details could not be written"
    return (
        f"{what} failed with an unexpected error, which is a defect of this software: {first_line(message)}. {where}."
    )


def told(error: BaseException, home: Path) -> str:
    """Write an unexpected error's details and return its sentence."""
    details = "".join(traceback.format_exception(error))
    return sentence("The command", f"{type(error).__name__}: {error}", write_log(home, details))
