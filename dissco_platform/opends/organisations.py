"""The names of a ROR record; where records are looked up is `enrolment/ror.py`, their ids' form is `identifiers`."""

from typing import Any


def display_name(organisation: dict[str, Any]) -> str | None:
    """Return the `ror_display` name of a ROR v2 record, else its first name."""
    names = organisation.get("names") or []
    shown = next((name for name in names if "ror_display" in name.get("types", [])), names[0] if names else None)
    return str(shown["value"]) if shown else None
