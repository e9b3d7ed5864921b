"""Canonical names as gnparser's grammar reads them: rules on invented names, section by section."""

import time

import pytest

from dissco_platform.names.parser import parse_name

CASES = """
## uninomials and combinations of two
Aus Smith, 1900 | Aus
Aus (Bus) Smith, 1900 | Bus
Aus (Hooker) Smith | Aus
Aus (Smith & Jones) Brown | Aus
Aus subgen. Bus Smith | Bus
Aus L. subsect. Bus L. | Bus
subgen. Aus Smith | Aus
Aus trib. Bus | Bus
Aus nothosect. Bus | Bus
## subgenera and superspecies
Aus (Bus) cus Smith, 1900 | Aus cus
Aus (B.) cus | Aus cus
Aus ( Bus ) cus | Aus cus
Aus (bus) cus | Aus cus
Aus(Bus) cus | Aus cus
A. (Bus) cus | A. cus
## infraspecific names, with and without ranks
Aus bus cus | Aus bus cus
Aus bus cus dus | Aus bus cus dus
Aus bus cus dus eus fus | Aus bus cus dus eus
Aus bus L. subsp. cus (Mill.) DC. var. dus Hook. f. f. eus | Aus bus cus dus eus
Aus bus var.cus | Aus bus cus
Aus bus natio cus | Aus bus cus
Aus bus nat. cus | Aus bus cus
Aus bus varietas cus | Aus bus varietas cus
Aus bus pv. cus (Okabe 1933) Young et al. 1978 | Aus bus cus
Aus bus f. sp. cus | Aus bus
Aus bus α cus | Aus bus cus
Aus bus var. β. cus | Aus bus cus
Aus bus * cus | Aus bus cus
Aus bus agamosp. cus | Aus bus cus
Aus bus serovar Cusium | Aus bus
## hybrids
×Aus bus | Aus bus
x Aus bus | Aus bus
Aus × bus Smith | Aus bus
Aus bus nothosubsp. cus | Aus bus cus
Aus bus × cus | Aus bus × Aus cus
Aus bus L. x A. cus L. | Aus bus × Aus cus
Aus bus × Cus dus × eus | Aus bus × Cus dus × Aus eus
Aus bus × | Aus bus ×
Aus bus × sp. | Aus bus ×
Aus X Cus dus | Aus × Cus dus
## open nomenclature
Aus cf. bus | Aus bus
Aus bus cf. cus | Aus bus cus
Aus aff. bus | Aus
Aus bus aff. cus | Aus bus
Aus sp. nr. bus | Aus
Aus spp. | Aus
Aus bus sp. nov. | Aus bus
Aus bus indet. | Aus bus
Aus bus? | Aus
Aus ?bus | Aus
## authors
Aus bus Hook.f. | Aus bus
Aus bus Hook. f. var. cus Smith f. | Aus bus cus
Aus bus f. cus Smith | Aus bus cus
Aus bus (Smith ex Jones) Brown in White, 1900 | Aus bus
Aus bus d'Orbigny, 1850 | Aus bus
Aus bus van der Smith, 1900 | Aus bus
Aus bus los Rios & Zuñiga, 2008 | Aus bus
Aus bus de la Torre y Callejas | Aus bus
Aus bus al-Rashid, 2001 | Aus bus
Aus bus Smith & al., 1900 cus | Aus bus cus
Aus bus O'Brien cus | Aus bus cus
Aus bus Müll.Arg. ex J.-E. Smith | Aus bus
Aus bus SMITH, 1900 | Aus bus
Aus bus Cus dus | Aus bus dus
Aus bus (Smith, 1900 | Aus bus
Aus bus Smith, [1900] cus | Aus bus cus
Aus bus Smith 1858/59 | Aus bus
Aus bus (Smith) (Jones) | Aus bus
Aus van Bus | Aus
Odontella do Najt & Weiner | Odontella do
Aus complex Smith, 1931 | Aus complex
## annotations and tails
Aus bus sensu Smith | Aus bus
Aus bus auct. non L. | Aus bus
Aus bus s. str. | Aus bus
Aus bus (s.l.) | Aus bus
Aus bus Smith nom. nud. | Aus bus
Aus bus, comb. nov. | Aus bus
Aus bus p.p. | Aus bus
Aus bus species complex | Aus bus
Aus bus group | Aus bus
Aus bus var | Aus bus
Aus bus [sic] Smith | Aus bus
Aus bus/cus | Aus
Aus bus, cus | Aus
Aus (Bus cus) dus | Aus
Aus bus #1 | Aus bus
## words
Saxo-Fridericia bus | Saxo-fridericia bus
De-Filippii Smith | De-filippii
Eu-aus bus | Eu-aus bus
Aus novae-zelandiae | Aus novae-zelandiae
Aus st.-johannis | Aus st-johannis
Aus c-nigrum | Aus c-nigrum
Aus d'urvilleana | Aus durvilleana
Aus 4-punctatus | Aus quadripunctatus
Aus 22-guttata | Aus vigintiduoguttata
Aus 29-punctata | Aus 29punctata
Aëaus coïbus | Aeaus coibus
Œaus æbus | Oeaus aebus
Aus buſs | Aus buss
Aus Đinhi | Aus
Io bus | Io bus
†Aus bus | Aus bus
Aus_bus | Aus bus
Candidatus Aus bus | Aus bus
"""


def cases() -> list[tuple[str, str]]:
    lines = [line for line in CASES.splitlines() if line and not line.startswith("##")]
    return [(name, canonical) for name, _, canonical in (line.rpartition(" | ") for line in lines)]


@pytest.mark.parametrize(("verbatim", "canonical"), cases())
def test_the_canonical_name_is_gnparsers(verbatim: str, canonical: str) -> None:
    assert parse_name(verbatim).canonicalName == canonical


@pytest.mark.parametrize(
    "verbatim",
    [
        "Ab bus", "A.bus", "Aus/Bus", "FooBar bus", "Foo'bar cus", "Aus (Bus)cus", "Aus bus + Aus cus", "Aus: Bus",
        "Aus virus", "Bovine adenovirus Smith", "Aus phage X7", "Aus bus MNPV", "Aus bacterium", "Aus endosymbiont of Bus cus",
        "Not found", "Unidentified bus", "Aus incertae sedis", "Uncultured bacterium",
    ],
)  # fmt: skip
def test_what_gnparser_does_not_parse_has_no_canonical_name(verbatim: str) -> None:
    assert parse_name(verbatim).canonicalName is None


LONG = [
    "Aus bus " + "Smith & " * 1_200,
    "Aus bus " + "(" * 5_000 + "Smith",
    "Aus bus " + "van der " * 1_200,
    "Aus bus " + "f. " * 3_000,
    "Aus bus " + "ex Smith " * 1_000,
    "Aus " + "bus-" * 2_400,
    "Aus bus" + " " * 9_000 + "cus",
    "Aus bus " + "A." * 4_900,
    "Aus bus " + "1900 " * 1_900,
    "A" + "us(Bus) " * 1_200,
]


@pytest.mark.parametrize("name", LONG, ids=lambda text: text[:16])
def test_time_does_not_grow_faster_than_the_name(name: str) -> None:
    start = time.process_time()
    for _ in range(20):
        parse_name(name[:250])
    quarter = time.process_time() - start
    start = time.process_time()
    for _ in range(20):
        parse_name(name)
    whole = time.process_time() - start
    assert whole < 20 * 0.02
    assert whole < 8 * quarter + 0.05
