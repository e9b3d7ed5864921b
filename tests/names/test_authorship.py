"""Are two citations of an author the same: abbreviations, initials, particles, years, brackets."""

import pytest

from dissco_platform.names.authorship import DIFFERENT, EQUAL, UNKNOWN, compare


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("L.", "Linnaeus, 1758", EQUAL),
        ("Linné", "Linnaeus", EQUAL),
        ("DC.", "de Candolle", EQUAL),
        ("Mill.", "Miller", EQUAL),
        ("Hook.", "Hook.f.", DIFFERENT),
        ("(L.) Mill.", "Mill.", EQUAL),
        ("Smith, 1900", "Smith, 1901", EQUAL),
        ("Smith, 1900", "Smith, 1925", DIFFERENT),
        ("A. Smith", "B. Smith", DIFFERENT),
        ("A.B. Smith", "A. Smith", EQUAL),
        ("Smith & Jones", "Smith et al.", EQUAL),
        ("Smith ex Jones", "Jones", EQUAL),
        ("Smith in Jones", "Smith", EQUAL),
        ("Müller, 1776", "Mueller, 1776", EQUAL),
        ("Muell.Arg.", "Müll. Arg.", EQUAL),
        ("Latreille, 1802", "Leach, 1815", DIFFERENT),
        ("Kirby, W.F., 1890", "W.F. Kirby, 1890", EQUAL),
        ("d'Orbigny, 1850", "Orbigny, 1850", EQUAL),
        ("DeGeer, 1773", "De Geer, 1773", EQUAL),
        ("LaGreca, 1940", "La Greca, 1940", EQUAL),
        ("van der Hoeven, 1850", "Hoeven, 1850", EQUAL),
        ("Nees", "Nees von Esenbeck", EQUAL),
        ("Fischer, 1806", "Fischer von Waldheim, 1806", EQUAL),
        ("O'Brien, 1900", "Brien, 1850", DIFFERENT),
        ("1823", "Say, 1823", EQUAL),
        ("1823", "Say", UNKNOWN),
        ("", "Say", UNKNOWN),
    ],
)
def test_two_citations(one: str, other: str, verdict: int) -> None:
    assert compare(one, other) == verdict
    assert compare(other, one) == verdict


def test_a_citation_of_any_length_and_shape_has_a_verdict() -> None:
    for odd in ("(" * 5_000, "& " * 5_000, "Smith " * 3_000, "d'" * 4_000, "1900" * 2_000):
        assert compare(odd, "Smith, 1900") in (EQUAL, UNKNOWN, DIFFERENT)
