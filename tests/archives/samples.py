"""Archives in words: descriptors, rows and metadata that the tests put together."""

DWC = "http://rs.tdwg.org/dwc/terms/"
TERMS = ("occurrenceID", "catalogNumber", "scientificName", "locality")
EML = """<?xml version="1.0"?><eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1" packageId="abc/v1.7">
<dataset><title>Beetles</title><creator><organizationName>Museum</organizationName></creator>
<intellectualRights><para><ulink url="http://creativecommons.org/publicdomain/zero/1.0/legalcode"/></para>
</intellectualRights></dataset></eml:eml>"""


def meta(
    row_type: str = DWC + "Occurrence",
    *,
    file: str = "occurrence.txt",
    terms: tuple[str, ...] = TERMS,
    header_lines: int = 1,
    attributes: str = 'fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" encoding="UTF-8"',
    extra: str = "",
    extensions: str = "",
) -> str:
    """Return a descriptor: an id in column 0 and the terms after it."""
    fields = "".join(f'<field index="{i + 1}" term="{DWC}{t}"/>' for i, t in enumerate(terms))
    locations = "".join(f"<location>{one}</location>" for one in file.split("|"))
    return (
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml"><core {attributes} '
        f'ignoreHeaderLines="{header_lines}" rowType="{row_type}"><files>{locations}</files><id index="0"/>'
        f"{fields}{extra}</core>{extensions}</archive>"
    )


def extension(row_type: str, file: str, terms: tuple[str, ...], namespace: str = DWC) -> str:
    """Return an extension of a descriptor: a coreid in column 0 and the terms after it."""
    fields = "".join(f'<field index="{i + 1}" term="{namespace}{t}"/>' for i, t in enumerate(terms))
    return (
        '<extension fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1" '
        f'rowType="{row_type}"><files><location>{file}</location></files><coreid index="0"/>{fields}</extension>'
    )


def tsv(*rows: str, header: str = "id\toccurrenceID\tcatalogNumber\tscientificName\tlocality") -> str:
    """Return lines with a header."""
    return "\n".join((header, *rows)) + "\n"


GOOD = tuple(f"{i}\tocc-{i}\tM.{i}\tAus bus\tplace {i}" for i in range(1, 41))
