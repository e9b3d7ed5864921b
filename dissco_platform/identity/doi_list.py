"""The DOI list of a dataset, for the institution to write back into its collection system."""

import csv
from collections.abc import Iterator

import polars as pl

from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.objects import current_batches
from dissco_platform.store import DatasetStore

HEADER = ("catalogNumber", "occurrenceID", "DOI")


def doi_list(registry: Registry, store: DatasetStore, doi_prefix: str, slug: str) -> Iterator[str]:
    """Yield the lines of a CSV (`HEADER`, then each specimen that has a DOI), by catalogue number.

    Raises:
        UsageError: there is no such dataset.
    """
    line = _Line()
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(HEADER)
    yield line.text
    with registry.read() as connection:
        build = get_dataset(connection, slug).summary.get("build")
        current = current_batches(connection, slug, "specimen")
    if build is None or current.is_empty():
        return
    table = store.path("digital_specimens", slug, build) / "specimens.parquet"
    names = pl.read_parquet(table, columns=["normalisedPhysicalSpecimenID", "catalogNumber", "occurrenceID"])
    joined = current.join(names, left_on="identity_key", right_on="normalisedPhysicalSpecimenID", how="left")
    for row in joined.sort("catalogNumber", "identity_key").iter_rows(named=True):
        doi = f"https://doi.org/{doi_prefix}/{row['suffix']}"
        writer.writerow([row["catalogNumber"] or "", row["occurrenceID"] or "", doi])
        yield line.text


class _Line:
    """The little of a file that csv.writer needs: keeps the last line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text
