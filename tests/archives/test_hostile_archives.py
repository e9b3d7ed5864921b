"""One test for each attack of the control list: bombs, slips, links, entities, lies, floods."""

import gzip
import io
import stat
import struct
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dissco_platform.archives import inspect_archive
from dissco_platform.archives.model import DEFAULT_LIMITS
from dissco_platform.errors import ArchiveError
from tests.archives.conftest import Make, Reader
from tests.archives.samples import DWC, EML, GOOD, meta, tsv

SMALL = replace(
    DEFAULT_LIMITS, ratio_floor=1 << 20, max_member=1 << 24, block=1 << 16, max_record=1 << 18, max_cell=1 << 14
)
SECRET = Path("/etc/hostname")


def refused(read: Reader, path: Path, limits: object = DEFAULT_LIMITS) -> str:
    with pytest.raises(ArchiveError) as refusal:
        read(path, limits)
    return refusal.value.reason


def test_a_bomb_is_refused_before_it_unpacks(make_zip: Make, read: Reader) -> None:
    path = make_zip({"meta.xml": meta(), "occurrence.txt": b"0" * (8 << 20)})
    assert refused(read, path, SMALL) == "compression_bomb"


def test_a_gzip_bomb_stops_while_it_unpacks(tmp_path: Path, read: Reader) -> None:
    path = tmp_path / "occurrence.txt.gz"
    path.write_bytes(gzip.compress(tsv(*GOOD).encode() + b"\n" * (64 << 20)))
    assert refused(read, path, SMALL) == "too_large"


def test_a_member_that_is_larger_than_it_says_is_damaged_or_too_large(make_zip: Make, read: Reader) -> None:
    path = make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD * 50)})
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 100)  # the central directory's size of the last member
    path.write_bytes(bytes(content))
    assert refused(read, path) in ("damaged", "too_large")


def test_a_flood_of_short_rows_takes_bounded_memory(make_zip: Make, read: Reader) -> None:
    content = tsv(*(GOOD * 1500)) + "x\n" * 300_000 + "\n" * 3_000_000 + GOOD[0]
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": content}))
    assert (got.parsed.records, got.parsed.rejects) == (60_001, {"too_few_columns": 300_000})
    assert got.table()["source_line"][-1] == 60_002 + 300_000 + 3_000_000


def test_a_tar_bomb_stops_before_it_is_written(tmp_path: Path, read: Reader) -> None:
    path = tmp_path / "bomb.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("occurrence.txt")
        info.size = 32 << 20
        archive.addfile(info, io.BytesIO(b"0" * info.size))
    assert refused(read, path, SMALL) == "compression_bomb"


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:\\evil.txt"])
def test_a_name_that_leaves_the_archive_is_refused(name: str, make_zip: Make, read: Reader, tmp_path: Path) -> None:
    path = make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD), name: "evil"})
    assert refused(read, path) == "unsafe_path"
    assert not list(tmp_path.rglob("evil*"))


def test_a_descriptor_cannot_point_outside_the_archive(tmp_path: Path, read: Reader) -> None:
    (tmp_path / "secret.txt").write_text(tsv(*GOOD))
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "meta.xml").write_text(meta(file="../secret.txt"))
    assert refused(read, folder) == "core_file_missing"


def test_links_are_refused_in_zip_tar_and_folder(tmp_path: Path, read: Reader) -> None:
    packed = tmp_path / "links.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("occurrence.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    taped = tmp_path / "links.tar"
    with tarfile.open(taped, "w") as tar:
        entry = tarfile.TarInfo("occurrence.txt")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "occurrence.txt").symlink_to("/etc/passwd")
    assert {refused(read, path) for path in (packed, taped, folder)} == {"unsafe_link"}


def test_too_many_members_are_refused(make_zip: Make, read: Reader) -> None:
    path = make_zip({f"{i}.txt": "x" for i in range(20)})
    assert refused(read, path, replace(SMALL, max_members=10)) == "too_many_files"


def test_an_archive_inside_an_archive_is_not_opened(make_zip: Make, tmp_path: Path, read: Reader) -> None:
    inner = make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD)})
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "inner.zip")
    assert refused(read, outer) in ("no_table", "nested_archive", "ambiguous_without_descriptor")
    wrapped = tmp_path / "inner.zip.gz"
    wrapped.write_bytes(gzip.compress(inner.read_bytes()))
    assert refused(read, wrapped) == "nested_archive"


