"""Harvesting a BioCASe provider: every unit once, whatever the provider's limits, gaps and faults; and to go on with."""

import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.archives import read_archive
from dissco_platform.archives.biocase import access_point, read_inventory
from dissco_platform.archives.harvest import Pace, _missing, fetch_access_point, look_at_access_point
from dissco_platform.archives.sources import fetch_source, look_at_source
from dissco_platform.errors import SourceError
from dissco_platform.http import Fetched, HttpClient, Validators
from tests.fakes.biocase import Provider, provider

QUICK = Pace(page=100, attempts=2, pause=0.0)


def harvest(made: Provider, folder: Path, title: str = "") -> Fetched:
    point = access_point(made.address + (f"#{title}" if title else ""))
    assert point is not None
    return fetch_access_point(HttpClient(), point, folder, trusted=True, pace=QUICK)


def units(fetched: Fetched, folder: Path) -> list[str]:
    folder.mkdir()
    read_archive(fetched.path, folder)
    return sorted(pl.read_parquet(folder / "records.parquet")["abcd:UnitID"].to_list(), key=int)


def note(fetched: Fetched) -> dict[str, object]:
    with zipfile.ZipFile(fetched.path) as archive:
        found: dict[str, object] = json.loads(archive.read("harvest.json"))
    return found


def test_which_sources_are_access_points() -> None:
    found = access_point("https://m.example/biocase/pywrapper.cgi?dsa=herbar#Herbarium%20X")
    assert found is not None and (found.address, found.title) == (
        "https://m.example/biocase/pywrapper.cgi?dsa=herbar",
        "Herbarium X",
    )
    for other in ("https://m.example/ipt/archive.do?r=x", "/data/pywrapper.cgi", "archive.zip"):
        assert access_point(other) is None


@pytest.mark.parametrize(("total", "limit"), [(25, 10), (20, 10), (1, 10), (10, 10), (7, 3)])
def test_every_unit_comes_once(tmp_path: Path, total: int, limit: int) -> None:
    """A total that is a multiple of the page size ends there: nothing is asked for beyond it."""
    with provider(Provider(units=total, limit=limit)) as made:
        fetched = harvest(made, tmp_path)
    assert units(fetched, tmp_path / "out") == [str(n) for n in range(total)]
    assert all(start < total for start, _ in made.asked)
    assert made.most_together <= 2
    assert not list(tmp_path.glob(".harvest*"))


def test_left_out_units_do_not_shift_the_next_page(tmp_path: Path) -> None:
    with provider(Provider(units=30, limit=10, dropped={3, 11, 12, 29})) as made:
        fetched = harvest(made, tmp_path)
    assert units(fetched, tmp_path / "out") == [str(n) for n in range(30) if n not in {3, 11, 12, 29}]
    assert note(fetched)["dropped"] == 4


def test_a_whole_page_left_out_does_not_end_the_harvest(tmp_path: Path) -> None:
    with provider(Provider(units=25, limit=5, dropped=set(range(5, 15)))) as made:
        assert len(units(harvest(made, tmp_path), tmp_path / "out")) == 15


@pytest.mark.parametrize("stated", [None, 12])
def test_a_missing_or_too_small_total_loses_no_page_that_is_known(tmp_path: Path, stated: int | None) -> None:
    """Without a total it goes on until a page is empty; a stated total is what the provider answers for."""
    with provider(Provider(units=25, limit=10, stated_total=stated)) as made:
        found = units(harvest(made, tmp_path), tmp_path / "out")
    assert len(found) >= (25 if stated is None else 12)
    assert len(set(found)) == len(found)


def test_an_error_inside_an_answer_costs_one_unit_and_is_told(tmp_path: Path) -> None:
    with provider(Provider(units=25, limit=10, broken={13})) as made:
        fetched = harvest(made, tmp_path)
    assert units(fetched, tmp_path / "out") == [str(n) for n in range(25) if n != 13]
    assert note(fetched)["not_sent"] == [13]


