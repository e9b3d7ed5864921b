"""Identifiers of hosting institutions: ROR with its checksum, Wikidata where there is no ROR.

Sources: ROR schema 2.1 (pattern; last two digits are ISO 7064 modulo 97-10 over the Crockford base-32 number before
them); openDS DigitalSpecimen 0.4.0, ods:organisationID (the two address forms).
"""

import re

from dissco_platform.errors import UsageError

_ROR = re.compile(r"(?:https?://)?(?:www\.)?(?:ror\.org/)?(0[a-hj-km-np-tv-z0-9]{6}[0-9]{2})/?", re.IGNORECASE)
_WIKIDATA = re.compile(r"(?:https?://)?(?:www\.)?(?:wikidata\.org/(?:wiki|entity)/)?(Q[1-9][0-9]*)", re.IGNORECASE)
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def organisation_id(text: str) -> str:
    """Return the identifier in the form that openDS asks for.

    Raises:
        UsageError: it is neither a ROR (with a right checksum) nor a Wikidata id.
    """
    stripped = text.strip()
    if ror := _ROR.fullmatch(stripped):
        code = ror[1].lower()
        if not ror_checksum_fits(code):
            raise UsageError(f"{text} is not a ROR: its check digits do not fit; look the institution up at ror.org.")
        return f"https://ror.org/{code}"
    if wikidata := _WIKIDATA.fullmatch(stripped):
        return f"https://www.wikidata.org/wiki/{wikidata[1].upper()}"
    raise UsageError(
        f"'{text}' is not an organisation id: give a ROR (https://ror.org/0566bfb96) or, where the institution has "
        "none, a Wikidata id (https://www.wikidata.org/wiki/Q641676)."
    )


def ror_checksum_fits(code: str) -> bool:
    """Say whether the last two digits of a ROR code check the seven symbols before them."""
    number = 0
    for symbol in code[:7]:
        number = number * 32 + _CROCKFORD.index(symbol)
    return 98 - (number * 100) % 97 == int(code[7:])
