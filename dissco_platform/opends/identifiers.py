"""What kind of identifier a text is: scheme, persistence level, and whether it is resolvable, global or local.

All as expressions over columns. When two records are one specimen is decided in `identity/keys.py`.

Sources: openDS identifier.json 0.4.0 (dcterms:type, ods:gupriLevel); ISO 26324 (DOI), RFC 9562 (UUID), RFC 8141 (URN),
ARK (draft-kunze-ark), IGSN, ISO 7064 MOD 11-2 (ORCID), ROR documentation (MOD 97-10 over base 32).
"""

import re
from dataclasses import dataclass

import polars as pl

LOCAL = "LocallyUniqueStable"
GLOBAL = "GloballyUniqueStable"
RESOLVABLE = "GloballyUniqueStableResolvable"
PERSISTENT = "GloballyUniqueStablePersistentResolvable"
FDO = "GloballyUniqueStablePersistentResolvableFDOCompliant"
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme: pattern of the whole identifier, openDS `dcterms:type`, GUPRI level, resolvable over HTTP as written.

    `place`, of a scheme of addresses: a part that none of its addresses lacks, in whatever case; those that have the part of
    no scheme are plain URLs.
    """

    pattern: str
    type: str
    gupri: str
    resolvable: bool
    place: str = ""


# First match wins. A bare DOI, handle or ARK is persistent but not a link as written: Global, not Resolvable.
SCHEMES: tuple[Scheme, ...] = (
    Scheme(r"^(?i)https?://(?:dx\.)?doi\.org/10\.3535/", "DOI", FDO, True, r"doi\.org"),
    Scheme(r"^(?i)https?://(?:dx\.)?doi\.org/10\.\d", "DOI", PERSISTENT, True, r"doi\.org"),
    Scheme(r"^(?i)(?:doi:\s*)?10\.\d{4,9}/\S+$", "DOI", PERSISTENT, False),
    Scheme(
        r"^(?i)https?://(?:hdl\.handle\.net|doi\.org|n2t\.net/hdl:)/?\S+$", "Handle", PERSISTENT, True,
        r"hdl\.handle\.net|doi\.org|n2t\.net",
    ),
    Scheme(r"^(?i)hdl:\S+$", "Handle", PERSISTENT, False),
    Scheme(r"^(?i)https?://\S+/ark:/?\d{5}", "ARK", PERSISTENT, True, r"/ark:"),
    Scheme(r"^(?i)ark:/?\d{5}", "ARK", PERSISTENT, False),
    Scheme(r"^(?i)https?://(?:www\.)?purl\.(?:org|oclc\.org)/", "PURL", PERSISTENT, True, r"purl\."),
    Scheme(r"^(?i)https?://w3id\.org/", "w3id", PERSISTENT, True, r"w3id\.org"),
    Scheme(r"^(?i)https?://(?:www\.)?igsn\.org/", "IGSN", PERSISTENT, True, r"igsn\.org"),
    Scheme(r"^(?i)igsn:\s*\S+$", "IGSN", PERSISTENT, False),
    Scheme(r"^(?i)https?://\S+urn:lsid:", "LSID", RESOLVABLE, True, r"urn:lsid:"),
    Scheme(r"^(?i)urn:lsid:\S+$", "LSID", GLOBAL, False),
    Scheme(rf"^(?i)(?:urn:uuid:)?\{{?{_UUID}\}}?$", "UUID", GLOBAL, False),
    Scheme(
        r"^(?i)https?://(?:www\.|m\.)?(?:wikidata\.org|orcid\.org|ror\.org)/", "URL", PERSISTENT, True,
        r"wikidata\.org|orcid\.org|ror\.org",
    ),
    Scheme(r"^(?i)https?://[^\s/]+\.[^\s/]+/.+$", "URL", RESOLVABLE, True),
    Scheme(r"^(?i)urn:[a-z0-9-]+:\S+$", "URN", GLOBAL, False),
)  # fmt: skip


# An address with none of these is a plain URL; any character beyond ASCII may be an odd letter of one.
_PLACES = r"[^\x00-\x7f]|(?i-u)" + "|".join(dict.fromkeys(one.place for one in SCHEMES if one.place))
_URL = next(at for at, one in enumerate(SCHEMES) if one.type == "URL" and one.gupri == RESOLVABLE)
_BARE = next(at for at, one in enumerate(SCHEMES) if one.type == "UUID")  # of which no scheme before it has any


def scheme_of(identifier: pl.Expr) -> pl.Expr:
    """Return the position of an identifier's scheme in SCHEMES, or their number where it is locally unique.

    Most catalogue numbers have neither colon nor slash, most addresses are of no known place: these and UUIDs are tried on
    their own pattern alone, the others on each.
    """
    return identifier.map_batches(_schemes, return_dtype=pl.UInt8)


def _schemes(identifiers: pl.Series) -> pl.Series:
    text = pl.col("text")
    local = pl.lit(len(SCHEMES), dtype=pl.UInt8)
    frame = identifiers.alias("text").to_frame().with_columns(text.str.contains(r"[:/]|-.{4}-").alias("likely"))
    result = frame.select(pl.when("likely").then(None).when(text.is_not_null()).then(local).alias("scheme"))["scheme"]
    likely = frame["likely"].arg_true()
    if likely.is_empty():
        return result
    url = text.str.contains(SCHEMES[_URL].pattern) & ~text.str.contains(_PLACES)
    asked = frame.filter("likely").with_columns(
        pl.when(url).then(pl.lit(_URL, dtype=pl.UInt8))
        .when(text.str.contains(SCHEMES[_BARE].pattern)).then(pl.lit(_BARE, dtype=pl.UInt8)).alias("scheme")
    )  # fmt: skip
    found = asked["scheme"]
    others = asked.filter(pl.col("scheme").is_null())
    if others.height:
        chain = local
        for position in range(len(SCHEMES) - 1, -1, -1):
            hit = text.str.contains(SCHEMES[position].pattern)
            chain = pl.when(hit).then(pl.lit(position, dtype=pl.UInt8)).otherwise(chain)
        found = found.scatter(found.is_null().arg_true(), others.select(chain.alias("scheme"))["scheme"])
    return result.scatter(likely, found)


def by_scheme(scheme: pl.Expr, values: list[str]) -> pl.Expr:
    """Return what belongs to a scheme's position: one value for each of SCHEMES, and the last for local identifiers."""
    positions = pl.Series(range(len(values)), dtype=pl.UInt8)
    return scheme.replace_strict(positions, pl.Series(values, dtype=pl.String), default=None, return_dtype=pl.String)


