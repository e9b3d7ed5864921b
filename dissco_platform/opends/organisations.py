"""The name of the organisation that holds a collection, from a file of ROR: a look-up never leaves the machine or stops a run.

The form and checksum of identifiers are `identifiers.normalised_organisation_id`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.opends.identifiers import normalised_organisation_id


def organisation_name(identifier: str, dump: Path | None, *, publisher: str | None = None) -> str | None:
    """Return the display name of a ROR organisation from a ROR dump (v2 JSON or CSV), else the publisher, else None.

    Where None comes back the build falls back to each record's institution code. A Wikidata item has no dump; an absent
    or unreadable file counts as no dump.
    """
    known = normalised_organisation_id(identifier)
    if known is None or dump is None or not dump.is_file():
        return publisher
    found = _from_csv(dump, known) if dump.suffix == ".csv" else _from_json(dump, known)
    return found or publisher


def _from_csv(dump: Path, identifier: str) -> str | None:
    scan = pl.scan_csv(dump, infer_schema=False)
    columns = scan.collect_schema().names()
    name = next((column for column in ("names.types.ror_display", "name") if column in columns), None)
    if "id" not in columns or name is None:
        return None
    rows = scan.filter(pl.col("id") == identifier).select(name).head(1).collect()
    if rows.is_empty() or rows.item() is None:
        return None
    # v2 CSV writes `no_lang_code: Name` or `en: Name`
    return str(rows.item()).split("; ")[0].split(": ", 1)[-1]


def _from_json(dump: Path, identifier: str) -> str | None:
    for organisation in _organisations(dump):
        if organisation.get("id") == identifier:
            return display_name(organisation)
    return None


def _organisations(dump: Path) -> Iterator[dict[str, Any]]:
    try:
        listed = orjson.loads(dump.read_bytes())
    except orjson.JSONDecodeError:
        return
    yield from listed if isinstance(listed, list) else listed.get("items", [listed])


def display_name(organisation: dict[str, Any]) -> str | None:
    """Return the `ror_display` name of a ROR v2 record, else its first name."""
    names = organisation.get("names") or []
    shown = next((name for name in names if "ror_display" in name.get("types", [])), names[0] if names else None)
    return str(shown["value"]) if shown else None
