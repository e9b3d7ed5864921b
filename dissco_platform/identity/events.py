"""The provenance event of a version: who did what to which object, and what changed by it.

Made from what the registry and the parts hold, hence retrievable for every version for ever without a copy of its own.
Source: openDS CreateUpdateTombstoneEvent 0.4.0 (W3C PROV: Activity, Entity, Agent; the change is an RFC 6902 patch).
Its schema asks for a `dcterms:identifier` of prov:Entity and forbids it in the same breath; as in its examples, the
entity has none.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dissco_platform.identity.datacite.tables import FDO_TYPES
from dissco_platform.identity.stamping import TYPES
from dissco_platform.identity.tombstones import PLATFORM

SOFTWARE: Final = "https://github.com/DiSSCo"

_ENDINGS: Final = frozenset({"vanished", "withdrawn", "merged"})
_NOUNS: Final = {"specimen": "Digital Specimen", "media": "Digital Media"}
# Cause of a version → what people read.
_REASONS: Final = {
    "source": "the source's record changed",
    "names": "another release of the checklist",
    "mapping": "another mapping",
    "code": "another version of the software",
    "linked": "an object that it is linked with was published",
    "returned": "the institution publishes it again",
    "identifier": "the institution gave it another identifier",
    "dataset": "it came into another dataset",
    "vanished": "the institution no longer publishes it",
    "withdrawn": "withdrawn on request",
    "merged": "merged into the object that remains",
}
_INPUTS: Final = {
    "archive": "archive",
    "release_name": "checklist",
    "release": "checklist version",
    "mapping": "mapping",
}


def event(
    *,
    doi: str,
    kind: str,
    version: int,
    moment: str,
    causes: Sequence[str],
    made_from: Mapping[str, Any],
    document: Mapping[str, Any] | None,
    change: Sequence[Mapping[str, Any]],
    source_system: str,
    publisher_id: str,
    publisher_name: str,
) -> dict[str, Any]:
    """Return the event as JSON values.

    Args:
        doi: address of the object.
        kind: `specimen` or `media`.
        version: the version that the event made; the one before is what it revised.
        moment: when (ISO 8601).
        causes: of the version, as the registry has them.
        made_from: versions of its inputs.
        document: the object in this version, None where none is published.
        change: RFC 6902 patch from the version before, empty for the first.
        source_system: handle of the dataset's source system.
        publisher_id: ROR of the infrastructure that issues the DOI.
        publisher_name: its name.
    """
    this, before = f"{doi}/{version}", f"{doi}/{version - 1}"
    activity = str(uuid.uuid5(uuid.NAMESPACE_URL, this))
    act = "ods:Create" if version == 1 else "ods:Tombstone" if _ENDINGS & set(causes) else "ods:Update"
    entity: dict[str, Any] = {"@id": this, "@type": TYPES[kind]}
    if document is not None:
        entity["prov:value"] = dict(document)
    if version > 1:
        entity["prov:wasRevisionOf"] = before
    entity["prov:wasGeneratedBy"] = activity
    return {
        "@id": this,
        "@type": "ods:CreateUpdateTombstoneEvent",
        "dcterms:identifier": this,
        "ods:fdoType": FDO_TYPES[kind][0],
        "prov:Activity": {
            "@id": activity,
            "@type": act,
            "prov:wasAssociatedWith": [
                {"@id": source_system, "prov:hadRole": "Requestor"},
                {"@id": publisher_id, "prov:hadRole": "Approver"},
                {"@id": SOFTWARE, "prov:hadRole": "Generator"},
            ],
            "prov:endedAtTime": moment,
            "prov:used": this if version == 1 else before,
            "rdfs:comment": _comment(kind, act, causes, made_from),
            "ods:changeValue": [dict(operation) for operation in change],
        },
        "prov:Entity": entity,
        "ods:hasAgents": [
            {"@id": source_system, "@type": "prov:SoftwareAgent", "schema:identifier": source_system},
            {
                "@id": publisher_id,
                "@type": "schema:Organization",
                "schema:identifier": publisher_id,
                "schema:name": publisher_name,
            },
            {"@id": SOFTWARE, "@type": "prov:SoftwareAgent", "schema:identifier": SOFTWARE, "schema:name": PLATFORM},
        ],
    }


def _comment(kind: str, act: str, causes: Sequence[str], made_from: Mapping[str, Any]) -> str:
    done = {"ods:Create": "newly created", "ods:Update": "updated", "ods:Tombstone": "tombstoned"}[act]
    reasons = "; ".join(_REASONS[cause] for cause in causes if cause in _REASONS)
    inputs = ", ".join(f"{name} {made_from[key]}" for key, name in _INPUTS.items() if made_from.get(key))
    text = f"{_NOUNS[kind]} {done}" + (f": {reasons}" if reasons else "")
    return text + (f" ({inputs})." if inputs else ".")
