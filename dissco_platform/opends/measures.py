"""Numbers with units: elevation, depth and other lengths as metres; plain numbers with either decimal sign.

Which column feeds them is in `mappings/`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

METRES: dict[str, float] = {
    # metre, in the spellings of labels
    "": 1.0, "m": 1.0, "mt": 1.0, "mts": 1.0, "mtr": 1.0, "mtrs": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0,
    "metres": 1.0, "metros": 1.0, "metro": 1.0, "metri": 1.0, "metern": 1.0,
    "mètre": 1.0, "mètres": 1.0, "м": 1.0, "米": 1.0, "masl": 1.0, "msnm": 1.0, "msm": 1.0,
    "mnn": 1.0, "moh": 1.0, "km": 1000.0, "kilometer": 1000.0, "kilometers": 1000.0, "kilometres": 1000.0,
    "cm": 0.01, "dm": 0.1, "mm": 0.001,
    # international foot, yard, fathom, mile (BIPM/NIST SP 811)
    "ft": 0.3048, "feet": 0.3048, "foot": 0.3048, "fuss": 0.3048,
    "fuß": 0.3048, "pieds": 0.3048, "pied": 0.3048, "pés": 0.3048, "piedi": 0.3048, "fot": 0.3048,
    "pies": 0.3048, "'": 0.3048, "f": 0.3048,
    "yd": 0.9144, "yds": 0.9144, "yard": 0.9144, "yards": 0.9144,
    "fm": 1.8288, "fms": 1.8288, "fth": 1.8288, "fathom": 1.8288, "fathoms": 1.8288, "fath": 1.8288,
    "ftm": 1.8288, "ftms": 1.8288, "faden": 1.8288, "brasses": 1.8288,
    "mi": 1609.344, "mile": 1609.344, "miles": 1609.344, "in": 0.0254, "inch": 0.0254, "inches": 0.0254,
}  # fmt: skip
HIGHEST_METRES = 17_000.0  # balloons and aircraft; nothing was collected higher
DEEPEST_METRES = 11_000.0  # Challenger Deep 10,935 m

_NUMBER = r"[+-]?\d{1,3}(?:[ '’.,]\d{3})+(?:[.,]\d+)?(?!\d)|[+-]?\d+(?:[.,]\d+)?"
_RANGE = re.compile(
    rf"^(?P<low>{_NUMBER})\s*(?P<unit1>[^\W\d]+\.?|')?\s*(?:-|–|—|/|to|bis|à|a|hasta|until|and|und|et|y|e)\s*"
    rf"(?P<high>{_NUMBER})\s*(?P<unit2>.*)$",
    re.IGNORECASE,
)
_SINGLE = re.compile(rf"^(?P<low>{_NUMBER})\s*(?P<unit>.*)$", re.IGNORECASE)
# Said about a value, not part of it: elev. ca, between.
_LEAD = re.compile(
    r"^(?:(?:(?:min|max)(?:imum)?\.?\s+)?(?:ca?|circa|about|approx(?:imately)?|um|vers|env(?:iron)?|elev(?:ation)?|alt(?:itude)?"
    r"|hoehe|höhe|depth|tiefe|prof|between|zwischen|entre|from|at)\b[.:]?\s*|[~±≈]\s*|m\.?\s+(?=\d))+",
    re.IGNORECASE,
)
_SEA_LEVEL = re.compile(
    r"^(?:at\s+)?(?:mean\s+)?(?:sea[- ]?level|s\.?\s?l\.?|meeresniveau|meeresspiegel"
    r"|niveau de la mer|nivel del mar|livello del mare)\.?$",
    re.IGNORECASE,
)
_BELOW = re.compile(
    r"\s*(?:below (?:mean )?sea[- ]?level|b\.?\s?s\.?\s?l\.?|unter (?:dem )?meer\w*|bajo el nivel del mar)\.?",
    re.IGNORECASE,
)
_TOLERANCE = re.compile(rf"^(?P<middle>{_NUMBER})\s*(?:±|\+/-|\+-)\s*(?P<by>{_NUMBER})\s*(?P<unit>.*)$", re.IGNORECASE)
_THOUSANDS = re.compile(r"^[1-8]\.\d\d0$")  # 2.500 m: a point that parts thousands, as a measured 2.5 is not written
_REFERENCE = re.compile(
    r"(?:\ba\.?\s?s\.?\s?l\.?|above sea level|s\.?\s?n\.?\s?m\.?|s\.\s?m\.|ü\.?\s?(?:d\.?\s?)?(?:nn|m|meer)\.?"
    r"|n\.?\s?p\.?\s?m\.?|u\.?\s?s\.?\s?l\.?|elevation|depth|deep|alt(?:itude)?\.?|elev\.?|\(.*\))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Span:
    """Lowest and highest value in metres."""

    low: float
    high: float


@lru_cache(maxsize=100_000)
def parse_number(text: str) -> float | None:
    """Return the number at the start of a text: `12,5`, `1 200`, `1'200.5`, `1,234.5`; None where there is none."""
    match = _SINGLE.match(_LEAD.sub("", text.strip().replace("−", "-")))
    return _float(match["low"]) if match and len(match["unit"]) < 20 else None


def _float(text: str) -> float:
    text = re.sub(r"(?<=\d)[ '’](?=\d{3})", "", text)
    if "," in text and "." in text:
        decimal = max(text.rfind(","), text.rfind("."))
        return float(text[:decimal].replace(",", "").replace(".", "") + "." + text[decimal + 1 :])
    if text.count(",") > 1 or text.count(".") > 1:
        return float(text.replace(",", "").replace(".", ""))
    if re.match(r"^[+-]?[1-9]\d{0,2},\d{3}$", text):
        return float(text.replace(",", ""))  # 1,200 ft: three digits after a comma are thousands
    return float(text.replace(",", "."))


def _factor(unit: str | None) -> float | None:
    unit = _REFERENCE.sub("", (unit or "").lower()).strip(" .,;:?")
    return METRES.get(unit.replace(".", "").replace(" ", ""))


@lru_cache(maxsize=100_000)
def parse_metres(text: str) -> Span | None:
    """Return the span in metres that a text states, None where it has no number or an unknown unit.

    Example:
        >>> parse_metres("300-400 ft")
        Span(low=91.44, high=121.92)
    """
    text = text.strip().replace("−", "-")
    if _SEA_LEVEL.match(text):
        return Span(0.0, 0.0)
    if (above := _BELOW.sub("", text)) != text:
        span = parse_metres(above)
        return Span(-span.high, -span.low) if span and span.low >= 0 else None
    text = _LEAD.sub("", text)
    if match := _TOLERANCE.match(text):
        factor, middle, by = _factor(match["unit"]), _float(match["middle"]), _float(match["by"])
        return None if factor is None else Span(round((middle - by) * factor, 3), round((middle + by) * factor, 3))
    if match := _RANGE.match(text):
        factor = _factor(match["unit2"])
        if factor is None or (match["unit2"].strip() == "" and match["unit1"]):
            factor = _factor(match["unit1"]) if match["unit1"] else factor
        if factor is None:
            return None
        low, high = _shortened(match["low"], match["high"])
        low, high = low * factor, high * factor
        return Span(round(min(low, high), 3), round(max(low, high), 3))
    if match := _SINGLE.match(text):
        factor = _factor(match["unit"])
        if factor is None:
            return None
        thousands = _THOUSANDS.match(match["low"]) and match["unit"].strip() and factor <= 1
        value = round(_float(match["low"].replace(".", "") if thousands else match["low"]) * factor, 3)
        return Span(value, value)
    return None


def _shortened(low: str, high: str) -> tuple[float, float]:
    """Return both ends; where the first leaves out the zeros of the second (`3-4000`, `5-600`), with them."""
    first, last = _float(low), _float(high)
    digits = re.match(r"^([2-9])(00+)$", high)
    if digits and low == str(int(digits[1]) - 1):
        first *= 10 ** len(digits[2])
    return first, last


def span_of(low: str | None, high: str | None, verbatim: str | None) -> Span | None:
    """Return the span that a minimum, a maximum and a verbatim text state together; the first two go before it."""
    bottom = parse_metres(low) if low else None
    top = parse_metres(high) if high else None
    if bottom is None and top is None:
        return parse_metres(verbatim) if verbatim else None
    ends = [span for span in (bottom, top) if span is not None]
    return Span(min(span.low for span in ends), max(span.high for span in ends))


def elevation(low: str | None, high: str | None, verbatim: str | None = None) -> Span | None:
    """Return the elevation above sea level in metres; None outside −11,000 … 17,000."""
    span = span_of(low, high, verbatim)
    if span is None or span.low < -DEEPEST_METRES or span.high > HIGHEST_METRES:
        return None
    return span


def depth(low: str | None, high: str | None, verbatim: str | None = None) -> Span | None:
    """Return the depth below the surface in metres, positive downwards (dwc:minimumDepthInMeters).

    Negative depths are written by those who measure upwards: the sign is dropped. None deeper than 11,000.
    """
    span = span_of(low, high, verbatim)
    if span is None:
        return None
    ends = sorted((abs(span.low), abs(span.high)))
    return Span(ends[0], ends[1]) if ends[1] <= DEEPEST_METRES else None
