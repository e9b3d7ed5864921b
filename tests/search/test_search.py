"""Questions and their answers, counts that are exact, and an index that follows what is published."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissco_platform.errors import UsageError
from dissco_platform.search.find import Finder
from dissco_platform.search.query import question
from dissco_platform.search.summary import days, words
from tests.search.conftest import Shelf, specimen


def asked(**values: object):
    return question({name: value if isinstance(value, list) else [str(value)] for name, value in values.items()})


def names(finder: Finder, **values: object) -> list[str]:
    answer = finder.find(asked(**values))
    assert answer.total == finder.count(asked(**values)).total == finder.total(asked(**values))
    return [entry["suffix"] for entry in answer.entries]


def test_words_phrases_beginnings_and_what_must_not_occur(shelf: Shelf) -> None:
    shelf.publish(
        {
            "AAA-AAA-AAA": specimen("AAA-AAA-AAA", collector="Émile Noël"),
            "BBB-BBB-BBB": specimen("BBB-BBB-BBB", name="Corvus corax", collector="Noël Zola", country="Österreich"),
        }
    )
    shelf.update()
    finder = shelf.finder
    assert names(finder, q="emile noel") == ["AAA-AAA-AAA"]
    assert len(names(finder, q="NOËL")) == 2
    assert names(finder, q='"noel zola"') == ["BBB-BBB-BBB"]
    assert names(finder, q='"zola noel"') == []
    assert names(finder, q="cor*") == ["BBB-BBB-BBB"]
    assert names(finder, q="noel -zola") == ["AAA-AAA-AAA"]
    assert names(finder, q="-zola") == ["AAA-AAA-AAA"]
    assert names(finder, q="österreich") == names(finder, q="OSTERREICH") == ["BBB-BBB-BBB"]
    assert names(finder, q="!!! ???") == []
    for hostile in ("' OR 1=1 --", '"', '""', "a:b & !c | (d", "*", "-", "NEAR(a b)", "x\x00y", "col: {a}", "'':*"):
        finder.find(asked(q=hostile))


def test_facets_are_counted_without_their_own_selection(shelf: Shelf) -> None:
    shelf.publish(
        {
            f"AAA-AAA-AA{number}": specimen(
                f"AAA-AAA-AA{number}", code="BE" if number < 3 else "NL", country="x", mids=number % 2,
                **({"type": "holotype"} if number == 0 else {}), **({"media": ["MMM-MMM-MMM"]} if number > 3 else {}),
            )
            for number in range(6)
        }
    )  # fmt: skip
    shelf.update()
    counted = shelf.finder.count(asked(country="BE"))
    assert counted.total == 3
    assert {value: count for value, _, count in counted.facets["country"]} == {"BE": 3, "NL": 3}
    assert {value: count for value, _, count in counted.facets["mids"]} == {"0": 2, "1": 1}
    assert {value: count for value, _, count in counted.facets["type_status"]} == {None: 2, "holotype": 1}
    assert {value: count for value, _, count in counted.facets["media"]} == {"false": 3}
    assert counted.facets["institution"] == [("https://ror.org/0566bfb96", "Museum of Birds", 3)]
    assert shelf.finder.count(asked(country=["BE", "NL"], mids="0")).total == 3
    assert shelf.finder.suggest("institution", "museum")[0][1] == "Museum of Birds"


def test_taxa_dates_places_identifiers_and_existence(shelf: Shelf) -> None:
    shelf.publish(
        {
            "AAA-AAA-AAA": specimen("AAA-AAA-AAA", date="1890-05-17", at=(50.5, 4.25), number="RB 17/a"),
            "BBB-BBB-BBB": specimen("BBB-BBB-BBB", date="1890", family="Corvidae", genus="Corvus", epithet="corax"),
            "CCC-CCC-CCC": specimen(
                "CCC-CCC-CCC", date="1891-01-01/1891-02-03", at=(-17.7, 179.5), genus="", epithet=""
            ),
            "DDD-DDD-DDD": specimen("DDD-DDD-DDD", at=(-17.7, -179.5), date="in spring"),
        }
    )
    shelf.update()
    finder = shelf.finder
    root = "Animalia|Chordata|Aves|Passeriformes"
    assert len(names(finder, taxon="Animalia")) == 4
    assert names(finder, taxon=f"{root}|Corvidae") == ["BBB-BBB-BBB"]
    assert finder.count(asked(taxon=root)).taxa == [
        (f"{root}|Paridae", "Paridae", 3),
        (f"{root}|Corvidae", "Corvidae", 1),
    ]
    assert finder.count(asked(taxon="Animalia|Chordata")).taxa == [("Animalia|Chordata|Aves", "Aves", 4)]
    assert names(finder, family="Corvidae") == names(finder, species="Corvus corax") == ["BBB-BBB-BBB"]
    assert len(names(finder, order="Passeriformes")) == 4 and names(finder, order="passeriformes") == []
    assert names(finder, **{"from": "1890-05-18", "to": "1890-12"}) == ["BBB-BBB-BBB"]
    assert names(finder, to="1890-05-17") == ["AAA-AAA-AAA", "BBB-BBB-BBB"]
    assert names(finder, **{"from": "1891-02"}) == ["CCC-CCC-CCC"]
    assert names(finder, bbox="4.25,50.5,4.25,50.5") == ["AAA-AAA-AAA"]
    assert names(finder, bbox="179,-18,-179,-17") == ["CCC-CCC-CCC", "DDD-DDD-DDD"]
    assert names(finder, bbox="-180,-18,-179.6,-17") == []
    assert names(finder, id="rb 17/A") == names(finder, id="https://doi.org/10.5555/aaa-aaa-aaa") == ["AAA-AAA-AAA"]
    assert len(names(finder, id=["AAA-AAA-AAA", "10.5555/BBB-BBB-BBB", "nothing"])) == 2
    assert names(finder, has="-coordinates") == ["BBB-BBB-BBB"]
    assert names(finder, has="-date") == ["DDD-DDD-DDD"]
    assert names(finder, has="-genus") == ["CCC-CCC-CCC"] and len(names(finder, has=["order", "date"])) == 3
    assert names(finder, has="-kingdom") == []


def test_pages_follow_each_other_to_the_end_in_both_orders(shelf: Shelf) -> None:
    draw = random.Random(5)
    suffixes = [f"{number:03}-AAA-AAA" for number in range(60)]
    shelf.publish({suffix: specimen(suffix, name=draw.choice(["b", "a", "Ä", "c"])) for suffix in suffixes})
    shelf.update()
    for sort in ("name", "modified"):
        for narrowed in ({}, {"q": "b"}, {"country": "BE"}):
            seen: list[str] = []
            keys: list[tuple[str, int]] = []
            cursor = ""
            while True:
                found = shelf.finder.find(asked(sort=sort, size=7, cursor=cursor, **narrowed))
                seen += [entry["suffix"] for entry in found.entries]
                keys += [(entry[sort], entry["id"]) for entry in found.entries]
                if found.cursor is None:
                    break
                cursor = found.cursor
            assert len(seen) == len(set(seen)) == found.total
            assert keys == sorted(keys, reverse=sort == "modified")
    assert sum(len(part) for part in shelf.finder.every(asked(), 13)) == 60


def test_only_what_was_published_since_is_read_and_replaced(shelf: Shelf) -> None:
    shelf.publish({f"{n:03}-AAA-AAA": specimen(f"{n:03}-AAA-AAA", country="x", code="BE") for n in range(20)})
    shelf.publish({"MMM-MMM-MMM": {"ac:accessURI": "https://a.example/1.jpg", "dcterms:format": "image/jpeg"}}, "media")
    first = shelf.update()
    assert (first.batches, first.replaced, first.entries) == (2, 20, 20)
    finder = shelf.finder
    assert finder.count(asked(code="BE")).total == 20
    shelf.publish({"003-AAA-AAA": specimen("003-AAA-AAA", code="NL", collector="Somebody Else"), "004-AAA-AAA": None})
    second = shelf.update()
    assert (second.batches, second.replaced, second.removed, second.entries) == (1, 1, 1, 19)
    assert names(finder, q="somebody") == ["003-AAA-AAA"]  # the finder that was asked before sees it
    assert names(finder, id="004-AAA-AAA") == []
    assert {value: count for value, _, count in finder.count(asked()).facets["country"]} == {"BE": 18, "NL": 1}
    assert finder.media(["MMM-MMM-MMM"])["MMM-MMM-MMM"]["address"] == "https://a.example/1.jpg"
    again = shelf.update()
    assert (again.batches, again.replaced) == (0, 0)


def test_a_kill_between_parts_and_reading_twice_change_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    from dissco_platform.search import index as module

    shelf.publish({f"{n:03}-AAA-AAA": specimen(f"{n:03}-AAA-AAA") for n in range(5)})
    shelf.publish({f"{n:03}-AAA-AAA": specimen(f"{n:03}-AAA-AAA", code="FR") for n in range(2)})
    real = module._advance

    def killed(connection: object, slug: str, number: int, path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_advance", killed)
    with pytest.raises(KeyboardInterrupt):
        shelf.update()
    monkeypatch.setattr(module, "_advance", real)
    shelf.update()
    assert shelf.finder.count(asked()).total == 5
    assert {value: count for value, _, count in shelf.finder.count(asked()).facets["country"]} == {"BE": 3, "FR": 2}


def test_counts_are_those_of_counting_by_hand(shelf: Shelf) -> None:
    draw = random.Random(11)
    documents = {}
    for number in range(150):
        suffix = f"{number:03}-AAA-AAA"
        documents[suffix] = specimen(
            suffix, code=draw.choice(["BE", "NL", "FR"]), mids=draw.choice([0, 1, 2]),
            date=draw.choice([None, "1890", "1901-02-03", "1950-06"]), family=draw.choice(["Paridae", "Corvidae", ""]),
            at=draw.choice([(50.0, 4.0), (10.0, 20.0)]),
        )  # fmt: skip
    shelf.publish(documents)
    shelf.update()
    finder = shelf.finder
    for _ in range(25):
        code, level, family = draw.choice(["BE", "NL"]), draw.choice(["0", "1"]), draw.choice(["Paridae", "Corvidae"])
        chosen = draw.sample(["country", "mids", "family", "from", "bbox"], draw.randint(1, 5))
        given = {"country": code, "mids": level, "family": family, "from": "1900", "bbox": "0,40,10,60"}

        def fits(document: dict, without: str = "", given: dict = given, chosen: list = chosen) -> bool:
            event = document["ods:hasEvents"][0]
            place = event["ods:hasLocation"]
            taxon = document["ods:hasIdentifications"][0]["ods:hasTaxonIdentifications"][0]
            held = {
                "country": place["dwc:countryCode"] == given["country"],
                "mids": str(document["ods:midsLevel"]) == given["mids"],
                "family": taxon["dwc:family"] == given["family"],
                "from": (event["dwc:eventDate"] or "0") >= "1900",
                "bbox": place["ods:hasGeoreference"]["dwc:decimalLatitude"] == 50.0,
            }
            return all(held[name] for name in chosen if name != without)

        counted = finder.count(asked(**{name: given[name] for name in chosen}))
        assert counted.total == sum(map(fits, documents.values()))
        by_country: dict[str, int] = {}
        for document in documents.values():
            if fits(document, without="country"):
                code_of = document["ods:hasEvents"][0]["ods:hasLocation"]["dwc:countryCode"]
                by_country[code_of] = by_country.get(code_of, 0) + 1
        assert {value: count for value, _, count in counted.facets["country"]} == by_country


@pytest.mark.parametrize(
    "wrong",
    [{"from": "spring"}, {"bbox": "1,2,3"}, {"bbox": "nan,0,1,1"}, {"sort": "x"}, {"size": "0"}, {"cursor": "abc"},
     {"has": "wings"}],
)  # fmt: skip
def test_a_wrong_parameter_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        asked(**wrong)


def test_ends_in_the_other_order_are_turned() -> None:
    assert asked(**{"from": "1900", "to": "1890-02"}).days == (18900201, 19001231)
    assert asked(bbox="1,50,2,40").box == (1.0, 40.0, 2.0, 50.0)


def test_days_of_dates() -> None:
    assert days("1890-05-17T10:00:00Z") == (18900517, 18900517)
    assert days("1890-02") == (18900201, 18900231) and days("1890/1891-03-04") == (18900101, 18910304)
    assert days("May 1890") == days(None) == days("") == (None, None)


@given(st.lists(st.text(max_size=80), max_size=5))
def test_words_are_letters_and_digits_alone(values: list[str]) -> None:
    assert all(part.isalnum() or not part.isascii() for part in words(values).split())
