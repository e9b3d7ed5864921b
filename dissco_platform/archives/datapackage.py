"""Darwin Core Data Packages (datapackage.json): material with its events, identifications, media, agents and the rest.

The package's tables become the same plan that Darwin Core Archives have: `material` (or `occurrence`, where there is no
material) is the core; tables that point at it are extensions; tables that they point at add their terms. Source: Darwin
Core Data Package guide and its table schemas (tdwg/dwc, 2025). Reading by the plan is `dwca.py`.
"""

import json
from typing import Any

from dissco_platform.archives.container import Container
from dissco_platform.archives.descriptor import FileSet
from dissco_platform.archives.dialect import sniff
from dissco_platform.archives.encodings import public_name
from dissco_platform.archives.material_parts import DERIVED, WHOLE
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import FileReport, Limits
from dissco_platform.archives.plan import Lookup, Part, Plan, TableSet
from dissco_platform.archives.tables import PARTS, RECORDS
from dissco_platform.archives.terms import column_of
from dissco_platform.errors import ArchiveError

DESCRIPTOR = "datapackage.json"

CORES: dict[str, tuple[str, str]] = {
    # Resource → (row type, column by which others point at it). The first present is the core.
    "material": ("dwc:MaterialEntity", "materialEntity_fk"),
    "occurrence": ("dwc:Occurrence", "occurrence_fk"),
}
REFERENCES: dict[str, tuple[tuple[str, str], ...]] = {
    # Resource → (its foreign key, the resource it points at), for terms that a row takes over.
    "material": (("collectionEvent_fk", "event"), ("usagePolicy_fk", "usage-policy"), ("provenance_fk", "provenance")),
    "occurrence": (("event_fk", "event"),),
    "media": (("usagePolicy_fk", "usage-policy"),),
    "material-media": (("media_fk", "media"),),
    "occurrence-media": (("media_fk", "media"),),
    "material-agent-role": (("agent_fk", "agent"),),
    "occurrence-agent-role": (("agent_fk", "agent"),),
    "material-reference": (("reference_fk", "bibliographic-resource"),),
    "occurrence-reference": (("reference_fk", "bibliographic-resource"),),
    "material-geological-context": (("geologicalContext_fk", "geological-context"),),
    "material-usage-policy": (("usagePolicy_fk", "usage-policy"),),
}
# Tables between the core and what describes it: `material-geological-context` adds the context's terms to the material.
LINKS = ("geological-context", "usage-policy")
CHILDREN: dict[str, tuple[str, str]] = {
    # Part of a child resource's name after the core's (`material-media` → `media`) → (table, row type).
    "identification": ("identifications", "dwc:Identification"),
    "media": ("media", "ac:Multimedia"),
    "assertion": ("measurements", "dwc:MeasurementOrFact"),
    "agent-role": ("agents", "dwc:AgentRole"),
    "reference": ("references", "gbif:Reference"),
    "identifier": ("identifiers", "gbif:Identifier"),
}
ALIASES = {"material": "dwc:materialEntityID", "occurrence": "dwc:occurrenceID"}
"""The core's identifier that other tables may name beside its key."""
RELATIONSHIPS = "resource-relationship"
AGES = "chronometric-age"
COLUMNS: dict[str, str] = {
    # Fields of the package whose Darwin Core term has another name.
    "collectedBy": "dwc:recordedBy",
    "collectedByID": "dwc:recordedByID",
    "collectorNumber": "dwc:recordNumber",
    "materialEntityType": "dwc:basisOfRecord",
    "assertionType": "dwc:measurementType",
    "assertionTypeIRI": "dwciri:measurementType",
    "assertionValue": "dwc:measurementValue",
    "assertionValueIRI": "dwciri:measurementValue",
    "assertionUnit": "dwc:measurementUnit",
    "assertionUnitIRI": "dwciri:measurementUnit",
    "assertionError": "dwc:measurementAccuracy",
    "assertionMadeDate": "dwc:measurementDeterminedDate",
    "assertionBy": "dwc:measurementDeterminedBy",
    "assertionRemarks": "dwc:measurementRemarks",
    "assertionID": "dwc:measurementID",
    "assertionProtocols": "dwc:measurementMethod",
    "preferredAgentName": "dwc:agentName",
    "agentID": "dwc:agentID",
    "agentRole": "dwc:agentRole",
    "agentType": "dwc:agentType",
    "agentRoleIRI": "dwc:agentRoleIRI",
    "agentRoleOrder": "dwc:agentRoleOrder",
    "agentRoleDate": "dwc:agentRoleDate",
    "assertionByID": "dwc:measurementDeterminedByID",
    "assertionReferences": "dwc:measurementReferences",
    "chronometricAgeDeterminedByID": "chrono:chronometricAgeDeterminedByID",
    "creatorID": "ac:creatorID",
    "digitalSpecimenID": "dwc:digitalSpecimenID",
    "eventConductedBy": "dwc:eventConductedBy",
    "eventConductedByID": "dwc:eventConductedByID",
    "externalRelatedResourceID": "dwc:externalResourceID",
    "georeferencedByID": "dwc:georeferencedByID",
    "metadataLanguageIRI": "ac:metadataLanguageIRI",
    "metadataLanguageLiteral": "ac:metadataLanguageLiteral",
    "relationshipAccordingToID": "dwc:relationshipAccordingToID",
    "subjectOrientationIRI": "ac:subjectOrientationIRI",
    "subjectOrientationLiteral": "ac:subjectOrientationLiteral",
    "subjectPartIRI": "ac:subjectPartIRI",
    "subjectPartLiteral": "ac:subjectPartLiteral",
    "subtypeIRI": "ac:subtypeIRI",
    "subtypeLiteral": "ac:subtypeLiteral",
    "variantIRI": "ac:variantIRI",
    "variantLiteral": "ac:variantLiteral",
    "mediaDuration": "ac:mediaDuration",
    "mediaSpeed": "ac:mediaSpeed",
    "freqLow": "ac:freqLow",
    "freqHigh": "ac:freqHigh",
    "ownerID": "xmpRights:ownerID",
    "typeOfType": "dwc:typeOfType",
    "mediaID": "dcterms:identifier",
    "mediaType": "dcterms:type",
    "createDate": "xmp:CreateDate",
    "identifier": "dcterms:identifier",
    "referenceID": "dcterms:identifier",
    "rights": "dcterms:rights",
    "usageTerms": "xmpRights:UsageTerms",
    "owner": "xmpRights:Owner",
    "webStatement": "xmpRights:WebStatement",
    "subjectResourceID": "dwc:resourceID",
    "relationshipType": "dwc:relationshipOfResource",
    "relationshipTypeIRI": "dwc:relationshipOfResourceID",
    "isAcceptedIdentification": "dwc:isAcceptedIdentification",
}


