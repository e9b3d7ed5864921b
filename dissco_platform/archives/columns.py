"""Text that is known to be whole rows → Arrow columns with trimmed values, and back to frames.

Columns of few distinct values are kept as dictionaries from the parser to the Parquet file: they are trimmed, compared
with the words for null, hashed and encoded once a value instead of once a row. Measured with 72 columns: 0.6 s of
CPU time for 100,000 rows instead of 1.1 s with plain columns. Which text is whole rows is decided in `blocks.py`.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dissco_platform.archives.dialect import Dialect
from dissco_platform.archives.encodings import is_whole_utf8

NULL_MARK = "\\N"
NULL_WORDS = ("", "NULL", "null")
"""Read as null too, with blanks around them."""
BLANKS = " \t\r\n"
STRING = pa.string()
CODED = pa.dictionary(pa.int32(), pa.string())

# Characters that cannot be in the text (control characters are dropped before), standing for those that would not
# survive the parser in a row that was put together by `lines.py`.
ESCAPED_QUOTE, ESCAPED_CR, ESCAPED_SEPARATOR, ESCAPED_LINE = "\x1b", "\x1c", "\x1d", "\x1e"
_LOWEST = np.uint8(0x1B)
ESCAPES = (ESCAPED_QUOTE, ESCAPED_CR, ESCAPED_SEPARATOR, ESCAPED_LINE)

CHUNK = 1 << 21
"""Bytes parsed at a time: what stays in the processor's cache (a block as one chunk costs twice as much; in smaller
chunks joining their dictionaries costs more than the cache gains)."""
ENOUGH_ROWS = 1_000
"""Rows from which on it is worth looking for columns of few values."""
FEW = 0.12
"""A column is kept as a dictionary where the first block has fewer distinct values than this share of its rows."""


def column_names(width: int) -> list[str]:
    """Return the names of columns by position."""
    return [f"c{position}" for position in range(width)]


def escape(cells: Sequence[str | None], dialect: Dialect, separator: str) -> bytes:
    """Return one row as the parser reads it back: no cell spans a separator, a line end or an enclosure."""
    written = []
    for cell in cells:
        text = cell or NULL_MARK
        text = text.replace(separator, ESCAPED_SEPARATOR).replace("\n", ESCAPED_LINE).replace("\r", ESCAPED_CR)
        written.append(text.replace(dialect.quote, ESCAPED_QUOTE) if dialect.quote else text)
    return separator.join(written).encode() + b"\n"


class ColumnParser:
    """Parses a file's blocks one after the other; the kind of each column is chosen by the first large one."""

    def __init__(self, dialect: Dialect, separator: str) -> None:
        self._dialect = dialect
        self._separator = separator
        self._names = column_names(dialect.width)
        self._types = dict.fromkeys(self._names, STRING)
        self.chosen = False

    def parse(self, text: bytes, *, escaped: bool) -> pa.Table | None:
        """Parse text that ends with a line end; None where a row has another number of columns or text is not UTF-8.

        Values come back without outer blanks; empty ones and the words for null are null. `escaped` says that rows of
        `escape` may be among them. May run in several threads once the kinds of columns are `chosen`.
        """
        if not is_whole_utf8(text):
            return None
        if b"\r" in text:  # the parser would end a row there
            text, escaped = text.replace(b"\r", ESCAPED_CR.encode()), True
        try:
            table = self._read(text, CHUNK)
        except pa.ArrowInvalid:
            if len(text) <= CHUNK:
                return None
            try:
                table = self._read(text, len(text) + 1)  # a row may be longer than a chunk
            except pa.ArrowInvalid:
                return None
        if not self.chosen and table.num_rows >= ENOUGH_ROWS:
            table = self._choose(table)
        columns = [self._cleaned(column, escaped) for column in table.columns]
        return pa.Table.from_arrays(columns, names=self._names)

    def _read(self, text: bytes, chunk: int) -> pa.Table:
        quote = self._dialect.quote
        quoted = quote is not None and quote.encode() in text
        return pa.csv.read_csv(
            pa.py_buffer(text),
            read_options=pa.csv.ReadOptions(column_names=self._names, use_threads=False, block_size=chunk),
            parse_options=pa.csv.ParseOptions(
                delimiter=self._separator, quote_char=quote if quoted else False, newlines_in_values=quoted
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=self._types,
                null_values=[NULL_MARK, *NULL_WORDS],
                strings_can_be_null=True,
                check_utf8=False,  # the text was looked at as a whole
            ),
        )

    def _choose(self, table: pa.Table) -> pa.Table:
        for position, name in enumerate(self._names):
            coded = table.column(position).dictionary_encode()
            if len(coded.chunk(0).dictionary) < FEW * table.num_rows:
                self._types[name] = CODED
                table = table.set_column(position, name, coded)
        self.chosen = True
        return table

    def _cleaned(self, column: pa.ChunkedArray, escaped: bool) -> pa.Array:
        array = one_array(column)
        if not pa.types.is_dictionary(array.type):
            return self._clean_text(array, escaped)
        values = self._clean_text(array.dictionary, escaped)
        if values is array.dictionary:
            return array
        coded = values.dictionary_encode()  # trimming can make two values one, or none
        return pa.DictionaryArray.from_arrays(coded.indices.take(array.indices), coded.dictionary)

    def _clean_text(self, array: pa.StringArray, escaped: bool) -> pa.StringArray:
        """Put escaped characters back and take outer blanks off; the array itself where there are none."""
        offsets, data = text_buffers(array)
        if offsets[-1] == offsets[0]:
            return array
        if escaped:
            array, offsets, data = self._unescaped(array, offsets, data)
        # Blanks are the only characters up to the space that are left in the text. An empty value looks at its
        # neighbours', which does no harm.
        last = offsets[-1] - 1
        if data[np.minimum(offsets[:-1], last)].min() > 32 and data[np.maximum(offsets[1:] - 1, 0)].min() > 32:
            return array
        trimmed = pc.utf8_trim(array, characters=BLANKS)
        return pc.if_else(pc.is_in(trimmed, pa.array(NULL_WORDS, STRING)), pa.scalar(None, STRING), trimmed)

    def _unescaped(
        self, array: pa.StringArray, offsets: np.ndarray, data: np.ndarray
    ) -> tuple[pa.StringArray, np.ndarray, np.ndarray]:
        if not ((data[offsets[0] : offsets[-1]] - _LOWEST) < len(ESCAPES)).any():
            return array, offsets, data
        for mark, meant in zip(ESCAPES, (self._dialect.quote or '"', "\r", self._separator, "\n"), strict=True):
            array = pc.replace_substring(array, mark, meant)
        return (array, *text_buffers(array))


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column's only chunk, or its chunks joined."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.num_chunks == 0:
        return pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    joined = column.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined


