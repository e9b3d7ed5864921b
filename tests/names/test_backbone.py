"""Checklists become an index: forms of source, links, odd data, versions, and the gate for releases."""

import zipfile
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.errors import ChecklistError
from dissco_platform.names.backbone import build_backbone, open_backbone
from dissco_platform.names.gate import examine_release, require_fit, same_checklist
from dissco_platform.names.index import Backbone

from .conftest import CHECKLIST, match


def build(tmp_path: Path, files: dict[str, str]) -> Backbone:
    source, out = tmp_path / "source", tmp_path / "index"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text, "utf-8")
    build_backbone(source, out)
    return open_backbone(out)


def test_the_release_says_what_it_is(backbone: Backbone) -> None:
    info = backbone.info
    assert (info.title, info.key, info.version, info.doi) == ("A little checklist", "LITTLE", "2026-01", "10.1234/abc")
    assert info.usages == 27
    assert info.by_status["synonym"] == 3
    assert info.by_rank["genus"] == 3


def test_row_order_makes_no_other_version(checklist: Path, backbone: Backbone, tmp_path: Path) -> None:
    header, *rows = CHECKLIST.strip().split("\n")
    again = build(tmp_path, {"NameUsage.tsv": "\n".join([header, *reversed(rows)])})
    assert again.info.data_version == backbone.info.data_version
    assert match(again, "Motacilla oenanthe")[0]["acceptedUsageID"] == "OEO"


def test_another_parent_makes_another_version(backbone: Backbone, tmp_path: Path) -> None:
    moved = build(tmp_path, {"NameUsage.tsv": CHECKLIST.replace("CRA\tCRB", "CRA\tOEA")})
    assert moved.info.data_version != backbone.info.data_version


def test_a_zip_with_csv_and_bare_headers_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    text = 'ID,parentID,status,rank,scientificName,authorship\n1,,accepted,genus,Aus,"Smith, 1900"\n2,1,,species,Aus bus,\n'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/name-usage.csv", text)
        archive.writestr("../metadata.yaml", "title: T\n")
    build_backbone(path, tmp_path / "index")
    index = open_backbone(tmp_path / "index")
    assert index.info.title == "T"
    assert index.authorships.to_list() == ["Smith, 1900"]
    assert match(index, "Aus bus")[0]["genus"] == "Aus"


def test_split_tables_are_joined(tmp_path: Path) -> None:
    index = build(
        tmp_path,
        {
            "Name.tsv": "ID\tscientificName\tauthorship\trank\tcode\nn1\tAus\t\tgenus\tICZN\n"
            "n2\tAus bus\tL.\tspecies\tICZN\nn3\tAus cus\tL.\tspecies\tICZN\n",
            "Taxon.tsv": "ID\tparentID\tnameID\tprovisional\nt1\t\tn1\tfalse\nt2\tt1\tn2\ttrue\n",
            "Synonym.tsv": "taxonID\tnameID\tstatus\nt2\tn3\tsynonym\n",
        },
    )
    got = match(index, "Aus cus L.")[0]
    assert (got["usageID"], got["acceptedUsageID"], got["genus"]) == ("t2:n3", "t2", "Aus")
    assert index.info.by_status == {"accepted": 1, "provisionally accepted": 1, "synonym": 1}


def test_a_darwin_core_checklist_is_read(tmp_path: Path) -> None:
    fields = [
        "taxonID",
        "parentNameUsageID",
        "acceptedNameUsageID",
        "taxonomicStatus",
        "taxonRank",
        "scientificName",
        "scientificNameAuthorship",
    ]
    terms = "".join(f'<field index="{n}" term="http://rs.tdwg.org/dwc/terms/{f}"/>' for n, f in enumerate(fields))
    meta = (
        '<archive xmlns="http://rs.tdwg.org/dwc/text/"><core rowType="http://rs.tdwg.org/dwc/terms/Taxon"'
        ' fieldsTerminatedBy="\\t" fieldsEnclosedBy="" ignoreHeaderLines="1"><files><location>taxon.txt</location></files>'
        f'<id index="0"/>{terms}</core></archive>'
    )
    rows = [
        "\t".join(fields),
        "1\t\t\taccepted\tgenus\tAus Smith\tSmith",
        "2\t1\t\tvalid\tspecies\tAus bus L.\tL.",
        "3\t\t2\theterotypic synonym\tspecies\tAus cus L.\tL.",
    ]
    index = build(tmp_path, {"meta.xml": meta, "taxon.txt": "\n".join(rows) + "\n"})
    got = match(index, "Aus cus")[0]
    assert (got["usageID"], got["matchedName"], got["acceptedUsageID"], got["genus"]) == ("3", "Aus cus", "2", "Aus")


def test_a_flat_classification_stands_in_for_a_tree(tmp_path: Path) -> None:
    text = "ID\tstatus\trank\tscientificName\tkingdom\tfamily\n1\taccepted\tspecies\tAus bus\tAnimalia\tAusidae\n"
    got = match(build(tmp_path, {"NameUsage.tsv": text}), "Aus bus")[0]
    assert (got["kingdom"], got["family"]) == ("Animalia", "Ausidae")