def is_data_package(container: Container) -> bool:
    """Return whether the container has a datapackage.json and no meta.xml."""
    return container.find(DESCRIPTOR) is not None and container.find("meta.xml") is None


def plan_package(container: Container, limits: Limits) -> Plan:
    """Understand a data package.

    Raises:
        ArchiveError: `malformed_descriptor`, `no_specimens` (neither material nor occurrence), `core_file_missing`.
    """
    descriptor = container.find(DESCRIPTOR)
    if descriptor is None:
        raise ArchiveError(f"{container.name} has no {DESCRIPTOR}", reason="malformed_descriptor")
    package = _load(descriptor, limits)
    resources = {str(one.get("name")): one for one in package["resources"] if isinstance(one, dict)}
    core_name = next((name for name in CORES if name in resources), None)
    if core_name is None:
        raise ArchiveError(
            f"{container.name} is a data package without material or occurrence: {', '.join(sorted(resources)[:10])}",
            reason="no_specimens",
        )
    builder = _Builder(container, resources, limits)
    row_type, pointer = CORES[core_name]
    core = builder.table(core_name, RECORDS, row_type, key=_key_of(core_name))
    if not core.parts:
        raise ArchiveError(
            f"{container.name}: the file of {core_name} is not in the package", reason="core_file_missing"
        )
    for link in LINKS:
        if f"{core_name}-{link}" in resources:
            core.lookups.append(Lookup(None, builder.table(f"{core_name}-{link}", link, f"dwc:{link}", key=pointer)))
    extensions = []
    for name in resources:
        kind = CHILDREN.get(name.removeprefix(f"{core_name}-"))
        if kind is None or (name != "identification" and not name.startswith(f"{core_name}-")):
            continue
        child = builder.table(name, kind[0], kind[1], key=pointer)
        if child.parts:
            extensions.append(child)
    if RELATIONSHIPS in resources:
        # Its subjects may be of any table; rows whose subject is no record of the core are set aside.
        related = builder.table(RELATIONSHIPS, "relationships", "dwc:ResourceRelationship", key="subjectResourceID")
        if related.parts:
            extensions.append(related)
    hierarchy = core_name == "material" and (AGES in resources or WHOLE in core.terms)
    if hierarchy:
        extensions.extend(_hanging(builder, core_name, resources))
    return Plan(core, extensions, None, builder.flags, kind="dwc-dp", alias=ALIASES[core_name], hierarchy=hierarchy)


