"""The DOI list of a dataset, for the institution to write back into its collection system."""

import csv
from collections.abc import Iterator

import orjson
import polars as pl

from dissco_platform.identity.parts import read_version
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
    left_out = joined.filter(pl.col("catalogNumber").is_null() & pl.col("occurrenceID").is_null())
    told = {row["suffix"]: _names(store, slug, row["path"], row["suffix"]) for row in left_out.iter_rows(named=True)}
    for row in joined.sort("catalogNumber", "identity_key", nulls_last=True).iter_rows(named=True):
        doi = f"https://doi.org/{doi_prefix}/{row['suffix']}"
        names_of = told.get(row["suffix"]) or (row["catalogNumber"], row["occurrenceID"])
        writer.writerow([*(name or "" for name in names_of), doi])
        yield line.text


def _names(store: DatasetStore, slug: str, path: str, suffix: str) -> tuple[str | None, str | None]:
    """Return the names of a specimen that the present edition lacks: those of its last document. A loop: they are few."""
    document, _ = read_version(store, slug, path, suffix)
    if document is None:
        return None, None
    names = {
        one.get("dcterms:title"): one.get("dcterms:identifier")
        for one in orjson.loads(document).get("ods:hasIdentifiers", [])
    }
    return names.get("dwc:catalogNumber"), names.get("dwc:occurrenceID")


class _Line:
    """The little of a file that csv.writer needs: keeps the last line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text
