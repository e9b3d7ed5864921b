"""How a delimited file is really written: encoding, line ends, separator, enclosure, header, number of columns.

The descriptor is believed where the data bear it out; where they do not, the data win and the file's report carries a
flag. Reading the rows is `blocks.py`; encodings alone are `encodings.py`.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from dissco_platform.archives.descriptor import FileSet
from dissco_platform.archives.encodings import SINGLE_BYTE, detect, is_utf8, normalise, repair_lines
from dissco_platform.archives.members import Member
from dissco_platform.archives.model import Limits
from dissco_platform.archives.tables import local_name
from dissco_platform.archives.terms import term_of
from dissco_platform.errors import ArchiveError

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 1000
CONTROLS = dict.fromkeys([*range(32), 127])
BINARY_SAMPLE = 1 << 16
BINARY_SHARE = 0.05
"""Share of control characters from which on a file is not text."""
SEPARATORS = ("\t", ",", ";", "|")
TRIMMED_SHARE = 0.1
TRIMMED_SHARE_IF_NONE_PADDED = 0.02
"""From this share of short rows on, a writer that leaves out trailing empty columns is assumed, not broken rows; the
lower one holds where no row ends with an empty column, which such a writer never writes."""


@dataclass
class Dialect:
    """What `blocks.py` needs to read a file. `width` is the number of columns of a whole row."""

    codec: str = "utf-8"
    bom: bytes = b""
    separator: str = "\t"
    quote: str | None = None
    backslash: bool = False
    line_end: str = "\n"
    header_lines: int = 0
    header: list[str] | None = None
    width: int = 1
    trimmed: bool = False
    flags: list[str] = field(default_factory=list)
    from_header: bool = False
    """Columns are to be taken from the header, not from the descriptor."""


def sniff(member: Member, declared: FileSet | None, limits: Limits) -> Dialect:
    """Look at a file's first megabyte and decide how to read it; `declared` is what a descriptor says, if any.

    Raises:
        ArchiveError: `not_text` (binary content), `too_many_columns`.
    """
    sample = member.head(SAMPLE_BYTES)
    whole = len(sample) < SAMPLE_BYTES
    codec, bom, flags = detect(sample, declared.encoding if declared else None)
    dialect = Dialect(codec=codec, bom=bom, flags=flags)
    text = _decode(sample[len(bom) :], codec)
    controls = sum(1 for character in text[:BINARY_SAMPLE] if character < " " and character not in "\t\n\r")
    if controls > 16 and controls > BINARY_SHARE * len(text[:BINARY_SAMPLE]):
        raise ArchiveError(f"{member.name} is not text", reason="not_text")
    dialect.line_end = _line_end(text, declared)
    lines = _lines(text, dialect.line_end, whole)
    header_lines = declared.header_lines if declared else 0
    body = lines[header_lines:] if declared else lines
    _choose_separator(dialect, body or lines, declared)
    _choose_quote(dialect, body, declared)
    _choose_header(dialect, lines, declared)
    body = lines[dialect.header_lines :]
    _choose_width(dialect, body, declared)
    if dialect.width > limits.max_columns:
        raise ArchiveError(
            f"{member.name} has {dialect.width:,} columns; at most {limits.max_columns:,} are read",
            reason="too_many_columns",
        )
    return dialect


def _decode(sample: bytes, codec: str) -> str:
    if codec in SINGLE_BYTE or (codec == "utf-8" and not is_utf8(sample)):
        return repair_lines(sample, codec if codec in SINGLE_BYTE else "cp1252")[0].decode()
    return sample.decode(codec, errors="replace")


def _line_end(text: str, declared: FileSet | None) -> str:
    """Return `\\n` for LF and CRLF files, `\\r` for CR files, or the descriptor's own mark where the data carry it."""
    wanted = declared.line_end if declared else "\n"
    if wanted.strip("\r\n") and text.count(wanted) >= 1:
        plain = text.count("\n")
        if text.count(wanted) >= max(plain, 1) or (plain == 0 and "\r" not in text):
            return wanted
    if "\n" not in text and "\r" in text:
        return "\r"
    return "\n"


