"""The named transforms of mappings: each turns one or more text columns into one column.

A transform here runs on columns; what a single value means is in `dates`, `coordinates`, `measures`, `licences` and
`agents`. Value parsers are called once per distinct value of a batch, and remember what they have seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import polars as pl

from dissco_platform.opends import coordinates, dates, licences, measures, vocabularies
from dissco_platform.opends.distinct import Params, by_combination, distinct, read_odd

Build = Callable[[Sequence[pl.Expr], Params], pl.Expr]


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform: what it does, how many columns it takes (None = any number), its parameters, how it is built."""

    name: str
    summary: str
    build: Build
    inputs: int | None = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    whole: Build | None = None
    """Where several transforms read parts off one parsed value: gives all parts as a struct, this one by its name."""


def _values(parse: Callable[[str], Any], dtype: type[pl.DataType]) -> Build:
    return lambda columns, _: columns[0].map_batches(distinct(parse, dtype), return_dtype=dtype)


def _number(columns: Sequence[pl.Expr], _: Params) -> pl.Expr:
    """Plain decimals are cast; only what does not cast goes through the parser."""
    plain = columns[0].cast(pl.Float64, strict=False)
    odd = pl.when(plain.is_null()).then(columns[0])
    parsed = odd.map_batches(distinct(measures.parse_number, pl.Float64), return_dtype=pl.Float64)
    value = pl.coalesce(plain, parsed)
    return pl.when(value.is_finite()).then(value)


