"""Where Darwin Core terms stand in an ABCD unit: tables only.

Paths are relative to the Unit (or to the element of a child row), local names without namespaces; `efg:` paths begin at
the first element of ABCD-EFG. Sources: ABCD 2.06 and 2.1 (tdwg.org/schemas/abcd), ABCD-EFG 1.0 (synthesys.info), TDWG's
ABCD–Darwin Core mapping. Reading the XML is `abcd.py`.
"""

NAMESPACES: dict[str, str] = {
    "http://www.tdwg.org/schemas/abcd/1.2": "ABCD 1.2",
    "http://www.tdwg.org/schemas/abcd/2.06": "ABCD 2.06",
    "http://www.tdwg.org/schemas/abcd/2.1": "ABCD 2.1",
    "http://rs.tdwg.org/abcd/2.06": "ABCD 2.06",
    "http://rs.tdwg.org/abcd/2.1": "ABCD 2.1",
}
EFG_NAMESPACE = "http://www.synthesys.info/ABCDEFG/1.0"

CHILD_ROWS: dict[str, tuple[str, str]] = {
    # Path of a repeated element → (table, row type).
    "abcd:Identifications/Identification": ("identifications", "abcd:Identification"),
    "abcd:MultiMediaObjects/MultiMediaObject": ("media", "abcd:MultiMediaObject"),
    "abcd:Gathering/SiteImages/SiteImage": ("media", "abcd:SiteImage"),
    "abcd:MeasurementsOrFacts/MeasurementOrFact": ("measurements", "abcd:MeasurementOrFact"),
    "abcd:Gathering/SiteMeasurementsOrFacts/SiteMeasurementOrFact": ("measurements", "abcd:SiteMeasurementOrFact"),
    "abcd:Associations/UnitAssociation": ("relationships", "abcd:UnitAssociation"),
    "abcd:UnitReferences/UnitReference": ("references", "abcd:UnitReference"),
    "abcd:References/Reference": ("references", "abcd:Reference"),
    "abcd:Gathering/Agents/GatheringAgent": ("agents", "abcd:GatheringAgent"),
    "abcd:SpecimenUnit/NomenclaturalTypeDesignations/NomenclaturalTypeDesignation": (
        "types",
        "abcd:NomenclaturalTypeDesignation",
    ),
    "efg:EarthScienceSpecimen/UnitStratigraphicDetermination/RadiometricDates/RadiometricDate": (
        "ages",
        "efg:RadiometricDate",
    ),
}

_NAME = "abcd:Result/TaxonIdentified/ScientificName/NameAtomised"
_TAXON = "abcd:Result/TaxonIdentified"

