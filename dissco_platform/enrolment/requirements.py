"""The minimum requirements, each judged from a trial load: met, not met or not checkable, with evidence and examples.

The requirements and their order are the programme's. A figure that is no requirement (names, MIDS levels, types) stands
among the facts. The load itself is `trial`, the page for people `report`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dissco_platform.enrolment.organisations import MET, NOT_CHECKABLE, NOT_MET, Organisation, check_organisation
from dissco_platform.enrolment.ror import Directory
from dissco_platform.enrolment.trial import EXAMPLES, Trial, Wanted, for_strangers, load_for_trial
from dissco_platform.enrolment.wording import media_count, number, part_of, sentence, size
from dissco_platform.errors import SourceError
from dissco_platform.http import HttpClient, Validators
from dissco_platform.opends.mapping import Mapping as TermMapping
from dissco_platform.provenance import json_version

# Share of records that may be set aside for an identifier without stopping the dataset: they get no DOI until mended.
TOLERATED = 0.01
MEDIA_SAMPLE = 20
MEDIA_BROKEN = 0.1
"""Share of sampled media that may be unreachable: servers have bad days."""
MEDIA_SECONDS = 120.0
# Where an identifier may stand; see identity.keys.
IDENTIFIERS = (
    "dwc:catalogNumber", "dwc:occurrenceID", "dwc:materialEntityID", "dwc:materialSampleID", "abcd:UnitID", "abcd:UnitGUID",
)  # fmt: skip
_DESCRIPTOR = "Have your publishing tool make the archive again: its description (meta.xml) does not fit its files."
# Reason why an archive could not be read → what to do.
_MENDED = {
    "damaged": "Download the archive yourself and open it. If that fails too, have it published again.",
    "html_page": "Give the address of the archive itself, not of the page about it. In an IPT, copy the link of “DwC-A”.",
    "encrypted": "Publish it without a password: it must be open to everyone.",
    "empty": "Look whether the last publication went through: the archive has no records.",
    "provider_error": "Ask who runs your publishing tool: it answered with an error in place of the data.",
    "core_file_missing": _DESCRIPTOR,
    "malformed_descriptor": _DESCRIPTOR,
    "ambiguous_without_descriptor": _DESCRIPTOR,
}
_KINDS = {"dwca": "a Darwin Core Archive", "abcd": "an ABCD dataset", "dwc-dp": "a Darwin Core Data Package"}
_UNREACHABLE = ("is not a known host", "cannot be reached")
_NONE = "Could not be looked at, because no specimen with an identifier was found."
_WAITS = "Could not be looked at, because the dataset could not be loaded."


@dataclass(frozen=True)
class Requirement:
    """One requirement: its status, the evidence in one or two sentences, what to do, and rows of the provider's own.

    `stops`: whether not meeting it keeps the dataset from being granted DOIs; others limit what is published.
    """

    code: str
    title: str
    status: str
    evidence: str
    advice: str = ""
    examples: Sequence[dict[str, Any]] = ()
    stops: bool = True


@dataclass(frozen=True)
class CheckReport:
    """All requirements and the figures of one check."""

    slug: str
    source: str
    doi_only: bool
    requirements: tuple[Requirement, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def not_met(self) -> list[str]:
        """Codes of what keeps the dataset from being ready."""
        return [found.code for found in self.requirements if found.status == NOT_MET and found.stops]

    @property
    def remarks(self) -> list[str]:
        """What limits the dataset without stopping it, or could not be checked."""
        return [
            f"{found.title}: {found.evidence} {found.advice}".strip()
            for found in self.requirements
            if found.code not in self.not_met and (found.status != MET or found.examples)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "not_met": self.not_met, "remarks": self.remarks}

    def inputs(self) -> dict[str, Any]:
        """Return what the desk stores with its decision."""
        found = self.to_json()
        problems = [requirement for requirement in found["requirements"] if requirement["code"] in self.not_met]
        return {**found, "problems": problems, "cause": json_version(found)}


def check_requirements(
    wanted: Wanted,
    folder: Path,
    *,
    http: HttpClient,
    mapping_of: Callable[[str], TermMapping],
    backbone: Path | None = None,
    institutions: Directory | None = None,
    pause: float = 0.2,
) -> CheckReport:
    """Load a dataset for trial into the empty folder and judge every requirement.

    Args:
        wanted: the application.
        folder: throw-away.
        http: the client for sources and for the sampled media.
        mapping_of: kind of archive → mapping.
        backbone: the checklist in use, if any.
        institutions: where institutions are looked up, if anywhere.
        pause: seconds between two requests for media.
    """
    owner = check_organisation(wanted.organisation, wanted.organisation_name, institutions)
    trial = load_for_trial(
        wanted, folder, http=http, mapping_of=mapping_of, organisation_id=owner.identifier, backbone=backbone
    )
    requirements = (
        _published(wanted, trial),
        _format(trial),
        _specimens(trial),
        _identifiers(trial),
        _unique(trial),
        _licence(wanted, trial),
        _media_licence(wanted, trial),
        _media_links(trial, http, pause),
        Requirement(
            "organisation", "The institution has a ROR, or a Wikidata id if it has no ROR", owner.status, owner.evidence,
            owner.advice,
        ),
        _documents(trial),
    )  # fmt: skip
    return CheckReport(wanted.slug, wanted.source, wanted.doi_only, requirements, _facts(trial, owner))


def _published(wanted: Wanted, trial: Trial) -> Requirement:
    code, title = "published", "The dataset is published online, open to everyone"
    if trial.fetch_error:
        return Requirement(
            code,
            title,
            NOT_MET,
            trial.fetch_error,
            "Open the address in a private browser window: it must start a download.",
        )
    if trial.is_local:
        return Requirement(
            code, title, NOT_CHECKABLE, f"{wanted.source} was read from our own machine.",
            "Give the address at which the dataset is published.",
        )  # fmt: skip
    return Requirement(code, title, MET, f"{wanted.source} was downloaded ({size(trial.size)}).")


def _format(trial: Trial) -> Requirement:
    code, title = "format", "It is a Darwin Core or ABCD dataset"
    if trial.archive_error is not None and trial.archive_error.reason != "no_specimens":
        return Requirement(
            code, title, NOT_MET, sentence(str(trial.archive_error)),
            _MENDED.get(
                trial.archive_error.reason,
                "Publish it as a Darwin Core Archive (an IPT does) or as ABCD (BioCASe does), and give that address.",
            ),
        )  # fmt: skip
    if trial.archive is None:
        return Requirement(
            code, title, NOT_CHECKABLE if trial.fetch_error else MET, _WAITS if trial.fetch_error else ""
        )
    records, aside = trial.archive.records, sum(trial.archive.rejects.values())
    lost = f"; {aside:,} rows could not be read and were set aside" if aside else ""
    kind = _KINDS.get(trial.archive.kind, trial.archive.kind)
    return Requirement(code, title, MET, f"It is {kind} with {number(records, 'record')}{lost}.")


def _specimens(trial: Trial) -> Requirement:
    code, title = "specimens", "Its records are about specimens"
    if trial.archive_error is not None and trial.archive_error.reason == "no_specimens":
        return Requirement(
            code,
            title,
            NOT_MET,
            sentence(str(trial.archive_error)),
            "Publish the specimens as a dataset of their own.",
        )
    if trial.report is None:
        return Requirement(code, title, NOT_CHECKABLE, _WAITS)
    others = trial.report.rejects.get("not_a_specimen", 0)
    specimens = trial.report.records - others
    evidence = f"{part_of(specimens, trial.report.records, 'record', 'are', 'is')} about specimens."
    if not specimens:
        return Requirement(
            code, title, NOT_MET, evidence, "Check basisOfRecord: it should say PreservedSpecimen, FossilSpecimen or the like.",
            _examples(trial, "not_a_specimen"),
        )  # fmt: skip
    advice = (
        "The other records are observations or the like; they are left out, nothing is to be done." if others else ""
    )
    return Requirement(code, title, MET, evidence, advice, _examples(trial, "not_a_specimen"))


def _identifiers(trial: Trial) -> Requirement:
    return _counted(
        trial,
        "identifiers",
        "Every physical specimen has an identifier (catalogue number or global identifier)",
        "missing_identifier",
        (
            "have neither a catalogue number nor a global identifier",
            "has neither a catalogue number nor a global identifier",
        ),
        ("All {count} have one.", "The only record has one."),
        "Publish each specimen's catalogue number as catalogNumber, or a global identifier as occurrenceID (UnitID in ABCD), "
        "then publish the dataset again.",
    )


def _unique(trial: Trial) -> Requirement:
    return _counted(
        trial,
        "unique",
        "All specimens have an identifier of their own: no two are the same",
        "duplicate_identifier",
        ("repeat the identifier of an earlier record", "repeats the identifier of an earlier record"),
        ("The identifiers of all {count} differ.", "There is only one record."),
        "Give each specimen a number of its own, or publish it as one record, and publish the dataset again.",
    )


def _counted(
    trial: Trial, code: str, title: str, reason: str, what: tuple[str, str], fine: tuple[str, str], advice: str
) -> Requirement:
    """Judge by the share of records that were set aside for a reason; `what` they do in the plural and the singular."""
    if trial.report is None:
        return Requirement(code, title, NOT_CHECKABLE, _WAITS)
    records = trial.report.records - trial.report.rejects.get("not_a_specimen", 0)
    if code == "unique":
        records -= trial.report.rejects.get("missing_identifier", 0)
    if not records:
        return Requirement(code, title, NOT_CHECKABLE, _NONE)
    count = trial.report.rejects.get(reason, 0)
    if not count:
        return Requirement(code, title, MET, fine[records == 1].format(count=number(records, "record")))
    evidence = f"{part_of(count, records, 'record', *what)}."
    if code == "identifiers" and not trial.has_column(*IDENTIFIERS):
        evidence += " The dataset has no column for either."
    if count / records > TOLERATED:
        return Requirement(code, title, NOT_MET, evidence, advice, _examples(trial, reason))
    few = f"So few do not stop the dataset: they get no DOI until this is mended. {advice}"
    return Requirement(code, title, MET, evidence, few, _examples(trial, reason))


def _licence(wanted: Wanted, trial: Trial) -> Requirement:
    code, title = "licence", "The specimen data are open: CC0, CC BY or public domain"
    if trial.report is None:
        return Requirement(code, title, NOT_CHECKABLE, _WAITS)
    frame = trial.specimens("row", "source_file", "source_line", "doi_only_reason", "licence")
    closed = frame.filter(pl.col("doi_only_reason").is_not_null())
    if not frame.height:
        return Requirement(code, title, NOT_CHECKABLE, _NONE)
    if not closed.height:
        return Requirement(code, title, MET, f"{number(frame.height, 'specimen')}: {_licences(frame)}.")
    has = part_of(closed.height, frame.height, "specimen", "have", "has")
    evidence = f"{has} another licence, or none that we understand ({_licences(closed)})."
    if wanted.doi_only:
        return Requirement(
            code, title, MET, f"{evidence} You chose DOIs only, which asks for no open licence.", stops=False
        )
    whole = closed.height == frame.height
    advice = (
        "Publish the dataset under CC0 or CC BY, or choose DOIs only for it: its specimens then get DOIs, and their data "
        "stay where they are."
        if whole
        else "These specimens get DOIs only, without a digital specimen, unless you change their licence."
    )
    return Requirement(code, title, NOT_MET, evidence, advice, trial.examples(closed, "licence"), stops=whole)


def _media_licence(wanted: Wanted, trial: Trial) -> Requirement:
    code, title = "media_licence", "Media, if there are any, are open: CC0, CC BY or public domain"
    if trial.report is None:
        return Requirement(code, title, NOT_CHECKABLE, _WAITS)
    if not trial.report.specimens:
        return Requirement(code, title, NOT_CHECKABLE, _NONE)
    media = trial.media()
    if not media.height:
        return Requirement(code, title, MET, "There are no media.")
    closed = media.filter("doi_only")
    if not closed.height:
        return Requirement(code, title, MET, f"{media_count(media.height)}: {_licences(media)}.")
    has = f"{closed.height:,} of {media_count(media.height)} {'have' if closed.height != 1 else 'has'}"
    evidence = f"{has} another licence, or none that we understand ({_licences(closed)})."
    if wanted.doi_only:
        return Requirement(code, title, MET, f"{evidence} You chose DOIs only.", stops=False)
    return Requirement(
        code, title, NOT_MET, evidence, "They get DOIs only, without a page of their own, unless you change their licence.",
        [{"medium": row["accessURI"], "licence": row["licence"]} for row in closed.head(EXAMPLES).to_dicts()], stops=False,
    )  # fmt: skip


def _media_links(trial: Trial, http: HttpClient, pause: float) -> Requirement:
    """Ask for a sample of the media, one after the other, without reading them."""
    code, title = "media_links", "Media, if there are any, open without a password"
    if trial.report is None:
        return Requirement(code, title, NOT_CHECKABLE, _WAITS)
    if not trial.report.specimens:
        return Requirement(code, title, NOT_CHECKABLE, _NONE)
    links = trial.media()["accessURI"].drop_nulls().unique().sort()
    if not len(links):
        return Requirement(code, title, MET, "There are no media.")
    step = max(1, len(links) // MEDIA_SAMPLE)
    broken: list[dict[str, str]] = []
    began, asked = time.monotonic(), 0
    for link in links.gather_every(step).head(MEDIA_SAMPLE):
        if time.monotonic() - began > MEDIA_SECONDS:
            break
        if asked:
            time.sleep(pause)
        asked += 1
        try:
            http.look(link, Validators(), "-")
        except SourceError as error:
            broken.append({"medium": link, "what": for_strangers(error)})
    good = asked - len(broken)
    evidence = f"We tried {number(asked, 'link')} of {len(links):,}: {good:,} opened."
    if not good and all(any(sign in found["what"] for sign in _UNREACHABLE) for found in broken):
        return Requirement(
            code, title, NOT_CHECKABLE, f"{evidence} Their servers could not be reached from here.",
            "Nothing for you to do if they open in your browser: our staff try again.", broken[:EXAMPLES],
        )  # fmt: skip
    if len(broken) > MEDIA_BROKEN * asked:
        return Requirement(
            code, title, NOT_MET, evidence,
            "Open the links below in a private browser window; mend those that do not show the medium.", broken[:EXAMPLES],
        )  # fmt: skip
    return Requirement(code, title, MET, evidence, "", broken[:EXAMPLES])


def _documents(trial: Trial) -> Requirement:
    code, title = "documents", "Digital specimens can be made from it, as the openDS standard asks"
    if trial.report is None:
        return Requirement(code, title, NOT_CHECKABLE, _WAITS)
    count, rendered = trial.report.rejects.get("invalid_document", 0), trial.report.documents
    if not count and not rendered:
        return Requirement(
            code,
            title,
            NOT_CHECKABLE,
            "None was made for trial, because all specimens would get DOIs only."
            if trial.report.specimens
            else "None was made for trial, because no specimen with an identifier was found.",
        )
    if not count:
        return Requirement(
            code, title, MET, f"{number(rendered, 'digital specimen')} made for trial, none with a fault."
        )
    return Requirement(
        code, title, NOT_MET, f"{number(count, 'record')} cannot be made into a digital specimen that fits the standard.",
        "Our staff look at these records; you will hear from us if something in them needs mending.",
        _examples(trial, "invalid_document"), stops=count > TOLERATED * trial.report.records,
    )  # fmt: skip


def _facts(trial: Trial, owner: Organisation) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "organisation_id": owner.identifier,
        "organisation_name": owner.name,
        "country": owner.country,
    }
    if trial.archive is None or trial.report is None:
        return facts
    report = trial.report
    disciplines = {name: count for name, count in report.disciplines.items() if name != "Unclassified"}
    specimens = trial.specimens("is_marked_as_type")
    return {
        **facts,
        "title": trial.archive.metadata.get("title"),
        "kind": trial.archive.kind,
        "archive": trial.sha256,
        "records": report.records + sum(trial.archive.rejects.values()),
        "set_aside": {**trial.archive.rejects, **report.rejects},
        "specimens": report.specimens,
        "media": report.media,
        "dois_needed": report.specimens + report.media,
        "type_specimens": int(specimens["is_marked_as_type"].fill_null(False).sum()),
        "disciplines": report.disciplines,
        "discipline": max(disciplines, key=lambda name: (disciplines[name], name)) if disciplines else None,
        "mids_levels": report.mids_levels,
        "names": dict(trial.names.records) if trial.names else None,
        "checklist": trial.names.release if trial.names else None,
    }


def _examples(trial: Trial, reason: str) -> list[dict[str, Any]]:
    return trial.examples(trial.rejects().filter(pl.col("reason") == reason))


def _licences(frame: pl.DataFrame) -> str:
    counted = (
        frame["licence"].fill_null("no licence given").value_counts().sort("count", "licence", descending=[True, False])
    )
    shown = [f"{name}: {count:,}" for name, count in counted.head(3).iter_rows()]
    return ", ".join(shown) + (" …" if counted.height > 3 else "")
