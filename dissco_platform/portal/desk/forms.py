"""The pre-registration form, field by field: what was typed, what is wrong with it, what is suggested.

Nothing that was typed is lost: a page with errors shows every field as it was sent. What an application is, is
`enrolment.desk`; this module turns fields into its form.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from dissco_platform.enrolment import desk
from dissco_platform.enrolment.ror import Record
from dissco_platform.enrolment.trial import for_strangers
from dissco_platform.errors import SourceError, UsageError
from dissco_platform.http import HttpClient, Validators
from dissco_platform.identity.organisations import organisation_id
from dissco_platform.opends.vocabularies import FOLDER as VOCABULARIES
from dissco_platform.portal.desk.context import Desk
from dissco_platform.portal.desk.guard import Form
from dissco_platform.registry.datasets import find_dataset
from dissco_platform.registry.enrolment import find_application

LONGEST = {
    "title": 200, "source": 1000, "organisation": 200, "organisation_choice": 200, "organisation_name": 200, "country": 2,
    "discipline": 40, "expected_dois": 12, "what": 10, "contact": 254, "remark": 2000,
}  # fmt: skip
DISCIPLINES = (
    "Anthropology", "Astrogeology", "Botany", "Ecology", "Geology", "Microbiology", "Palaeontology", "Zoology",
    "Other Biodiversity", "Other Geodiversity",
)  # fmt: skip
CLAIMS = {
    "reason": "There is a valid reason for high priority (please say which below)",
    "mou": "Our institution has signed the memorandum of understanding",
    "partner": "Our institution is a paying partner",
}
_MOST_DOIS = 10**9
_MOST_UNCONFIRMED = 5


@dataclass
class Draft:
    """A pre-registration as it was typed. `errors`: field → sentence; `notes`: what was found out that is no error."""

    values: dict[str, str] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)
    ticked: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    suggestions: list[Record] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return a field as it was typed."""
        return self.values.get(name, "")


def read_draft(form: Form) -> Draft:
    """Return what was typed; too long a text is cut nowhere and told."""
    draft = Draft(
        values={name: form.get(name, "") for name in LONGEST},
        claims=[claim for claim in form.all("claims[]") if claim in CLAIMS],
        ticked={name for name in ("representative", "anyway") if form.get(name)},
    )
    for name, most in LONGEST.items():
        if len(draft.values[name]) > most:
            draft.errors[name] = f"Please use at most {most:,} characters here."
    return draft


def find_institution(desk_: Desk, draft: Draft) -> None:
    """Settle which institution is meant: an identifier, a choice among suggestions, or suggestions to choose from."""
    chosen = draft.get("organisation_choice") or draft.get("organisation")
    if not chosen:
        draft.errors["organisation"] = "Please give the institution's ROR, or its name to look it up."
        return
    try:
        identifier = organisation_id(chosen)
    except UsageError as error:
        if "check digits" in str(error):
            draft.errors["organisation"] = (
                f"{chosen} looks like a ROR, but its last two digits do not fit the others: a sign is wrong or missing."
            )
            return
        _suggest(desk_, draft, chosen)
        return
    draft.values["organisation"], draft.values["organisation_choice"] = identifier, ""
    if desk_.institutions is None or "ror.org" not in identifier:
        return
    try:
        record = desk_.institutions.get(identifier)
    except SourceError:
        return  # it cannot be asked now; the check does
    if record is None:
        draft.errors["organisation"] = f"ROR lists no institution {identifier}. Type its name to look it up."
    elif record.is_active:
        draft.notes["organisation"] = f"{record.name}{_place(record)}"
        draft.values["organisation_name"] = draft.get("organisation_name") or record.name
        draft.values["country"] = draft.get("country") or record.country or ""
    else:
        draft.notes["organisation"] = (
            f"{record.name} is {record.status} in ROR. If it has a successor there, that one will be used."
        )


def _suggest(desk_: Desk, draft: Draft, text: str) -> None:
    if desk_.institutions is not None:
        try:
            draft.suggestions = desk_.institutions.suggest(text)
        except SourceError:
            draft.suggestions = []
    if draft.suggestions:
        draft.errors["organisation"] = "Please choose the institution that you mean."
    else:
        draft.errors["organisation"] = (
            "We know no institution of that name. Look it up at https://ror.org and paste its ROR here; "
            "if it is not listed there, paste its Wikidata address instead."
        )


