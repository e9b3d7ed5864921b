"""Hosting institutions: the identifier's form and checksum, and what ROR says of it.

A ROR is required where one exists; a Wikidata id is accepted where no ROR record matches. Where institutions are looked up
is `ror`; where nothing can be asked that part is not checkable. Sources: ROR schema 2.1 (status, relationships); the
programme's minimum requirements.
"""

from dataclasses import dataclass

from dissco_platform.enrolment.ror import Directory, Record
from dissco_platform.errors import SourceError, UsageError
from dissco_platform.identity.organisations import organisation_id

MET, NOT_MET, NOT_CHECKABLE = "met", "not_met", "not_checkable"
_LONGEST_CHAIN = 10


@dataclass(frozen=True)
class Organisation:
    """What was found of an institution: whether the requirement is met, and the record that counts."""

    status: str
    identifier: str | None
    name: str | None
    country: str | None
    evidence: str
    advice: str = ""


def check_organisation(identifier: str, name: str | None = None, directory: Directory | None = None) -> Organisation:
    """Say whether an institution's identifier meets the requirement.

    Args:
        identifier: ROR or Wikidata id in any of their forms.
        name: the institution's name, to look for a ROR where a Wikidata id is given.
        directory: where to look it up; None: only form and checksum can be checked.
    """
    try:
        wanted = organisation_id(identifier)
    except UsageError as error:
        advice = "Give the institution's ROR; you find it at https://ror.org by its name."
        return Organisation(NOT_MET, None, name, None, str(error), advice)
    check = _check_ror if "ror.org" in wanted else _check_wikidata
    if directory is None:
        return _unknown(wanted, name)
    try:
        return check(wanted, name, directory)
    except SourceError:
        return _unknown(wanted, name)


def _unknown(wanted: str, name: str | None) -> Organisation:
    if "ror.org" in wanted:
        said = f"{wanted} is well-formed and its check digits fit. Whether ROR lists it could not be looked up."
        return Organisation(NOT_CHECKABLE, wanted, name, None, said, "Nothing for you to do: our staff look it up.")
    said = f"{wanted} is a Wikidata id. It is accepted only where the institution has no ROR, which could not be looked up."
    advice = "If the institution has a page at https://ror.org, send us its address; else there is nothing to do."
    return Organisation(NOT_CHECKABLE, wanted, name, None, said, advice)


def _check_ror(wanted: str, name: str | None, directory: Directory) -> Organisation:
    record = directory.get(wanted)
    if record is None:
        said = f"{wanted} is well-formed, but ROR lists no such institution."
        advice = "Look the institution up at https://ror.org and send us the address of its page there."
        return Organisation(NOT_MET, wanted, name, None, said, advice)
    passed: list[str] = []
    while not record.is_active and len(passed) < _LONGEST_CHAIN:
        passed.append(f"{record.name} ({record.id}) is {record.status} in ROR")
        following = directory.get(record.successor) if record.successor and record.successor != record.id else None
        if following is None:
            said = f"{passed[-1]}, and ROR names no successor that is active."
            advice = "Tell us which institution holds the collection now, with its ROR."
            return Organisation(NOT_MET, wanted, name, record.country, said, advice)
        record = following
    if not record.is_active:
        said = f"{wanted}: its successors in ROR lead nowhere."
        return Organisation(NOT_MET, wanted, name, None, said, "Tell us the present ROR.")
    note = f"{'; '.join(passed)}. Its successor is used: " if passed else ""
    return _of(
        record, MET, f"{note}{record.name} ({record.id}, {record.country or 'country unknown'}) is listed in ROR."
    )


def _check_wikidata(wanted: str, name: str | None, directory: Directory) -> Organisation:
    item = wanted.rsplit("/", 1)[-1]
    found = directory.matching(item, name)
    if found is not None:
        record, how = found
        said = f"The institution has a ROR: {record.id} ({record.name}) {how}."
        return _of(record, NOT_MET, said, f"Use {record.id}; if that is another institution, tell us.")
    compared = f" and the name '{name}'" if name else ""
    said = f"None of {directory.source} matches {item}{compared}, so the Wikidata id is accepted."
    return Organisation(MET, wanted, name, None, said)


def _of(record: Record, status: str, evidence: str, advice: str = "") -> Organisation:
    return Organisation(status, record.id, record.name, record.country, evidence, advice)