def _hanging(builder: "_Builder", core_name: str, resources: dict[str, Any]) -> list[TableSet]:
    """Return the tables whose rows find their record by `material_parts`: parts of materials, ages of events."""
    parts = builder.table(core_name, PARTS, "dwc:MaterialEntity", key=_key_of(core_name))
    policies = [lookup for lookup in parts.lookups if lookup.column == "verbatim:usagePolicy_fk"]
    parts.lookups = [Lookup(DERIVED, builder.referred("event")), *policies] if "event" in resources else policies
    found = [parts]
    if AGES in resources:
        ages = builder.table(AGES, "ages", "chrono:ChronometricAge", key="event_fk")
        ages.by_event = True
        found.append(ages)
    return [one for one in found if one.parts]


def _load(descriptor: Member, limits: Limits) -> dict[str, Any]:
    try:
        package = json.loads(descriptor.read(limits.max_document))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{descriptor.name} is not JSON: {error}", reason="malformed_descriptor") from error
    if not isinstance(package, dict) or not isinstance(package.get("resources"), list):
        raise ArchiveError(f"{descriptor.name} lists no resources", reason="malformed_descriptor")
    return package


def _key_of(name: str) -> str:
    return {"material": "materialEntity_pk", "bibliographic-resource": "reference_pk", "usage-policy": "usagePolicy_pk",
            "geological-context": "geologicalContext_pk"}.get(name, f"{name}_pk")  # fmt: skip


class _Builder:
    """Turns resources into table sets, each with the tables it refers to."""

    def __init__(self, container: Container, resources: dict[str, Any], limits: Limits) -> None:
        self.container = container
        self.resources = resources
        self.limits = limits
        self.flags: list[str] = []
        self.known: dict[str, TableSet] = {}

    def table(self, name: str, table: str, row_type: str, *, key: str) -> TableSet:
        resource = self.resources[name]
        path = resource.get("path")
        parts = []
        for location in path if isinstance(path, list) else [path]:
            if not isinstance(location, str) or "://" in location:
                self.flags.append("remote_location_ignored")
                continue
            member = self.container.find(location)
            if member is None:
                self.flags.append("extension_file_absent")
                continue
            parts.append(self._part(member, resource, table, key))
        lookups = []
        for column, target in REFERENCES.get(name, ()):
            if target in self.resources and any(f"verbatim:{column}" in part.terms for part in parts):
                lookups.append(Lookup(f"verbatim:{column}", self.referred(target)))
        return TableSet(row_type, table, parts, lookups)

    def referred(self, name: str) -> TableSet:
        """Return a table that others point at, the same one for all."""
        if name not in self.known:
            self.known[name] = self.table(name, name, f"dwc:{name}", key=_key_of(name))
        return self.known[name]

    def _part(self, member: Member, resource: dict[str, Any], table: str, key: str) -> Part:
        said = resource.get("dialect")
        dialect_said: dict[str, Any] = said if isinstance(said, dict) else {}
        declared = FileSet(
            row_type="",
            locations=[member.name],
            encoding=str(resource.get("encoding") or "UTF-8"),
            separator=str(dialect_said.get("delimiter") or ","),
            quote=str(dialect_said.get("quoteChar") or '"')[:1],
            header_lines=0 if dialect_said.get("header") is False else 1,
        )
        dialect = sniff(member, declared, self.limits)
        report = FileReport(member.name, table, public_name(dialect.codec))
        for flag in dialect.flags:
            report.flag(flag)
        names = list(dialect.header or _fields(resource))[: dialect.width]
        names += [""] * (dialect.width - len(names))
        columns: list[str | None] = []
        for position, field_name in enumerate(names):
            column = COLUMNS.get(field_name) or column_of(field_name, position)
            columns.append(column if column not in columns else f"verbatim:{field_name or position + 1}")
        id_position = names.index(key) if key in names else None
        if id_position is None:
            report.flag("core_id_column_not_declared")
        return Part(member, dialect, columns, id_position, {}, report)


def _fields(resource: dict[str, Any]) -> list[str]:
    schema = resource.get("schema")
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [str(one.get("name", "")) for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
