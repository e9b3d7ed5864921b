"""The docs page of this package, made from its tables, so that it cannot say anything else than the code does.

`python -m dissco_platform.opends.docs > docs/opends.md` writes it; a test compares.
"""

from pathlib import Path

from dissco_platform.opends import vocabularies
from dissco_platform.opends.identifiers import SCHEMES
from dissco_platform.opends.mapping import LIST_KEYS, Mapping, load_mapping
from dissco_platform.opends.mids import ELEMENTS
from dissco_platform.opends.terms import model
from dissco_platform.opends.transforms import TRANSFORMS

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"

# Rows of openDS's published mappings (SSSOM, data-mapping 0.4.0) whose source no rule reads, and why.
NOT_READ: dict[str, str] = {
    "eml:license": "the dataset's licence comes from its settings, where no record states one",
    "eml:title": "read as dataset:title",
    "dwca:ID": "identifies a row of the archive, not the specimen",
    "dwc:chronometricAgeDeterminedBy": "misspelt prefix; chrono:chronometricAgeDeterminedBy is read",
    "abcd:comment/value": "an ABCD path in the Darwin Core table; ac:comments is read",
    "dwc:discipline": "topicDiscipline follows from the accepted classification and basisOfRecord",
    "dwc:institutionID": "ods:organisationID is a setting of the dataset, checked when it is enrolled",
    "dwc:feedbackURL": "openDS has no term for it",
    "dwc.referenceID": "misspelt; dwc:referenceID is read",
    "dwc:subjectResourceID": "joins the row to its record",
    "xap:CreateDate": "read as xmp:CreateDate",
}

# Terms that no document of ours has: class and terms (none: all of the class), why, and who says so.
NOT_MADE: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("ods:DigitalMedia ods:hasMediaDerivatives", "ods:MediaDerivative *"),
        "derivatives are made of an image by openDS's media derivative service; the platform keeps addresses, no images",
        "digital-media 0.5.0; dissco-core-media-derivative",
    ),
    (
        ("ods:RelatedPID schema:identifier",),
        "names data mappings, source systems and machine annotation services; specimens and media have dcterms:identifier",
        "tombstone-metadata 0.4.0",
    ),
)

# Where openDS's own example documents do not fit openDS's own schemas.
EXAMPLE_FAULTS: tuple[tuple[str, str], ...] = (
    ("ods:status", "`ods:Active` for `Active`"),
    ("ods:hasAgents/@type", "`schema:SoftwareAgent`, which is not in the list (`schema:SoftwareApplication` is)"),
    (
        "ods:hasEntityRelationships",
        "`dwc:relatedResourceURI` for `ods:relatedResourceURI`, or no `dwc:relatedResourceID`",
    ),
    ("ods:identificationType", "`ods:TaxonIdentification` for `TaxonIdentification`"),
    ("ods:hasTaxonIdentifications", "`ods:scientificNameHtmlLabel` for `ods:scientificNameHTMLLabel`"),
    ("ods:hasEvents", "a location in place of an event; `dwc:hasGeologicalContext` for `ods:hasGeologicalContext`"),
    ("ods:hasSpecimenParts", "`dwc:hasSpecimenParts`"),
    ("ods:hasTombstoneMetadata", "`ods:hasRelatedPID` for `ods:hasRelatedPIDs`"),
)

