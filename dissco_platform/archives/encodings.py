"""Which characters a file's bytes are: declared, detected, and what to do where the two disagree.

A wrong declaration is common in published archives. Nothing is mangled silently: the encoding that was used is in the
file's report, with a flag where it is not the declared one. Rule (GBIF's dwca-io read strictly, then UTF-8, then
Windows-1252), extended by UTF-16 and Mac Roman.
"""

import codecs
import re

import numpy as np
import pyarrow as pa

UTF8 = "UTF-8"
BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "UTF-32BE"),
    (codecs.BOM_UTF16_LE, "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "UTF-16BE"),
)
_HIGH_WORDS = re.compile(rb"[A-Za-z]*[\x80-\xff]+[A-Za-z\x80-\xff]*")
# Lower-case letters of Western European languages: where single bytes stand between ASCII letters, these are likely.
_LIKELY = frozenset("äöüßéèêëàâáãåçñóòôõíìîïúùûøæœÿšžÄÖÜÉÅØÁÍÓÚÑÇŠŽ" + "°’‘“”–—×†½¼µ²³®©«»·´¿")
_PIECE = 1 << 14
"""Bytes decoded together: only where they are not UTF-8 is each line tried."""
SINGLE_BYTE = ("cp1252", "mac_roman")
NAMES = {"cp1252": "windows-1252", "mac_roman": "macintosh", "latin-1": "ISO-8859-1", "utf-8": UTF8}


def normalise(name: str) -> str | None:
    """Return Python's codec for a declared encoding, None where it is none.

    Latin-1 is read as Windows-1252, its superset.
    """
    cleaned = name.strip().strip("\"'").lower().replace("_", "-")
    aliases = {"utf8": "utf-8", "latin1": "cp1252", "latin-1": "cp1252", "macroman": "mac_roman", "ansi": "cp1252"}
    try:
        codec = codecs.lookup(aliases.get(cleaned, cleaned))
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding:
        return None
    if codec.name in ("iso8859-1", "ascii"):
        return "cp1252" if codec.name == "iso8859-1" else "utf-8"
    return codec.name.replace("mac-roman", "mac_roman").replace("utf-8-sig", "utf-8")


def public_name(codec: str) -> str:
    """Return the name an institution knows (IANA's) for a Python codec."""
    return NAMES.get(codec, codec.upper() if codec.startswith("utf") else codec)


