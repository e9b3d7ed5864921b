"""Opening what a stranger sent: zip, tar (gz, bz2, xz), gz, a bare file or a folder, as a list of safe members.

Nothing is unpacked to names the archive chooses. What the members mean is `dwca.py`, `abcd.py` and `datapackage.py`;
downloading is elsewhere. Source of the bounds: `model.Limits`.
"""

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dissco_platform.archives.members import GZIP_MAGIC, READ_ERRORS, Member, damaged, open_zipped
from dissco_platform.archives.model import DEFAULT_LIMITS, Limits
from dissco_platform.errors import ArchiveError

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
UNSUPPORTED_MAGIC = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"SQLite format 3": "a SQLite database",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
}
SKIPPED_FOLDERS = frozenset({"__MACOSX", ".git", ".svn", "@eaDir"})
SKIPPED_NAMES = frozenset({"thumbs.db", "desktop.ini"})


@dataclass
class Container:
    """The members of an archive. `packed` tells an archive from a folder or a bare file; `form` names what it was."""

    name: str
    form: str
    members: list[Member]
    packed: bool

    def find(self, location: str) -> Member | None:
        """Return the member that a descriptor names: by path, else by path in any case, else by base name."""
        wanted = location.strip().replace("\\", "/").lstrip("/")
        while wanted.startswith("./"):
            wanted = wanted[2:]
        if not wanted:
            return None
        rules: list[Callable[[Member], bool]] = [
            lambda member: member.name == wanted,
            lambda member: member.name.lower() == wanted.lower(),
            lambda member: member.base.lower() == wanted.rsplit("/", 1)[-1].lower(),
            lambda member: member.base.lower() == wanted.rsplit("/", 1)[-1].lower() + ".gz",
        ]
        for rule in rules:
            for member in self.members:
                if rule(member):
                    return member
        return None


def safe_name(name: str, container: str) -> str | None:
    """Return a member's name with forward slashes, None for clutter that nobody means to send.

    Raises:
        ArchiveError: `unsafe_path` where the name leaves the archive (zip slip).
    """
    clean = name.replace("\\", "/")
    if clean.startswith("/") and name.startswith("\\"):
        clean = clean.lstrip("/")  # IPT up to 2.0.5 wrote \file
    parts = [part for part in clean.split("/") if part not in ("", ".")]
    if (
        clean.startswith("/")
        or ".." in parts
        or (parts and len(parts[0]) >= 2 and parts[0][1] == ":")
        or "\x00" in clean
    ):
        raise ArchiveError(
            f"{container} holds a file named {name[:200]!r}, which points outside the archive", reason="unsafe_path"
        )
    if not parts or any(part in SKIPPED_FOLDERS or part.startswith(".") for part in parts):
        return None
    return None if parts[-1].lower() in SKIPPED_NAMES else "/".join(parts)


