"""What a written date means: text to an ISO 8601 date or interval, never more precise than what was written.

An ambiguous day/month (`02/01/1930` with no stated order) gives its year only. Which column feeds which term is in
`mappings/`; how a column of dates is run is in `transforms`.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from dissco_platform.opends.date_text import plain

EARLIEST_YEAR = 1500
LATEST_YEAR = 2100

# Month names and abbreviations, three letters or more, accents removed: English, German, French, Spanish, Portuguese,
# Italian, Dutch, Danish/Norwegian, Swedish, Polish, Czech, Finnish, Latin, Russian.
_MONTH_NAMES: dict[int, str] = {
    1: "jan january januar janner jaenner janvier janv enero ene janeiro gennaio gen januari januarii leden ledna"
    " tammikuu styczen stycznia"
    " янв января январь",
    2: "feb february februar feber fevrier fev febrero fevereiro febbraio februari februarii unor unora helmikuu luty lutego"
    " фев февр февраля февраль",
    3: "mar mars march marz maerz mrz marzo marco maart mrt martii brezen brezna maaliskuu marzec marca мар марта март",
    4: "apr april avril avr abril abr aprile aprilis duben dubna huhtikuu kwiecien kwietnia апр апреля апрель",
    5: "may mai mayo maio maggio mag mei maj maji kveten kvetna toukokuu maja мая май",
    6: "jun june juni juin junio junho giugno giu junii cerven cervna kesakuu czerwiec czerwca июн июня июнь",
    7: "jul july juli juillet juil julio julho luglio lug julii cervenec cervence heinakuu lipiec lipca июл июля июль",
    8: "aug august aout agosto ago augustus augusti srpen srpna elokuu sierpien sierpnia авг августа август",
    9: "sep sept september septembre septiembre setiembre setembro set settembre septembris zari syyskuu wrzesien wrzesnia"
    " сен сент сентября сентябрь",
    10: "oct okt october oktober octobre octubre outubro out ottobre ott octobris rijen rijna lokakuu pazdziernik pazdziernika"
    " окт октября октябрь",
    11: "nov november novembre noviembre novembro novembris listopad listopada marraskuu ноя нояб ноября ноябрь",
    12: "dec dez december dezember decembre diciembre dic dezembro dicembre decembris prosinec prosince joulukuu grudzien grudnia"
    " дек декабря декабрь",
}
_MONTHS = {name: month for month, names in _MONTH_NAMES.items() for name in names.split()}
_ROMAN = {
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10, "xi": 11, "xii": 12
}  # fmt: skip
_ACCENTS = str.maketrans("áàâäãéèêëěíìîïóòôöõúùûüçñžřůýńčš", "aaaaaeeeeeiiiiooooouuuucnzruyncs")

_TIME = (
    r"(?P<hour>[01]?\d|2[0-4]):?(?P<minute>[0-5]\d)(?::?(?P<second>[0-5]\d|60)(?:[.,]\d+)?)?"
    r"\s*(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?"
)
_ISO = re.compile(rf"^(?P<y>\d{{4}})(?:-(?P<m>\d{{1,2}})(?:-(?P<d>\d{{1,2}})(?:[T ]\s*{_TIME})?)?)?$", re.IGNORECASE)
_COMPACT = re.compile(rf"^(?P<y>\d{{4}})(?P<m>\d\d)(?P<d>\d\d)(?:[T ]?{_TIME})?$")
_YMD = re.compile(rf"^(?P<y>\d{{4}})[/._\\ ](?P<m>\d{{1,2}})(?:[/._\\ ](?P<d>\d{{1,2}})(?:[T ]\s*{_TIME})?)?$")
_NUMERIC = re.compile(
    rf"^(?P<a>\d{{1,2}})\s*[-/._\\ ]\s*(?P<b>\d{{1,2}})\s*[-/._\\ ]\s*(?P<y>\d{{4}})(?:[T ]\s*{_TIME})?$"
)
_MONTH_YEAR = re.compile(r"^(?P<m>\d{1,2})[-/.\\](?P<y>\d{4})$")
_ORDINAL_DAY = re.compile(r"^(?P<y>\d{4})-(?P<n>\d{3})$")
_WORD = r"[^\W\d_]+"
_DAY_NAME = re.compile(
    rf"^(?P<d>\d{{1,2}})\s*(?:st|nd|rd|th|º|°|er)?[\s.,/_-]*(?:de\s+|of\s+)?(?P<w>{_WORD})[\s.,/_-]*(?:de\s+|del\s+)?"
    r"(?P<y>\d{4})$"
)
_NAME_DAY = re.compile(rf"^(?P<w>{_WORD})[\s.,/_-]*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[\s.,/_-]+(?P<y>\d{{4}})$")
_YEAR_NAME_DAY = re.compile(rf"^(?P<y>\d{{4}})[\s.,/_-]*(?P<w>{_WORD})[\s.,/_-]*(?P<d>\d{{1,2}})?$")
_NAME_YEAR = re.compile(rf"^(?P<w>{_WORD})[\s.,/_-]*(?:de\s+)?(?P<y>\d{{4}})$")
_DECADE = re.compile(r"^(?P<y>\d{3})0\s*'?s$")
_TO = r"\s*(?:[-–/&+]|\bto\b|\bund\b|\bu\.|\band\b|\bet\b|\by\b|\be\b|\bbis\b)\s*"
# Two days of one month or year; numbers parted by dots are day and month in that order.
_DAYS_RANGES = (
    re.compile(
        rf"^(?P<d1>\d{{1,2}})\.?{_TO}(?P<d2>\d{{1,2}})[\s.,/-]*(?:de\s+)?(?P<w>{_WORD})[\s.,/-]*(?P<y>\d{{4}})$"
    ),
    re.compile(rf"^(?P<w>{_WORD})[\s.,/_-]*(?P<d1>\d{{1,2}}){_TO}(?P<d2>\d{{1,2}})[\s.,/_-]+(?P<y>\d{{4}})$"),
    re.compile(rf"^(?P<y>\d{{4}})[\s.,/_-]*(?P<w>{_WORD})[\s.,/_-]*(?P<d1>\d{{1,2}}){_TO}(?P<d2>\d{{1,2}})$"),
    re.compile(r"^(?P<d1>\d{1,2})\.?\s*[-–]\s*(?P<d2>\d{1,2})(?P<sep>[./])(?P<m>\d{1,2})(?P=sep)(?P<y>\d{4})$"),
    re.compile(r"^(?P<d1>\d{1,2})\.(?P<m1>\d{1,2})\.?\s*[-–]\s*(?P<d2>\d{1,2})\.(?P<m>\d{1,2})\.\s?(?P<y>\d{4})$"),
    re.compile(r"^(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d\d)(?P=sep)(?P<d1>\d\d)\s*(?:[-–]|\s-\s)\s*(?P<d2>\d\d)$"),
)
_RANGE = re.compile(rf"^(?P<d1>\d{{1,2}})\.?\s*[-–]\s*(?P<d2>\d{{1,2}})[\s.,/]*(?P<w>{_WORD})[\s.,/]*(?P<y>\d{{4}})$")
_RANGE = re.compile(r"\s*(?:/|–|—|\bto\b|\bbis\b|\bà\b|&|;|\s-\s)\s*")
_NUMERIC_RANGE = re.compile(r"^(\d{1,2}[./]\d{1,2}[./]\d{4})\s*[-–]\s*(\d{1,2}[./]\d{1,2}[./]\d{4})$")
_YEAR_LAST = re.compile(r"(\d{4})$")
_CHINESE = re.compile(r"^(?P<y>\d{4})\s*[年년]\s*(?:(?P<m>\d{1,2})\s*[月월]\s*(?:(?P<d>\d{1,2})\s*[日일]?)?)?$")
_ZEROS = re.compile(r"^0{1,3}[-/. ]0{1,3}[-/. ](?P<y>\d{4})$")
# A season says its year; winter lies in two.
_SEASON = re.compile(
    r"^(?:early |late |mid )?(?:spring|summer|autumn|fall|fr[uü]hling|fr[uü]hjahr|sommer|herbst|printemps|[eé]t[eé]|automne"
    r"|primavera|verano|oto[nñ]o|estate|autunno|lente|zomer|herfst)\s+(?:of\s+|de\s+|del\s+)?(?P<y>\d{4})$",
    re.IGNORECASE,
)


_WINTER = re.compile(
    r"^(?:winter|hiver|inverno|invierno|vinter)\s+(?P<y>\d{4})\s*[-–/]\s*(?P<y2>\d{4}|\d\d)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class DateInterval:
    """First and last moment as written: ISO texts of equal or different precision, equal where there is one date."""

    start: str
    end: str

    @property
    def iso(self) -> str:
        """ISO 8601 date, or `start/end`."""
        return self.start if self.start == self.end else f"{self.start}/{self.end}"

    @property
    def first_day(self) -> date:
        """First day covered."""
        parts = [int(part) for part in self.start[:10].split("-")]
        return date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)

    @property
    def last_day(self) -> date:
        """Last day covered."""
        parts = [int(part) for part in self.end[:10].split("-")]
        month = parts[1] if len(parts) > 1 else 12
        return date(parts[0], month, parts[2] if len(parts) > 2 else monthrange(parts[0], month)[1])

    def common(self, size: int) -> int | None:
        """Return year (size 4), month (7) or day (10) where both ends state the same one."""
        if len(self.start) < size or len(self.end) < size or self.start[:size] != self.end[:size]:
            return None
        return int(self.start[:size].rsplit("-", 1)[-1])


def _moment(
    year: int, month: int | None = None, day: int | None = None, match: re.Match[str] | None = None
) -> str | None:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return None
    if not month:
        return f"{year:04d}"
    if not 1 <= month <= 12:
        return None
    if not day:
        return f"{year:04d}-{month:02d}"
    if not 1 <= day <= monthrange(year, month)[1]:
        return None
    text = f"{year:04d}-{month:02d}-{day:02d}"
    if match is None or match["hour"] is None:
        return text
    hour, minute, second, zone = match["hour"], match["minute"], match["second"], match["zone"]
    if int(hour) == 24:
        return text
    if int(hour) + int(minute) + int(second or 0) == 0 and not zone:
        return text  # midnight without a zone is how databases write "no time known"
    text += f"T{int(hour):02d}:{minute}" + (f":{second}" if second else "")
    if zone and zone.upper() != "Z":
        digits = zone[1:].replace(":", "")
        zone = f"{zone[0]}{digits[:2]}:{digits[2:] or '00'}"
    return text + (zone.upper() if zone else "")


def _month(word: str) -> int | None:
    word = word.lower().translate(_ACCENTS).rstrip(".")
    return _ROMAN.get(word) or _MONTHS.get(word)


def _single(text: str, order: str | None) -> str | None:
    """Return one written moment as ISO text, or None."""
    if match := (_ISO.match(text) or _COMPACT.match(text) or _YMD.match(text)):
        middle, last = int(match["m"] or 0), int(match["d"] or 0)
        if middle > 12 >= last > 0:  # 2021-28-10: only one order makes it a date
            middle, last = last, middle
        return _moment(int(match["y"]), middle, last, match)
    if match := _ORDINAL_DAY.match(text):
        new_year = date(max(int(match["y"]), 1), 1, 1)
        if not EARLIEST_YEAR <= new_year.year <= LATEST_YEAR or not 1 <= int(match["n"]) <= 366:
            return None
        counted = date.fromordinal(new_year.toordinal() + int(match["n"]) - 1)
        return counted.isoformat() if counted.year == new_year.year else None
    if match := _NUMERIC.match(text):
        first, second, year = int(match["a"]), int(match["b"]), int(match["y"])
        day_first, month_first = _moment(year, second, first, match), _moment(year, first, second, match)
        if 0 in (first, second):
            return _moment(year, max(first, second))
        if order == "DMY":
            return day_first
        if order == "MDY":
            return month_first
        if day_first and month_first and day_first != month_first:
            # A dot or hyphen separates day and month in day-first countries only; a slash leaves it open.
            return day_first if re.match(r"^\d{1,2}\s*\.", text) else f"{year:04d}"
        return day_first or month_first
    if match := _MONTH_YEAR.match(text):
        return _moment(int(match["y"]), int(match["m"]))
    if match := _CHINESE.match(text):
        return _moment(int(match["y"]), int(match["m"] or 0), int(match["d"] or 0))
    if match := (_ZEROS.match(text) or _SEASON.match(text)):
        return _moment(int(match["y"]))
    for pattern in (_DAY_NAME, _NAME_DAY, _YEAR_NAME_DAY, _NAME_YEAR):
        if match := pattern.match(text):
            month = _month(match["w"])
            day = int(match["d"] or 0) if "d" in pattern.groupindex else 0
            return _moment(int(match["y"]), month, day) if month else None
    return None


@lru_cache(maxsize=200_000)
def parse_date(text: str, order: str | None = None) -> DateInterval | None:
    """Return the date or interval that `text` states, None where it states none.

    Args:
        text: what was written, e.g. `1978-12-21T02:12`, `1.11.1879`, `3 mai 1902`, `2008-06/2008-07`, `1890s`.
        order: `DMY` or `MDY` where the dataset says how it writes numeric dates.
    """
    text = text.strip()
    if not _ISO.match(text):
        text = plain(text)
    if not text:
        return None
    if single := _single(text, order):
        return DateInterval(single, single)
    if match := _DECADE.match(text):
        return DateInterval(f"{match['y']}0", f"{match['y']}9")
    if match := _WINTER.match(text):
        begun = int(match["y"])
        return DateInterval(f"{begun}", f"{begun + 1}") if (begun + 1) % 100 == int(match["y2"]) % 100 else None
    for pattern in _DAYS_RANGES:
        if match := pattern.match(text):
            return _days(match)
    numeric = _NUMERIC_RANGE.match(text)
    parts = list(numeric.groups()) if numeric else _RANGE.split(text)
    if len(parts) != 2 or not all(parts):
        return _hyphenated(text, order)
    first, last = _single(parts[0], order), _single(_completed(parts[0], parts[1]), order)
    if not first and last and re.search(_WORD, parts[0]) and (year := _YEAR_LAST.search(parts[1])):
        first = _single(f"{parts[0].rstrip('. ')} {year[1]}", order)  # May/June 1903
    if not first or not last:
        return None
    interval = DateInterval(first, last)
    return interval if interval.first_day <= interval.last_day else None


def _days(match: re.Match[str]) -> DateInterval | None:
    """Return the interval of two days that one month or year is said of."""
    said = match.groupdict()
    month = _month(said["w"]) if "w" in said else int(said["m"])
    first = int(said["m1"]) if said.get("m1") else month
    if not month or not first:
        return None
    start = _moment(int(said["y"]), first, int(said["d1"]))
    end = _moment(int(said["y"]), month, int(said["d2"]))
    return DateInterval(start, end) if start and end and start <= end else None


def _hyphenated(text: str, order: str | None) -> DateInterval | None:
    """Return the interval between two dates joined by hyphens: `1902-1905`, `28 Feb-3 Mar 1902`, `VII-VIII.1937`."""
    for gap in re.finditer(r"\s*[-–]+\s*", text):
        first, last = text[: gap.start()], text[gap.end() :]
        end = _single(last, order)
        if end is None or not first:
            continue
        begin = _single(first, order)
        if begin is None and re.search(_WORD, first) and (year := _YEAR_LAST.search(last)):
            begin = _single(f"{first.rstrip('. ')} {year[1]}", order)
        if begin is not None:
            interval = DateInterval(begin, end)
            return interval if interval.first_day <= interval.last_day else None
    return None


def _completed(first: str, last: str) -> str:
    """Return the end of an ISO interval with what it leaves out (`2007-11-13/15`, ISO 8601 4.4.5) filled in."""
    if re.match(r"^\d{4}-\d{2}-\d{2}$", first) and re.match(r"^\d{2}$", last):
        return first[:8] + last
    if re.match(r"^\d{4}-\d{2}-\d{2}$", first) and re.match(r"^\d{2}-\d{2}$", last):
        return first[:5] + last
    if re.match(r"^\d{4}-\d{2}$", first) and re.match(r"^\d{2}$", last):
        return first[:5] + last
    return last


def date_of(
    text: str | None,
    year: str | None = None,
    month: str | None = None,
    day: str | None = None,
    order: str | None = None,
    verbatim: str | None = None,
) -> DateInterval | None:
    """Return the date stated by a text, by its parts and by a verbatim text; year, month and day are read off that date.

    The text wins while the parts are inside it; a text that cannot be read leaves the parts; a contradiction in month
    or day leaves the year, a contradiction in the year leaves nothing. The verbatim text is heard where nothing else
    says a date, and where it says more of the same date (`1937` beside `8.VII.1937`); where it says another, it is not.
    """
    stated = _stated(text, year, month, day, order)
    written = parse_date(verbatim, order) if verbatim else None
    if stated is None or written is None:
        return stated or written
    inside = stated.first_day <= written.first_day and written.last_day <= stated.last_day
    more = (written.last_day - written.first_day) < (stated.last_day - stated.first_day)
    return written if inside and more else stated


def interval_of(
    begin: str | None, end: str | None = None, verbatim: str | None = None, order: str | None = None
) -> DateInterval | None:
    """Return the date stated by a begin and an end (ABCD's ISODateTimeBegin and ISODateTimeEnd) and by a verbatim text."""
    both = f"{begin}/{end}" if begin and end else begin or end
    text = both if both and parse_date(both, order) else begin
    return date_of(text, order=order, verbatim=verbatim)


def _stated(
    text: str | None, year: str | None, month: str | None, day: str | None, order: str | None
) -> DateInterval | None:
    stated = parse_date(text, order) if text else None
    parts = _from_parts(year, month, day)
    if stated is None or parts is None:
        return stated or parts
    if stated.first_day <= parts.first_day and parts.last_day <= stated.last_day:
        return stated
    if parts.first_day <= stated.first_day and stated.last_day <= parts.last_day:
        return stated
    if stated.common(4) is not None and stated.common(4) == parts.common(4):
        return DateInterval(stated.start[:4], stated.start[:4])
    return None


_NUMBER = re.compile(r"^0*(\d{1,4})(?:\.0+|st|nd|rd|th|\.)?$")


@lru_cache(maxsize=100_000)
def _from_parts(year: str | None, month: str | None, day: str | None) -> DateInterval | None:
    matched = _NUMBER.match((year or "").strip())
    if not matched:
        return None
    month_text = (month or "").strip()
    month_match, day_match = _NUMBER.match(month_text), _NUMBER.match((day or "").strip())
    month_number = int(month_match[1]) if month_match else (_month(month_text) or 0)
    day_number = int(day_match[1]) if day_match and month_number else 0
    text = (
        _moment(int(matched[1]), month_number, day_number)
        or _moment(int(matched[1]), month_number)
        or _moment(int(matched[1]))
    )
    return DateInterval(text, text) if text else None


def first_day_of_year(interval: DateInterval) -> int | None:
    """Return the number of the first day in its year (1–366) where a day is stated."""
    return interval.first_day.timetuple().tm_yday if len(interval.start) > 7 else None


def last_day_of_year(interval: DateInterval) -> int | None:
    """Return the number of the last day in its year (1–366) where a day is stated."""
    return interval.last_day.timetuple().tm_yday if len(interval.end) > 7 else None
