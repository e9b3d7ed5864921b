"""What the text guide allows, and what publishers do with it."""

import tarfile
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.errors import ArchiveError
from tests.archives.conftest import Make, Reader
from tests.archives.samples import DWC, EML, GOOD, TERMS, extension, meta, tsv


def names(frame: pl.DataFrame) -> list[str | None]:
    return frame["dwc:scientificName"].to_list()


def test_records_keep_their_line_numbers_and_ids(make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(), "eml.xml": EML, "occurrence.txt": tsv(*GOOD)}))
    frame = got.table()
    assert frame["source_line"].to_list() == list(range(2, 42))
    assert frame["core_id"].to_list()[:2] == ["1", "2"]
    assert frame["dwc:locality"][0] == "place 1"
    assert got.parsed.metadata["title"] == "Beetles"
    assert got.parsed.metadata["license"] == "http://creativecommons.org/publicdomain/zero/1.0/legalcode"
    assert got.parsed.metadata["version"] == "1.7"


def test_a_missing_enclosure_means_quotation_marks_and_an_empty_one_means_none(make_zip: Make, read: Reader) -> None:
    row = '1\tocc-1\tM.1\t"Aus bus"\tthe "old" mill'
    quoted = meta(attributes='fieldsTerminatedBy="\\t"')
    plain = meta(attributes='fieldsTerminatedBy="\\t" fieldsEnclosedBy=""')
    assert names(read(make_zip({"meta.xml": quoted, "occurrence.txt": tsv(*GOOD, row)})).table())[-1] == "Aus bus"
    assert names(read(make_zip({"meta.xml": plain, "occurrence.txt": tsv(*GOOD, row)})).table())[-1] == '"Aus bus"'


def test_line_breaks_inside_quotation_marks_stay_in_the_value(make_zip: Make, read: Reader) -> None:
    rows = ['1,occ-1,M.1,"Aus ""bus""","upper\nvalley, left"', "2,occ-2,M.2,Cus dus,plain"]
    content = tsv(*rows, header="id,occurrenceID,catalogNumber,scientificName,locality")
    frame = read(make_zip({"meta.xml": meta(attributes=""), "occurrence.txt": content})).table()
    assert frame["dwc:locality"].to_list() == ["upper\nvalley, left", "plain"]
    assert frame["dwc:scientificName"].to_list() == ['Aus "bus"', "Cus dus"]
    assert frame["source_line"].to_list() == [2, 4]


def test_a_stray_quotation_mark_does_not_swallow_the_rows_after_it(make_zip: Make, read: Reader) -> None:
    rows = ['1,occ-1,M.1,Aus bus,"inside', *(f"{i},occ-{i},M.{i},Aus bus,place" for i in range(2, 30))]
    content = tsv(*rows, header="id,occurrenceID,catalogNumber,scientificName,locality")
    got = read(make_zip({"meta.xml": meta(attributes=""), "occurrence.txt": content}))
    assert got.parsed.records == 29
    assert got.table()["dwc:locality"][0] == '"inside'
    assert "stray_quotation_marks" in got.parsed.files[0].flags


def test_defaults_fill_blank_cells_and_constants_fill_all(make_zip: Make, read: Reader) -> None:
    extra = f'<field default="WGS84" term="{DWC}geodeticDatum"/>'
    text = meta(extra=extra).replace(f'term="{DWC}locality"', f'term="{DWC}locality" default="unknown"')
    rows = ["1\tocc-1\tM.1\tAus bus\t", "2\tocc-2\tM.2\tAus bus\tParis"]
    frame = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*rows)})).table()
    assert frame["dwc:locality"].to_list() == ["unknown", "Paris"]
    assert frame["dwc:geodeticDatum"].to_list() == ["WGS84", "WGS84"]


def test_several_files_make_one_core_each_with_its_own_header(make_zip: Make, read: Reader) -> None:
    members = {"meta.xml": meta(file="a.txt|b.txt"), "a.txt": tsv(*GOOD[:3]), "b.txt": tsv(*GOOD[3:5])}
    frame = read(make_zip(members)).table()
    assert frame["core_id"].to_list() == ["1", "2", "3", "4", "5"]
    assert frame["source_file"].to_list() == ["a.txt"] * 3 + ["b.txt"] * 2
    assert frame["row"].to_list() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_understood_whatever_the_descriptor_says(end: str, make_zip: Make, read: Reader) -> None:
    content = tsv(*GOOD).replace("\n", end)
    assert read(make_zip({"meta.xml": meta(), "occurrence.txt": content})).parsed.records == 40


