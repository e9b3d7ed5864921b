"""Which term a header cell names."""

import pytest

from dissco_platform.archives.terms import column_of, term_of


@pytest.mark.parametrize(
    ("header", "term"),
    [
        ("catalogNumber", "dwc:catalogNumber"),
        ("Catalog Number", "dwc:catalogNumber"),
        ("dwc:license", "dcterms:license"),
        ("http://rs.tdwg.org/dwc/terms/license", "dcterms:license"),
        ("dcterms:license", "dcterms:license"),
        ("dwc_catalogNumber", "dwc:catalogNumber"),
        ("dcterms_license", "dcterms:license"),
        ("dwc_rightsHolder", "dcterms:rightsHolder"),
        ("dwc_license_note", None),
        ("col_country", None),
        ("dwc:myColumn", "dwc:myColumn"),
    ],
)
def test_a_header_names_the_term_that_a_person_reads_in_it(header: str, term: str | None) -> None:
    assert term_of(header) == term
    assert column_of(header, 0) == (term or f"verbatim:{header}")