EXTERNAL = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{SECRET}">]>'
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize("doctype", [EXTERNAL, LAUGHS])
def test_entities_are_refused_in_descriptors_and_units_and_ignored_in_metadata(
    doctype: str, make_zip: Make, tmp_path: Path, read: Reader
) -> None:
    assert refused(read, make_zip({"meta.xml": doctype + meta(), "occurrence.txt": tsv(*GOOD)})) == "xml_doctype"
    unit = tmp_path / "units.xml"
    unit.write_text(
        doctype
        + '<DataSets xmlns="http://www.tdwg.org/schemas/abcd/2.06"><DataSet><Units><Unit><UnitID>&x;</UnitID></Unit>'
        "</Units></DataSet></DataSets>"
    )
    assert refused(read, unit) == "xml_doctype"
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD), "eml.xml": doctype + EML.split("?>", 1)[1]}))
    assert got.parsed.metadata["title"] is None
    assert "metadata_xml_doctype" in got.parsed.flags


def test_a_huge_field_costs_its_row_and_nothing_else(make_zip: Make, read: Reader) -> None:
    huge = f"99\tocc\tc\tAus\t{'x' * (SMALL.max_cell + 1)}"
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD, huge, *GOOD)}), SMALL)
    assert got.parsed.rejects == {"field_too_long": 1}
    assert got.table("rejects")["source_line"].to_list() == [42]
    assert got.table("rejects")["raw"].str.len_chars().max() <= SMALL.max_raw
    assert got.parsed.records == 80


def test_a_line_longer_than_memory_should_hold_is_skipped(make_zip: Make, read: Reader) -> None:
    rng = "".join(chr(33 + (i * 7919 % 90)) for i in range(9973))
    huge = f"99\tocc\tc\tAus\t{rng * 60}"
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD, huge, *GOOD)}), SMALL)
    assert got.parsed.rejects == {"row_too_long": 1}
    assert got.parsed.records == 80
    assert got.table()["source_line"].to_list()[-1] == 82


def test_a_quotation_mark_that_never_closes_does_not_hold_the_file_in_memory(make_zip: Make, read: Reader) -> None:
    rows = ['0,o,c,"Aus,never closed', *(f'{i},o{i},c,"Aus bus, L.",place' for i in range(1, 20_000))]
    content = tsv(*rows, header="id,occurrenceID,catalogNumber,scientificName,locality")
    got = read(make_zip({"meta.xml": meta(attributes=""), "occurrence.txt": content}), SMALL)
    assert got.parsed.records + sum(got.parsed.rejects.values()) == 20_000
    assert got.parsed.records >= 19_999


def test_too_many_columns_are_refused(make_zip: Make, read: Reader) -> None:
    content = "\t".join(["id", "occurrenceID", "catalogNumber", *(f"c{i}" for i in range(3000))]) + "\n"
    assert refused(read, make_zip({"meta.xml": meta(), "occurrence.txt": content * 2})) == "too_many_columns"


def test_more_rows_than_allowed_are_set_aside(make_zip: Make, read: Reader) -> None:
    got = read(make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD)}), replace(SMALL, max_rows=25))
    assert (got.parsed.records, got.parsed.rejects) == (25, {"row_limit": 15})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "html_page"),
        (b"\n\n<HTML>login</HTML>", "html_page"),
        (b"%PDF-1.7 ...", "unsupported"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "unsupported"),
        (b"PK\x03\x04broken", "damaged"),
        (b"\x1f\x8b\x08\x00garbage", "damaged"),
        (bytes(range(256)) * 40, "not_text"),
        (b"just one line of words", "no_table"),
        (b'{"error": "not found"}', "no_table"),
    ],
)
def test_what_is_no_archive_is_named_for_what_it_is(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "download"
    path.write_bytes(content)
    report = inspect_archive(path)
    assert (report["outcome"], report["reason"]) == ("refused", reason)


def test_an_encrypted_member_is_named(make_zip: Make, read: Reader) -> None:
    path = make_zip({"meta.xml": meta(), "occurrence.txt": tsv(*GOOD)})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.rfind(mark)
        content[at + offset] |= 1
    path.write_bytes(bytes(content))
    assert refused(read, path) == "encrypted"


def test_remote_locations_are_not_fetched(make_zip: Make, read: Reader) -> None:
    path = make_zip({"meta.xml": meta(file="http://169.254.169.254/latest"), "occurrence.txt": tsv(*GOOD)})
    got = read(path)
    assert "remote_location_ignored" in got.parsed.flags


def test_deep_xml_is_set_aside_quickly(tmp_path: Path, read: Reader) -> None:
    path = tmp_path / "deep.xml"
    path.write_text("<DataSets><DataSet><Units><Unit>" + "<a>" * 50_000)
    started = time.monotonic()
    assert refused(read, path) == "malformed_xml"
    assert time.monotonic() - started < 5


def test_a_descriptor_cannot_name_columns_beyond_all_bounds(make_zip: Make, read: Reader) -> None:
    text = meta(extra=f'<field index="99999999999" term="{DWC}country"/><field index="-4" term="{DWC}sex"/>')
    got = read(make_zip({"meta.xml": text, "occurrence.txt": tsv(*GOOD)}))
    assert got.parsed.records == 40