@pytest.mark.parametrize("separator", ["|", ";", "||", "¦", "&#9;", "\\t"])
def test_separators_of_any_kind(separator: str, make_zip: Make, read: Reader) -> None:
    character = {"&#9;": "\t", "\\t": "\t"}.get(separator, separator)
    text = meta(attributes=f'fieldsTerminatedBy="{separator}" fieldsEnclosedBy=""')
    frame = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD).replace("\t", character)})).table()
    assert frame["dwc:locality"].to_list()[:2] == ["place 1", "place 2"]


@pytest.mark.parametrize("line_end", ["\\n;", "#"])
def test_line_ends_of_the_descriptors_own(line_end: str, make_zip: Make, read: Reader) -> None:
    mark = line_end.replace("\\n", "\n")
    text = meta(attributes=f'fieldsTerminatedBy="\\t" fieldsEnclosedBy="" linesTerminatedBy="{line_end}"')
    content = tsv(*GOOD).replace("\n", mark)
    assert read(make_zip({"meta.xml": text, "occurrence.txt": content})).parsed.records == 40


def test_the_data_win_where_the_declared_separator_is_wrong(make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD).replace("\t", ";")}))
    assert names(got.table())[0] == "Aus bus"
    assert "separator_differs_from_descriptor" in got.parsed.files[0].flags


def test_an_undeclared_header_line_is_no_record(make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(header_lines=0), "occurrence.txt": tsv(*GOOD)}))
    assert got.parsed.records == 40
    assert "header_line_not_declared" in got.parsed.files[0].flags


def test_the_header_wins_where_the_descriptor_names_other_columns(make_zip: Make, read: Reader) -> None:
    terms = ("locality", "scientificName", "occurrenceID", "catalogNumber")
    got = read(make_zip({"meta.xml": meta(terms=terms), "occurrence.txt": tsv(*GOOD)}))
    assert got.table()["dwc:locality"][0] == "place 1"
    assert "descriptor_columns_disagree_with_header" in got.parsed.files[0].flags


def test_columns_that_the_descriptor_leaves_out_are_kept(make_zip: Make, read: Reader) -> None:
    header = "id\toccurrenceID\tcatalogNumber\tscientificName\tlocality\tdrawer\trecordedBy"
    content = tsv("1\to\tc\tAus bus\tParis\tD7\tA. Maker", header=header)
    frame = read(make_zip({"meta.xml": meta(), "occurrence.txt": content})).table()
    assert frame["verbatim:drawer"].to_list() == ["D7"]
    assert frame["dwc:recordedBy"].to_list() == ["A. Maker"]


def test_null_marks_control_characters_and_outer_blanks(make_zip: Make, read: Reader) -> None:
    rows = ["1\t\\N\tNULL\t  Aus\x00 bus \t\x07", "2\to\tc\tNullarbor\tnull"]
    frame = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*rows)})).table()
    assert frame.select("dwc:occurrenceID", "dwc:catalogNumber", "dwc:scientificName", "dwc:locality").rows() == [
        (None, None, "Aus bus", None),
        ("o", "c", "Nullarbor", None),
    ]


@pytest.mark.parametrize(
    ("declared", "codec", "reported"),
    [
        ("UTF-8", "utf-8-sig", "UTF-8"),
        ("UTF-8", "utf-16", "UTF-16-LE"),
        ("UTF-16", "utf-16-be", "UTF-16-BE"),
        ("ISO-8859-1", "latin-1", "windows-1252"),
        ("UTF-8", "latin-1", "windows-1252"),
        ("UTF-8", "cp1252", "windows-1252"),
        ("UTF-8", "mac_roman", "macintosh"),
        ("latin1", "utf-8", "UTF-8"),
        ("nonsense", "utf-8", "UTF-8"),
    ],
)
def test_declared_and_wrong_encodings_are_read_and_reported(
    declared: str, codec: str, reported: str, make_zip: Make, read: Reader
) -> None:
    rows = [f"{i}\tocc-{i}\tM.{i}\tAus bus Müller\tForêt près de Señor Å, Überlingen" for i in range(30)]
    text = meta(attributes=f'fieldsTerminatedBy="\\t" fieldsEnclosedBy="" encoding="{declared}"')
    got = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*rows).encode(codec)}))
    assert got.table()["dwc:locality"].unique().to_list() == ["Forêt près de Señor Å, Überlingen"]
    assert got.parsed.files[0].encoding == reported