@contextmanager
def open_container(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[Container]:
    """Open a file or folder as a `Container` for the time of the `with` block.

    Raises:
        ArchiveError: with a reason: `not_found`, `empty`, `unsupported`, `damaged`, `encrypted`, `unsafe_path`,
            `unsafe_link`, `too_large`, `too_many_files`, `compression_bomb`, `html_page`, `nested_archive`.
    """
    if not path.exists():
        raise ArchiveError(f"{path} does not exist", reason="not_found")
    if path.is_dir():
        container = _folder(path, limits)
        inner = _only_archive(container)
        if inner is None:
            yield container
            return
        path = path / inner.name
    head = _head(path)
    if head.startswith(ZIP_MAGIC):
        with _zip(path, limits) as container:
            yield container
    elif _is_tar(path, head):
        with tempfile.TemporaryDirectory(prefix="dissco-archive-") as scratch:
            yield _tar(path, Path(scratch), limits)
    else:
        yield _single(path, head, limits)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise ArchiveError(f"{path.name} cannot be opened: {error.strerror}", reason="unreadable") from error
    if not head:
        raise ArchiveError(f"{path.name} is empty", reason="empty")
    refuse_unreadable(path.name, head)
    return head


def refuse_unreadable(name: str, head: bytes) -> None:
    """Refuse by magic bytes what is no archive and no table.

    Raises:
        ArchiveError: `unsupported`, or `html_page` for a web page sent in the place of a file.
    """
    for magic, what in UNSUPPORTED_MAGIC.items():
        if head.startswith(magic):
            raise ArchiveError(f"{name} is {what}; send a Darwin Core Archive or ABCD", reason="unsupported")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise ArchiveError(
            f"{name} is a web page, not an archive: the address may need a login or answer with an error page",
            reason="html_page",
        )


def _only_archive(container: Container) -> Member | None:
    """Return the one archive of a folder that holds nothing readable beside it."""
    packed = [m for m in container.members if m.suffix in {".zip", ".tgz", ".tar", ".dwca", ".abcda"}]
    rest = [m for m in container.members if m not in packed and m.suffix not in {".md", ""}]
    return packed[0] if len(packed) == 1 and not rest else None


def _folder(path: Path, limits: Limits) -> Container:
    members: list[Member] = []
    for entry in sorted(path.rglob("*")):
        name = safe_name(entry.relative_to(path).as_posix(), path.name)
        if name is None:
            continue
        if entry.is_symlink() and not entry.resolve().is_relative_to(path.resolve()):
            raise ArchiveError(f"{path.name}/{name} is a link that leaves the folder", reason="unsafe_link")
        if entry.is_file():
            members.append(_file_member(entry, name, limits))
        if len(members) > limits.max_members:
            raise _too_many(path.name, limits)
    if not members:
        raise ArchiveError(f"{path} holds no files", reason="empty")
    return Container(path.name, "folder", flatten(members), packed=False)


def _file_member(entry: Path, name: str, limits: Limits) -> Member:
    return Member(name, entry.stat().st_size, lambda: entry.open("rb"), limits.max_member)


def _too_many(name: str, limits: Limits) -> ArchiveError:
    return ArchiveError(f"{name} holds more than {limits.max_members:,} files", reason="too_many_files")


@contextmanager
def _zip(path: Path, limits: Limits) -> Iterator[Container]:
    try:
        archive = zipfile.ZipFile(path)
    except READ_ERRORS as error:
        raise damaged(path.name, error) from error
    except ValueError as error:
        raise ArchiveError(f"{path.name} is damaged and cannot be read: {error}", reason="damaged") from error
    with archive:
        infos = archive.infolist()
        if len(infos) > limits.max_members:
            raise _too_many(path.name, limits)
        check_ratio(path.name, sum(info.file_size for info in infos), path.stat().st_size, limits)
        members: dict[str, Member] = {}
        for info in infos:
            name = safe_name(info.filename, path.name)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise ArchiveError(f"{path.name} holds a link ({info.filename[:200]})", reason="unsafe_link")
            if name is None or info.is_dir() or name in members:  # of two members of one name the first counts
                continue
            if info.flag_bits & 0x1:
                raise ArchiveError(f"{path.name}/{name} is encrypted; send it without a password", reason="encrypted")
            if info.file_size > limits.max_member:
                raise ArchiveError(f"{path.name}/{name} unpacks to {info.file_size:,} bytes", reason="too_large")
            check_ratio(f"{path.name}/{name}", info.file_size, info.compress_size, limits)
            members[name] = _zip_member(archive, info, name, limits)
        if not members:
            raise ArchiveError(f"{path.name} holds no files", reason="empty")
        if "[Content_Types].xml" in members:
            raise ArchiveError(
                f"{path.name} is an Office document; export its sheet as CSV or publish it as an archive",
                reason="unsupported",
            )
        yield Container(path.name, "zip", flatten(list(members.values())), packed=True)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limits: Limits) -> Member:
    def opener() -> BinaryIO:
        try:
            return open_zipped(archive, info)
        except (*READ_ERRORS, UnicodeDecodeError) as error:
            raise damaged(name, error) from error

    # One byte over the stated size: a directory that lies about it is caught while reading.
    return Member(name, info.file_size, opener, min(limits.max_member, _gz_limit(name, info.file_size, limits)))


