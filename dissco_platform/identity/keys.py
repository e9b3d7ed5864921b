"""When are two records one specimen, and two links one medium?

Normalisation, in full: Unicode NFC; zero-width characters, byte-order marks, C0/C1 controls removed; no-break spaces
become spaces; outer white space trimmed. Letter case is kept: catalogue numbers such as `a12` and `A12` do name
different specimens in some collections. Making DOIs from keys is `minting`, not here.
"""

from collections.abc import Callable

import polars as pl

# Zero-width space/joiners, word joiner, byte-order mark, soft hyphen, C0 and C1 controls.
_INVISIBLE = r"[\u{200B}-\u{200D}\u{2060}\u{FEFF}\u{00AD}\u{0000}-\u{001F}\u{007F}-\u{009F}]"
# Printable ASCII without white space at its ends; and an address in normal form already.
_PLAIN = r"^[!-~](?:[ -~]*[!-~])?$"
_PLAIN_URL = r"^https?://[a-z0-9.-]+(?:[/?][!\"$-~]*)?$"
_BLANKS = r"[\u{00A0}\u{2007}\u{202F}]"


def clean_identifier(identifier: pl.Expr) -> pl.Expr:
    """Return the identifier in the normal form described above; blank becomes null."""
    return _otherwise(identifier, _PLAIN, _cleaned)


def _cleaned(identifier: pl.Expr) -> pl.Expr:
    text = (
        identifier.str.replace_all(_INVISIBLE, "").str.replace_all(_BLANKS, " ").str.normalize("NFC").str.strip_chars()
    )
    return pl.when(text != "").then(text)


def _otherwise(column: pl.Expr, plain: str, change: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Return the column changed where it does not fit a pattern of what `change` leaves alone: nearly all fit."""

    def run(series: pl.Series) -> pl.Series:
        odd = ~series.str.contains(plain)
        if not odd.any():
            return series
        frame = series.alias("text").to_frame().with_columns(odd.fill_null(value=False).alias("odd"))
        changed = frame.filter("odd").select(change(pl.col("text")).alias("text"))["text"]
        return series.scatter(frame["odd"].arg_true(), changed)

    return column.map_batches(run, return_dtype=pl.String)


def normalised_physical_specimen_id(identifier: pl.Expr, identifier_type: pl.Expr, source_system_id: str) -> pl.Expr:
    """Return `ods:normalisedPhysicalSpecimenID` as a String expression.

    Global and Resolvable identifiers stand as they are. A Local one is scoped by the dataset's permanent source system
    (`RMNH.1:GEE-W3J-HL2`), never by the institution alone: botany 123 and zoology 123 of one museum are two specimens.

    Args:
        identifier: the physical specimen id.
        identifier_type: `Resolvable`, `Global` or `Local` (openDS 0.4.0, ods:physicalSpecimenIDType).
        source_system_id: the dataset's handle, `https://hdl.handle.net/20.5000.1025/XXX-XXX-XXX`.
    """
    scope = source_system_id.rsplit("/", 1)[-1]
    identifier = clean_identifier(identifier)
    return (
        pl.when(identifier_type == "Local").then(pl.concat_str([identifier, pl.lit(f":{scope}")])).otherwise(identifier)
    )


def normalised_media_url(url: pl.Expr) -> pl.Expr:
    """Return an access URI in the form that identifies the medium.

    Scheme and host in lower case, default port dropped, fragment dropped (RFC 3986, section 6.2.2–6.2.3); path and
    query stay as they are, since servers may tell them apart.
    """
    return _otherwise(url, _PLAIN_URL, _normalised_url)


def _normalised_url(url: pl.Expr) -> pl.Expr:
    url = _cleaned(url).str.replace(r"#.*$", "")
    head = url.str.extract(r"^([A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)", 1)
    tail = url.str.slice(head.str.len_chars())
    joined = pl.concat_str([head.str.to_lowercase(), tail])
    joined = joined.str.replace(r"^(https://[^/?#]+):443(?P<rest>[/?#]|$)", "$1$rest").str.replace(
        r"^(http://[^/?#]+):80(?P<rest>[/?#]|$)", "$1$rest"
    )
    return pl.when(head.is_null()).then(url).otherwise(joined)