def test_circles_and_lost_parents_are_told_and_survived(tmp_path: Path) -> None:
    text = (
        "ID\tparentID\tstatus\trank\tscientificName\n1\t2\taccepted\tgenus\tAus\n2\t1\taccepted\tfamily\tAusidae\n"
        "3\t9\tsynonym\tspecies\tAus bus\n4\t3\tsynonym\tspecies\tAus cus\n4\t1\taccepted\tspecies\tAus dus\n"
    )
    index = build(tmp_path, {"NameUsage.tsv": text})
    told = " ".join(index.info.warnings)
    assert all(part in told for part in ("circle", "does not hold", "repeat an id", "no accepted usage"))
    assert match(index, "Aus bus")[0]["usageID"] == "3"


def test_irregular_names_of_a_checklist_are_parsed(tmp_path: Path) -> None:
    text = "ID\tstatus\trank\tscientificName\n1\taccepted\tspecies\tAus cf. bus (L.) Mill.\n"
    text += "2\taccepted\tspecies\tSalix alba × Salix nigra\n"
    index = build(tmp_path, {"NameUsage.tsv": text})
    assert [m["usageID"] for m in match(index, "Aus bus", "Salix alba x nigra")] == ["1", "2"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no NameUsage table"),
        ({"NameUsage.tsv": ""}, "empty"),
        ({"NameUsage.tsv": "ID\tname\n1\tAus\n"}, "scientificName is missing"),
        ({"NameUsage.tsv": "ID\tscientificName\n"}, "no usages"),
        ({"meta.xml": "<archive"}, "not well-formed"),
        ({"meta.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"}, "document type"),
    ],
)
def test_what_is_no_checklist_is_refused_in_words(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(ChecklistError, match=said):
        build(tmp_path, files)


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChecklistError, match="holds no index"):
        open_backbone(tmp_path)
    (tmp_path / "info.json").write_text("{")
    with pytest.raises(ChecklistError, match="build the index again"):
        open_backbone(tmp_path)


def test_a_release_like_the_last_passes_the_gate(backbone: Backbone) -> None:
    assert require_fit(backbone, backbone, ["OEO", "CRB"]).passed
    assert examine_release(backbone, None).passed


def test_a_release_that_lost_ids_or_usages_is_refused(backbone: Backbone, tmp_path: Path) -> None:
    header, *rows = CHECKLIST.strip().split("\n")
    half = build(tmp_path, {"NameUsage.tsv": "\n".join([header, *rows[: len(rows) // 2]])})
    report = examine_release(half, backbone, ["OEO", "BRO", "BRG"])
    assert not report.passed
    assert any("gone" in problem for problem in report.problems)
    assert any("number of usages" in problem for problem in report.problems)
    with pytest.raises(ChecklistError, match="refused"):
        require_fit(half, backbone)


def test_temporary_ids_are_measured_against_the_last_release(tmp_path: Path, backbone: Backbone) -> None:
    text = CHECKLIST.replace("CRH\t", "0be7f797-f1c4-4ce0-8af0-ee4dd3d85e88\t")
    worse = build(tmp_path, {"NameUsage.tsv": text})
    assert any("temporary" in problem for problem in examine_release(worse, backbone).problems)


NEW_IDS = "\n".join(
    [CHECKLIST.split("\n")[0], *(f"N{n}\t\taccepted\tspecies\tAus bus{'abcdefgh'[n]}s\t\t" for n in range(8))]
)


@pytest.mark.parametrize(
    ("metadata", "table", "same"),
    [
        ("title: A little checklist, 2027\nalias: OTHER\n", NEW_IDS, True),
        ("title: Renamed\nalias: LITTLE27.1 XR\n", NEW_IDS, True),
        ("title: Renamed\ndoi: 10.1234/abc-77\n", NEW_IDS, True),
        ("title: Renamed\nalias: OTHER\n", CHECKLIST, True),
        ("title: Renamed\nalias: OTHER\n", NEW_IDS, False),
        ("", NEW_IDS, False),
    ],
    ids=["title", "alias", "doi", "identifiers", "another", "nameless"],
)
def test_an_edition_is_known_by_more_than_its_title(
    backbone: Backbone, tmp_path: Path, metadata: str, table: str, same: bool
) -> None:
    other = build(tmp_path, {"NameUsage.tsv": table, "metadata.yaml": metadata or "{}"})
    assert same_checklist(other, backbone) is same


def test_every_table_of_an_index_is_sorted_by_its_key(backbone: Backbone) -> None:
    for table in (backbone.keys, backbone.identifiers, backbone.genus_deletions, backbone.epithet_deletions):
        assert table.keys.is_sorted()
    assert backbone.usages.height == pl.read_parquet(backbone.path / "words.parquet").height


def test_epithets_that_begin_like_a_rank_marker_are_whole(tmp_path: Path) -> None:
    names = [
        "Aus bus variegatus",
        "Aus bus absona",
        "Aus bus mutilus",
        "Aus xanthus",
        "Aus bus var. formosus",
        "Aus sp. A",
    ]
    rows = "".join(f"{n}\taccepted\tunranked\t{name}\n" for n, name in enumerate(names))
    index = build(tmp_path, {"NameUsage.tsv": "ID\tstatus\trank\tscientificName\n" + rows})
    asked = [*names[:4], "Aus bus formosus", "Aus sp. A", "Aus"]
    assert [m["usageID"] for m in match(index, *asked)] == ["0", "1", "2", "3", "4", "5", None]
