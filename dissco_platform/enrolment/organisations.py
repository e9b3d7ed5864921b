"""Hosting institutions: the identifier's form and checksum, and what a ROR dump file says of it.

A ROR is required where one exists; a Wikidata id is accepted where no ROR record matches. Nothing is asked over the
network: the dump (JSON, or the zip in which ROR publishes it; doi:10.5281/zenodo.6347574) is read from a file, and
without one that part is not checkable. Sources: ROR schema 2.1 (status, relationships); programme's minimum requirements.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dissco_platform.errors import SourceError, UsageError
from dissco_platform.identity.organisations import organisation_id
from dissco_platform.opends.organisations import display_name

MET, NOT_MET, NOT_CHECKABLE = "met", "not_met", "not_checkable"
_LONGEST_CHAIN = 10
_MAX_DUMP = 4 * 2**30


@dataclass(frozen=True)
class Organisation:
    """What was found of an institution: whether the requirement is met, and the record that counts."""

    status: str
    identifier: str | None
    name: str | None
    country: str | None
    evidence: str
    advice: str = ""


def read_dump(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ROR dump (schema 2).

    Raises:
        SourceError: the file is absent or no ROR dump.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                inner = [found for found in packed.infolist() if found.filename.endswith(".json")]
                if not inner or inner[-1].file_size > _MAX_DUMP:
                    raise SourceError(f"{path} holds no JSON file of ROR records that can be read.")
                data = packed.read(inner[-1])
        else:
            data = path.read_bytes()
        records = orjson.loads(data)
    except (OSError, orjson.JSONDecodeError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} is not a ROR dump ({error}); take the JSON file of ROR's data release.") from error
    found = records.get("items", [records]) if isinstance(records, dict) else records
    if not isinstance(found, list) or not all(isinstance(record, dict) and "id" in record for record in found):
        raise SourceError(f"{path} is not a ROR dump: it is no list of organisation records with an id.")
    return found


def check_organisation(
    identifier: str, name: str | None = None, dump: list[dict[str, Any]] | None = None
) -> Organisation:
    """Say whether an institution's identifier meets the requirement.

    Args:
        identifier: ROR or Wikidata id in any of their forms.
        name: the institution's name, to look for a ROR where a Wikidata id is given.
        dump: ROR records; None: only form and checksum can be checked.
    """
    try:
        wanted = organisation_id(identifier)
    except UsageError as error:
        return Organisation(
            NOT_MET,
            None,
            name,
            None,
            str(error),
            "Give the institution's ROR; you find it at https://ror.org by its name.",
        )
    if "ror.org" in wanted:
        return _check_ror(wanted, name, dump)
    return _check_wikidata(wanted, name, dump)


def _check_ror(wanted: str, name: str | None, dump: list[dict[str, Any]] | None) -> Organisation:
    if dump is None:
        return Organisation(
            NOT_CHECKABLE,
            wanted,
            name,
            None,
            f"{wanted} is well-formed and its check digits fit. Whether ROR lists it could not be looked up.",
            "Nothing for you to do: our staff look it up.",
        )
    records = {record["id"]: record for record in dump}
    record = records.get(wanted)
    if record is None:
        return Organisation(
            NOT_MET,
            wanted,
            name,
            None,
            f"{wanted} is well-formed, but ROR lists no such institution.",
            "Look the institution up at https://ror.org and send us the address of its page there.",
        )
    passed: list[str] = []
    while record["status"] != "active" and len(passed) < _LONGEST_CHAIN:
        passed.append(f"{display_name(record)} ({record['id']}) is {record['status']} in ROR")
        successor = next(
            (found["id"] for found in record.get("relationships", []) if found.get("type") == "successor"), None
        )
        following = records.get(successor) if successor and successor != record["id"] else None
        if following is None:
            return Organisation(
                NOT_MET,
                wanted,
                name,
                _country(record),
                f"{passed[-1]}, and ROR names no successor that is active.",
                "Tell us which institution holds the collection now, with its ROR.",
            )
        record = following
    if record["status"] != "active":
        return Organisation(
            NOT_MET, wanted, name, None, f"{wanted}: its successors in ROR lead nowhere.", "Tell us the present ROR."
        )
    found = f"{display_name(record)} ({record['id']}, {_country(record) or 'country unknown'}) is listed in ROR."
    note = f"{'; '.join(passed)}. Its successor is used: " if passed else ""
    return Organisation(MET, record["id"], display_name(record), _country(record), note + found)


def _check_wikidata(wanted: str, name: str | None, dump: list[dict[str, Any]] | None) -> Organisation:
    if dump is None:
        return Organisation(
            NOT_CHECKABLE,
            wanted,
            name,
            None,
            f"{wanted} is a Wikidata id. It is accepted only where the institution has no ROR, which could not be looked up.",
            "If the institution has a page at https://ror.org, send us its address; else there is nothing to do.",
        )
    item = wanted.rsplit("/", 1)[-1]
    for record in dump:
        if record.get("status") != "active":
            continue
        linked = any(
            found.get("type") == "wikidata" and item in found.get("all", []) for found in record.get("external_ids", [])
        )
        named = name and any(
            _folded(found["value"]) == _folded(name)
            for found in record.get("names", [])
            if "acronym" not in found.get("types", [])
        )
        if linked or named:
            how = "links to this Wikidata item" if linked else "has the same name"
            return Organisation(
                NOT_MET,
                record["id"],
                display_name(record),
                _country(record),
                f"The institution has a ROR: {record['id']} ({display_name(record)}) {how}.",
                f"Use {record['id']}; if that is another institution, tell us.",
            )
    compared = f" and the name '{name}'" if name else ""
    return Organisation(
        MET,
        wanted,
        name,
        None,
        f"None of {len(dump):,} ROR records matches {item}{compared}, so the Wikidata id is accepted.",
    )


def _country(record: dict[str, Any]) -> str | None:
    for place in record.get("locations", []):
        code = place.get("geonames_details", {}).get("country_code")
        if code:
            return str(code)
    return None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