def text_buffers(array: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array's offsets (rows + 1) into its bytes, and the bytes."""
    _, offsets, data = array.buffers()
    if not len(array) or offsets is None or data is None:
        return np.zeros(len(array) + 1, np.int32), np.zeros(0, np.uint8)
    view = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return view, np.frombuffer(data, np.uint8)


def exceeds(column: pa.ChunkedArray, limit: int) -> bool:
    """Return whether a column has a value of more bytes than the limit."""
    array = one_array(column)
    offsets, _ = text_buffers(array.dictionary if pa.types.is_dictionary(array.type) else array)
    if offsets[-1] - offsets[0] <= limit:  # all values together
        return False
    return bool((np.diff(offsets) > limit).any())


def plain(array: pa.Array) -> pa.StringArray:
    """Return a column without a dictionary."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def series(name: str, array: pa.Array) -> pl.Series:
    """Return a column as a Polars String series."""
    if not pa.types.is_dictionary(array.type):
        return pl.Series(name, pl.from_arrow(array), dtype=pl.String)
    values = pl.Series(name, pl.from_arrow(array.dictionary), dtype=pl.String)
    indices = pl.Series(name, pl.from_arrow(array.indices)).cast(pl.UInt32)
    if not len(values):
        return pl.Series(name, [None] * len(array), dtype=pl.String)
    return values.gather(indices)


def arrays(frame: pl.DataFrame) -> dict[str, pa.Array]:
    """Return a frame's columns as Arrow arrays, text as plain strings."""
    table = frame.to_arrow()
    return {
        name: one_array(column.cast(STRING) if frame.schema[name] == pl.String else column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def constant(value: str | None, rows: int) -> pa.Array:
    """Return a column that has one value in every row."""
    if value is None:
        return pa.nulls(rows, STRING)
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], STRING))


def filled(array: pa.Array, default: str) -> pa.Array:
    """Return a column whose nulls are a default value."""
    if not array.null_count:
        return array
    return pc.fill_null(plain(array), default).dictionary_encode()
