"""Ranges of identifiers of about as many specimens each, so that sorted ranges make a sorted file.

The rows of a range are sorted in memory (`spill`), so a range must stay small wherever in the file its identifiers stand:
borders come from a sample taken all over the file, not from a few places of it, as numbers mostly run on from line to line.
"""

from collections.abc import Sequence

import polars as pl

from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.identity_columns import identity, needed
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.ranges import ParsedTables

SAMPLES_A_RANGE = 400  # the largest of a hundred ranges is then a tenth or two larger than the mean
KEY = "normalisedPhysicalSpecimenID"


def choose_borders(parsed: ParsedTables, mapping: Mapping, context: DatasetContext, ranges: int) -> list[str]:
    """Return up to `ranges` − 1 identifiers, ascending, that part the records into ranges of about one size."""
    if ranges == 1:
        return []
    step = max(1, parsed.height // (ranges * SAMPLES_A_RANGE))
    found = [
        identity(records, mapping, context)[KEY] for records in parsed.every(step, needed(mapping) & parsed.columns)
    ]
    sample = pl.concat(found).drop_nulls().sort()
    if sample.is_empty():
        return []
    return sample.gather([len(sample) * at // ranges for at in range(1, ranges)]).unique().sort().to_list()


def range_number(borders: Sequence[str]) -> pl.Expr:
    """Return the number of each row's range, from 0; a border is the first identifier of its range."""
    if not borders:
        return pl.lit(0, dtype=pl.Int32)
    return pl.lit(pl.Series(borders)).search_sorted(pl.col(KEY), side="right").cast(pl.Int32)
