"""Short cuts of reading give what the long way gives: counting, mending mixed encodings, hashing columns."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissco_platform.archives import encodings
from dissco_platform.archives.contents import content_of, content_of_columns
from dissco_platform.archives.shapes import clean_counts, counts, has_controls

TEXT = st.lists(st.sampled_from([b"a", b"\t", b",", b"\n", b"\r", b"\x00", b"\x1b", b"\x7f", "é".encode(), b" "])).map(
    b"".join
)


@given(TEXT, st.sampled_from([b"\t", b",", b";"]))
def test_clean_text_is_counted_as_any_text_is(text: bytes, separator: bytes) -> None:
    found = clean_counts(text, separator)
    if found is not None:
        assert found == counts(text, separator)
        assert not has_controls(text)
        assert b"\r" not in text
    elif separator == b"\t":
        assert has_controls(text) or b"\r" in text


@given(
    st.lists(
        st.sampled_from([b"abc", "é".encode(), b"\xe9", b"\n", b"\xe2\x82", "€😀".encode(), b"\x81", b"\t"]),
        max_size=30,
    )
)
def test_only_the_lines_that_are_no_utf_8_are_mended(parts: list[bytes]) -> None:
    text = b"".join(parts)
    expected, changed = [], 0
    for line in text.split(b"\n"):
        try:
            line.decode()
            expected.append(line)
        except UnicodeDecodeError:
            expected.append(encodings.to_utf8(line, "cp1252"))
            changed += 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_PIECE", 20)
        assert encodings.repair_lines(text) == (b"\n".join(expected), changed)


@given(
    st.integers(1, 30).flatmap(
        lambda rows: st.lists(
            st.lists(st.sampled_from([None, "x", "y", "Zürich"]), min_size=rows, max_size=rows), min_size=1, max_size=4
        )
    ),
    st.integers(0, 5),
)
def test_a_row_has_one_hash_however_its_columns_are_kept(columns: list[list[str | None]], start: int) -> None:
    names = [f"dwc:{place}" for place in range(len(columns))]
    whole = [pa.array(column, pa.string()) for column in columns]
    coded = [array.dictionary_encode() for array in whole]
    frame = pl.DataFrame(
        {name: column[start:] for name, column in zip(names, columns, strict=True)},
        schema_overrides=dict.fromkeys(names, pl.String),
    )
    expected = content_of(frame, names).to_numpy()
    for kept in (whole, coded):
        arrays = {name: array.slice(start) for name, array in zip(names, kept, strict=True)}
        assert np.array_equal(content_of_columns(arrays, frame.height), expected)