def _place(record: Record) -> str:
    place = ", ".join(part for part in (record.city, country_names().get(record.country or "")) if part)
    return f", {place}" if place else ""


def check_address(text: str) -> str | None:
    """Return what is wrong with the form of a dataset's address, or None."""
    if not text:
        return "Please give the address at which the dataset is published."
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.username or parts.password)
    except ValueError:
        usable = False
    if not usable or any(sign.isspace() for sign in text):
        return "This is no web address. It begins with https:// and can be opened in a browser without a password."
    return None


def probe(http: HttpClient, address: str) -> str | None:
    """Try a dataset's address; return what is wrong with it, or None. Only hosts on the public internet are asked."""
    try:
        http.look(address, Validators(), "-")
    except SourceError as error:
        return for_strangers(error)
    return None


def check_rest(draft: Draft) -> None:
    """Say what is wrong with the fields that nobody has to be asked about."""
    found = draft.errors
    if not draft.get("title"):
        found.setdefault("title", "Please give the dataset a name that your colleagues would know it by.")
    contact = draft.get("contact")
    if not re.fullmatch(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+\.[^@\s<>,;\"]+", contact):
        found.setdefault("contact", "Please give an e-mail address that you read: decisions are sent there.")
    if draft.get("what") not in {"full", "doi"}:
        found.setdefault("what", "Please choose one of the two.")
    if draft.get("country") and draft.get("country") not in country_names():
        found.setdefault("country", "Please choose a country from the list, or none.")
    if draft.get("discipline") and draft.get("discipline") not in DISCIPLINES:
        found.setdefault("discipline", "Please choose one from the list, or none.")
    expected = draft.get("expected_dois").replace(" ", "").replace(",", "").replace(".", "")
    if expected and not (expected.isdecimal() and expected.isascii() and 0 < int(expected) <= _MOST_DOIS):
        found.setdefault("expected_dois", "Please give a number, for example 12000, or leave it empty.")
    if "reason" in draft.claims and not draft.get("remark"):
        found.setdefault("remark", "Please say which reason for high priority there is.")
    if "representative" not in draft.ticked:
        found.setdefault("representative", "Please confirm that you may speak for the institution.")


def to_form(draft: Draft) -> dict[str, Any]:
    """Return a draft without errors as the desk takes it."""
    expected = re.sub(r"[ ,.]", "", draft.get("expected_dois"))
    return {
        "source": draft.get("source"),
        "organisation": draft.get("organisation"),
        "contact": draft.get("contact"),
        "organisation_name": draft.get("organisation_name") or None,
        "title": draft.get("title"),
        "country": draft.get("country") or None,
        "discipline": draft.get("discipline") or None,
        "expected_dois": int(expected) if expected else None,
        "doi_only": draft.get("what") == "doi",
        "claims": sorted(draft.claims),
        "remark": draft.get("remark") or None,
    }


def free_slug(connection: Connection, title: str) -> str:
    """Return a short name for a dataset that nobody has yet, made from its title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "dataset"
    number = 1
    while True:
        slug = words if number == 1 else f"{words}-{number}"
        if find_application(connection, slug) is None and find_dataset(connection, slug) is None:
            return slug
        number += 1


def submit(connection: Connection, draft: Draft) -> desk.Application:
    """Pre-register what a draft without errors says.

    Raises:
        UsageError: the dataset is pre-registered already, or something in it cannot be.
    """
    contact = draft.get("contact").casefold()
    waiting = [
        found
        for found in desk.list_all(connection)
        if found.form["contact"].casefold() == contact and not found.confirmed and found.state in desk.OPEN
    ]
    if len(waiting) >= _MOST_UNCONFIRMED:
        # Each sends a letter: nobody's mailbox shall be filled by a stranger.
        raise UsageError("This address has pre-registrations that wait for confirmation. Please confirm those first.")
    return desk.submit(connection, free_slug(connection, draft.get("title")), to_form(draft), actor="applicant")


@cache
def country_names() -> dict[str, str]:
    """Return the countries by ISO 3166-1 alpha-2 code, in the order of their English names."""
    names: dict[str, str] = {}
    for line in (VOCABULARIES / "country.tsv").read_text(encoding="utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) == 4 and parts[2] == "en" and len(parts[0]) == 2:
            names[parts[0]] = parts[3].split("|")[0]
    return dict(sorted(names.items(), key=lambda entry: entry[1]))