def _integer(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    value = _number(columns, params)
    return pl.when(value == value.round(0)).then(value.cast(pl.Int64, strict=False))


TRUE = (
    "true",
    "t",
    "yes",
    "y",
    "1",
    "ja",
    "j",
    "oui",
    "si",
    "sí",
    "sim",
    "verdadero",
    "verdadeiro",
    "wahr",
    "vrai",
    "x",
)
FALSE = ("false", "f", "no", "n", "0", "-1", "nein", "non", "não", "nao", "falso", "falsch", "faux", "nee")


def _boolean(columns: Sequence[pl.Expr], _: Params) -> pl.Expr:
    text = columns[0].str.to_lowercase().str.strip_chars()
    return pl.when(text.is_in(TRUE)).then(pl.lit(value=True)).when(text.is_in(FALSE)).then(pl.lit(value=False))


ACCEPTED = ("1", "accepted", "verified", "current", "preferred", "valid", "confirmed", "current determination")


def _accepted(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    """identificationVerificationStatus or a preferred flag: stated, refused, or nothing said (other codes say nothing)."""
    text = columns[0].str.to_lowercase().str.strip_chars()
    return pl.when(text.is_in(ACCEPTED)).then(pl.lit(value=True)).otherwise(_boolean(columns, params))


def _split(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    pieces = columns[0].str.split(str(params.get("at", "|")))
    piece = pieces.list.get(int(params.get("take", 0)), null_on_oob=True).str.strip_chars()
    return pl.when(piece != "").then(piece)


def _concat(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    joined = pl.concat_str(list(columns), separator=str(params.get("separator", " | ")), ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def _distinct_concat(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    """Join texts, but say the same thing once."""
    joined = columns[0]
    separator = pl.lit(str(params.get("separator", " | ")))
    for column in columns[1:]:
        joined = (
            pl.when(column.is_null() | (column == joined).fill_null(value=False)).then(joined)
            .when(joined.is_null()).then(column)
            .otherwise(pl.concat_str([joined, separator, column]))
        )  # fmt: skip
    return joined


_DATE_PARTS: dict[str, Callable[[dates.DateInterval], Any]] = {
    "date": lambda interval: interval.iso,
    "year": lambda interval: interval.common(4),
    "month": lambda interval: interval.common(7),
    "day": lambda interval: interval.common(10),
    "start_day": dates.first_day_of_year,
    "end_day": dates.last_day_of_year,
}
_DATE = pl.Struct({name: pl.String() if name == "date" else pl.Int64() for name in _DATE_PARTS})
_NO_DATE = (None,) * len(_DATE_PARTS)
_DAY = r"^\d{4}-\d\d-\d\d(?:T00:00:00)?$"  # midnight of no zone is how databases write a day
_MOMENT = r"^\d{4}-\d\d-\d\d(?:T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ|T00:00:00)?$"


@lru_cache(maxsize=100_000)
def _date_parts(of: str | None, order: str | None, *cells: str | None) -> tuple[Any, ...]:
    if of == "begin, end, verbatim":
        begin, end, written = [*cells, None, None][:3]
        interval = dates.interval_of(begin, end, written, order)
    else:
        text, year, month, day, verbatim = [*cells, None, None, None, None][:5]
        interval = dates.date_of(text, year, month, day, order, verbatim)
    return _NO_DATE if interval is None else tuple(part(interval) for part in _DATE_PARTS.values())


def _all_of_date(frame: pl.DataFrame, params: Params) -> pl.Series:
    """All parts of a date. A plain ISO day that no other cell contradicts is read by column, the rest value by value.

    A day says all there is to say: what a verbatim cell says beside it is not heard (`dates.date_of`).
    """
    of, order = params.get("of"), params.get("order")
    columns = [pl.col(name) for name in frame.columns]
    frame = frame.with_columns(columns[0].str.head(10).str.to_date("%Y-%m-%d", strict=False).alias("date"))
    day = pl.col("date").dt
    frame = frame.with_columns(day.year().alias("year"), day.month().alias("month"), day.day().alias("day"))
    plain = columns[0].str.contains(_MOMENT if len(columns) == 1 else _DAY)
    plain = plain & pl.col("year").is_between(dates.EARLIEST_YEAR, dates.LATEST_YEAR)
    if of == "begin, end, verbatim":
        plain = plain & pl.all_horizontal([column.is_null() for column in columns[1:]])
    elif len(columns) > 1:
        agree = pl.lit(value=True)
        for column, part in reversed(list(zip(columns[1:4], ("year", "month", "day"), strict=False))):
            same = column.str.contains(r"^\d{1,4}$") & (
                column.cast(pl.Int32, strict=False) == pl.col(part).cast(pl.Int32)
            )
            agree = column.is_null() | (same & agree)
        plain = plain & agree
    frame = frame.with_columns(plain.fill_null(value=False).alias("plain"))
    read = {
        "date": columns[0].str.strip_suffix("T00:00:00"), "year": pl.col("year"), "month": pl.col("month"),
        "day": pl.col("day"), "start_day": day.ordinal_day(), "end_day": day.ordinal_day(),
    }  # fmt: skip
    typed = {part.name: read[part.name].cast(part.dtype) for part in _DATE.fields}
    return read_odd(frame, typed, lambda *cells: _date_parts(of, order, *cells), _DATE)


_dates = by_combination(_all_of_date, _DATE)


def _date(part: str) -> Build:
    return lambda columns, params: _dates(columns, params).struct.field(part)


_PLAIN_DECIMAL = r"^-?\d{1,3}(?:\.\d+)?$"


_POSITION = pl.Struct({"latitude": pl.Float64(), "longitude": pl.Float64()})


def _position_of(*cells: str | None) -> tuple[float | None, float | None]:
    latitude, longitude, verbatim_latitude, verbatim_longitude, verbatim = [*cells, None, None, None, None, None][:5]
    position = coordinates.parse_position(latitude, longitude) or coordinates.parse_position(
        verbatim_latitude, verbatim_longitude, verbatim
    )
    return (None, None) if position is None else (position.latitude, position.longitude)


def _all_of_position(frame: pl.DataFrame, _: Params) -> pl.Series:
    """Two plain decimals in range stay as they are; everything else is parsed with its verbatim cells."""
    latitude, longitude = (pl.col(name) for name in frame.columns[:2])
    frame = frame.with_columns(
        latitude.cast(pl.Float64, strict=False).alias("y"),
        longitude.cast(pl.Float64, strict=False).alias("x"),
        (latitude.str.contains(_PLAIN_DECIMAL) & longitude.str.contains(_PLAIN_DECIMAL)).alias("plain"),
    )
    inside = (pl.col("y").abs() <= 90) & (pl.col("x").abs() <= 180)
    frame = frame.with_columns((pl.col("plain") & inside).fill_null(value=False))
    return read_odd(frame, {"latitude": pl.col("y"), "longitude": pl.col("x")}, _position_of, _POSITION)


_positions = by_combination(_all_of_position, _POSITION)


def _position(axis: str) -> Build:
    return lambda columns, params: _positions(columns, params).struct.field(axis)


_PLAIN_METRES = r"^\d{1,5}(?:\.\d{1,3})?$"
_Measure = Callable[[str | None, str | None, str | None], measures.Span | None]


def _spans(name: str, measure: _Measure, most: float) -> Build:
    """Return a transform to both ends of a span in metres, as a struct of `<name>_low` and `<name>_high`.

    A minimum or a maximum alone says nothing about the other end, so the end that was not written stays empty. Plain
    decimals are read by column; what a verbatim cell says beside them is not heard (`measures.span_of`).
    """
    dtype = pl.Struct({f"{name}_low": pl.Float64(), f"{name}_high": pl.Float64()})

    def parse(low: str | None, high: str | None, verbatim: str | None = None) -> tuple[float | None, float | None]:
        span = measure(low, high, verbatim)
        if span is None:
            return None, None
        alone = bool(low or high) and span.low == span.high
        return None if alone and low is None else span.low, None if alone and high is None else span.high

    def both(frame: pl.DataFrame, _: Params) -> pl.Series:
        texts = [pl.col(name) for name in frame.columns[:2]]
        frame = frame.with_columns(
            *(text.cast(pl.Float64, strict=False).alias(end) for text, end in zip(texts, ("low", "high"), strict=True)),
            (
                pl.all_horizontal([text.is_null() | text.str.contains(_PLAIN_METRES) for text in texts])
                & pl.any_horizontal([text.is_not_null() for text in texts])
            ).alias("plain"),
        )
        inside = pl.max_horizontal("low", "high") <= most
        read = {
            f"{name}_low": pl.when(inside & pl.col("low").is_not_null()).then(pl.min_horizontal("low", "high")),
            f"{name}_high": pl.when(inside & pl.col("high").is_not_null()).then(pl.max_horizontal("low", "high")),
        }
        return read_odd(frame, read, parse, dtype)

    return by_combination(both, dtype)


_elevation = _spans("elevation", measures.elevation, measures.HIGHEST_METRES)
_depth = _spans("depth", measures.depth, measures.DEEPEST_METRES)


def _end(spans: Build, end: str) -> Build:
    return lambda columns, params: spans(columns, params).struct.field(end)


def _regex(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    return columns[0].str.extract(str(params["pattern"]), int(params.get("group", 1)))


def _replace(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    text = columns[0].str.replace_all(str(params["pattern"]), str(params.get("with", ""))).str.strip_chars()
    return pl.when(text != "").then(text)


def _licence_url(text: str) -> str:
    licence = licences.parse_licence(text)
    return licence.url if licence else text


def _iri(columns: Sequence[pl.Expr], _: Params) -> pl.Expr:
    return pl.when(columns[0].str.contains(r"^(?i)[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]+$")).then(columns[0])


def _not_iri(columns: Sequence[pl.Expr], params: Params) -> pl.Expr:
    return pl.when(_iri(columns, params).is_null()).then(columns[0])


def _link(columns: Sequence[pl.Expr], _: Params) -> pl.Expr:
    """The first http(s) address in a cell; blanks inside it are encoded, as browsers do."""
    text = (
        columns[0].str.extract(r"(?i)(https?://\S.*)$", 1).str.strip_chars().str.replace_all(" ", "%20", literal=True)
    )
    return pl.when(text.str.contains(r"^(?i)https?://[^/\s<>\"{}|\\^`]+")).then(text)


def _unlike_iso(columns: Sequence[pl.Expr], _: Params) -> pl.Expr:
    """What was written where it is more or less than a plain ISO date, so that nothing written is lost."""
    plain = columns[0].str.contains(r"^\d{4}(?:-\d\d(?:-\d\d)?)?(?:/\d{4}(?:-\d\d(?:-\d\d)?)?)?$")
    return pl.when(~plain).then(columns[0])


def _unlike_decimal(columns: Sequence[pl.Expr], _: Params) -> pl.Expr:
    return pl.when(~columns[0].str.contains(_PLAIN_DECIMAL)).then(columns[0])


def _country(text: str) -> str | None:
    return vocabularies.load("country").match(text)


def _country_name(text: str) -> str | None:
    country = vocabularies.load("country")
    code = country.match(text)
    return country.title(code) if code else None


_ORDER = {
    "order": "DMY or MDY, for 2/1/1930",
    "of": "'begin, end, verbatim' where the columns are these (default: date, year, month, day, verbatim)",
}
_TRANSFORMS = (
    Transform("trim", "outer white space removed", lambda c, _: c[0].str.strip_chars()),
    Transform("lower", "lower case", lambda c, _: c[0].str.to_lowercase()),
    Transform("upper", "upper case", lambda c, _: c[0].str.to_uppercase()),
    Transform("accepted", "whether a status or flag says that this is the current identification", _accepted),
    Transform("split", "one piece of a list", _split, 1, {"at": "separator, default |", "take": "which piece, from 0"}),
    Transform("number", "a number, decimal point or comma", _number),
    Transform("integer", "a whole number", _integer),
    Transform("boolean", "true or false, in several languages", _boolean),
    Transform("date", "ISO 8601 date or interval, of all columns together", _date("date"), None, _ORDER, _dates),
    Transform("year", "the year of a date", _date("year"), None, _ORDER, _dates),
    Transform("month", "the month of a date", _date("month"), None, _ORDER, _dates),
    Transform("day", "the day of a date", _date("day"), None, _ORDER, _dates),
    Transform("start_day", "first day of the year of a date", _date("start_day"), None, _ORDER, _dates),
    Transform("end_day", "last day of the year of a date", _date("end_day"), None, _ORDER, _dates),
    Transform(
        "latitude", "decimal latitude from latitude, longitude and verbatim cells", _position("latitude"), None,
        whole=_positions,
    ),
    Transform(
        "longitude", "decimal longitude from latitude, longitude and verbatim cells", _position("longitude"), None,
        whole=_positions,
    ),
    Transform(
        "elevation_low", "lowest elevation in metres, of low, high, verbatim", _end(_elevation, "elevation_low"), None,
        whole=_elevation,
    ),
    Transform("elevation_high", "highest elevation in metres", _end(_elevation, "elevation_high"), None, whole=_elevation),
    Transform("depth_low", "least depth in metres", _end(_depth, "depth_low"), None, whole=_depth),
    Transform("depth_high", "greatest depth in metres", _end(_depth, "depth_high"), None, whole=_depth),
    Transform("licence", "canonical URL of a licence", _values(_licence_url, pl.String)),
    Transform("link", "the http(s) address in a cell", _link),
    Transform("unlike_iso", "the text where it is no plain ISO date", _unlike_iso),
    Transform("unlike_decimal", "the text where it is no plain decimal number", _unlike_decimal),
    Transform("iri", "the value where it is an IRI, else nothing", _iri),
    Transform("not_iri", "the value where it is no IRI", _not_iri),
    Transform("country_code", "ISO 3166-1 alpha-2 of a country name", _values(_country, pl.String)),
    Transform("country_name", "English name of a country, from its ISO 3166-1 code or name", _values(_country_name, pl.String)),
    Transform("concat", "texts joined", _concat, None, {"separator": "default ' | '"}),
    Transform("distinct", "different texts joined, equal ones once", _distinct_concat, None, {"separator": "default ' | '"}),
    Transform("regex", "the group that a pattern finds", _regex, 1, {"pattern": "regular expression", "group": "default 1"}),
    Transform("replace", "what a pattern finds replaced", _replace, 1, {"pattern": "regular expression", "with": "replacement"}),
)  # fmt: skip

TRANSFORMS: dict[str, Transform] = {transform.name: transform for transform in _TRANSFORMS}
