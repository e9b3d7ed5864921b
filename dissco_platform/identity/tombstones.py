"""Specimens that vanish upstream: missing at first, a tombstone after so many further complete harvests without them.

A failed or partial harvest never counts; an unchanged source does (what it published last is what it publishes). When
many vanish at once (an export gone wrong, a dataset cut in two) nothing is tombstoned before an operator has confirmed
it. A tombstone is a version like any other: the last document with its status and the reason; every earlier version
stays readable, and a specimen that returns revives with its DOI. Terms: openDS TombstoneMetadata 0.4.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

PLATFORM = "DiSSCo platform"


@dataclass(frozen=True)
class VanishingRules:
    """When a missing object becomes a tombstone.

    `after`: further complete harvests without it, after the first. Missing specimens above the `share` of the dataset's
    or above `count` wait for an operator.
    """

    after: int = 2
    share: float = 0.10
    count: int = 1000

    def is_mass(self, missing: int, known: int) -> bool:
        """Say whether so many missing of so many known specimens need a confirmation."""
        return missing > self.count or missing > self.share * max(known, 1)


def due(missing: pl.DataFrame, harvested: bool, rules: VanishingRules) -> pl.DataFrame:
    """Return the missing objects that become tombstones now (`missed` counts the harvests before this one)."""
    return missing.filter(pl.col("missed") + int(harvested) > rules.after)


def tombstone_document(document: str, version: int, moment: str, text: str, related: Sequence[str] = ()) -> str:
    """Return the tombstone of a document: the same content, with its end said.

    Args:
        document: JSON text of the last version.
        version: number of the tombstone's version.
        moment: when (ISO 8601).
        text: why, one sentence for readers.
        related: DOI addresses of objects that take its place.
    """
    value: dict[str, Any] = orjson.loads(document)
    value["ods:version"] = version
    value["ods:status"] = "Tombstone"
    value["dcterms:modified"] = moment
    tombstone: dict[str, Any] = {
        "@type": "ods:Tombstone",
        "ods:tombstoneDate": moment,
        "ods:tombstoneText": text,
        "ods:hasAgents": [{"@type": "schema:SoftwareApplication", "schema:name": PLATFORM}],
    }
    if related:
        tombstone["ods:hasRelatedPIDs"] = [
            {"@type": "ods:RelatedPID", "dcterms:identifier": doi, "ods:relationshipType": "IsDuplicateOf"}
            for doi in related
        ]
    value["ods:hasTombstoneMetadata"] = tombstone
    return orjson.dumps(value).decode()


def vanished_text(first_missed: int) -> str:
    """Return the reason that readers of a tombstone see."""
    return f"The institution no longer publishes this object: it was absent from {first_missed} harvests in a row."