def test_answers_that_break_off_are_asked_for_again(tmp_path: Path) -> None:
    with provider(Provider(units=5, malformed_first=1)) as made:
        assert len(units(harvest(made, tmp_path), tmp_path / "out")) == 5


def test_a_busy_provider_is_waited_for(tmp_path: Path) -> None:
    with provider(Provider(units=5, busy=2)) as made:
        assert len(units(harvest(made, tmp_path), tmp_path / "out")) == 5


def test_a_broken_off_harvest_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with provider(Provider(units=60, limit=10, fail_after=4)) as made:
        with pytest.raises(SourceError):
            harvest(made, tmp_path)
        kept = {int(path.stem) for path in next(iter(tmp_path.glob(".harvest-*"))).glob("*.xml")}
        assert kept
        made.fail_after, made.asked = None, []
        fetched = harvest(made, tmp_path)
        assert not kept & {start for start, limit in made.asked if limit > 1}
    assert units(fetched, tmp_path / "out") == [str(n) for n in range(60)]


def test_the_same_units_give_the_same_bytes(tmp_path: Path) -> None:
    with provider(Provider()) as made:
        assert harvest(made, tmp_path / "a").sha256 == harvest(made, tmp_path / "b").sha256


def test_an_offered_archive_is_taken_instead_of_pages(tmp_path: Path) -> None:
    with provider(Provider(archive=b"PK not read here")) as made:
        fetched = harvest(made, tmp_path)
        assert fetched.path.read_bytes() == b"PK not read here"
        assert made.asked == [] and made.counts["/abcd.zip"] == 1 and made.counts["/dwca.zip"] == 0


def test_a_look_at_an_access_point(tmp_path: Path) -> None:
    client = HttpClient()
    with provider(Provider()) as made:
        fetched = fetch_source(client, made.address, tmp_path, trusted=True)
        same = look_at_source(client, made.address, fetched.validators, fetched.sha256, trusted=True)
        made.revision = "2026-02-01"
        other = look_at_source(client, made.address, fetched.validators, fetched.sha256, trusted=True)
        made.archive = b"PK"
        point = access_point(made.address)
        assert point is not None
        offered = look_at_access_point(client, point, Validators(), trusted=True)
        again = look_at_access_point(client, point, offered.validators, trusted=True)
    assert (same.changed, other.changed, offered.changed, again.changed) == (False, True, True, False)


def test_several_datasets_want_a_title(tmp_path: Path) -> None:
    with provider(Provider(titles=("Herbarium", "Fungi"))) as made:
        with pytest.raises(SourceError, match="add #TITLE of one of them: Herbarium; Fungi"):
            harvest(made, tmp_path)
        with pytest.raises(SourceError, match="has no dataset 'Algae'"):
            harvest(made, tmp_path, "Algae")
        assert harvest(made, tmp_path, "Fungi").size


def test_a_provider_that_answers_with_nothing_but_errors_is_named(tmp_path: Path) -> None:
    silent = Provider(units=1, inventory=False, broken={0})
    with provider(silent) as made, pytest.raises(SourceError, match="database went away"):
        harvest(made, tmp_path)


def test_an_inventory_cannot_send_us_into_our_own_network(tmp_path: Path) -> None:
    with provider(Provider(archive=b"PK")) as made:
        point = access_point(made.address)
        assert point is not None
        with pytest.raises(SourceError, match=r"private network|uses port"):
            fetch_access_point(HttpClient(), point, tmp_path, trusted=False, pace=QUICK)


def test_missing_ranges() -> None:
    assert _missing({}, 25, 10) == [(0, 10), (10, 20), (20, 25)]
    assert _missing({0: 10, 14: 20}, 25, 10) == [(10, 14), (20, 25)]
    assert _missing({0: 10, 10: 20}, 20, 10) == []


def test_inventories_of_other_software_are_none() -> None:
    assert read_inventory("x", b"<html><title>BioCASe</title></html>") == []