def test_single_lines_in_another_encoding_are_repaired_and_flagged(make_zip: Make, read: Reader) -> None:
    content = tsv(*GOOD).encode() * 1500  # well beyond the sample
    content += "900\to\tc\tAus bus\tForêt\n".encode("cp1252")
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": content}))
    assert got.table()["dwc:locality"][-1] == "Forêt"
    assert "mixed_encoding" in got.parsed.files[0].flags


def test_a_row_cut_inside_a_value_is_joined_again(make_zip: Make, read: Reader) -> None:
    rows = [*GOOD[:20], "99\tocc-99\tM.99\tAus bus\tupper", *GOOD[20:]]
    rows[20] = "99\tocc-99\tM.99\tAus\nbus\tupper"
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*rows)}))
    assert got.parsed.records == 41
    assert got.table()["dwc:scientificName"][20] == "Aus\nbus"
    assert got.table()["source_line"].to_list()[19:23] == [21, 22, 24, 25]


def test_short_long_and_blank_rows_are_set_aside_with_their_line_numbers(make_zip: Make, read: Reader) -> None:
    rows = list(GOOD)
    rows[10] = "11\tocc-11"
    rows[20] = "21\tocc-21\tM.21\tAus bus\tplace\tshifted\tmore"
    rows[30] = "\t\t\t\t"
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*rows)}))
    rejects = got.table("rejects").sort("source_line")
    assert rejects["reason"].to_list() == ["too_few_columns", "too_many_columns", "blank_row"]
    assert rejects["source_line"].to_list() == [12, 22, 32]
    assert rejects["raw"][0] == "11\tocc-11"
    assert got.parsed.records == 37


def test_a_file_that_ends_inside_a_row_loses_only_that_row(make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD) + "41\tocc-4"}))
    assert got.parsed.rejects == {"truncated_row": 1}
    assert got.parsed.records == 40


def test_rows_that_leave_out_trailing_columns_are_filled(make_zip: Make, read: Reader) -> None:
    rows = [row if i % 2 else row.rsplit("\t", 1)[0] for i, row in enumerate(GOOD)]
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*rows)}))
    assert got.parsed.records == 40
    assert got.table()["dwc:locality"].null_count() == 20


def test_extensions_hang_on_their_records_and_orphans_are_set_aside(make_zip: Make, read: Reader) -> None:
    images = "coreid\tidentifier\n3\thttp://x/3\n1\thttp://x/1\nnone\thttp://x/0\n3\thttp://x/3b\n\thttp://x/lost\n"
    text = meta(
        extensions=extension(
            "http://rs.gbif.org/terms/1.0/Multimedia", "img.txt", ("identifier",), "http://purl.org/dc/terms/"
        )
    )
    got = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD), "img.txt": images}))
    media = got.table("media")
    assert media["row"].to_list() == [0, 2, 2]
    assert media["dcterms:identifier"].to_list() == ["http://x/1", "http://x/3", "http://x/3b"]
    assert media["row_type"].unique().to_list() == ["gbif:Multimedia"]
    assert got.parsed.extension_rejects == {"orphan_extension_row": 1, "missing_core_id": 1}


def test_unknown_extensions_are_kept_value_by_value(make_zip: Make, read: Reader) -> None:
    text = meta(extensions=extension("http://example.org/Loan", "loan.txt", ("borrower", "due"), "http://example.org/"))
    got = read(
        make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD), "loan.txt": "id\ta\tb\n2\tKew\t\n2\t\t2027\n"})
    )
    assert got.table("verbatim").select("row", "term", "value").rows() == [
        (1, "http://example.org/borrower", "Kew"),
        (1, "http://example.org/due", "2027"),
    ]


def test_a_list_of_links_in_associated_media_becomes_media(make_zip: Make, read: Reader) -> None:
    terms = (*TERMS[:3], "associatedMedia")
    rows = ["1\to\tc\tAus\thttp://x/1.jpg | http://x/2.jpg", "2\to\tc\tAus\thttp://x/3.jpg; https://x/a,b.jpg"]
    header = "id\toccurrenceID\tcatalogNumber\tscientificName\tassociatedMedia"
    got = read(make_zip({"meta.xml": meta(terms=terms), "occurrence.txt": tsv(*rows, header=header)}))
    assert got.table("media").select("row", "ac:accessURI").rows() == [
        (0, "http://x/1.jpg"),
        (0, "http://x/2.jpg"),
        (1, "http://x/3.jpg"),
        (1, "https://x/a,b.jpg"),
    ]