CHILD_TERMS: dict[str, dict[str, tuple[str, ...]]] = {
    # Table → Darwin Core (or Audubon Core, …) column → paths, the first with a value counts.
    "identifications": {
        "dwc:scientificName": (
            f"{_TAXON}/ScientificName/FullScientificNameString",
            "efg:MineralRockIdentified/ClassifiedName/FullScientificNameString",
            "abcd:Result/MineralRockIdentified/ClassifiedName/FullScientificNameString",
            f"{_TAXON}/InformalNameString",
            f"{_NAME}/Zoological/NamedIndividual",
            "abcd:Result/MaterialIdentified/FullScientificNameString",
        ),
        "dwc:specificEpithet": (
            f"{_NAME}/Botanical/FirstEpithet",
            f"{_NAME}/Zoological/SpeciesEpithet",
            f"{_NAME}/Bacterial/SpeciesEpithet",
        ),
        "dwc:infraspecificEpithet": (
            f"{_NAME}/Botanical/InfraspecificEpithet",
            f"{_NAME}/Botanical/SecondEpithet",
            f"{_NAME}/Zoological/SubspeciesEpithet",
            f"{_NAME}/Zoological/InfraspecificEpithet",
            f"{_NAME}/Bacterial/SubspeciesEpithet",
        ),
        "dwc:infragenericEpithet": (f"{_NAME}/Zoological/Subgenus", f"{_NAME}/Bacterial/Subgenus"),
        "dwc:cultivarEpithet": (f"{_NAME}/Botanical/CultivarName", f"{_NAME}/Botanical/CultivarGroupName"),
        "dwc:taxonRank": (f"{_NAME}/Botanical/Rank", f"{_TAXON}/ScientificName/Rank"),
        "dwc:nomenclaturalCode": (f"{_TAXON}/Code",),
        "dwc:identificationQualifier": (
            f"{_TAXON}/ScientificName/IdentificationQualifier",
            f"{_TAXON}/ScientificName/NameAddendum",
        ),
        "dwc:vernacularName": (f"{_TAXON}/NonScientificNameString", "abcd:Result/NonScientificNameString"),
        "dwc:identifiedBy": (
            "abcd:Identifiers/Identifier/PersonName/FullName",
            "abcd:Identifiers/Identifier/Person/FullName",
            "abcd:Identifiers/IdentifiersText",
            "abcd:Identifiers/Identifier/OrganisationName",
        ),
        "dwc:identifiedByID": ("abcd:Identifiers/Identifier/ResourceURIs/ResourceURI",),
        "dwc:dateIdentified": ("abcd:Date/ISODateTimeBegin", "abcd:Date/DateText"),
        "dwc:identificationRemarks": ("abcd:Notes",),
        "dwc:identificationVerificationStatus": ("abcd:PreferredFlag",),
        "dwc:identificationReferences": ("abcd:References/Reference/TitleCitation",),
    },
    "media": {
        "ac:accessURI": ("abcd:FileURI",),
        "dcterms:format": ("abcd:Format",),
        "dcterms:source": ("abcd:ProductURI",),
        "dcterms:creator": ("abcd:Creator",),
        "dcterms:license": (
            "abcd:IPR/Licenses/License/URI",
            "abcd:IPR/Licenses/License/Text",
            "abcd:IPR/TermsOfUseStatements/TermsOfUse/Text",
        ),
        "dcterms:rights": ("abcd:IPR/Copyrights/Copyright/Text",),
        "xmp:CreateDate": ("abcd:CreatedDate",),
        "dcterms:description": ("abcd:Context", "abcd:Comment"),
        "ac:comments": ("abcd:Comment",),
        "ac:captureDevice": ("abcd:CaptureEquipment",),
        "dcterms:extent": ("abcd:FileSize",),
        "exif:PixelXDimension": ("abcd:ImageSize/Width",),
        "exif:PixelYDimension": ("abcd:ImageSize/Height",),
        "dcterms:identifier": ("abcd:ID",),
    },
    "measurements": {
        "dwc:measurementType": ("abcd:MeasurementOrFactAtomised/Parameter",),
        "dwc:measurementValue": (
            "abcd:MeasurementOrFactAtomised/LowerValue",
            "abcd:MeasurementOrFactAtomised/UpperValue",
            "abcd:MeasurementOrFactText",
        ),
        "dwc:measurementUnit": ("abcd:MeasurementOrFactAtomised/UnitOfMeasurement",),
        "dwc:measurementAccuracy": ("abcd:MeasurementOrFactAtomised/Accuracy",),
        "dwc:measurementMethod": ("abcd:MeasurementOrFactAtomised/Method",),
        "dwc:measurementDeterminedDate": ("abcd:MeasurementOrFactAtomised/MeasurementDateTime",),
        "dwc:measurementDeterminedBy": ("abcd:MeasurementOrFactAtomised/MeasuredBy",),
        "dwc:measurementRemarks": ("abcd:MeasurementOrFactText",),
    },
    "relationships": {
        "dwc:relatedResourceID": ("abcd:AssociatedUnitGUID", "abcd:AssociatedUnitID", "abcd:UnitID"),
        "dwc:relationshipOfResource": ("abcd:AssociationType",),
        "dwc:relationshipRemarks": ("abcd:Comment",),
    },
    "references": {
        "dcterms:bibliographicCitation": ("abcd:TitleCitation",),
        "dcterms:description": ("abcd:CitationDetail",),
        "dcterms:identifier": ("abcd:URI", "abcd:ReferenceGUID"),
    },
    "agents": {
        "dwc:recordedBy": (
            "abcd:Person/FullName",
            "abcd:Person/AgentText",
            "abcd:AgentText",
            "abcd:Organisation/Name/Representation/Text",
        ),
        "dwc:recordedByID": ("abcd:ResourceURIs/ResourceURI", "abcd:Person/ResourceURIs/ResourceURI"),
    },
    "types": {
        "dwc:typeStatus": ("abcd:TypeStatus",),
        "dwc:typifiedName": ("abcd:TypifiedName/FullScientificNameString",),
    },
    "ages": {
        "chrono:chronometricAgeProtocol": ("efg:RadiometricDatingMethod",),
        "chrono:earliestChronometricAge": ("efg:EarliestDate",),
        "chrono:latestChronometricAge": ("efg:LatestDate",),
        "chrono:earliestChronometricAgeReferenceSystem": ("efg:TimeUnit",),
        "chrono:latestChronometricAgeReferenceSystem": ("efg:TimeUnit",),
        "chrono:verbatimChronometricAge": ("efg:DatingAccuracy",),
        "chrono:materialDated": ("efg:MaterialDated",),
        "chrono:chronometricAgeRemarks": ("efg:DatingComment",),
        "chrono:chronometricAgeDeterminedDate": (
            "efg:AnalysisDateTime/ExactDate/DateText",
            "efg:AnalysisDateTime/DateText",
        ),
        "chrono:chronometricAgeReferences": (
            "efg:AnalysisReferences/URI",
            "efg:AnalysisReferences/TitleCitation",
            "efg:AnalysisReferences/CitationDetail",
        ),
    },
}

