"""Everything that is published of one specimen or medium, to be read: documents, versions, differences, events, records.

What faces show (command line, portal, exports of single objects) is read here; nothing is written. One version costs
one row of the registry and one row group of a part. How a provenance event is made is `events`, an FDO record
`datacite.fdo`, a citation `datacite.citations`.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from dissco_platform.errors import UsageError
from dissco_platform.identity.datacite.citations import csl_json
from dissco_platform.identity.datacite.fdo import FdoContext, fdo_records
from dissco_platform.identity.datacite.metadata import DataCiteContext
from dissco_platform.identity.datacite.xml import metadata_xml
from dissco_platform.identity.events import event
from dissco_platform.identity.parts import read_version
from dissco_platform.identity.stamping import DOI_RESOLVER
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import Dataset, get_dataset
from dissco_platform.registry.objects import find_object, versions_of
from dissco_platform.settings import Settings
from dissco_platform.store import DatasetStore

Json = dict[str, Any]

_SUFFIX = re.compile(r"(?:^|/)([A-Z0-9]{3}-[A-Z0-9]{3}-[A-Z0-9]{3})$", re.IGNORECASE)


@dataclass(frozen=True)
class PublishedVersion:
    """One version: number, when, why, and from what it was made.

    `causes`: new, source, names, mapping, code, linked, returned, identifier, dataset, vanished, withdrawn, merged. `made_from`:
    versions of archive, release, mapping and code, the run; of a withdrawal or merge its reason.
    """

    number: int
    created: str
    causes: tuple[str, ...]
    content_hash: str
    made_from: Json
    dataset: str
    path: str


@dataclass(frozen=True)
class Published:
    """A specimen or medium that has a DOI. `versions` are in order; empty while its first publication is under way.

    `kind`: specimen or media. `state`: active, missing, tombstoned. `doi_state`: none, pending, registered, failed.
    """

    doi: str
    suffix: str
    kind: str
    identity_key: str
    dataset: Dataset
    state: str
    doi_state: str
    doi_only: bool
    created: str
    modified: str
    versions: tuple[PublishedVersion, ...]

    @property
    def url(self) -> str:
        """The DOI as an address."""
        return DOI_RESOLVER + self.doi

    @property
    def is_tombstone(self) -> bool:
        """Whether the current version is a tombstone."""
        return self.state == "tombstoned"

    def version(self, number: int | None = None) -> PublishedVersion:
        """Return a version, the current one by default.

        Raises:
            UsageError: there is no such version.
        """
        for found in reversed(self.versions):
            if number is None or found.number == number:
                return found
        listed = ", ".join(str(found.number) for found in self.versions) or "none yet"
        raise UsageError(
            f"{self.doi} has no version {number}; its versions: {listed}."
            if number is not None
            else f"{self.doi} is reserved and not published yet."
        )


class Publications:
    """What is published, for reading. Safe to share between threads: each call takes its own connection."""

    def __init__(self, registry: Registry, store: DatasetStore, context: FdoContext) -> None:
        """Read from a registry and store; `context` says who publishes (its `datacite.prefix` is the DOI prefix)."""
        self.registry, self.store, self.context = registry, store, context

    @property
    def prefix(self) -> str:
        """The DOI prefix."""
        return self.context.datacite.prefix

    def find(self, doi: str) -> Published | None:
        """Return the object of a DOI (with or without resolver and prefix, in any case), None if it is not ours.

        Raises:
            UsageError: it has not the form of our DOIs.
        """
        matched = _SUFFIX.search(doi.strip())
        if not matched:
            raise UsageError(f"'{doi}' is not a DOI of this platform: {self.prefix}/ABC-DEF-GHJ is its form.")
        with self.registry.read() as connection:
            row = find_object(connection, matched[1])
            if row is None:
                return None
            versions = tuple(
                PublishedVersion(
                    number=found["version"],
                    created=found["created"],
                    causes=tuple(found["cause"].split(",")),
                    content_hash=found["content_hash"],
                    made_from=orjson.loads(found["made_from"]),
                    dataset=found["dataset"],
                    path=found["path"],
                )
                for found in versions_of(connection, row["id"])
            )
            return Published(
                doi=f"{self.prefix}/{row['suffix']}",
                dataset=get_dataset(connection, row["dataset"]),
                versions=versions,
                **{
                    name: row[name]
                    for name in (
                        "suffix", "kind", "identity_key", "state", "doi_state", "doi_only", "created", "modified"
                    )
                },
            )  # fmt: skip

    def get(self, doi: str) -> Published:
        """Return the object of a DOI.

        Raises:
            UsageError: there is none.
        """
        found = self.find(doi)
        if found is None:
            raise UsageError(f"{doi} is not known here; `dissco export SLUG --format doi-list` lists a dataset's DOIs.")
        return found

    def document(self, found: Published, number: int | None = None) -> Json | None:
        """Return the openDS document of a version (default: the current one), None for one that is DOI only."""
        text, _ = self._texts(found, number)
        return None if text is None else dict(orjson.loads(text))

    def difference(self, found: Published, before: int, after: int) -> list[Json]:
        """Return the JSON Patch (RFC 6902) that makes version `after` of version `before`.

        Of a DOI-only object it is the patch between what DataCite was told.
        """
        import jsonpatch

        one, two = ((self.document(found, number) or self.datacite_json(found, number)) for number in (before, after))
        return list(jsonpatch.make_patch(one, two).patch)

    def event(self, found: Published, number: int | None = None) -> Json:
        """Return the Create, Update or Tombstone event of a version (openDS CreateUpdateTombstoneEvent 0.4.0)."""
        version = found.version(number)
        first = version.number == found.versions[0].number
        return event(
            doi=found.url,
            kind=found.kind,
            version=version.number,
            moment=version.created,
            causes=version.causes,
            made_from=version.made_from,
            document=self.document(found, version.number),
            change=[] if first else self.difference(found, version.number - 1, version.number),
            source_system=found.dataset.source_system_id,
            publisher_id=self.context.issued_for_id,
            publisher_name=self.context.issued_for_name,
        )

    def fdo_record(self, found: Published, number: int | None = None) -> Json:
        """Return the FDO record (DiSSCo profiles handle-kernel, doi-kernel and digital-specimen or digital-media)."""
        version = found.version(number)
        document, told = self.document(found, version.number), self.datacite_json(found, version.number)
        row = _fdo_row(found, version, document or {}, told)
        context = FdoContext(
            datacite=self._datacite_context(found, document or {}, told),
            issued_for_id=self.context.issued_for_id,
            issued_for_name=self.context.issued_for_name,
        )
        frame = pl.DataFrame([row], schema_overrides=dict.fromkeys(_TEXTS, pl.String))
        status = "TOMBSTONE" if "tombstoned" in row else "ACTIVE"
        return dict(orjson.loads(fdo_records(found.kind, frame, context, status=status)[0]))

    def datacite_json(self, found: Published, number: int | None = None) -> Json:
        """Return what DataCite is told of a version: the `attributes` object (with `doi`)."""
        _, payload = self._texts(found, number)
        return {"doi": found.doi, **orjson.loads(payload)}

    def datacite_xml(self, found: Published, number: int | None = None) -> bytes:
        """Return the same as DataCite XML (kernel 4, UTF-8)."""
        told = self.datacite_json(found, number)
        told["identifiers"] = [
            {"identifier": entry["alternateIdentifier"], "identifierType": entry["alternateIdentifierType"]}
            for entry in told.get("alternateIdentifiers", [])
        ]
        return metadata_xml(found.doi, told)

    def csl_json(self, found: Published, number: int | None = None) -> Json:
        """Return the citation as CSL-JSON (`application/vnd.citationstyles.csl+json`)."""
        return csl_json(self.datacite_json(found, number))

    def _texts(self, found: Published, number: int | None) -> tuple[str | None, str]:
        version = found.version(number)
        return read_version(self.store, version.dataset, version.path, found.suffix)

    def _datacite_context(self, found: Published, document: Json, told: Json) -> Any:
        from dataclasses import replace

        host = (told.get("creators") or [{}])[0]
        identifiers = host.get("nameIdentifiers") or [{}]
        return replace(
            self.context.datacite,
            host_id=document.get("ods:organisationID")
            or identifiers[0].get("nameIdentifier")
            or found.dataset.organisation_id,
            host_name=document.get("ods:organisationName") or host.get("name") or found.dataset.organisation_name,
        )


def open_publications(settings: Settings, registry: Registry, store: DatasetStore) -> Publications:
    """Return what is published in a registry and store, by the settings' publisher and prefix."""
    context = DataCiteContext(
        landing_page=settings.landing_page,
        publisher_id=settings.issued_for_agent,
        publisher_name=settings.issued_for_agent_name,
        prefix=settings.doi_prefix,
    )
    agent = FdoContext(context, settings.issued_for_agent, settings.issued_for_agent_name)
    return Publications(registry, store, agent)