def _lines(text: str, line_end: str, whole: bool) -> list[str]:
    if line_end == "\n":
        text = text.replace("\r\n", "\n")
    parts = text.split(line_end)
    if (not whole and len(parts) > 1) or parts[-1] == "":
        parts.pop()
    return [part.strip("\n\r") if line_end != "\n" else part for part in parts[:SAMPLE_LINES]]


def count_columns(line: str, separator: str, quote: str | None) -> int:
    """Return the number of columns of one line, separators inside an enclosure not counted."""
    if quote is None or quote not in line:
        return line.count(separator) + 1
    mark, sep = re.escape(quote), re.escape(separator)
    whole = rf"(?:(?<=^)|(?<={sep})) *{mark}(?:[^{mark}]|{mark}{mark})*{mark} *(?={sep}|$)"
    outside = re.sub(whole, "", line)
    return outside.count(separator) + 1


def _mode(lines: list[str], separator: str, quote: str | None) -> tuple[int, float]:
    """Return the most frequent number of columns and the share of rows that have it."""
    return _most_frequent(Counter(count_columns(line, separator, quote) for line in lines if line.strip()))


def _most_frequent(counts: Counter[int]) -> tuple[int, float]:
    if not counts:
        return 0, 0.0
    width, rows = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    return width, rows / sum(counts.values())


def _choose_separator(dialect: Dialect, lines: list[str], declared: FileSet | None) -> None:
    wanted = declared.separator if declared else None
    needed = (declared.highest_index + 1) if declared else 1
    if wanted is not None:
        width, _ = _mode(lines, wanted, '"')
        if width >= needed or not lines:
            dialect.separator = wanted
            return
    candidates = [one for one in SEPARATORS if one != wanted]
    scored = []
    for candidate in candidates:
        width, share = _mode(lines, candidate, '"')
        named = sum(1 for cell in split_plain(lines[0], candidate) if term_of(cell)) if lines else 0
        if width > 1:
            scored.append((named > 1, width >= needed, share > 0.6, named, width * share, candidate))
    if scored:
        best = max(scored)
        own_width = _mode(lines, wanted, '"')[0] if wanted is not None else 0
        if wanted is None or (best[4] > own_width and (best[1] or own_width <= 1)):
            dialect.separator = best[-1]
            if declared is not None and wanted is not None:
                dialect.flags.append("separator_differs_from_descriptor")
            return
    dialect.separator = wanted if wanted is not None else ("," if declared else "\t")


def split_plain(line: str, separator: str) -> list[str]:
    """Split a header line, enclosures taken off."""
    return [cell.translate(CONTROLS).strip().strip('"').strip() for cell in line.split(separator)]


def _choose_quote(dialect: Dialect, lines: list[str], declared: FileSet | None) -> None:
    declared_quote = declared.quote if declared else '"'
    dialect.quote = declared_quote
    sample = [line for line in lines[:300] if line.strip()]
    if declared is not None and declared_quote is None and _enclosed(sample, dialect.separator, '"'):
        dialect.quote = '"'
        dialect.flags.append("enclosure_differs_from_descriptor")
    elif declared is None and not any('"' in line for line in sample) and _enclosed(sample, dialect.separator, "'"):
        dialect.quote = "'"
    if dialect.quote is not None:
        escaped = sum(line.count("\\" + dialect.quote) for line in sample)
        doubled = sum(line.count(dialect.quote * 2) for line in sample)
        dialect.backslash = escaped > 0 and escaped * 2 > doubled


def _enclosed(lines: list[str], separator: str, quote: str) -> bool:
    """Return whether values stand in quotation marks: most rows have some, and they open and close at separators."""
    rows = 0
    for line in lines:
        if quote not in line:
            continue
        cells = [cell.strip() for cell in line.split(separator)]
        whole = sum(1 for cell in cells if len(cell) > 1 and cell[0] == cell[-1] == quote)
        stray = sum(1 for cell in cells if cell.count(quote) == 1)
        rows += whole > 0 and whole >= stray / 2
    return rows > 0.5 * len(lines) if lines else False


