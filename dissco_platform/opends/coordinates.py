"""Where a specimen was found, as written: decimal degrees, degrees–minutes–seconds, one or two cells, swapped or not.

Only the reading of coordinates; which column feeds them is in `mappings/`, the check against the country in `columns`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_DEGREE = r"[°ºo˚d*]|deg(?:rees?)?\.?"
_MINUTE = r"['’′´`]|min(?:utes?)?\.?|m"
_SECOND = r"\"|''|’’|′′|´´|``|[”“″¨]|sec(?:onds?)?\.?|s(?=\s*[NSEWO])"
_NUMBER = r"\d{1,3}(?:[.,]\d+)?"
_ANGLE = re.compile(
    rf"^\s*(?P<head>[NSEWO])?\s*(?P<sign>[+-])?\s*(?P<deg>{_NUMBER})\s*(?:(?:{_DEGREE}|[\s:])\s*"
    rf"(?:(?P<min>{_NUMBER})\s*(?:(?:{_MINUTE}|[\s:])\s*(?:(?P<sec>{_NUMBER})\s*(?:{_SECOND})?)?)?)?)?"
    r"\s*(?P<tail>[NSEWO])?\s*$",
    re.IGNORECASE,
)
_DECIMAL = re.compile(r"^[+-]?\d{1,3}(?:[.,]\d+)?$")
_BESIDE_A_LETTER = re.compile(r"(?<=[NSEWO])[\s,;/]+|[\s,;/]+(?=[NSEWO])", re.IGNORECASE)
_WORDS = re.compile(r"\b(?:lat(?:itude)?|lon(?:g(?:itude)?)?)\b[.:]?", re.IGNORECASE)
_DECIMAL_PAIR = re.compile(r"^([+-]?\d{1,3}(?:\.\d+)?)\s*[,;/\s]\s*([+-]?\d{1,3}(?:\.\d+)?)$")
_COMMA_PAIR = re.compile(r"^([+-]?\d{1,3},\d+)\s*[;/\s]\s*([+-]?\d{1,3},\d+)$")
_COMPACT = re.compile(
    r"^(?P<lat>\d{2})(?P<lat_m>\d{2})(?P<lat_s>\d{2})?\s*(?P<ns>[NS])[\s,/]*"
    r"(?P<lon>\d{3})(?P<lon_m>\d{2})(?P<lon_s>\d{2})?\s*(?P<ew>[EW])$",
    re.IGNORECASE,
)
_POINT = re.compile(r"^POINT\s*\(\s*(\S+)\s+(\S+)\s*\)$", re.IGNORECASE)
# What writers put between and around the two: made plain before reading.
_TIDIES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^geo:", re.IGNORECASE), ""),
    (re.compile(r"(?<=[°º'\"′″’\d])\s*L\.?\s?O\b"), "W"),  # 77ºLO: longitud oeste
    (re.compile(r"(?<=[°º'\"′″’\d])\s*L\.?\s?([NSEW])\b"), r"\1"),  # 12º30'LS: latitud sur
    (re.compile(r"(?<=[NSEWO])\."), ""),  # 12°30'S.
    (re.compile(r"(?<=[NSEWO])\s*[-–]\s+(?=\d)"), " "),  # 49º 30' N - 5º 10' E: no minus
    (re.compile(r"(?<=\d)-(?=\d[\d.,-]*\s*[NSEWO])"), " "),  # 12-30S
    (re.compile(r"(?<=[\d°º'\"′″’][NS])(?=\d)"), " "),  # 12.5S77.2W
    (re.compile(r"(?<=[\d°º'\"′″’])(?=[EWO]\s*\d)"), " "),  # N52°30'E5°7'
    (re.compile(r"(?<=\d)\s*[°º](?=\s*(?:[,;/]|$))"), ""),  # 52.5°, -5.1°
)
DIGITS = 6  # 0.1 m; more digits than that are artefacts of conversion


@dataclass(frozen=True, slots=True)
class Position:
    """Decimal degrees, with what was done to get there: `swapped`, `zero`."""

    latitude: float
    longitude: float
    swapped: bool = False
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Angle:
    """Signed decimal degrees and, where a hemisphere letter says so, which axis it is on."""

    degrees: float
    axis: str | None


def _float(text: str) -> float:
    return float(text.replace(",", "."))


@lru_cache(maxsize=200_000)
def parse_angle(text: str) -> Angle | None:
    """Return one latitude or longitude as signed decimal degrees; None where the text is no angle.

    Degrees up to 180 are read whatever the axis; range is judged where both are known. `O` is west or east by
    language (Ost, oeste/ouest), so it is read as east for a stated longitude: German labels are the commoner source.
    """
    text = text.strip().replace("−", "-").replace("–", "-")
    if _DECIMAL.match(text):
        value = _float(text)
        return Angle(value, None)
    if "d" in text and "m" in text:  # 17d 33m 5s: the last letter is no south
        text = re.sub(r"(?<=\d)\s*s$", '"', text)
    match = _ANGLE.match(text)
    if not match or (match["head"] and match["tail"]):
        return None
    degrees, minutes, seconds = _float(match["deg"]), _float(match["min"] or "0"), _float(match["sec"] or "0")
    if minutes >= 60 or seconds >= 60 or degrees > 180:
        return None
    if match["min"] and not degrees.is_integer():
        return None
    if match["sec"] and not minutes.is_integer():
        return None
    value = degrees + minutes / 60 + seconds / 3600
    letter = (match["head"] or match["tail"] or "").upper()
    if match["sign"] == "-" or letter in {"S", "W"}:
        value = -value
    axis = {"N": "latitude", "S": "latitude", "E": "longitude", "W": "longitude", "O": "longitude"}.get(letter)
    return Angle(value, axis)


def parse_position(
    latitude: str | None,
    longitude: str | None,
    verbatim: str | None = None,
) -> Position | None:
    """Return the position that two cells, or else one verbatim cell, state.

    A latitude outside ±90 with a longitude inside it is read as swapped cells; anything else out of range is None.
    0/0 is kept and flagged: it is a place in the sea that nobody collected at, but saying so is for quality checks.
    """
    if latitude and longitude:
        position = _position(parse_angle(latitude), parse_angle(longitude))
        if position:
            return position
    return parse_pair(verbatim) if verbatim else None


@lru_cache(maxsize=50_000)
def parse_pair(text: str) -> Position | None:
    """Return the position written in one cell, e.g. `10°07'06"N 20°48'23"W` or `10.1, -20.8`."""
    if match := _POINT.match(text.strip()):  # longitude first (OGC simple features)
        return _position(parse_angle(match[2]), parse_angle(match[1]))
    text = _WORDS.sub(" ", text).strip().strip("()[]").strip()
    for pattern, plain in _TIDIES:
        text = pattern.sub(plain, text)
    if match := _COMPACT.match(text):
        return _compact(match)
    if match := _COMMA_PAIR.match(text):
        return _position(parse_angle(match[1]), parse_angle(match[2]))
    if match := _DECIMAL_PAIR.match(text):
        return _position(parse_angle(match[1]), parse_angle(match[2]))
    for gap in _BESIDE_A_LETTER.finditer(text):  # the first gap with an angle on either side of it
        position = _position(parse_angle(text[: gap.start()]), parse_angle(text[gap.end() :]))
        if position is not None:
            return position
    return None


def _compact(match: re.Match[str]) -> Position | None:
    """Return the position of degrees, minutes and seconds written without marks: 5230N 00507E."""
    one, two = (
        parse_angle(f"{match[axis]} {match[f'{axis}_m']} {match[f'{axis}_s'] or '00'} {match[letter].upper()}")
        for axis, letter in (("lat", "ns"), ("lon", "ew"))
    )
    return _position(one, two)


def _position(one: Angle | None, two: Angle | None) -> Position | None:
    if one is None or two is None:
        return None
    latitude, longitude, swapped = one.degrees, two.degrees, False
    if one.axis == "longitude" and two.axis != "longitude" and two.axis == "latitude":
        latitude, longitude, swapped = longitude, latitude, True
    if abs(latitude) > 90 and abs(longitude) <= 90 and abs(latitude) <= 180:
        latitude, longitude, swapped = longitude, latitude, True
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return Position(round(latitude, DIGITS), round(longitude, DIGITS), swapped, zero=latitude == 0 and longitude == 0)
