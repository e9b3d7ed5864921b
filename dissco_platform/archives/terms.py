"""Terms known by name, to understand headers of tables that no descriptor explains.

Facts only: the vocabularies' own spelling (Darwin Core 2023-09, Dublin Core, Audubon Core, GBIF downloads). How a
term is written as a column is `tables.py`; how a header is read is `dialect.py`.
"""

from dissco_platform.archives.tables import PREFIXES, curie


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DWC = _words(
    """
    acceptedNameUsage acceptedNameUsageID acceptedScientificName accessRights associatedMedia
    associatedOccurrences associatedOrganisms associatedReferences associatedSequences
    associatedTaxa basisOfRecord bed behavior caste catalogNumber class collectionCode collectionID
    continent coordinatePrecision coordinateUncertaintyInMeters country countryCode county
    cultivarEpithet dataGeneralizations datasetID datasetName dateIdentified day decimalLatitude
    decimalLongitude degreeOfEstablishment disposition dynamicProperties earliestAgeOrLowestStage
    earliestEonOrLowestEonothem earliestEpochOrLowestSeries earliestEraOrLowestErathem
    earliestPeriodOrLowestSystem endDayOfYear establishmentMeans eventDate eventID eventRemarks
    eventTime eventType family fieldNotes fieldNumber footprintSRS footprintSpatialFit footprintWKT
    formation genericName genus geodeticDatum geologicalContextID georeferenceProtocol
    georeferenceRemarks georeferenceSources georeferenceVerificationStatus georeferencedBy
    georeferencedDate group habitat higherClassification higherGeography higherGeographyID
    highestBiostratigraphicZone identificationID identificationQualifier identificationReferences
    identificationRemarks identificationVerificationStatus identifiedBy identifiedByID
    individualCount individualID informationWithheld infragenericEpithet infraspecificEpithet
    institutionCode institutionID island islandGroup kingdom latestAgeOrHighestStage
    latestEonOrHighestEonothem latestEpochOrHighestSeries latestEraOrHighestErathem
    latestPeriodOrHighestSystem lifeStage lithostratigraphicTerms locality locationAccordingTo
    locationID locationRemarks lowestBiostratigraphicZone materialEntityID materialEntityRemarks
    materialSampleID maximumDepthInMeters maximumDistanceAboveSurfaceInMeters
    maximumElevationInMeters measurementAccuracy measurementDeterminedBy measurementDeterminedDate
    measurementID measurementMethod measurementRemarks measurementType measurementUnit
    measurementValue member minimumDepthInMeters minimumDistanceAboveSurfaceInMeters
    minimumElevationInMeters month municipality nameAccordingTo nameAccordingToID namePublishedIn
    namePublishedInID namePublishedInYear nomenclaturalCode nomenclaturalStatus objectQuantity
    occurrenceID occurrenceRemarks occurrenceDetails occurrenceStatus order organismID organismName
    organismQuantity organismQuantityType organismRemarks organismScope originalNameUsage
    originalNameUsageID otherCatalogNumbers ownerInstitutionCode parentEventID parentMeasurementID
    parentNameUsage parentNameUsageID pathway phylum pointRadiusSpatialFit preparations
    previousIdentifications recordNumber recordedBy recordedByID relatedResourceID
    relationshipAccordingTo relationshipEstablishedDate relationshipOfResource
    relationshipOfResourceID relationshipRemarks reproductiveCondition resourceID
    resourceRelationshipID sampleSizeUnit sampleSizeValue samplingEffort samplingProtocol
    scientificName scientificNameAuthorship scientificNameID sex specificEpithet startDayOfYear
    stateProvince subfamily subgenus subtribe superfamily taxonConceptID taxonID taxonRank
    taxonRemarks taxonomicStatus tribe typeStatus typifiedName verbatimCoordinateSystem
    verbatimCoordinates verbatimDepth verbatimElevation verbatimEventDate verbatimIdentification
    verbatimLabel verbatimLatitude verbatimLocality verbatimLongitude verbatimSRS verbatimTaxonRank
    vernacularName verticalDatum vitality waterBody year collectionObjectID projectID projectTitle
    fundingAttribution fundingAttributionID evidenceType
    """
)
DCTERMS = _words(
    """
    abstract accessRights accrualMethod accrualPeriodicity accrualPolicy alternative audience
    available bibliographicCitation conformsTo contributor coverage created creator date
    dateAccepted dateCopyrighted dateSubmitted description educationLevel extent format hasFormat
    hasPart hasVersion identifier instructionalMethod isFormatOf isPartOf isReferencedBy
    isReplacedBy isRequiredBy isVersionOf issued language license mediator medium modified
    provenance publisher references relation replaces requires rights rightsHolder source spatial
    subject tableOfContents temporal title type valid
    """
)
AC = _words(
    """
    accessURI associatedSpecimenReference captureDevice caption comments digitizationDate frameRate
    furtherInformationURL goodQualityAccessURI hashFunction hashValue licenseLogoURL
    metadataLanguage physicalSetting provider providerManagedID providerID resourceCreationTechnique
    subjectCategoryVocabulary subjectOrientation subjectPart subtype tag taxonCoverage
    thumbnailAccessURI timeOfDay variant variantDescription attributionLinkURL attributionLogoURL
    """
)
GBIF = _words(
    """
    gbifID datasetKey publishingCountry lastInterpreted elevation elevationAccuracy depth
    depthAccuracy distanceAboveSurface distanceAboveSurfaceAccuracy issue mediaType hasCoordinate
    hasGeospatialIssues taxonKey acceptedTaxonKey kingdomKey phylumKey classKey orderKey familyKey
    genusKey subgenusKey speciesKey species typifiedName protocol lastParsed lastCrawled repatriated
    relativeOrganismQuantity level0Gid level0Name level1Gid level1Name level2Gid level2Name
    level3Gid level3Name iucnRedListCategory eventType publishingOrgKey verbatimScientificName
    verbatimScientificNameAuthorship recordID isExtinct isMarine isTerrestrial livingPeriod
    canonicalName
    """
)
CHRONO = _words(
    """
    chronometricAgeID verbatimChronometricAge chronometricAgeProtocol uncalibratedChronometricAge
    chronometricAgeConversionProtocol earliestChronometricAge earliestChronometricAgeReferenceSystem
    latestChronometricAge latestChronometricAgeReferenceSystem chronometricAgeUncertaintyInYears
    chronometricAgeUncertaintyMethod materialDated materialDatedID materialDatedRelationship
    chronometricAgeDeterminedBy chronometricAgeDeterminedDate chronometricAgeReferences
    chronometricAgeRemarks
    """
)
OTHER = {
    "createdate": "xmp:CreateDate",
    "rating": "xmp:Rating",
    "metadatadate": "xmp:MetadataDate",
    "owner": "xmpRights:Owner",
    "usageterms": "xmpRights:UsageTerms",
    "webstatement": "xmpRights:WebStatement",
    "pixelxdimension": "exif:PixelXDimension",
    "pixelydimension": "exif:PixelYDimension",
    "cvterm": "Iptc4xmpExt:CVterm",
    "measurementtypeid": "obis:measurementTypeID",
    "measurementvalueid": "obis:measurementValueID",
    "measurementunitid": "obis:measurementUnitID",
    "latitude": "geo:lat",
    "longitude": "geo:long",
}