def is_utf8(sample: bytes) -> bool:
    """Return whether the bytes are UTF-8; a character cut at the end does not count."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError:
        return False
    return True


def is_whole_utf8(text: bytes) -> bool:
    """Return whether all of the text is UTF-8 (a tenth of the time that decoding takes)."""
    if text.isascii():
        return True
    offsets = pa.py_buffer(np.array([0, len(text)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def detect(sample: bytes, declared: str | None) -> tuple[str, bytes, list[str]]:
    """Decide a file's encoding from its first bytes.

    Returns Python's codec, the byte order mark to skip (empty for none) and flags: `encoding_differs_from_descriptor`,
    `unknown_encoding_declared`.
    """
    flags: list[str] = []
    codec = normalise(declared) if declared else None
    if declared and codec is None:
        flags.append("unknown_encoding_declared")
    for bom, name in BOMS:
        if sample.startswith(bom):
            found = normalise(name) or "utf-8"
            if codec is not None and codec.replace("-le", "").replace("-be", "") not in (found, found[:6]):
                flags.append("encoding_differs_from_descriptor")
            return found, bom, flags
    wide = _utf16_without_mark(sample)
    if wide is not None:
        if codec is None or not codec.startswith("utf-16"):
            flags.append("encoding_differs_from_descriptor")
        return wide, b"", flags
    if codec is not None and codec.startswith(("utf-16", "utf-32")):
        codec = None  # declared wide, but the bytes are not
        flags.append("encoding_differs_from_descriptor")
    if is_utf8(sample):
        high = any(byte > 0x7F for byte in sample)
        if codec not in (None, "utf-8") and high:
            flags.append("encoding_differs_from_descriptor")
            return "utf-8", b"", flags
        return codec or "utf-8", b"", flags
    if codec in (None, "utf-8") and _mostly_utf8(sample):
        return "utf-8", b"", flags  # single lines are in another encoding: read and flagged line by line
    if codec in (None, "utf-8") or codec in SINGLE_BYTE:
        best = single_byte(sample, codec if codec in SINGLE_BYTE else None)
        if best != codec:
            flags.append("encoding_differs_from_descriptor")
        return best, b"", flags
    try:
        codecs.getincrementaldecoder(codec or "utf-8")().decode(sample, final=False)
    except UnicodeDecodeError:
        flags.append("encoding_differs_from_descriptor")
        return single_byte(sample, None), b"", flags
    return codec or "utf-8", b"", flags


def _mostly_utf8(sample: bytes) -> bool:
    """Return whether more lines with other than ASCII characters are UTF-8 than are not."""
    lines = [line for line in sample.split(b"\n")[:-1] if not line.isascii()]
    good = sum(1 for line in lines if is_utf8(line))
    return good > len(lines) - good


def _utf16_without_mark(sample: bytes) -> str | None:
    """Tell UTF-16 by its zero bytes: mostly ASCII text has one in every pair, on one side."""
    pairs = len(sample) // 2
    if pairs < 4:
        return None
    even = sample[0 : 2 * pairs : 2].count(0)
    odd = sample[1 : 2 * pairs : 2].count(0)
    if odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if even > 0.4 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return None


def single_byte(sample: bytes, declared: str | None) -> str:
    """Return the likelier of Windows-1252 and Mac Roman for bytes that are not UTF-8."""
    words = [word for word in _HIGH_WORDS.findall(sample)[:5000] if not is_utf8(word)]
    scores = {codec: _likelihood(words, codec) for codec in SINGLE_BYTE}
    if declared is not None and scores[declared] >= max(scores.values()) * 0.8:
        return declared
    return "mac_roman" if scores["mac_roman"] > scores["cp1252"] * 1.25 else "cp1252"


def _likelihood(words: list[bytes], codec: str) -> int:
    text = "".join(word.decode(codec, errors="replace") for word in words)
    return sum(1 for character in text if character in _LIKELY)


def to_utf8(data: bytes, codec: str) -> bytes:
    """Return single-byte text as UTF-8. Bytes that Windows-1252 leaves undefined keep their Latin-1 meaning."""
    try:
        return data.decode(codec).encode()
    except UnicodeDecodeError:
        if codec != "cp1252":
            return data.decode(codec, errors="replace").encode()
        return "".join(_cp1252(byte) for byte in data).encode()


def _cp1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def repair_lines(data: bytes, codec: str = "cp1252") -> tuple[bytes, int]:
    """Return UTF-8 for text in which some lines are not: those lines are read in a single-byte encoding.

    Returns the text and the number of such lines.
    """
    pieces: list[bytes] = []
    changed = start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + _PIECE, len(data)) - 1) + 1 or len(data)
        piece, lines = _repaired(data[start:end], codec)
        pieces.append(piece)
        changed += lines
        start = end
    return b"".join(pieces), changed


def _repaired(piece: bytes, codec: str) -> tuple[bytes, int]:
    if is_whole_utf8(piece):
        return piece, 0
    done: list[bytes] = []
    changed = start = 0
    while True:
        try:
            piece[start:].decode()
        except UnicodeDecodeError as error:
            fault = start + error.start
            first, end = piece.rfind(b"\n", 0, fault) + 1, piece.find(b"\n", fault)
            end = len(piece) if end < 0 else end
            done += [piece[start:first], to_utf8(piece[first:end], codec)]
            changed += 1
            start = end
        else:
            return b"".join([*done, piece[start:]]), changed
