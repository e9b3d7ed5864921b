"""Rows read = rows parsed + rows rejected, whatever the text; and the fast way of parsing agrees with the careful one."""

import random
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissco_platform.archives import columns, splice
from dissco_platform.archives.blocks import Block, column_names, read_blocks
from dissco_platform.archives.contents import CONTENT, content_of, content_of_columns
from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.lines import Chunk, read_quoted
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import DEFAULT_LIMITS, FileReport
from dissco_platform.archives.reading import read_any
from dissco_platform.errors import ArchiveError
from tests.archives.samples import EML, GOOD, meta, tsv

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
TINY = replace(DEFAULT_LIMITS, block=64, max_record=4096)
PIECES = st.sampled_from(
    ["a", "b c", "é", '"', '""', '"x"', ",", "\t", "\n", "\r\n", "\\N", "NULL", " ", "\x00", "'", "\\"]
)
TEXT = st.lists(PIECES, max_size=80).map("".join)


@pytest.fixture(params=["as it is", "small pieces, all dictionaries"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long files differ from short ones: columns become dictionaries, blocks are cut into pieces and chunks."""
    if request.param != "as it is":
        monkeypatch.setattr(columns, "ENOUGH_ROWS", 2)
        monkeypatch.setattr(columns, "FEW", 2.0)
        monkeypatch.setattr(columns, "CHUNK", 48)
        monkeypatch.setattr(splice, "SMALL_PIECE", 24)


def frames(text: str, dialect: Dialect, limits: object = DEFAULT_LIMITS) -> tuple[list[Block], FileReport]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.txt"
        path.write_bytes(text.encode())
        member = Member("t.txt", None, lambda: path.open("rb"))
        report = FileReport("t.txt", "records")
        return list(read_blocks(member, dialect, report, limits)), report  # type: ignore[arg-type]


@QUICK
@given(
    TEXT, st.sampled_from([",", "\t"]), st.sampled_from([None, '"']), st.integers(1, 4), st.booleans(), st.booleans()
)
@pytest.mark.usefixtures("sizes")
def test_any_text_is_accounted_for(
    text: str, separator: str, quote: str | None, width: int, trimmed: bool, backslash: bool
) -> None:
    dialect = Dialect(separator=separator, quote=quote, width=width, trimmed=trimmed, backslash=backslash)
    for limits in (DEFAULT_LIMITS, TINY):
        found, report = frames(text, dialect, limits)
        rows = sum(block.frame.height for block in found)
        rejected = sum(len(block.rejects) for block in found)
        assert (report.rows_read, report.rows_rejected) == (rows + rejected, rejected)
        numbers = [n for block in found for n in block.lines.tolist()] + [r.line for b in found for r in b.rejects]
        assert len(set(numbers)) == len(numbers)
        assert all(1 <= n <= text.count("\n") + text.count("\r") + 1 for n in numbers)


CELL = st.text(st.sampled_from('ab é,\t\n"\\x'), max_size=6)


@QUICK
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=30), st.integers(20, 400))
@pytest.mark.usefixtures("sizes")
def test_well_written_tables_come_back_as_they_were(rows: list[list[str]], block: int) -> None:
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    dialect = Dialect(separator=",", quote='"', width=3)
    found, _ = frames(text, dialect, replace(DEFAULT_LIMITS, block=block))
    got = [row for b in found for row in b.frame.select(column_names(3)).iter_rows()]
    wanted = [tuple(cell.strip() or None for cell in row) for row in rows]
    wanted = [row for row in wanted if any(cell is not None for cell in row)]
    assert [tuple(v for v in row) for row in got] == [tuple(None if v == "\\N" else v for v in row) for row in wanted]


@QUICK
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=20))
@pytest.mark.usefixtures("sizes")
def test_the_fast_and_the_careful_way_read_the_same(rows: list[list[str]]) -> None:
    """Cells are written as they are where they need no enclosure, stray marks included."""

    def written(cell: str) -> str:
        needs = any(c in cell for c in ",\n") or cell.startswith('"')
        return '"' + cell.replace('"', '""') + '"' if needs else cell

    text = "".join(",".join(written(cell) for cell in row) + "\n" for row in rows)
    dialect = Dialect(separator=",", quote='"', width=3)
    fast, _ = frames(text, dialect)
    outcome = read_quoted(Chunk(text, 1, ",", final=True, unfinished=False), dialect, DEFAULT_LIMITS)
    careful = [(row.line, *[(c or "").strip() or None for c in row.cells]) for row in outcome.rows]
    careful = [row for row in careful if any(c is not None for c in row[1:])]
    got = [row for b in fast for row in b.frame.select("source_line", *column_names(3)).iter_rows()]
    assert got == careful


VALUES = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b c", "é", "0"])), min_size=1, max_size=12)


@QUICK
@given(VALUES, st.booleans(), st.booleans())
def test_columns_and_frames_have_the_same_content(values: list[str | None], coded: bool, other: bool) -> None:
    array = pa.array(values, pa.string())
    frame = pl.DataFrame({"dwc:sex": values, "dwc:order": values[::-1]}, schema={"dwc:sex": str, "dwc:order": str})
    reverse = pa.array(values[::-1], pa.string())
    named = {
        "dwc:order": reverse.dictionary_encode() if other else reverse,
        "dwc:sex": array.dictionary_encode() if coded else array,
    }
    expected = content_of(frame, frame.columns).select(CONTENT).to_numpy()
    assert (content_of_columns(named, len(values)) == expected).all()


def test_a_fault_made_up_for_by_another_is_found() -> None:
    """One row has a column too many and one too few: the separators add up, the rows do not."""
    text = "a\tb\tc\n" * 3 + "a\tb\tc\td\n" + "a\tb\n" + "x\ty\tz\n"
    found, report = frames(text, Dialect(separator="\t", width=3))
    assert [(r.line, r.reason) for b in found for r in b.rejects] == [(4, "too_many_columns"), (5, "too_few_columns")]
    assert [n for b in found for n in b.lines.tolist()] == [1, 2, 3, 6]
    assert (report.rows_read, report.rows_rejected) == (6, 2)


def test_single_lines_in_another_encoding_do_not_cost_the_block() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.txt"
        path.write_bytes("é\tb\n".encode() * 5 + "é\tb\n".encode("latin-1") + "é\tc\td\n".encode("latin-1"))
        report = FileReport("t.txt", "records")
        member = Member("t.txt", None, lambda: path.open("rb"))
        found = list(read_blocks(member, Dialect(separator="\t", width=2), report, DEFAULT_LIMITS))
    assert found[0].frame["c0"].to_list() == ["é"] * 6
    assert [(r.line, r.raw) for r in found[0].rejects] == [(7, "é\tc\td")]
    assert report.flags == ["mixed_encoding"]


def mutate(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(data) or 1)
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 40)]
            case 2:
                data[at:at] = chance.choice(
                    [b'"', b"\t", b"\n", b"\r", b"<", b"&x;", b"\xff\xfe", b"\x00", b"</core>", b"|"]
                )
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 200)]
            case 4:
                data = data[:at] if chance.random() < 0.2 else data
            case _:
                data[at : at + 2] = data[at : at + 2][::-1]
    return bytes(data)


def fuzz(seed: int, members: dict[str, str | bytes], folder: Path) -> None:
    """Read one mutated archive: opened with every row accounted for, or refused by name; anything else raises."""
    chance = random.Random(seed)
    path = folder / "fuzz.zip"
    hurt = chance.choice(list(members))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            raw = content if isinstance(content, bytes) else content.encode()
            archive.writestr(name, mutate(raw, chance) if name == hurt or chance.random() < 0.2 else raw)
    if chance.random() < 0.15:
        path.write_bytes(mutate(path.read_bytes(), chance))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        try:
            parsed = read_any(path, Path(out), any_core=True)
        except ArchiveError:
            return
        for report in parsed.files:
            assert report.rows_read == report.rows_parsed + report.rows_rejected, (seed, report)
        rejects = pl.read_parquet(Path(out) / "rejects.parquet").height
        assert rejects == sum(parsed.rejects.values()) + sum(parsed.extension_rejects.values()), seed
        assert rejects == sum(report.rows_rejected for report in parsed.files), seed
        assert pl.read_parquet(Path(out) / "records.parquet").height == parsed.records, seed


ABCD = """<?xml version="1.0" encoding="UTF-8"?><DataSets xmlns="http://www.tdwg.org/schemas/abcd/2.06"><DataSet>
<Metadata><Description><Representation language="en"><Title>T</Title></Representation></Description></Metadata><Units>
""" + "".join(
    f"<Unit><UnitGUID>u{i}</UnitGUID><UnitID>{i}</UnitID><RecordBasis>PreservedSpecimen</RecordBasis><Identifications>"
    f"<Identification><Result><TaxonIdentified><ScientificName><FullScientificNameString>Aus bus</FullScientificNameString>"
    f"</ScientificName></TaxonIdentified></Result></Identification></Identifications><Gathering><LocalityText>é {i}"
    "</LocalityText></Gathering></Unit>"
    for i in range(12)
) + "</Units></DataSet></DataSets>"  # fmt: skip
SAMPLES: list[dict[str, str | bytes]] = [
    {"meta.xml": meta(), "eml.xml": EML, "occurrence.txt": tsv(*GOOD)},
    {"meta.xml": meta(attributes=""), "occurrence.txt": tsv(*GOOD).replace("\t", ",").replace("Aus bus", '"Aus, bus"')},
    {"units.xml": ABCD},
    {"specimens.csv": "catalogNumber,scientificName,basisOfRecord\n" + "M1,Aus,PreservedSpecimen\n" * 20},
]


def test_mutated_archives_are_read_or_refused_never_more(tmp_path: Path) -> None:
    for seed in range(160):
        fuzz(seed, SAMPLES[seed % len(SAMPLES)], tmp_path)