def _by_name() -> dict[str, str]:
    names = dict(OTHER)
    for prefix, terms in (("gbif", GBIF), ("chrono", CHRONO), ("ac", AC), ("dcterms", DCTERMS), ("dwc", DWC)):
        # Later vocabularies win where a name is in two: a bare `accessRights` is Dublin Core's in Darwin Core files.
        for term in terms:
            names[term.lower()] = f"{prefix}:{term}"
    names["accessrights"] = "dcterms:accessRights"
    names["latitude"] = "geo:lat"
    return names


TERMS_BY_NAME: dict[str, str] = _by_name()
"""Lower-case local name → CURIE."""

ID_TERMS: tuple[tuple[str, str], ...] = (
    # First of these present in a header says what the rows are (GBIF's dwca-io: occurrenceID, taxonID, eventID).
    ("dwc:occurrenceID", "dwc:Occurrence"),
    ("dwc:materialEntityID", "dwc:MaterialEntity"),
    ("dwc:materialSampleID", "dwc:MaterialSample"),
)
BORROWED = {
    name.lower(): f"dcterms:{name}"
    for name in _words(
        "accessRights bibliographicCitation language license modified references rights rightsHolder type"
    )
}
"""Terms that Darwin Core takes from Dublin Core: met under Darwin Core's own namespace, where they do not exist."""
_PREFIX_NAMES = {prefix.lower(): prefix for prefix in PREFIXES}
_CONTROLS = dict.fromkeys([*range(32), 127])
MAX_NAME = 200
"""Characters of a header cell that make a column's name."""
_SQUEEZE = str.maketrans("", "", " _-.")


def settled(term: str) -> str:
    """Return a CURIE under the vocabulary that has the term: `dcterms:license` for `dwc:license`."""
    prefix, _, name = term.partition(":")
    return BORROWED.get(name.lower(), term) if prefix == "dwc" else term


def term_of(header: str) -> str | None:
    """Return the CURIE that a header cell names, or None.

    Understood: IRIs, CURIEs (`dwc:sex`, `dwc_sex`), local names in any case (`catalognumber`), with spaces or underscores
    (`Catalog Number`). Dublin Core's terms under Darwin Core's prefix are Dublin Core's.
    """
    text = header.strip().strip("\"'\ufeff").strip()
    if not text:
        return None
    if "://" in text:
        known = curie(text)
        return settled(known) if known != text else None
    if ":" in text:
        prefix, _, name = text.partition(":")
        proper = _PREFIX_NAMES.get(prefix.strip().lower())
        if proper is None or not name.strip():
            return None
        known_name = TERMS_BY_NAME.get(name.strip().lower())
        if known_name and known_name.startswith(f"{proper}:"):
            return known_name
        if proper == "dwc" and name.strip().lower() in BORROWED:
            return BORROWED[name.strip().lower()]
        return f"{proper}:{name.strip().translate(_CONTROLS)[:MAX_NAME]}"
    found = TERMS_BY_NAME.get(text.lower()) or TERMS_BY_NAME.get(text.lower().translate(_SQUEEZE))
    prefix, _, name = text.lower().partition("_")
    if (
        found is None
        and prefix in _PREFIX_NAMES
        and TERMS_BY_NAME.get(name, "").startswith(("dwc:", "dcterms:", "ac:"))
    ):
        own = term_of(f"{prefix}:{name}")  # `dwc_catalogNumber`
        return own if own in TERMS_BY_NAME.values() else None
    return found


def column_of(header: str, position: int) -> str:
    """Return the column name for a header cell: its term, or `verbatim:<header>`; an empty cell is numbered from 1."""
    term = term_of(header)
    if term is not None:
        return term
    text = " ".join(header.strip().strip('"').split()).translate(_CONTROLS)[:MAX_NAME]
    return f"verbatim:{text}" if text else f"verbatim:column {position + 1}"
