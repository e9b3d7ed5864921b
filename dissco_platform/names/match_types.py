"""Kinds of match of a name with the checklist (`matchType` of `match`), and the few words that people read for them."""

from typing import Final

MATCH_TYPES: Final = {
    "exact": "exact",
    "variant": "another spelling",
    "fuzzy": "probably misspelt",
    "higherRank": "higher taxon only",
    "ambiguous": "ambiguous",
    "none": "not found",
}
"""Match type → words, from the best to the worst."""

AS_WRITTEN: Final = ("exact", "variant")
"""Match types of names that the checklist knows as they are written; the others are doubtful, and a curator's work."""
