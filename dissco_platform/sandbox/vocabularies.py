"""What DataCite's metadata may hold: attributes, controlled lists and required parts, as tables.

Source: DataCite Metadata Schema 4.6 (kernel-4 XSD, the level that DataCite's REST service validates with) and the
attributes that its REST API accepts in a write. The walk over these tables is `validation.py`; the XML is `xml.py`.
"""

from dataclasses import dataclass, field
from typing import Final

KERNEL: Final = "http://datacite.org/schema/kernel-4"

# Names of the schema that lead to an XSD; kernel-2 and kernel-3 are refused, anything else skips the check.
VALIDATED_SCHEMAS: Final = frozenset({KERNEL, *(f"{KERNEL}.{minor}" for minor in range(4))})
REFUSED_SCHEMAS: Final = ("http://datacite.org/schema/kernel-2", "http://datacite.org/schema/kernel-3")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VOCABULARIES: Final[dict[str, tuple[str, ...]]] = {
    "resourceTypeGeneral": _words(
        "Audiovisual Award Book BookChapter Collection ComputationalNotebook ConferencePaper ConferenceProceeding "
        "DataPaper Dataset Dissertation Event Image Instrument InteractiveResource Journal JournalArticle Model "
        "OutputManagementPlan PeerReview PhysicalObject Preprint Project Report Service Software Sound Standard "
        "StudyRegistration Text Workflow Other"
    ),
    "contributorType": _words(
        "ContactPerson DataCollector DataCurator DataManager Distributor Editor HostingInstitution Other Producer "
        "ProjectLeader ProjectManager ProjectMember RegistrationAgency RegistrationAuthority RelatedPerson "
        "ResearchGroup RightsHolder Researcher Sponsor Supervisor Translator WorkPackageLeader"
    ),
    "dateType": _words(
        "Accepted Available Collected Copyrighted Coverage Created Issued Other Submitted Updated Valid Withdrawn"
    ),
    "descriptionType": ("Abstract", "Methods", "SeriesInformation", "TableOfContents", "TechnicalInfo", "Other"),
    "funderIdentifierType": ("ISNI", "GRID", "ROR", "Crossref Funder ID", "Other"),
    "nameType": ("Organizational", "Personal"),
    "numberType": ("Article", "Chapter", "Report", "Other"),
    "relatedIdentifierType": _words(
        "ARK arXiv bibcode CSTR DOI EAN13 EISSN Handle IGSN ISBN ISSN ISTC LISSN LSID PMID PURL RRID UPC URL URN w3id"
    ),
    "relationType": _words(
        "IsCitedBy Cites IsSupplementTo IsSupplementedBy IsContinuedBy Continues IsNewVersionOf IsPreviousVersionOf "
        "IsPartOf HasPart IsPublishedIn IsReferencedBy References IsDocumentedBy Documents IsCompiledBy Compiles "
        "IsVariantFormOf IsOriginalFormOf IsIdenticalTo HasMetadata IsMetadataFor Reviews IsReviewedBy IsDerivedFrom "
        "IsSourceOf Describes IsDescribedBy HasVersion IsVersionOf Requires IsRequiredBy Obsoletes IsObsoletedBy "
        "Collects IsCollectedBy HasTranslation IsTranslationOf"
    ),
    "titleType": ("AlternativeTitle", "Subtitle", "TranslatedTitle", "Other"),
}
VOCABULARY_SETS: Final = {name: frozenset(values) for name, values in VOCABULARIES.items()}


@dataclass(frozen=True)
class ListRule:
    """What the entries of one repeatable attribute must hold.

    `attribute` is its JSON name, `source` the name that errors carry, `element` the XML element of one entry,
    `text` the key of its content; `required` maps keys to the XML attribute they become; `closed` maps keys to
    their vocabulary.
    """

    attribute: str
    source: str
    element: str
    text: str
    filled: bool = False  # the XSD's nonemptycontentStringType
    required: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)


_PERSON_CLOSED: Final = {"nameType": "nameType"}
LIST_RULES: Final = (
    ListRule("creators", "creators", "creator", "name", True, {}, _PERSON_CLOSED),
    ListRule("titles", "titles", "title", "title", True, {}, {"titleType": "titleType"}),
    ListRule("subjects", "subjects", "subject", "subject"),
    ListRule(
        "contributors",
        "contributors",
        "contributor",
        "name",
        True,
        {"contributorType": "contributorType"},
        {"contributorType": "contributorType", **_PERSON_CLOSED},
    ),
    ListRule("dates", "dates", "date", "date", False, {"dateType": "dateType"}, {"dateType": "dateType"}),
    ListRule(
        "identifiers",
        "identifiers",
        "alternateIdentifier",
        "identifier",
        False,
        {"identifierType": "alternateIdentifierType"},
    ),
    ListRule(
        "relatedIdentifiers",
        "related_identifiers",
        "relatedIdentifier",
        "relatedIdentifier",
        True,
        {"relatedIdentifierType": "relatedIdentifierType", "relationType": "relationType"},
        {
            "relatedIdentifierType": "relatedIdentifierType",
            "relationType": "relationType",
            "resourceTypeGeneral": "resourceTypeGeneral",
        },
    ),
    ListRule("rightsList", "rights_list", "rights", "rights"),
    ListRule(
        "descriptions",
        "descriptions",
        "description",
        "description",
        False,
        {"descriptionType": "descriptionType"},
        {"descriptionType": "descriptionType"},
    ),
    ListRule(
        "fundingReferences",
        "funding_references",
        "fundingReference",
        "funderName",
        True,
        {},
        {"funderIdentifierType": "funderIdentifierType"},
    ),
    ListRule(
        "relatedItems",
        "related_items",
        "relatedItem",
        "relatedItemType",
        True,
        {"relatedItemType": "relatedItemType", "relationType": "relationType"},
        {"relatedItemType": "resourceTypeGeneral", "relationType": "relationType", "numberType": "numberType"},
    ),
)

# Attributes that a write may carry, by the JSON shape they must have; others are dropped without an error, as the
# REST service's permitted parameters do. Metadata makes the XML; the rest belongs to the record.
LIST_ATTRIBUTES: Final = frozenset(
    {rule.attribute for rule in LIST_RULES} | {"alternateIdentifiers", "geoLocations", "sizes", "formats", "contentUrl"}
)
OBJECT_ATTRIBUTES: Final = frozenset({"types", "publisher", "landingPage", "container"})
TEXT_ATTRIBUTES: Final = frozenset(
    {"url", "publicationYear", "language", "version", "schemaVersion", "source", "agency", "reason", "publisher"}
)
PERMITTED: Final = LIST_ATTRIBUTES | OBJECT_ATTRIBUTES | TEXT_ATTRIBUTES

EVENTS: Final[dict[str, dict[str, str]]] = {
    "register": {"draft": "registered"},
    "publish": {"draft": "findable", "registered": "findable"},
    "hide": {"findable": "registered"},
    "show": {"registered": "findable"},
}
"""Event → {state: next state}; any other pair is ignored without an error."""