INTRODUCTION = """# openDS: from parsed tables to documents

This page is generated from the tables of `dissco_platform/opends` (`python -m dissco_platform.opends.docs`).

A record of a parsed archive becomes one **Digital Specimen** (openDS 0.4.0) and its media become **Digital Media**
(0.5.0). Mappings say which column feeds which term; transforms and vocabularies say what a value means; the model says
what a document may hold. Identifiers, versions, dates and links between specimens and media are stamped at publication.

## Mappings

`mappings/dwc.yaml`, `mappings/abcd.yaml` and `mappings/dwc-dp.yaml` hold, for each openDS class and parsed table, where
each term comes from. A dataset's own file holds only what differs:

```yaml
ods:DigitalSpecimen:            # class
  records:                      # parsed table
    dwc:disposition: dwc:disposition                  # a column
    dwc:preparations: [dwc:preparations, verbatim:prep]   # the first that has a value
    dwc:organismName:
      from:
        - {column: dwc:fieldNotes, when: {dwc:collectionCode: [A, B]}}   # only where a column holds one of these
        - {columns: [dwc:genus, dwc:specificEpithet], transform: {concat: {separator: ' '}}}
      values: {I: in collection}    # written value (any case) to value
      default: unknown              # fills what is still empty
    ods:physicalSpecimenIDType: {constant: Global}    # stands above everything that is written
ods:Event:
  records:
    dwc:sex:                        # empty: the term is taken out
    ods:hasAgents:
      - {role: collector, names: dwc:recordedBy, ids: dwc:recordedByID}
```

Keys of a rule: `from`, `transform`, `vocabulary`, `values`, `when`, `default`, `constant`, `join`, `unmatched` (`keep` or
`drop` values that the vocabulary does not know). A dataset's rule replaces the base's key by key; a file may say
`extends: other.yaml`. Lists of agents, identifiers, relationships, citations and assertions are made from columns of the
same row by entries such as the one above; their keys are listed below. A mapping is checked when it is loaded; an error
names file, line, what is allowed and what may have been meant.

- `dissco mapping check [SLUG]`: that the files are right; of a dataset, the columns that nothing reads, and those that its
  own rules name and its archive has not.
- `dissco mapping preview SLUG`: what the files as they stand would change: specimens, media, terms, an example of each kind
  of change, MIDS levels, rejects, refused and unknown values, DOI only. It builds twice in a temporary folder and throws both
  away. Of a larger dataset 100,000 records from all over it are looked at (about ten seconds of CPU for each of the two
  mappings, with media and identifications), with `--all` every one.
- `dissco mapping explain SLUG TERM`: which columns feed a term, how often it is filled, its commonest values, those that its
  vocabulary does not know, placeholders.
- `dissco mapping unmatched SLUG`: values that no vocabulary knows, and the file that would teach them.

## What is decided

- **Identity**: occurrenceID, catalogNumber, materialSampleID, materialEntityID, the first that is filled. Its type is read
  from its form (table of schemes below); a constant in the dataset's mapping overrides it.
- **Rejects**: `missing_identifier`, `duplicate_identifier` (the first record keeps it), `not_a_specimen` (basisOfRecord
  says observation, citation or occurrence), `invalid_document` (with path and reason). Records = specimens + rejects.
- Every new or changed document fits the JSON Schema of its class. A document is text put together from columns, so most
  of what the schema asks is known by construction or asked of the columns: keys are the model's, types the columns',
  required terms filled, and each distinct value of a constrained term is given to the schema of that term. An object of
  which this cannot be said carries a mark into its document; a document with a mark is parsed and validated whole, and
  the schema's own verdict and reason count (`opends/doubts.py`). All rules of a class cost at most 0.6 µs of CPU a record
  (`python -m benchmarks.opends.rules`); `benchmarks/opends/validate.py` holds every document of real archives to the
  official schemas.
- **Memory is bounded**: records are rendered ten thousand at a time, two batches at once while one is stored and one
  read; what must be sorted or merged goes to disk in ranges of identifiers of one size, whose borders come from a sample
  taken all over the file (`opends/borders.py`, `opends/spill.py`). `python -m benchmarks.opends.memory` builds one and
  ten million records and fails above 1.5 GiB; ten million took 1,304 MiB, one million 1,048 MiB; one million with 1.3
  million media took 1,372 MiB.
- **Typed tables**: `dissco export SLUG --format parquet -o FOLDER` writes documents with one typed column a term and nested
  objects as structs; types, obligations and what the schema asks of a value come from the model (`opends/typed.py`).
- **Full or DOI only**: the dataset's choice (`dataset`); else the record's licence, else the dataset's. CC0, CC BY (any
  version), public domain, PDDL and ODC-By are open. Others: `licence_not_open`, `licence_not_understood`, `no_licence`.
  Media are judged by their own licence in the same way, which never decides the specimen's.
- **Accepted identification**: what a status or flag says (`status`), else the core record's own (`core record`), else the
  latest date (`latest date`), else the first (`first in file`); kept in `accepted_by`.
- **Names**: the name as written stays; the matched name stands beside it as a second TaxonIdentification. A match to a
  higher taxon never replaces the specimen's name.
- **Vocabularies**: the concept stands in the term; what was written in other words stands beside it as an assertion
  `verbatim <term>`. A value that no table knows stays as it is and is counted for curators.
- **Dates** are never more precise than written: `02/01/1930` without a stated order is `1930`; `verbatimEventDate` keeps
  what was written. Coordinates outside their range with the other cell inside it are read as swapped. eventDate, year,
  month, day and the days of the year are read off one date: what the cells state, made more precise by a verbatim date
  that lies inside it, and left as it is by one that contradicts it. Two-digit years, days without a year, "before 1900" and
  "1903 or 1904" say no date. All of the peers' cases of dates, coordinates, elevation and depth are read as they say but one:
  `01/03/1930T12:01` under the format day/month/year is refused there and read with its time here (`date-123`).
- **Elevations** with one end alone (`<100 m`, `up to 300 m`) have no lowest or highest value; `3-4000 ft` is 3,000 to 4,000 ft
  (the first end leaves out the zeros of the second, its neighbour), `2.500 m` is 2,500 m. **Coordinates**: grid references
  (`67515, 57681`) stay verbatim; `O` beside a number is east (Ost), `LO` is west (longitud oeste).
- **Placeholders** (`NA`, `N/A`, `unknown`, `-`, `0000-00-00` …; one table, `placeholders.py`) are no values: the rule's next
  column is heard, and the report counts them by column. Licences, ISO country codes and what a vocabulary knows stay.
- **Countries** are also read misspelt, cut short, in any order of their words (`Borneo, North`), with the points of initials
  (`U. S. A.`), by an island, a former name, a state or a city, and beside a sea, a former union or the state that a territory
  belongs to (`USSR, Ukraine`; `Greenland (Denmark)`); a value that names two countries, a sea or a continent names none. What
  was written stays in dwc:country. Names of states that were divided since (USSR, Czechoslovakia, Netherlands Antilles,
  Indochina, Korea) are left open; Persia, Siam and their like are their successors.
- **Geological time** is read in whatever language the name is formed (`Zanclium`, `Frühe Kreide`, `晚三叠世`). Where the
  International Chronostratigraphic Chart has a name for an early, middle or late part (Upper Permian: Lopingian) it is taken;
  where it has none (Late Silurian, Early Pleistocene) the whole is.
- **Types**: "not a type" is no type status: isMarkedAsType is false, and what was written stands in an assertion.
- **Parts**: a material of a data package that is part of another (`isPartOfMaterialEntityID`) and has no registration
  number or DOI of its own is told in its whole's `ods:hasSpecimenParts`, with the identifications, assertions, agents,
  identifiers and ages that name it and the event at which it was taken; one that has its own is a specimen, related to its
  whole by `isPartOf`. GGBN rows (samples, preparations) are parts too. A part that is identified has name and topics of its
  own; the others are what their specimen is.
- **Ages** of a data package hang on an event: they date all that was collected then, or the one material that they name.
- **Events**: a record that says nothing about its gathering (no place, date, collector, sex …) has no event.
- **Sex** is read word by word (`vocabularies/sexes.py`): counts (`2 males, 3 females`, `M5 F10`), several specimens, marks of
  age around the word. A mark of doubt, two sexes joined by "or" or contradicting each other (`M [=F]`) are indeterminate;
  both of a lot are mixed; none of a sex is none of it; a stage or size written as a sex is indeterminate.
- **Read so**: a stage finer than juvenile, larva or adult (nestling, tadpole, neonate, flowering) is a concept with the wider
  one as its parent; a text that names two times ("Givetian or Late Devonian") names none. A word of seven letters or more
  may have one letter wrong in stages and types.
- **Not read, and why**: lists of labels that GBIF keeps are read as GBIF reads them for 97 % of 1,158 sexes, 98 % of 86 life
  stages and 97 % of 92 type statuses. What differs: GBIF calls `male/female (on label)` mixed where we say indeterminate,
  lists `Pullus` under nestling and fledgling, reads `Figured` as iconotype (it is supplementary material) and `2M 2J` as
  mixed; broken text (`MaÃ£Â`) and codes of one collection (`MACHP`, `Fn.`) stay for curators. Of 2,353 labels of countries
  to which GBIF gives one we give the same to 95 %; the rest are codes of two or three letters that begin several names
  (`GUA`, `TAN`), misprints beyond two letters, islets no gazetteer we used names, two countries in one cell and New Guinea
  without a side. Of 594 labels to which GBIF gives none we name a country for 71: old names with one successor (Abyssinia,
  Persia, East Prussia), parts of a country (Malay Peninsula) and misspellings.
- **Institutions** go by the name given when the dataset was added, else ROR's (dump or API), else the publisher's, else
  the records' institution code.
"""


