"""Inflating members of zip files against the standard library."""

import random
import zipfile
from pathlib import Path

import pytest

from dissco_platform.archives.container import open_container
from dissco_platform.archives.members import Inflating, isal_zlib, open_zipped
from dissco_platform.archives.model import DEFAULT_LIMITS
from dissco_platform.errors import ArchiveError

CHANCE = random.Random(7)
CONTENTS = [
    b"",
    b"a",
    b"\n" * (3 << 20),
    CHANCE.randbytes(300_000),
    "".join(f"{i}\tPreservedSpecimen\t{CHANCE.random()}\n" for i in range(40_000)).encode(),
]


def packed(folder: Path, content: bytes) -> Path:
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("occurrence.txt", content)
        archive.writestr("next.txt", b"another member")
    return path


def damaged_copy(path: Path, at: int, change: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(change)] = change
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("content", CONTENTS, ids=["empty", "one", "blank", "random", "rows"])
@pytest.mark.parametrize("size", [-1, 1_000_003, 4_096])
def test_a_member_is_inflated_byte_for_byte(content: bytes, size: int, tmp_path: Path) -> None:
    path = packed(tmp_path, content)
    with zipfile.ZipFile(path) as archive, open_zipped(archive, archive.getinfo("occurrence.txt")) as stream:
        assert isinstance(stream, Inflating) == (isal_zlib is not None)
        pieces = []
        while piece := stream.read(size):
            assert size < 0 or len(piece) <= size
            pieces.append(piece)
        assert b"".join(pieces) == content
        assert stream.read(10) == b""


@pytest.mark.parametrize("place", range(60, 4_000, 397))
def test_damage_is_seen_whatever_it_does_to_the_stream(place: int, tmp_path: Path) -> None:
    path = packed(tmp_path, CONTENTS[4])
    original = path.read_bytes()[place]
    damaged_copy(path, place, bytes([original ^ 0x55]))
    with open_container(path, DEFAULT_LIMITS) as container, pytest.raises(ArchiveError) as refusal:
        container.members[0].read(1 << 30)
    assert refusal.value.reason in ("damaged", "too_large")


def test_a_directory_that_lies_about_checksum_or_size_is_not_believed(tmp_path: Path) -> None:
    for offset in (16, 24):  # of the checksum and of the size in an entry of the directory
        path = packed(tmp_path, CONTENTS[4])
        entry = path.read_bytes().index(b"PK\x01\x02")
        damaged_copy(path, entry + offset, b"\x01\x02\x01\x00")
        with open_container(path, DEFAULT_LIMITS) as container, pytest.raises(ArchiveError) as refusal:
            container.members[0].read(1 << 30)
        assert refusal.value.reason == "damaged"