AUTHORSHIP: tuple[tuple[str | None, str], ...] = (
    # (authors in parentheses, authors): composed as "(A) B"; zoological and bacterial ones carry the year.
    (f"{_NAME}/Botanical/AuthorTeamParenthesis", f"{_NAME}/Botanical/AuthorTeam"),
    (f"{_NAME}/Zoological/AuthorTeamParenthesisAndYear", f"{_NAME}/Zoological/AuthorTeamOriginalAndYear"),
    (f"{_NAME}/Bacterial/ParentheticalAuthorTeamAndYear", f"{_NAME}/Bacterial/AuthorTeamAndYear"),
)
GENUS = tuple(f"{_NAME}/{code}/GenusOrMonomial" for code in ("Botanical", "Zoological", "Bacterial", "Viral"))

HIGHER_TAXON = ("HigherTaxon", "HigherTaxonName", "HigherTaxonRank")
RANKS: dict[str, str] = {
    "regnum": "dwc:kingdom",
    "kingdom": "dwc:kingdom",
    "phylum": "dwc:phylum",
    "divisio": "dwc:phylum",
    "division": "dwc:phylum",
    "classis": "dwc:class",
    "class": "dwc:class",
    "ordo": "dwc:order",
    "order": "dwc:order",
    "superfamilia": "dwc:superfamily",
    "superfamily": "dwc:superfamily",
    "familia": "dwc:family",
    "family": "dwc:family",
    "subfamilia": "dwc:subfamily",
    "subfamily": "dwc:subfamily",
    "tribus": "dwc:tribe",
    "tribe": "dwc:tribe",
    "subtribus": "dwc:subtribe",
    "subtribe": "dwc:subtribe",
    "genusgroup": "dwc:genus",
    "genus": "dwc:genus",
    "subgenus": "dwc:subgenus",
}
NAMED_AREA = ("NamedArea", "AreaName", "AreaClass")
AREAS: dict[str, str] = {
    "continent": "dwc:continent",
    "country": "dwc:country",
    "state": "dwc:stateProvince",
    "province": "dwc:stateProvince",
    "stateprovince": "dwc:stateProvince",
    "state province": "dwc:stateProvince",
    "bundesland": "dwc:stateProvince",
    "county": "dwc:county",
    "district": "dwc:county",
    "municipality": "dwc:municipality",
    "island": "dwc:island",
    "island group": "dwc:islandGroup",
    "islandgroup": "dwc:islandGroup",
    "water body": "dwc:waterBody",
    "waterbody": "dwc:waterBody",
    "sea": "dwc:waterBody",
}
CHRONOSTRATIGRAPHY = ("ChronostratigraphicAttribution", "ChronostratigraphicName", "ChronoStratigraphicDivision")
DIVISIONS: dict[str, tuple[str, str]] = {
    # Division → (earliest, latest) of Darwin Core's geological context.
    "substage": ("dwc:earliestAgeOrLowestStage", "dwc:latestAgeOrHighestStage"),
    "stage": ("dwc:earliestAgeOrLowestStage", "dwc:latestAgeOrHighestStage"),
    "eonothem": ("dwc:earliestEonOrLowestEonothem", "dwc:latestEonOrHighestEonothem"),
    "subseries": ("dwc:earliestEpochOrLowestSeries", "dwc:latestEpochOrHighestSeries"),
    "subserie": ("dwc:earliestEpochOrLowestSeries", "dwc:latestEpochOrHighestSeries"),
    "series": ("dwc:earliestEpochOrLowestSeries", "dwc:latestEpochOrHighestSeries"),
    "serie": ("dwc:earliestEpochOrLowestSeries", "dwc:latestEpochOrHighestSeries"),
    "erathem": ("dwc:earliestEraOrLowestErathem", "dwc:latestEraOrHighestErathem"),
    "system": ("dwc:earliestPeriodOrLowestSystem", "dwc:latestPeriodOrHighestSystem"),
}