def not_made() -> list[str]:
    """Return `class term` of each term that no document has, in the model's order."""
    named = {one for terms, _, _ in NOT_MADE for one in terms}
    return [
        f"{owner} {name}"
        for owner, terms in model().classes.items()
        for name in terms
        if f"{owner} {name}" in named or f"{owner} *" in named
    ]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines.extend("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)
    return "\n".join(lines)


def _sources(mapping: Mapping, owner: str, term: str) -> str:
    columns = [column for _, column in mapping.columns_of(owner, term)]
    return ", ".join(dict.fromkeys(columns))


def page() -> str:
    """Return the page as Markdown."""
    parts = [INTRODUCTION, "## Transforms\n"]
    parts.append(
        _table(
            ("name", "takes", "gives", "parameters"),
            [
                (
                    one.name,
                    "one column" if one.inputs == 1 else "one or more columns",
                    one.summary,
                    "; ".join(f"{name}: {text}" for name, text in one.parameters.items()),
                )
                for one in TRANSFORMS.values()
            ],
        )
    )
    parts.append("\n## Entries of lists\n")
    parts.append(
        _table(
            ("makes", "must have", "may have"),
            [
                (owner, ", ".join(sorted(must)), ", ".join(sorted(may - must)))
                for owner, (must, may) in LIST_KEYS.items()
            ],
        )
    )
    parts.append(
        "\n`split` gives the marks that part a list; `status` the identifier's; `label` the column with the label's text"
        " (whether the identifier stands on it); `unit` that of a value; `vocabulary` the one whose concept is taken;"
        " `pattern` a regular expression whose first group is taken.\n"
    )
    parts.append("\n## Vocabularies\n\nCurators add labels in `mappings/vocabularies/<name>.tsv` (same columns).\n")
    tables = [vocabularies.load(name) for name in vocabularies.names()]
    parts.append(
        _table(
            ("name", "concepts", "labels", "source"),
            [(one.name, str(len(one.concepts)), str(len(one.labels)), one.source) for one in tables],
        )
    )
    parts.append("\n## Schemes of identifiers\n\nThe first that fits; anything else is a locally unique identifier.\n")
    parts.append(
        _table(
            ("pattern", "dcterms:type", "gupriLevel", "physicalSpecimenIDType"),
            [
                (f"`{one.pattern}`", one.type, one.gupri, "Resolvable" if one.resolvable else "Global")
                for one in SCHEMES
            ],
        )
    )
    parts.append(
        "\n## MIDS\n\nA level is reached when every element of it and of the levels below is given (TDWG MIDS mappings,"
        " 2026-04-30); an element is given by any of its alternatives, of which all columns must be filled.\n"
    )
    parts.append(
        _table(
            ("level", "element", "disciplines", "alternatives"),
            [
                (
                    str(one.level),
                    one.name,
                    ", ".join(one.disciplines),
                    "; ".join(" + ".join(a) for a in one.alternatives),
                )
                for one in ELEMENTS
            ],
        )
    )
    parts.append(
        "\nopenDS's own reading (the existing processor) differs: it asks for dwc:fieldNumber alone as collecting number, for a"
        " known type status of geological and palaeontological specimens at level 2, for no media identifier at level 3,"
        " and gives specimens without a known discipline, fungi, algae and protists among them, never more than level 1."
        " Geology's `Mass` (level 3) has no mapping in the standard, so nobody is held back by it.\n"
    )
    parts.append("## openDS's published mappings\n\nEvery row is read by a rule, but for these:\n")
    parts.append(_table(("source", "why no rule reads it"), list(NOT_READ.items())))
    parts.append("\n## openDS's own examples\n\nThey do not fit the schemas in these places:\n")
    parts.append(_table(("where", "what"), list(EXAMPLE_FAULTS)))
    parts.append(
        "\n## Terms that no document has\n\nAll others stand in documents that a test builds from archives"
        " (`tests/opends/test_terms.py`).\n"
    )
    parts.append(
        _table(
            ("terms", "why", "source"),
            [
                (
                    ", ".join(
                        f"`{one}`"
                        if not one.endswith(" *")
                        else ", ".join(f"`{x}`" for x in not_made() if x.startswith(one[:-1]))
                        for one in terms
                    ),
                    why,
                    source,
                )
                for terms, why, source in NOT_MADE
            ],
        )
    )
    parts.append("\n## The model\n\nSources are the columns of the base mappings, in order of precedence.\n")
    darwin, abcd = load_mapping(MAPPINGS / "dwc.yaml"), load_mapping(MAPPINGS / "abcd.yaml")
    rows = model().describe()
    for owner in model().classes:
        parts.append(f"### {owner}\n")
        parts.append(
            _table(
                ("term", "type", "obligation", "values", "filled by", "Darwin Core", "ABCD"),
                [
                    (
                        row["term"],
                        row["type"],
                        row["obligation"],
                        row["values"],
                        row["filled by"],
                        _sources(darwin, owner, row["term"]),
                        _sources(abcd, owner, row["term"]),
                    )
                    for row in rows
                    if row["class"] == owner
                ],
            )
        )
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