# Columns of `fdo_records` that are text, whatever a single row holds.
_TEXTS = (
    "specimen_name", "normalisedPhysicalSpecimenID", "physicalSpecimenID", "topicOrigin", "topicDomain",
    "topicDiscipline", "topicCategory", "livingOrPreserved", "catalogNumber", "otherSpecimenIds", "accessURI",
    "media_type", "format", "licence", "rights_holder", "tombstoned", "tombstone_text", "related_pid",
)  # fmt: skip


def _fdo_row(found: Published, version: PublishedVersion, document: Json, told: Json) -> Json:
    """Return the columns of `fdo_records` from a document; what a DOI-only object lacks comes from DataCite's record."""
    identifiers = {
        entry["alternateIdentifierType"]: entry["alternateIdentifier"] for entry in _list(told, "alternateIdentifiers")
    }
    subjects = {entry.get("subjectScheme"): entry["subject"] for entry in _list(told, "subjects")}
    row: Json = {"suffix": found.suffix, "version": version.number, "created": found.created}
    rights = next((entry.get("rightsIdentifier") or entry.get("rights") for entry in _list(told, "rightsList")), None)
    row["licence"] = document.get("dcterms:rights") or document.get("dcterms:license") or rights
    if found.kind == "specimen":
        named = document.get("ods:hasIdentifiers", [])
        row |= {
            "specimen_name": document.get("ods:specimenName") or _title(told),
            "normalisedPhysicalSpecimenID": document.get("ods:normalisedPhysicalSpecimenID") or found.identity_key,
            "physicalSpecimenID": document.get("ods:physicalSpecimenID") or found.identity_key,
            "catalogNumber": identifiers.get("catalogNumber"),
            "livingOrPreserved": document.get("ods:livingOrPreserved"),
            "is_marked_as_type": document.get("ods:isMarkedAsType"),
            "otherSpecimenIds": orjson.dumps(
                [
                    {
                        "identifierType": str(entry.get("dcterms:title") or ""),
                        "identifierValue": entry["dcterms:identifier"],
                        "resolvable": str(entry["dcterms:identifier"]).startswith(("http://", "https://")),
                    }
                    for entry in named
                    if entry.get("dcterms:identifier")
                ]
            ).decode(),
            **{
                name: document.get(f"ods:{name}") or subjects.get(name)
                for name in ("topicOrigin", "topicDomain", "topicDiscipline", "topicCategory")
            },
        }
    else:
        row |= {
            "accessURI": document.get("ac:accessURI") or identifiers.get("primaryMediaId"),
            "media_type": document.get("dcterms:type"),
            "format": document.get("dcterms:format") or next(iter(_list(told, "formats")), None),
            "rights_holder": next(
                (
                    entry["name"]
                    for entry in _list(told, "contributors")
                    if entry.get("contributorType") == "RightsHolder"
                ),
                None,
            ),
        }
    withdrawn = next((date for date in _list(told, "dates") if date.get("dateType") == "Withdrawn"), None)
    if withdrawn:
        row["tombstoned"] = version.created
        row["tombstone_text"] = withdrawn.get("dateInformation")
        other = next(
            (
                one["relatedIdentifier"]
                for one in _list(told, "relatedIdentifiers")
                if one["relationType"] == "IsObsoletedBy"
            ),
            None,
        )
        row["related_pid"] = other and DOI_RESOLVER + other.removeprefix(DOI_RESOLVER)
    return row


def _list(value: Json, key: str) -> list[Any]:
    return value.get(key) or []


def _title(told: Json) -> str | None:
    return next((entry["title"] for entry in _list(told, "titles")), None)