def _choose_header(dialect: Dialect, lines: list[str], declared: FileSet | None) -> None:
    """Decide how many header lines there are and whether the header or the descriptor names the columns."""
    if declared is None:
        first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
        if first < len(lines) and _is_header(split_plain(lines[first], dialect.separator)):
            dialect.header = split_plain(lines[first], dialect.separator)
            dialect.header_lines = first + 1
            dialect.from_header = True
        return
    dialect.header_lines = declared.header_lines
    if declared.header_lines and len(lines) >= declared.header_lines:
        dialect.header = split_plain(lines[declared.header_lines - 1], dialect.separator)
    elif lines:
        cells = split_plain(lines[0], dialect.separator)
        names = {local_name(one.term).lower() for one in declared.fields}
        same = sum(1 for cell in cells if local_name(cell).lower() in names)
        if len(cells) > 1 and _is_header(cells) and same >= 0.6 * len(cells):
            dialect.header = cells
            dialect.header_lines = 1
            dialect.flags.append("header_line_not_declared")
    if dialect.header is not None and _is_header(dialect.header):
        _check_header_against(dialect, declared)


def _is_header(cells: list[str]) -> bool:
    """Return whether cells are column names: terms among them, all different, none a number or a sentence."""
    filled = [cell for cell in cells if cell]
    known = sum(1 for cell in filled if term_of(cell) is not None)
    if not filled or known == 0:
        return False
    plain = [cell.lower() for cell in filled]
    wordy = sum(1 for cell in filled if len(cell) > 60 or re.fullmatch(r"[-\d.,/ ]+", cell))
    return known >= max(1, 0.25 * len(filled)) and len(set(plain)) > 0.9 * len(plain) and wordy == 0


def _check_header_against(dialect: Dialect, declared: FileSet) -> None:
    header = [local_name(cell).lower() for cell in dialect.header or []]
    checked = agreeing = 0
    for one in declared.fields:
        if one.index is not None and one.index < len(header) and term_of(header[one.index]):
            checked += 1
            agreeing += header[one.index] == local_name(one.term).lower() or term_of(header[one.index]) == one.term
    if checked >= 3 and agreeing < 0.5 * checked:
        dialect.from_header = True
        dialect.flags.append("descriptor_columns_disagree_with_header")


def _choose_width(dialect: Dialect, body: list[str], declared: FileSet | None) -> None:
    rows = [line for line in body if line.strip()]
    counts = Counter(count_columns(line, dialect.separator, dialect.quote) for line in rows)
    width, _ = _most_frequent(counts)
    needed = declared.highest_index + 1 if declared else 1
    header_width = len(dialect.header) if dialect.header else 0
    total = max(len(rows), 1)
    expected = header_width or needed
    if rows and width != expected:
        # A writer that leaves out trailing empty columns: rows of many lengths, none longer than the header.
        short = sum(n for w, n in counts.items() if w < expected)
        if max(counts) <= expected and short and (counts.get(expected, 0) or len(counts) > 1 or header_width == 0):
            width = expected if counts.get(expected, 0) or len(counts) > 1 else width
        elif max(counts) <= expected and short == total:
            width = expected
    if not rows:
        width = expected
    dialect.width = max(width, 1)
    shorter = sum(n for w, n in counts.items() if w < dialect.width)
    multi_line = dialect.quote is not None and any(line.count(dialect.quote) % 2 for line in rows[:300])
    padded = any(line.endswith(dialect.separator) for line in rows)
    often = shorter > TRIMMED_SHARE * total
    rarely = shorter >= 3 and shorter > TRIMMED_SHARE_IF_NONE_PADDED * total and not padded
    dialect.trimmed = (often or rarely) and not multi_line
    if dialect.trimmed:
        dialect.flags.append("trailing_columns_left_out")
    if rows and header_width and dialect.width != header_width:
        dialect.flags.append("header_width_differs")
    if declared is not None and rows and needed > dialect.width:
        dialect.flags.append("descriptor_names_absent_columns")


def codec_of(declared: str) -> str:
    """Return Python's codec for a declared encoding (UTF-8 where it is unknown)."""
    return normalise(declared) or "utf-8"