RECORD_TERMS: dict[str, tuple[str, ...]] = {
    # Only what a mapping cannot say by naming one column.
    "dcterms:license": (
        "abcd:IPR/Licenses/License/URI",
        "abcd:IPR/Licenses/License/Text",
        "abcd:IPRStatements/Licenses/License/URI",
        "abcd:IPRStatements/Licenses/License/Text",
    ),
}
DATASET_COLUMNS: dict[str, tuple[str, ...]] = {
    # The unit's own DataSet, repeated on each record: `abcd:DataSet/…` → paths below DataSet.
    "abcd:DataSet/DatasetGUID": ("DatasetGUID",),
    "abcd:DataSet/Title": ("Metadata/Description/Representation/Title",),
    "abcd:DataSet/License": (
        "Metadata/IPRStatements/Licenses/License/URI",
        "Metadata/IPRStatements/Licenses/License/Text",
        "Metadata/IPRStatements/TermsOfUseStatements/TermsOfUse/URI",
        "Metadata/IPRStatements/TermsOfUseStatements/TermsOfUse/Text",
    ),
    "abcd:DataSet/Owner": ("Metadata/Owners/Owner/Organisation/Name/Representation/Text",),
}
METADATA_PATHS: dict[str, tuple[str, ...]] = {
    # Keys of dataset.json → paths below DataSet.
    "title": ("Metadata/Description/Representation/Title",),
    "description": ("Metadata/Description/Representation/Details",),
    "license": DATASET_COLUMNS["abcd:DataSet/License"],
    "publisher": (
        "Metadata/Owners/Owner/Organisation/Name/Representation/Text",
        "Metadata/Owners/Owner/Organisation/Name/Representation/Abbreviation",
        "TechnicalContacts/TechnicalContact/Name",
    ),
    "pubDate": ("Metadata/RevisionData/DateModified", "Metadata/RevisionData/DateCreated"),
    "version": ("Metadata/Version/Major", "Metadata/Version/DateIssued"),
    "packageId": ("DatasetGUID",),
    "citation": ("Metadata/IPRStatements/Citations/Citation/Text",),
}
CONTACTS: dict[str, str] = {
    "TechnicalContacts/TechnicalContact": "technicalContact",
    "ContentContacts/ContentContact": "contact",
}

AGENT_ID = "dwc:recordedByID"
AGENT_REGISTERS = ("orcid.org/", "wikidata.org/", "isni.org/", "viaf.org/", "bionomia.net/")
"""Registers of people, the one to prefer first (Darwin Core: ORCID for the living, Wikidata for the dead)."""
