"""What a specimen's page shows of its parts, its ages and the people who are named with the specimen itself.

Labels and their order are here; how they look is `templates/specimen.html`.
"""

from dataclasses import dataclass
from typing import Any, Final

from dissco_platform.portal.facts import Fact, Sources, facts, listed
from dissco_platform.search.summary import accepted, people

Json = dict[str, Any]

_AGE: Final = {
    "chrono:verbatimChronometricAge": "Age as written", "chrono:uncalibratedChronometricAge": "Uncalibrated age",
    "chrono:chronometricAgeProtocol": "Dated by means of", "chrono:chronometricAgeConversionProtocol": "Calibrated by means of",
    "chrono:chronometricAgeUncertaintyInYears": "Uncertainty (years)",
    "chrono:chronometricAgeUncertaintyMethod": "Uncertainty by means of", "chrono:materialDated": "Material dated",
    "chrono:materialDatedID": "Identifier of the material dated",
    "chrono:materialDatedRelationship": "How the material belongs to the specimen",
    "chrono:chronometricAgeDeterminedDate": "Dated on", "chrono:chronometricAgeReferences": "Literature",
    "chrono:chronometricAgeRemarks": "Remarks", "chrono:chronometricAgeID": "Identifier",
}  # fmt: skip
_BOUNDS: Final = (("From", "earliest"), ("To", "latest"))
_PART: Final = {
    "dwc:preparations": "Kind or preparation", "dwc:recordNumber": "Number", "ods:topicCategory": "Category",
    "dwc:organismID": "Organism", "dwc:organismName": "Name of the organism", "dwc:organismScope": "Scope of the organism",
    "dwc:organismRemarks": "Remarks on the organism",
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody with a part in something; `address` is an identifier that a browser can open."""

    role: str
    name: str
    address: str | None


def persons(item: Json) -> list[Person]:
    """Return the agents of an object with their roles ("agent" says nothing and is left out)."""
    return [
        Person(
            ", ".join(
                role for one in agent.get("ods:hasRoles") or [] if (role := one.get("schema:roleName")) != "agent"
            ),
            str(agent.get("schema:name") or agent.get("schema:identifier")),
            agent.get("schema:identifier"),
        )
        for agent in item.get("ods:hasAgents") or []
        if agent.get("schema:name") or agent.get("schema:identifier")
    ]


def age_facts(age: Json, sources: Sources) -> list[Fact]:
    """Return what is said of a chronometric age: its bounds with their reference systems first."""
    bounds = []
    for label, bound in _BOUNDS:
        term = f"chrono:{bound}ChronometricAge"
        if (number := age.get(term)) is not None:
            told = " ".join([str(number), *listed(age.get(f"{term}ReferenceSystem"))])
            bounds.append(Fact(label, [told], term, sources("ods:ChronometricAge", term)))
    determined = people(age)
    return [
        *bounds,
        *facts(age, "ods:ChronometricAge", _AGE, sources),
        *([Fact("Dated by", determined)] if determined else []),
    ]


def part_view(part: Json, sources: Sources) -> Json:
    """Return what the page shows of a part of the specimen."""
    identification, taxon = accepted(part)
    name = part.get("ods:specimenName") or taxon.get("dwc:scientificName")
    number = part.get("dwc:materialEntityID") or part.get("dwc:recordNumber")
    quantity = " ".join(listed(part.get("dwc:organismQuantity")) + listed(part.get("dwc:organismQuantityType")))
    named = [
        one.get("dwc:verbatimIdentification")
        or (one.get("ods:hasTaxonIdentifications") or [{}])[0].get("dwc:scientificName")
        for one in part.get("ods:hasIdentifications") or []
    ]
    return {
        "title": name or (listed(part.get("dwc:preparations")) or listed(number) or ["Part"])[0],
        "facts": [
            *([Fact("Material", listed(part["dwc:materialEntityID"]))] if part.get("dwc:materialEntityID") else []),
            *facts(part, "ods:SpecimenPart", _PART, sources),
            *([Fact("Quantity", [quantity])] if quantity else []),
            *([Fact("Identified as", listed(named))] if any(named) else []),
            *([Fact("Type status", status)] if (status := listed(identification.get("dwc:typeStatus"))) else []),
            *(
                Fact(
                    str(one.get("dcterms:title") or "Identifier").rpartition(":")[2],
                    listed(one.get("dcterms:identifier")),
                )
                for one in part.get("ods:hasIdentifiers") or []
                if one.get("dcterms:identifier") != part.get("dwc:materialEntityID")
            ),
        ],
        "people": persons(part),
        "ages": [age_facts(age, sources) for age in part.get("ods:hasChronometricAges") or []],
    }
