"""The sample data are what their script makes and hold what editions.json says; the checklist has their names."""

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COLLECTIONS = ("herbarium", "zoology", "fossils")
WEEKS = ("week1", "week2")
DWC = "{http://rs.tdwg.org/dwc/text/}"
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"

EDITIONS: dict[str, Any] = json.loads((EXAMPLES / "editions.json").read_text("utf-8"))


def read(week: str, collection: str) -> dict[str, bytes]:
    with zipfile.ZipFile(EXAMPLES / week / f"{collection}.zip") as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows(files: dict[str, bytes], tag: str = "core") -> list[dict[str, str]]:
    """Read a table of an archive with nothing but its descriptor and the csv module, keyed by the terms' last part."""
    table = ElementTree.fromstring(files["meta.xml"]).find(DWC + tag)
    assert table is not None
    location = table.findtext(f"{DWC}files/{DWC}location")
    assert location
    separator = table.attrib["fieldsTerminatedBy"].replace("\\t", "\t")
    quoted = bool(table.attrib["fieldsEnclosedBy"])
    text = files[location].decode("utf-8")
    lines = list(
        csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        )
    )[1:]
    fields = [(field.attrib["term"].rpartition("/")[2], field.attrib) for field in table.findall(DWC + "field")]
    found = []
    for line in lines:
        row = {"id": line[0], "#": str(len(line))}
        for term, attributes in fields:
            index = int(attributes.get("index", len(line)))
            row[term] = (line[index] if index < len(line) else "") or attributes.get("default", "")
        found.append(row)
    return found