def test_occurrences_of_an_event_core_take_their_events_terms(make_zip: Make, read: Reader) -> None:
    text = meta(
        DWC + "Event",
        file="event.txt",
        terms=("eventDate", "country"),
        extensions=extension(DWC + "Occurrence", "occ.txt", ("occurrenceID", "country", "basisOfRecord")),
    )
    got = read(
        make_zip(
            {
                "meta.xml": text,
                "event.txt": "id\teventDate\tcountry\ne1\t2020-01-01\tFrance\ne2\t2021-01-01\tPeru\n",
                "occ.txt": "id\toccurrenceID\tcountry\tbasisOfRecord\ne2\to1\t\tPreservedSpecimen\n"
                "e1\to2\tSpain\tPreservedSpecimen\ne9\to3\t\tPreservedSpecimen\n",
            }
        )
    )
    frame = got.table()
    assert frame.select("core_id", "dwc:eventDate", "dwc:country").rows() == [
        ("o1", "2021-01-01", "Peru"),
        ("o2", "2020-01-01", "Spain"),
        ("o3", None, None),
    ]
    assert sorted((f.name, f.table, f.rows_read) for f in got.parsed.files) == [
        ("event.txt", "events", 2),
        ("occ.txt", "records", 3),
    ]


def test_a_checklist_is_opened_for_a_report_and_refused_as_a_dataset(make_zip: Make, read: Reader) -> None:
    path = make_zip(
        {"meta.xml": meta(DWC + "Taxon", terms=("scientificName",)), "occurrence.txt": "id\tname\n1\tAus\n"}
    )
    assert read(path, any_core=True).parsed.records == 1
    with pytest.raises(ArchiveError) as refusal:
        read(path)
    assert refusal.value.reason == "no_specimens"


def test_the_same_content_in_another_order_has_the_same_fingerprints_and_version(make_zip: Make, read: Reader) -> None:
    ext = extension("http://rs.gbif.org/terms/1.0/Identifier", "i.txt", ("identifier",), "http://purl.org/dc/terms/")
    one = read(
        make_zip({"meta.xml": meta(extensions=ext), "occurrence.txt": tsv(*GOOD), "i.txt": "c\ti\n1\tx\n1\ty\n"})
    )
    other = read(
        make_zip({"meta.xml": meta(extensions=ext), "occurrence.txt": tsv(*GOOD[::-1]), "i.txt": "c\ti\n1\ty\n1\tx\n"})
    )
    changed = read(
        make_zip({"meta.xml": meta(extensions=ext), "occurrence.txt": tsv(*GOOD), "i.txt": "c\ti\n1\tx\n1\tz\n"})
    )
    prints = dict(one.table().select("core_id", "fingerprint").iter_rows())
    assert prints == dict(other.table().select("core_id", "fingerprint").iter_rows())
    assert one.parsed.data_version == other.parsed.data_version
    after = dict(changed.table().select("core_id", "fingerprint").iter_rows())
    assert {k for k in prints if prints[k] != after[k]} == {"1"}
    assert changed.parsed.data_version != one.parsed.data_version


def test_a_table_without_descriptor_explains_itself_by_its_header(tmp_path: Path, read: Reader) -> None:
    path = tmp_path / "specimens.csv"
    path.write_text('Catalog Number,scientific_name,basisOfRecord,drawer\nM.1,"Aus bus, L.",PreservedSpecimen,7\n')
    frame = read(path).table()
    assert frame.select("core_id", "dwc:catalogNumber", "dwc:scientificName", "verbatim:drawer").rows() == [
        ("M.1", "M.1", "Aus bus, L.", "7")
    ]


def test_folders_tars_and_a_folder_inside_are_the_same_archive(tmp_path: Path, read: Reader) -> None:
    folder = tmp_path / "published" / "inner"
    folder.mkdir(parents=True)
    (folder / "meta.xml").write_text(meta())
    (folder / "eml.xml").write_text(EML)
    (folder / "occurrence.txt").write_text(tsv(*GOOD))
    packed = tmp_path / "published.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(folder.parent, arcname="published")
    assert read(folder.parent).parsed.data_version == read(packed).parsed.data_version


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"meta.xml": meta()}, "core_file_missing"),
        ({"meta.xml": "<archive"}, "malformed_descriptor"),
        ({"meta.xml": "<html/>"}, "malformed_descriptor"),
        ({"meta.xml": '<archive xmlns="http://rs.tdwg.org/dwc/text/"/>'}, "malformed_descriptor"),
        ({"a.csv": tsv(*GOOD), "b.csv": tsv(*GOOD)}, "ambiguous_without_descriptor"),
        ({"a.csv": tsv(*GOOD), "mystery": ""}, "ambiguous_without_descriptor"),
        ({"readme.md": "hello"}, "no_table"),
        ({"eml.xml": EML}, "no_table"),
    ],
)
def test_what_nobody_could_make_sense_of_is_refused_with_a_reason(
    members: dict[str, str | bytes], reason: str, make_zip: Make, read: Reader
) -> None:
    with pytest.raises(ArchiveError) as refusal:
        read(make_zip(members), any_core=True)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("eml", [None, "<eml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"])
