"""Dates, coordinates and elevations as real collections write them, that no suite lists; and what must not be guessed."""

import pytest

from dissco_platform.opends.coordinates import parse_position
from dissco_platform.opends.dates import parse_date
from dissco_platform.opends.measures import depth, elevation


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        # as programs print them
        ("Tue Jan 14 00:00:00 CEST 1941", "1941-01-14"), ("Wed Mar 18 10:20:30 CET 1998", "1998-03-18T10:20:30+01:00"),
        ("Sun Feb 14 2021 07:31:51 GMT-0600 (CST)", "2021-02-14T07:31:51-06:00"),
        ("2018/06/15 12:37 PM EDT", "2018-06-15T12:37:00-04:00"), ("2018/03/26 1:07 AM", "2018-03-26T01:07:00"),
        # several days
        ("October 4-6, 1980", "1980-10-04/1980-10-06"), ("Jul-1-5-1995", "1995-07-01/1995-07-05"),
        ("13.08 - 19.08.2006", "2006-08-13/2006-08-19"), ("28.07 - 04.08.2003", "2003-07-28/2003-08-04"),
        ("20.5.-18.6.1800", "1800-05-20/1800-06-18"), ("17-22.09.1799", "1799-09-17/1799-09-22"),
        ("1.-3.5.1903", "1903-05-01/1903-05-03"), ("10-12/5/1903", "1903-05-10/1903-05-12"),
        ("6-10-VIII-2008", "2008-08-06/2008-08-10"),
        ("3 & 4 May 1903", "1903-05-03/1903-05-04"), ("3. u. 4. Mai 1903", "1903-05-03/1903-05-04"),
        ("1903 May 3-5", "1903-05-03/1903-05-05"), ("1903/05/03-05", "1903-05-03/1903-05-05"),
        ("May/June 1903", "1903-05/1903-06"), ("28.VI-3.VII.1937", "1937-06-28/1937-07-03"),
        ("Winter 1990-1991", "1990/1991"), ("winter 1990/91", "1990/1991"),
        # with what stands around them
        ("Ê06 July 1939", "1939-07-06"), ("Ê09ÊJune 1949", "1949-06-09"), ("08.2008 Ê Ê Ê", "2008-08"),
        ("le 3 mai 1903", "1903-05-03"), ("el 3 de mayo de 1903", "1903-05-03"), ("am 3. Mai 1903", "1903-05-03"),
        ("3 maj 1903 r.", "1903-05-03"), ("3. května 1903", "1903-05-03"), ("окт. 1903", "1903-10"),
        ("3 May 1903 14:30", "1903-05-03"), ("8 MAY 2003 0830h", "2003-05-08"), ("May 3, 1903, 2:30 pm", "1903-05-03"),
        ("early May 1903", "1903-05"), ("Anfang Mai 1903", "1903-05"), ("début mai 1903", "1903-05"),
        ("Jul-00-1929", "1929-07"), ("000-00-1926", "1926"),
        # not to be guessed: a century, an order, a year, an end
        ("10.vii.18", None), ("12/12/75", None), ("Jul-07-0000", None), ("01/02/1903", "1903"), ("before 1900", None),
        ("1903 or 1904", None), ("Thu Nov 30 00:00:00 CET 2", None), ("2003-02-30", None), ("7/25", None),
        ("Winter 1990-1995", None), ("31-2.5.1903", None),
    ],
)  # fmt: skip
def test_dates(text: str, iso: str | None) -> None:
    found = parse_date(text)
    assert (found.iso if found else None) == iso


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("5230N 00507E", (52.5, 5.116667)), ("523015N 0050700W", (52.504167, -5.116667)), ("52.5°, -5.1°", (52.5, -5.1)),
        ("12º30'LS 77ºLW", (-12.5, -77.0)),
        ("12º30'LS 77ºLO", (-12.5, -77.0)), ("12°30' lat. S., 77° long. W.", (-12.5, -77.0)),
        ("12°30'S., 77°00'W.", (-12.5, -77.0)), ("52,5 5,1", (52.5, 5.1)), ("52,5; -5,1", (52.5, -5.1)),
        ("(12.5, -77)", (12.5, -77.0)), ("[12.5; -77.0]", (12.5, -77.0)), ("POINT(-77 12.5)", (12.5, -77.0)),
        ("geo:12.5,-77", (12.5, -77.0)), ("12-30S 77-00W", (-12.5, -77.0)), ("12.5S77.2W", (-12.5, -77.2)),
        ("N52°30'00\"E5°07'12\"", (52.5, 5.12)), ("S12°30.500 W077°05.200", (-12.508333, -77.086667)),
        ("49º 30' N - 5º 10' E", (49.5, 5.166667)),  # a dash between them is no minus
        # a grid, a question, minutes beyond 60
        ("67515, 57681", None), ("?, ?", None), ("31U 400000 5700000", None), ("5275N 00507E", None),
    ],
)  # fmt: skip
def test_positions_in_one_cell(text: str, position: tuple[float, float] | None) -> None:
    found = parse_position(None, None, text)
    assert (None if found is None else (found.latitude, found.longitude)) == (
        None if position is None else pytest.approx(position, abs=1e-6)
    )


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3-4000ft", (914.4, 1219.2)), ("5-600 m", (500.0, 600.0)), ("2.500 m", (2500.0, 2500.0)),
        ("1.850 m s.n.m.", (1850.0, 1850.0)), ("1200±50 m", (1150.0, 1250.0)), ("sea level", (0.0, 0.0)),
        ("Meeresniveau", (0.0, 0.0)), ("elev. ca 500 ft", (152.4, 152.4)), ("between 200 and 300 m", (200.0, 300.0)),
        ("zwischen 200 und 300 m", (200.0, 300.0)), ("600 Fuß", (182.88, 182.88)), ("1200 mètres", (1200.0, 1200.0)),
        ("m 500", (500.0, 500.0)), ("700ft (213 m)", (213.36, 213.36)), ("10 m below sea level", (-10.0, -10.0)),
        # as measured, and spans that only look shortened
        ("3.048 m", (3.048, 3.048)), ("5-10 m", (5.0, 10.0)), ("2-600 m", (2.0, 600.0)), ("0-100 m", (0.0, 100.0)),
        # one end only, or no number
        ("<100 m", None), ("up to 300 m", None), ("1200m+", None), ("low", None), ("12OO m", None), ("NA", None),
    ],
)  # fmt: skip
def test_elevations(text: str, span: tuple[float, float] | None) -> None:
    found = elevation(None, None, text)
    assert (None if found is None else (found.low, found.high)) == span


def test_a_depth_below_sea_level_is_a_depth() -> None:
    found = depth(None, None, "10 m below sea level")
    assert found is not None
    assert (found.low, found.high) == (10.0, 10.0)
