"""Official JSON Schemas of openDS and of the FDO profiles, read where they lie beside the checkout."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs

_OPENDS = "reference/opends"


def event_validator(shared: Path) -> Any:
    """Return the validator of CreateUpdateTombstoneEvent 0.4.0.

    The schema asks for prov:Entity's `dcterms:identifier` and forbids it; its own examples leave it out, and so do we.
    """
    types = shared / _OPENDS / "fdo-type"
    registry = jsonschema_rs.Registry(
        [
            (schema["$id"], schema)
            for path in sorted(types.glob("shared-model/0.4.0/schema/*.json"))
            if (schema := json.loads(path.read_text()))
        ]
    )
    path = types / "create-update-tombstone-event/0.4.0/schema/create-update-tombstone-event.json"
    schema = json.loads(path.read_text())
    schema["properties"]["prov:Entity"]["required"].remove("dcterms:identifier")
    return jsonschema_rs.validator_for(schema, registry=registry)


def fdo_validator(shared: Path, kind: str) -> Any:
    """Return the validator of the FDO profile of specimens or media."""
    profile = {"specimen": "digital-specimen", "media": "digital-media"}[kind]
    path = shared / _OPENDS / f"fdo-profile/{profile}/1.0.0/schema/{profile}.json"
    return jsonschema_rs.validator_for(json.loads(path.read_text()))