@pytest.fixture(scope="module")
def names() -> list[dict[str, str]]:
    with zipfile.ZipFile(EXAMPLES / "checklist.zip") as archive:
        text = archive.read("NameUsage.tsv").decode("utf-8")
    return [
        {key.removeprefix("col:"): value for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    ]


def test_the_files_on_disk_are_what_the_script_makes() -> None:
    script = [
        sys.executable,
        "-I",
        "-c",
        f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); sys.argv[1:] = ['--check'];",
    ]
    script[-1] += "import make_examples; sys.exit(make_examples.main())"
    check = subprocess.run(script, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr


def test_every_file_is_small() -> None:
    for path in EXAMPLES.rglob("*.zip"):
        assert path.stat().st_size < 300_000, path


@pytest.mark.parametrize("week", WEEKS)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_an_archive_holds_as_many_rows_as_editions_json_says(week: str, collection: str) -> None:
    files = read(week, collection)
    said = EDITIONS["datasets"][collection][week]
    assert len(rows(files)) == said["core_rows"] == said["accepted"] + said["rejected"]
    for extension in ElementTree.fromstring(files["meta.xml"]).findall(DWC + "extension"):
        name = extension.findtext(f"{DWC}files/{DWC}location") or ""
        separator = extension.attrib["fieldsTerminatedBy"].replace("\\t", "\t")
        held = list(csv.reader(io.StringIO(files[name].decode()), delimiter=separator))
        assert len(held) - 1 == said["extension_rows"][name]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_second_week_changes_what_editions_json_says(collection: str) -> None:
    said = EDITIONS["datasets"][collection]["from_week1_to_week2"]
    first, second = (fingerprints(read(week, collection)) for week in WEEKS)
    assert len(second.keys() - first.keys()) == said["new"]
    assert len(first.keys() - second.keys()) == said["vanished"]
    both = first.keys() & second.keys()
    changed = [key for key in both if first[key] != second[key]]
    assert len(changed) == said["changed"] == sum(said["changed_by_kind"].values())
    assert (
        said["unchanged"] + said["changed"] + said["vanished"] == EDITIONS["datasets"][collection]["week1"]["accepted"]
    )
    assert list(second) != [key for key in first if key in second]  # the rows come in another order
    assert len(said["catalogue_numbers"]["changed"]) == said["changed"]


def fingerprints(files: dict[str, bytes]) -> dict[str, object]:
    """Return each specimen's rows (core and extensions): of rows with the same identifier the first, no bad rows."""
    found: dict[str, object] = {}
    extensions: dict[str, list[str]] = {}
    for name in files.keys() & {"identification.txt", "multimedia.txt", "measurementorfact.csv"}:
        for line in files[name].decode().splitlines():
            extensions.setdefault(re.split(r"[\t,]", line)[0], []).append(line)
    core = rows(files)
    width = Counter(row["#"] for row in core).most_common(1)[0][0]
    for row in core:
        specimen = row["basisOfRecord"].endswith(("Specimen", "sheet"))
        if specimen and row["id"] and row["#"] == width and row["id"] not in found:
            found[row["id"]] = (row, sorted(extensions.get(row["id"], [])))
    return found


def test_the_bad_rows_of_the_zoological_collection_are_as_bad_as_said() -> None:
    for week in WEEKS:
        core = rows(read(week, "zoology"))
        said = EDITIONS["datasets"]["zoology"][week]
        usual = Counter(row["#"] for row in core).most_common(1)[0][0]
        whole = [row for row in core if row["#"] == usual]
        ids = Counter(row["id"] for row in whole if row["id"])
        assert sum(int(row["#"]) > int(usual) for row in core) == said["rejects"]["too_many_columns"]
        assert sum(int(row["#"]) < int(usual) for row in core) == said["rejects"]["too_few_columns"]
        assert sum(count - 1 for count in ids.values()) == said["rejects"]["duplicate_identifier"]
        assert sum(not row["id"] for row in whole) == said["rejects"]["missing_identifier"]
        assert sum(row["basisOfRecord"] == "HumanObservation" for row in whole) == said["rejects"]["not_a_specimen"]
        assert sum("by-nc" in row["license"] for row in whole) == said["doi_only"]
        orphans = [row for row in rows(read(week, "zoology"), "extension") if row["id"] not in ids]
        assert len(orphans) == said["orphan_extension_rows"]["measurementorfact.csv"]


def test_some_members_keep_their_content_while_their_bytes_in_the_zip_differ() -> None:
    for collection in COLLECTIONS:
        said = EDITIONS["datasets"][collection]["from_week1_to_week2"]["members_with_the_same_content"]
        packed = []
        for week in WEEKS:
            with zipfile.ZipFile(EXAMPLES / week / f"{collection}.zip") as archive:
                packed.append({member.filename: member for member in archive.infolist()})
        same = [name for name, member in packed[0].items() if member.CRC == packed[1][name].CRC]
        assert same == said
        assert all(packed[0][name].date_time != packed[1][name].date_time for name in same)


def test_the_herbarium_has_repeated_determinations_with_one_current_each() -> None:
    with_history = Counter[str]()
    current = Counter[str]()
    for row in rows(read("week1", "herbarium"), "extension"):
        with_history[row["id"]] += 1
        current[row["id"]] += row["identificationVerificationStatus"] == "1"
    assert set(current.values()) == {1}
    assert sum(count > 1 for count in with_history.values()) > 100


def test_collections_disagree_in_dialect() -> None:
    cores = [ElementTree.fromstring(read("week1", name)["meta.xml"]).find(DWC + "core") for name in COLLECTIONS]
    dialects = {
        (core.attrib["fieldsTerminatedBy"], core.attrib["fieldsEnclosedBy"]) for core in cores if core is not None
    }
    assert dialects == {("\\t", ""), (",", '"'), (";", '"')}
    assert any("\n" in row["occurrenceRemarks"] for row in rows(read("week1", "zoology")))
    assert {row["license"] for row in rows(read("week1", "fossils"))} == {
        "http://creativecommons.org/publicdomain/zero/1.0/legalcode"
    }


@pytest.mark.parametrize("week", WEEKS)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_metadata_name_licence_contact_and_version(week: str, collection: str) -> None:
    eml = ElementTree.fromstring(read(week, collection)["eml.xml"])
    said = EDITIONS["datasets"][collection]
    assert eml.findtext("dataset/title") == said["title"]
    assert (eml.findtext("dataset/contact/electronicMailAddress") or "").endswith("@example.org")
    assert eml.attrib["packageId"].endswith(f"/v1.{week[-1]}")
    assert eml.findtext("dataset/pubDate") == said[week]["published"]
    link = eml.find("dataset/intellectualRights/para/ulink")
    assert link is not None
    assert {"CC0-1.0": "publicdomain/zero/1.0", "CC-BY-4.0": "licenses/by/4.0"}[said["licence"]] in link.attrib["url"]


def test_ror_addresses_have_valid_check_digits() -> None:
    organisations = [dataset["organisation"] for dataset in EDITIONS["datasets"].values()]
    rors = [organisation for organisation in organisations if "ror.org" in organisation]
    assert len(rors) == 2
    for address in rors:
        match = re.fullmatch(r"https://ror\.org/0([a-hj-km-np-tv-z0-9]{6})([0-9]{2})", address)
        assert match
        number = 0
        for character in match[1]:
            number = number * 32 + CROCKFORD.index(character)
        assert (number * 100 + int(match[2])) % 97 == 1
    assert re.fullmatch(r"https://www\.wikidata\.org/entity/Q[1-9]\d*", next(iter(set(organisations) - set(rors))))


def test_every_usage_of_the_checklist_has_its_parent_and_its_own_identifier(names: list[dict[str, str]]) -> None:
    by_id = {row["ID"]: row for row in names}
    assert len(by_id) == len(names) == EDITIONS["checklist"]["usages"]
    assert Counter(row["status"] for row in names)["synonym"] == EDITIONS["checklist"]["synonym"]
    for row in names:
        assert row["parentID"] in by_id or (not row["parentID"] and row["rank"] == "kingdom"), row
        assert row["status"] == "accepted" or by_id[row["parentID"]]["status"] == "accepted"


def test_homonyms_are_told_apart_by_author_or_kingdom(names: list[dict[str, str]]) -> None:
    homonyms = {name for name, count in Counter(row["scientificName"] for row in names).items() if count > 1}
    genera = {"Oenanthe", "Prunella", "Pieris", "Chloris", "Ammophila", "Echidna"}
    assert homonyms == genera | {"Muscicapa striata", "Pinus abies", "Pinus picea"}
    labels = Counter((row["scientificName"], row["authorship"]) for row in names)
    assert max(labels.values()) == 1


@pytest.mark.parametrize("week", WEEKS)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_checklist_covers_every_name_that_is_no_odd_label(
    week: str, collection: str, names: list[dict[str, str]]
) -> None:
    known = {row["scientificName"] for row in names}
    known |= {f"{row['scientificName']} {row['authorship']}" for row in names}
    odd = {label["scientificName"] for label in EDITIONS["datasets"][collection]["labels"]}
    used = {row["scientificName"] for row in named_specimens(read(week, collection))}
    assert used - known - odd == set()


def named_specimens(files: dict[str, bytes]) -> list[dict[str, str]]:
    """Return the core rows that are whole and no minerals or rocks."""
    core = rows(files)
    usual = Counter(row["#"] for row in core).most_common(1)[0][0]
    return [
        row for row in core if row["#"] == usual and row["basisOfRecord"] not in ("MineralSpecimen", "RockSpecimen")
    ]


def test_each_odd_label_s_accepted_name_is_in_the_checklist(names: list[dict[str, str]]) -> None:
    accepted = {row["scientificName"] for row in names if row["status"] == "accepted"}
    outcomes = Counter[str]()
    for dataset in EDITIONS["datasets"].values():
        for label in dataset["labels"]:
            outcomes[label["match"]] += 1
            assert bool(label["accepted"]) == (label["match"] not in ("ambiguous", "none")), label
            assert not label["accepted"] or label["accepted"] in accepted, label
    assert set(outcomes) == {"exact", "variant", "fuzzy", "higherRank", "ambiguous", "none"}


def test_people_s_identifiers_have_valid_check_characters_and_belong_to_no_one() -> None:
    people = {row["recordedByID"] for name in COLLECTIONS for row in named_specimens(read("week1", name))} - {""}
    assert len(people) >= 10
    for address in people:
        match = re.fullmatch(r"https://orcid\.org/(0000-0000-\d{4}-\d{3})([\dX])", address)  # assigned: 0000-0001 on
        assert match, address
        total = 0
        for digit in match[1].replace("-", ""):
            total = (total + int(digit)) * 2
        assert "0123456789X"[(12 - total % 11) % 11] == match[2]


def test_links_and_mail_addresses_lead_nowhere() -> None:
    for week in WEEKS:
        for collection in COLLECTIONS:
            files = read(week, collection)
            files.pop("meta.xml")  # namespaces
            text = b"\n".join(files.values()).decode()
            hosts = set(re.findall(r"https?://([^/\s\"<|;,#]+)", text))
            made_up = {"herbarium.example.org", "images.example.org", f"{collection}.example.org"}
            standards = {"creativecommons.org", "ror.org", "orcid.org", "rs.gbif.org", "purl.org", "gbif.org"}
            standards |= {"eml.ecoinformatics.org", "www.w3.org"}
            assert hosts <= made_up | standards, hosts
            assert {address.rpartition("@")[2] for address in re.findall(r"[\w.]+@[\w.]+", text)} <= {"example.org"}
