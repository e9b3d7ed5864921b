"""Identifiers and addresses that are plain already are passed over; the result is as if all had been looked at."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dissco_platform.identity import keys

PIECES = st.sampled_from(
    ["https://", "HTTP://", "Host.org", "host.org", ":443", ":80", "/", "/a B", "?q=1", "#x", "é", "e\u0301", "\u200b",
     "\u00a0", " ", "\t", "~", "!", "\x7f", "a", "12"]
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.none(), st.lists(PIECES, max_size=6).map("".join), st.text(max_size=8)), max_size=12)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_plain_texts_are_in_normal_form(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    text = pl.col("text")
    found = frame.select(cleaned=keys.clean_identifier(text), url=keys.normalised_media_url(text))
    slow = frame.select(cleaned=keys._cleaned(text), url=keys._normalised_url(text))
    assert found.equals(slow)


def test_addresses_of_one_medium_are_one() -> None:
    same = [
        "https://img.org/a.jpg",
        "HTTPS://IMG.org:443/a.jpg",
        " https://img.org/a.jpg#top",
        "https://img.org/a.jpg\u200b",
    ]
    other = ["https://img.org/A.jpg", "http://img.org/a.jpg", "https://img.org:8443/a.jpg"]
    found = pl.DataFrame({"text": same + other}).select(keys.normalised_media_url(pl.col("text")))["text"]
    assert found[:4].n_unique() == 1
    assert found.n_unique() == 4