def _gz_limit(name: str, size: int, limits: Limits) -> int:
    return int(size * limits.max_ratio) + limits.ratio_floor if name.lower().endswith(".gz") else size


def check_ratio(name: str, unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse a compression bomb.

    Raises:
        ArchiveError: `too_large` or `compression_bomb`.
    """
    if unpacked > limits.max_total:
        raise ArchiveError(f"{name} unpacks to {unpacked:,} bytes", reason="too_large")
    if unpacked > limits.ratio_floor and unpacked > limits.max_ratio * max(packed, 1):
        raise ArchiveError(
            f"{name} would unpack to {unpacked:,} bytes from {packed:,}: this looks like a compression bomb",
            reason="compression_bomb",
        )


def _is_tar(path: Path, head: bytes) -> bool:
    if head[257:262] == b"ustar":
        return True
    if head.startswith(GZIP_MAGIC) or head.startswith((b"BZh", b"\xfd7zXZ")):
        try:
            with tarfile.open(path, "r:*"):
                return True
        except (tarfile.TarError, *READ_ERRORS):
            return False
    return False


def _tar(path: Path, scratch: Path, limits: Limits) -> Container:
    """Unpack the regular files of a tar into `scratch` under numbers (tar has no random access when compressed)."""
    members: dict[str, Member] = {}
    total = 0
    allowed = int(max(limits.ratio_floor, limits.max_ratio * path.stat().st_size))
    try:
        with tarfile.open(path, "r:*") as archive:
            for number, info in enumerate(archive):
                if number >= limits.max_members:
                    raise _too_many(path.name, limits)
                name = safe_name(info.name, path.name)
                if info.issym() or info.islnk() or info.isdev():
                    raise ArchiveError(f"{path.name} holds a link or device ({info.name[:200]})", reason="unsafe_link")
                if name is None or not info.isfile() or name in members:
                    continue
                total += info.size
                if total > allowed or total > limits.max_total:
                    raise ArchiveError(
                        f"{path.name} would unpack to over {total:,} bytes: this looks like a compression bomb",
                        reason="compression_bomb",
                    )
                source = archive.extractfile(info)
                target = scratch / str(number)
                with target.open("wb") as file:
                    if source is not None:
                        shutil.copyfileobj(source, file, 1 << 20)
                members[name] = _file_member(target, name, limits)
    except (tarfile.TarError, *READ_ERRORS) as error:
        raise damaged(path.name, error) from error
    if not members:
        raise ArchiveError(f"{path.name} holds no files", reason="empty")
    return Container(path.name, "tar", flatten(list(members.values())), packed=True)


def _single(path: Path, head: bytes, limits: Limits) -> Container:
    """A bare or gzip-compressed file as a container of one member."""
    name = path.name
    limit = limits.max_member
    if head.startswith(GZIP_MAGIC):
        name = name[:-3] if name.lower().endswith(".gz") else name
        limit = int(min(limit, max(limits.ratio_floor, limits.max_ratio * path.stat().st_size)))
        with Member(name, None, lambda: path.open("rb"), limit).open() as stream:
            inner = stream.read(1024)
        if not inner:
            raise ArchiveError(f"{path.name} is empty", reason="empty")
        if inner.startswith((*ZIP_MAGIC, GZIP_MAGIC)):
            raise ArchiveError(f"{path.name} holds another archive; send that one", reason="nested_archive")
        refuse_unreadable(path.name, inner)
    elif head.startswith((b"BZh\x31", b"BZh\x39", b"\xfd7zXZ")):
        raise ArchiveError(f"{path.name} is compressed with bzip2 or xz; send zip or gz", reason="unsupported")
    member = Member(name, None if head.startswith(GZIP_MAGIC) else path.stat().st_size, lambda: path.open("rb"), limit)
    return Container(path.name, "file", [member], packed=False)


def flatten(members: list[Member]) -> list[Member]:
    """Return the members without the folder that holds them all."""
    while members and all("/" in member.name for member in members):
        roots = {member.name.split("/", 1)[0] for member in members}
        if len(roots) != 1:
            break
        members = [Member(member.name.split("/", 1)[1], member.size, member.opener, member.limit) for member in members]
    return members
