"""What stands around a written date and is no part of it, and dates as programs print them, made plain before reading.

Weekdays, articles, parts of a month, clocks of twelve hours with names of time zones, the line noise of old exports. What a
plain text means is `dates`.
"""

import re

# A no-break space of a Macintosh file that was read as a Western code page; in French a letter.
_NOISE = re.compile(r"(?<![^\W\d_])Ê|Ê(?![a-zà-ÿ])|\u00a0|\u200b|\ufeff")
_WEEKDAY = re.compile(
    r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[.,]?\s+(?=\S)"
    r"|^(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo),?\s+",
    re.IGNORECASE,
)
_CIRCA = re.compile(r"^(?:ca?\.?|circa|about|um|vers|~)\s*(?=\d)", re.IGNORECASE)
_ARTICLE = re.compile(
    r"^(?:le|el|am|den|the|on|in|im|en|em|vom|du|dated?|coll(?:ected)?\.?|leg\.?)\s+(?=\S)", re.IGNORECASE
)
# Part of a month or year: what is said is the whole.
_PART = re.compile(
    r"^(?:early|mid|late|beginning of|end of|anfang|mitte|ende|d[eé]but|fin|milieu|principios de|mediados de|fines de|finales de"
    r"|begin|eind|half)[\s-]+(?:of\s+|de\s+)?(?=[^\W\d_])",
    re.IGNORECASE,
)
_YEAR_WORD = re.compile(r"(?<=\d{4})\s*(?:r|g|гг?|год[а]?|a\.?d|n\.?chr)\.?$", re.IGNORECASE)
_ZONES = {
    "UTC": "Z", "GMT": "Z", "WET": "Z", "BST": "+01:00", "WEST": "+01:00", "CET": "+01:00", "MEZ": "+01:00", "CEST": "+02:00",
    "MESZ": "+02:00", "EET": "+02:00", "EEST": "+03:00", "EST": "-05:00", "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00",
    "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00",
}  # fmt: skip
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_NUMBERS = {name: at for at, name in enumerate(_MONTHS.split(), start=1)}
# Java's Date.toString and JavaScript's: Tue Jan 14 00:00:00 CEST 1941, Sun Feb 14 2021 07:31:51 GMT-0600 (CST)
_PRINTED = re.compile(
    rf"^(?P<m>{_MONTHS.replace(' ', '|')})\s+(?P<d>\d\d?)\s+(?:(?P<y1>\d{{4}})\s+)?(?P<t>\d\d:\d\d:\d\d)\s*"
    r"(?P<zone>[A-Z]{2,4})?(?P<offset>[+-]\d\d:?\d\d)?(?:\s+\(.*)?(?:\s+(?P<y2>\d{4}))?$",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"^(?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|.*\d{4}),?(?:\s+at)?\s+(?P<h>\d{1,2})[:.h](?P<min>\d\d)(?::(?P<s>\d\d))?\s*(?:(?P<half>[ap])\.?m\.?)?"
    r"\s*(?P<zone>[A-Z]{2,4})?(?:h|hrs|uhr|hours)?$",
    re.IGNORECASE,
)
_MILITARY = re.compile(r"(?<=\d{4})\s+[0-2]\d[0-5]\d\s*(?:h|hrs|hours|uhr)$", re.IGNORECASE)


def plain(text: str) -> str:
    """Return a written date without what stands around it; nothing is made more precise."""
    text = _NOISE.sub(" ", text)
    text = text.strip().strip("[]()?").strip().replace("−", "-").rstrip(".")
    text = _ARTICLE.sub("", _WEEKDAY.sub("", _CIRCA.sub("", text)))
    text = _MILITARY.sub("", _YEAR_WORD.sub("", _PART.sub("", text)))
    if match := _PRINTED.match(text):
        return _printed(match)
    if match := _CLOCK.match(text):
        return _clocked(match)
    return text.strip()


def _printed(match: re.Match[str]) -> str:
    year = match["y1"] or match["y2"]
    if year is None:
        return match[0]
    day = f"{year}-{_NUMBERS[match['m'].lower()]:02d}-{int(match['d']):02d}"
    # midnight is how programs print a day without a time
    return day if match["t"] == "00:00:00" else f"{day}T{match['t']}{_offset(match['zone'], match['offset'])}"


def _offset(zone: str | None, offset: str | None) -> str:
    if offset:
        return offset
    return _ZONES.get(zone.upper(), "") if zone else ""


def _clocked(match: re.Match[str]) -> str:
    """Return a numeric date with its time of 24 hours, a date in words without its time."""
    written = match["date"].strip().rstrip(",")
    if re.search(r"[^\W\d_]", written) or not match["half"]:
        keeps = re.match(r"^[\d/.\\ -]+$", written) and not match["half"] and not match["zone"]
        return match[0] if keeps else written
    hour = int(match["h"]) % 12 + (12 if match["half"].lower() == "p" else 0)
    return f"{written} {hour:02d}:{match['min']}:{match['s'] or '00'}{_offset(match['zone'], None)}"
