"""A dataset is held to, or rolled back to, an earlier mapping or checklist release: what runs, and what people see."""

import zipfile
from pathlib import Path

import pytest

from dissco_platform.assets.pinned import checklist_history, find_version, mapping_history, mapping_label
from dissco_platform.assets.recording import latest
from dissco_platform.errors import UsageError
from dissco_platform.http import HttpClient
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.pins import CHECKLIST, MAPPING, drop_pin, set_pin
from dissco_platform.sensors.overview import overview_rows
from dissco_platform.sensors.reconcile import look_upstream, plan
from tests.house import EXAMPLES
from tests.sensors.house import AutomatedHouse
from tests.sensors.test_scenarios import MAPPED, NAMED, edit_mapping


def pin_mapping(house: AutomatedHouse, slug: str, wanted: str) -> str:
    history = mapping_history(house.instance, house.store, slug)
    labels = {made.data_version: mapping_label(made, "dwca") for made in history}
    chosen = find_version(history, wanted, labels, MAPPING)
    with house.registry.write() as connection:
        set_pin(
            connection,
            slug,
            MAPPING,
            version=chosen.data_version,
            label=labels[chosen.data_version][:8],
            by="anna",
            facts=chosen.json("versions"),
            reason="values of sex were lost",
        )
    return labels[chosen.data_version]


def next_release(path: Path, rename: tuple[str, str] | None = None) -> Path:
    """Write the sample checklist as its next release, one phylum more, and a name replaced if wanted."""
    with zipfile.ZipFile(EXAMPLES / "checklist.zip") as old, zipfile.ZipFile(path, "w") as new:
        usages = old.read("NameUsage.tsv").decode()
        if rename is not None:
            usages = usages.replace(*rename)
        new.writestr("metadata.yaml", old.read("metadata.yaml").decode().replace("2026-10", "2026-11"))
        new.writestr("NameUsage.tsv", usages + "ZZZZZ\t9WZBQ\taccepted\tphylum\tNovophyta\t\t\tNovophyta\n")
    return path


def test_a_dataset_rolled_back_to_its_former_mapping_stays_there_until_it_is_let_go(house: AutomatedHouse) -> None:
    former = mapping_history(house.instance, house.store, "alpha")[0].data_version
    vocabulary = house.mappings / "vocabularies" / "sex.tsv"
    vocabulary.parent.mkdir()
    vocabulary.write_text("concept\tparent\tlanguage\tlabels\nmale\t\tde\tmannsbild\n")
    edit_mapping(house, "alpha", "A mistake")
    assert [(run.slug, run.assets) for run in house.settle()] == [("alpha", MAPPED), ("beta", MAPPED)]
    label = pin_mapping(house, "alpha", "previous")
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.success, ran.rendered) == ("alpha", MAPPED, True, 40)
    assert ran.cause.startswith("mapping: dwca ") and ran.cause.split(" → ")[1].startswith(f"{label[:8]} (pinned)")
    made = latest(house.instance, "mapping", "alpha")
    assert made is not None and made.data_version == former
    assert "anna: values of sex were lost" in (made.text("pinned") or "")
    edit_mapping(house, "alpha", "The next thought")
    vocabulary.write_text("concept\tparent\tlanguage\tlabels\nmale\t\tde\tmannsbild|herr\n")
    (ran,) = house.settle()
    assert ran.slug == "beta"
    with house.registry.read() as connection:
        dataset = get_dataset(connection, "alpha")
    signal = look_upstream(house.instance, house.registry, house.store, HttpClient(), dataset)
    # The command line's plan for one dataset agrees with the sensor's for all.
    assert plan(house.instance, house.registry, house.store, house.mappings, dataset, signal).causes == {}
    with house.registry.write() as connection:
        assert drop_pin(connection, "alpha", MAPPING)
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.rendered) == ("alpha", MAPPED, 40)
    assert house.settle() == []


def test_a_dataset_pinned_to_a_release_is_not_touched_by_the_next(house: AutomatedHouse, tmp_path: Path) -> None:
    (present,) = checklist_history(house.instance, house.store)
    with house.registry.write() as connection:
        set_pin(connection, "alpha", CHECKLIST, version=present.data_version, label="2026-10", by="anna")
    assert house.settle() == []
    house.checklist(next_release(tmp_path / "next.zip"))
    (ran,) = house.settle()
    assert (ran.slug, ran.assets) == ("beta", NAMED)
    tick = house.tick()
    rows = {row["dataset"]: row for row in overview_rows(tick.standings, [], tick.choice, set())}
    assert rows["alpha"]["pinned"].startswith("checklist 2026-10 since ") and rows["beta"]["pinned"] == ""
    with house.registry.write() as connection:
        drop_pin(connection, "alpha", CHECKLIST)
    (ran,) = house.settle()
    assert (ran.slug, ran.assets, ran.rendered) == ("alpha", NAMED, 0)


def test_a_version_that_is_none_or_several_is_refused_with_what_there_is(house: AutomatedHouse) -> None:
    history = mapping_history(house.instance, house.store, "beta")
    labels = {made.data_version: mapping_label(made, "dwca") for made in history}
    with pytest.raises(UsageError, match="no earlier mapping"):
        find_version(history, "previous", labels, MAPPING)
    with pytest.raises(UsageError, match="'zz' is none of the mappings"):
        find_version(history, "zz", labels, MAPPING)
    assert find_version(history, "current", labels, MAPPING) is history[0]