def scheme_types() -> list[str]:
    """Return openDS `dcterms:type` by a scheme's position; the last is that of local identifiers."""
    return [*(one.type for one in SCHEMES), "Locally unique identifier"]


def scheme_gupris() -> list[str]:
    """Return `ods:gupriLevel` by a scheme's position; the last is that of local identifiers."""
    return [*(one.gupri for one in SCHEMES), LOCAL]


def scheme_type(scheme: pl.Expr) -> pl.Expr:
    """Return openDS `dcterms:type` of a scheme's position."""
    return by_scheme(scheme, scheme_types())


def scheme_gupri(scheme: pl.Expr) -> pl.Expr:
    """Return `ods:gupriLevel` of a scheme's position."""
    return by_scheme(scheme, scheme_gupris())


def identifier_type(identifier: pl.Expr) -> pl.Expr:
    """Return openDS `dcterms:type` of an identifier column (DOI, Handle, UUID, … Locally unique identifier)."""
    return scheme_type(scheme_of(identifier))


def gupri_level(identifier: pl.Expr) -> pl.Expr:
    """Return `ods:gupriLevel` of an identifier column."""
    return scheme_gupri(scheme_of(identifier))


def physical_id_type(identifier: pl.Expr, institution_code: pl.Expr | None = None) -> pl.Expr:
    """Return `ods:physicalSpecimenIDType`: Resolvable, Global or Local.

    A triplet that begins with the institution's own code (`MNHN:IU:2009-11`) is Global, any other plain text is Local.
    """
    kinds = [*("Resolvable" if one.resolvable else "Global" for one in SCHEMES), "Local"]
    kind = by_scheme(scheme_of(identifier), kinds)
    if institution_code is None:
        return kind
    own = identifier.str.starts_with(pl.concat_str([institution_code, pl.lit(":")]))
    triplet = (identifier.str.count_matches(":", literal=True) == 2) & own
    return pl.when((kind == "Local") & triplet.fill_null(value=False)).then(pl.lit("Global")).otherwise(kind)


_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_ROR = re.compile(r"^https?://ror\.org/(0[a-hj-km-np-tv-z0-9]{6})(\d\d)$")
_WIKIDATA = re.compile(r"^https?://(?:www\.|m\.)?wikidata\.org/(?:wiki|entity)/(Q[1-9]\d*)$")
_ORCID = re.compile(
    r"(?:https?://)?(?:www\.)?(?:orcid\.org/|orcid:?\s*)?(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dXx])$", re.I
)


def normalised_organisation_id(text: str) -> str | None:
    """Return a ROR or Wikidata identifier in its canonical form, None where it is neither or its checksum fails.

    ROR: the last two digits are MOD 97-10 over the base-32 number before them. Wikidata: `…/wiki/Q…` (openDS pattern).
    """
    text = text.strip().rstrip("/")
    if match := _ROR.match(text.lower()):
        number = 0
        for character in match[1]:
            number = number * 32 + _CROCKFORD.index(character)
        return (
            f"https://ror.org/{match[1]}{match[2]}" if (98 - (number * 100) % 97) % 97 == int(match[2]) % 97 else None
        )
    if match := _WIKIDATA.match(text):
        return f"https://www.wikidata.org/wiki/{match[1]}"
    return None


def normalised_orcid(text: str) -> str | None:
    """Return `https://orcid.org/…` where the text is an ORCID with a right check digit (ISO 7064 MOD 11-2)."""
    match = _ORCID.match(text.strip())
    if not match:
        return None
    digits = "".join(match.groups()).upper()
    total = 0
    for digit in digits[:15]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if digits[15] != ("X" if check == 10 else str(check)):
        return None
    return "https://orcid.org/" + "-".join(digits[start : start + 4] for start in range(0, 16, 4))
