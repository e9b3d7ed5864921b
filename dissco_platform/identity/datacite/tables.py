"""Facts of the mapping to DataCite and of the FDO profiles, as tables. The mapping itself is `metadata.py` and `fdo.py`.

Sources: DataCite Metadata Schema 4.6; DCMI Type Vocabulary; SPDX License List; DiSSCo FDO profiles 1.0.0 (doi-kernel,
digital-specimen, digital-media); what DiSSCo's publisher has registered so far, with its errors mended: contributors
have a type, media have the type they are of, rights are the object's own.
"""

from typing import Final

SCHEMA_VERSION: Final = "http://datacite.org/schema/kernel-4"

RESOURCE_TYPES: Final = {"specimen": "Digital Specimen", "media": "Media Object"}
PRIMARY_IDENTIFIERS: Final = {"specimen": "primarySpecimenObjectId", "media": "primaryMediaId"}

# DCMI type of a medium → resourceTypeGeneral
MEDIA_TYPES: Final = {
    "StillImage": "Image",
    "Image": "Image",
    "MovingImage": "Audiovisual",
    "Sound": "Sound",
    "InteractiveResource": "InteractiveResource",
    "Text": "Text",
    "Dataset": "Dataset",
    "Collection": "Collection",
    "PhysicalObject": "PhysicalObject",
    "Software": "Software",
    "Service": "Service",
    "Event": "Event",
}
# Beginning of the media type (RFC 6838) of a medium whose DCMI type is not given → resourceTypeGeneral
FORMAT_TYPES: Final = {
    "image/": "Image",
    "video/": "Audiovisual",
    "audio/": "Sound",
    "model/": "Model",
    "text/": "Text",
    "application/pdf": "Text",
}
OTHER_TYPE: Final = "Other"

# Column → scheme of the subject; "Unclassified" is no subject.
SUBJECTS: Final = {
    "specimen": {
        "topicDiscipline": "topicDiscipline",
        "topicDomain": "topicDomain",
        "topicCategory": "topicCategory",
        "topicOrigin": "topicOrigin",
    },
    "media": {"format": "mediaFormat"},
}
NO_SUBJECT: Final = "Unclassified"

# Beginning of an organisation's identifier → (scheme, address of the scheme)
NAME_SCHEMES: Final = {
    "https://ror.org/": ("ROR", "https://ror.org/"),
    "https://www.wikidata.org/": ("Wikidata", "https://www.wikidata.org/"),
    "http://www.wikidata.org/": ("Wikidata", "https://www.wikidata.org/"),
    "https://hdl.handle.net/": ("Handle", "https://hdl.handle.net/"),
    "https://doi.org/": ("DOI", "https://doi.org/"),
    "https://isni.org/": ("ISNI", "https://isni.org/"),
}
OTHER_SCHEME: Final = ("URL", None)

SPDX_SCHEME: Final = "https://spdx.org/licenses/"
# SPDX identifier → full name; Creative Commons licences are named by their parts
LICENCE_NAMES: Final = {
    "CC0-1.0": "Creative Commons Zero v1.0 Universal",
    "CC-PDM-1.0": "Creative Commons Public Domain Mark 1.0 Universal",
    "PDDL-1.0": "Open Data Commons Public Domain Dedication & License 1.0",
    "ODC-By-1.0": "Open Data Commons Attribution License v1.0",
    "ODbL-1.0": "Open Data Commons Open Database License v1.0",
    "etalab-2.0": "Etalab Open License 2.0",
    "OGL-UK-3.0": "Open Government Licence v3.0",
}
CREATIVE_COMMONS_PARTS: Final = {
    "BY": "Attribution",
    "NC": "Non Commercial",
    "ND": "No Derivatives",
    "SA": "Share Alike",
}
CREATIVE_COMMONS_REACH: Final = {"1.0": "Generic", "2.0": "Generic", "2.5": "Generic", "3.0": "Unported"}

# Why an object was tombstoned → what DataCite is asked to do: hidden DOIs resolve to their tombstone page but leave the
# search; a merged object stays findable, so that its citations lead to the one that remains (DataCite, best practices
# for tombstone pages).
TOMBSTONE_EVENTS: Final = {"vanished": "hide", "withdrawn": "hide", "merged": "publish"}

# FDO records. Profile and type are one handle in the profiles' schemas.
FDO_TYPES: Final = {
    "specimen": ("https://doi.org/21.T11148/d8de0819e144e4096645", "DigitalSpecimen"),
    "media": ("https://doi.org/21.T11148/bbad8c4e101e8af01115", "MediaObject"),
}
FDO_LICENCE: Final = ("https://spdx.org/licenses/CC0-1.0.json", "CC0 1.0 Universal")
PID_ISSUER: Final = ("https://ror.org/04wxnsj81", "DataCite")
# Attribute of the digital-specimen profile → column, taken over as text
FDO_SPECIMEN: Final = {
    "normalisedPrimarySpecimenObjectId": "normalisedPhysicalSpecimenID",
    "topicOrigin": "topicOrigin",
    "topicDomain": "topicDomain",
    "topicDiscipline": "topicDiscipline",
    "topicCategory": "topicCategory",
    "livingOrPreserved": "livingOrPreserved",
    "catalogNumber": "catalogNumber",
}
FDO_MEDIA: Final = {"primaryMediaId": "accessURI", "mediaType": "media_type", "mimeType": "format"}