def test_missing_or_broken_metadata_never_refuse_an_archive(eml: str | None, make_zip: Make, read: Reader) -> None:
    members = {"meta.xml": meta(), "occurrence.txt": tsv(*GOOD)} | ({"eml.xml": eml} if eml else {})
    got = read(make_zip(members))
    assert got.parsed.records == 40
    assert any(flag.startswith("metadata_") for flag in got.parsed.flags)


def test_metadata_under_another_name_is_found(make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD), "about/dataset-2.xml": EML}))
    assert got.parsed.metadata["title"] == "Beetles"


def test_an_id_with_a_term_is_also_a_column(make_zip: Make, read: Reader) -> None:
    text = meta().replace('<id index="0"/>', f'<id index="0" term="{DWC}materialSampleID"/>')
    assert read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD)})).table()["dwc:materialSampleID"][0] == "1"


def test_inch_signs_in_neighbouring_rows_do_not_join_them(make_zip: Make, read: Reader) -> None:
    rows = [
        f'{n},o{n},M{n},"Aus bus, L.",{n}" nail in "wood"' if n % 2 else f'{n},o{n},M{n},Aus,{n}" nail'
        for n in range(40)
    ]
    content = tsv(*rows, header="id,occurrenceID,catalogNumber,scientificName,locality")
    frame = read(make_zip({"meta.xml": meta(attributes=""), "occurrence.txt": content})).table()
    assert frame["core_id"].to_list() == [str(n) for n in range(40)]
    assert frame["dwc:locality"].to_list()[:2] == ['0" nail', '1" nail in "wood"']


def test_a_list_is_split_where_its_descriptor_says(make_zip: Make, read: Reader) -> None:
    field = f'<field index="4" term="{DWC}associatedMedia" delimitedBy="^"/>'
    header = "id\toccurrenceID\tcatalogNumber\tscientificName\tassociatedMedia"
    members = {
        "meta.xml": meta(terms=TERMS[:3], extra=field),
        "occurrence.txt": tsv("1\to\tc\tAus\thttp://x/1.jpg^http://x/2.jpg", header=header),
    }
    got = read(make_zip(members))
    assert got.table("media").select("row", "ac:accessURI").rows() == [(0, "http://x/1.jpg"), (0, "http://x/2.jpg")]
    assert got.table()["dwc:associatedMedia"].to_list() == ["http://x/1.jpg^http://x/2.jpg"]


def test_a_borrowed_term_under_the_wrong_namespace_is_put_right(make_zip: Make, read: Reader) -> None:
    header = "id\toccurrenceID\tcatalogNumber\tscientificName\tlicense"
    rows = tsv("1\to\tc\tAus\tCC0", header=header)
    got = read(make_zip({"meta.xml": meta(terms=(*TERMS[:3], "license")), "occurrence.txt": rows}))
    assert got.table()["dcterms:license"].to_list() == ["CC0"]
    assert "term_in_wrong_namespace" in got.parsed.flags


def test_both_spellings_of_a_borrowed_term_are_kept(make_zip: Make, read: Reader) -> None:
    right = '<field index="4" term="http://purl.org/dc/terms/license"/>'
    wrong = f'<field index="5" term="{DWC}license"/>'
    header = "id\toccurrenceID\tcatalogNumber\tscientificName\tlicense\tlicense"
    for extra in (right + wrong, wrong + right):
        got = read(
            make_zip(
                {
                    "meta.xml": meta(terms=TERMS[:3], extra=extra),
                    "occurrence.txt": tsv("1\to\tc\tAus\tCC0\tCC BY", header=header),
                }
            )
        )
        record = got.table().row(0, named=True)
        assert record["dcterms:license"] == "CC0"
        assert sum(value == "CC BY" for value in record.values()) == 1
