"""Part files of published versions: documents and DataCite payloads, sorted so that one of them is one small read.

A part is a Parquet file of at most `ROWS_PER_PART` rows, sorted by DOI suffix in row groups of `ROWS_PER_GROUP`:
`suffix, version, document (null for DOI-only objects), payload (DataCite attributes as JSON text)`. Parts are written
once and named by the registry when a publication is committed; one that no registry row names is debris of a kill.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dissco_platform.errors import StoreError
from dissco_platform.identity.contents import ROWS_PER_PORTION, Portion, Segment, plan, stream
from dissco_platform.identity.datacite.metadata import (
    DataCiteContext,
    rendered,
    tombstone_payloads,
    visible_hashes,
)
from dissco_platform.identity.incoming import ROW
from dissco_platform.identity.resolve import new_fingerprints
from dissco_platform.identity.spool import Spool
from dissco_platform.identity.stamping import DOI_RESOLVER, stamp
from dissco_platform.identity.tombstones import VanishingRules, tombstone_document, vanished_text
from dissco_platform.provenance import ContentVersion, fingerprint
from dissco_platform.registry.datasets import Dataset
from dissco_platform.side_by_side import in_order
from dissco_platform.store import DatasetStore

ROWS_PER_PART = 10_000
ROWS_PER_GROUP = 256
DIVIDED_IN_MEMORY = 64 * 2**20  # bytes of records that wait for the documents of their portion
AT_ONCE = 2  # parts that are made at the same time; a part's documents are some seventy megabytes
# What the registry has to know of each version, and of an object that it does not know yet (`fresh`).
WRITTEN = (
    "id", "kind", "fresh", "identity_key", "suffix", "version", "content_hash", "visible_hash", "old_visible",
    "doi_only", "cause", "path",
)  # fmt: skip
_Part = tuple[str, pl.DataFrame, ContentVersion]


@dataclass(frozen=True)
class Rules:
    """What a publication needs from the settings: DOI prefix, yearly quota (None: none), DataCite context, vanishing."""

    prefix: str
    yearly_quota: int | None
    datacite: DataCiteContext
    vanishing: VanishingRules = field(default_factory=VanishingRules)


class PartWriter:
    """Writes the part files of one publication and remembers what it wrote."""

    def __init__(
        self,
        store: DatasetStore,
        rules: Rules,
        dataset: Dataset,
        moment: str,
        progress: Callable[[str, int], None] | None,
    ) -> None:
        self.store, self.slug = store, dataset.slug
        self.folder, self.rules, self.moment, self.progress = store.new_parts(self.slug), rules, moment, progress
        self.datacite = replace(
            rules.datacite,
            host_id=dataset.organisation_id,
            host_name=dataset.organisation_name,
            prefix=rules.prefix,
        )
        self.paths: list[str] = []
        self.written = Spool(self.folder)  # frames of `WRITTEN`, a part each
        self.fresh = ContentVersion()  # states of the objects that this publication makes, as they will be
        self._count = 0

    def write(self, kind: str, pages: Iterator[pl.DataFrame], addresses: Iterator[pl.DataFrame]) -> None:
        """Stamp and write new versions.

        Args:
            kind: `specimen` or `media`.
            pages: what is written but the documents, as `writing.pages` gives it.
            addresses: where the documents are (`Incoming.addresses`) of those records that are not DOI only.
        """
        portions = plan(kind, addresses, self._documents, ROWS_PER_PORTION)
        if len(portions) == 1:
            self._write_portion(kind, portions[0].segments, pages)
        elif not portions:
            for page in pages:
                self._write_closed(kind, page)
        else:
            waiting = self._divided(kind, portions, pages)
            segments = [portion.segments for portion in portions]
            del portions  # numbers of all records
            for some, spool in zip(segments, waiting, strict=True):
                self._write_portion(kind, some, iter(spool))
                spool.close()

    def write_tombstones(
        self,
        kind: str,
        rows: pl.DataFrame,
        ending: str = "vanished",
        reason: str | None = None,
        into: str | None = None,
    ) -> None:
        """Write the tombstone of each row's last version.

        Args:
            kind: `specimen` or `media`.
            rows: `id, suffix, version, old_hash, old_visible, was_doi_only, missed`, and `folder, path` of the last
                version's part.
            ending: `vanished`, `withdrawn` or `merged`.
            reason: one sentence for readers; None: absent from so many harvests.
            into: suffix of the object that takes its place.
        """
        remaining = [f"{self.rules.prefix}/{into}"] if into else []
        for (folder, path, missed), members in rows.group_by("folder", "path", "missed", maintain_order=True):
            said = reason or vanished_text(int(str(missed)) + 1)
            last = pl.read_parquet(self.store.part(str(folder), str(path)), columns=["suffix", "document", "payload"])
            found = members.join(last, on="suffix", how="inner").with_columns(pl.col("version") + 1)
            # A loop: tombstones are few, and each is made from a document that was published long ago.
            documents = [
                document
                and tombstone_document(document, number, self.moment, said, [DOI_RESOLVER + d for d in remaining])
                for document, number in zip(found["document"], found["version"], strict=True)
            ]
            payload = tombstone_payloads(
                found["payload"], date=self.moment, reason=said, replaced_by=remaining * found.height or None
            )
            ended = found.with_columns(
                pl.Series("document", documents, dtype=pl.String),
                payload.alias("payload"),
                visible_hashes(payload).alias("visible_hash"),
                fingerprint([pl.lit("tombstone"), "old_hash"]).alias("content_hash"),
                pl.col("was_doi_only").alias("doi_only"),
                identity_key=pl.lit(None, pl.String),
                cause=pl.lit(ending),
                fresh=pl.lit(False),
            )
            self._note(self._part(kind, ended.sort("suffix")))

    def keep(self) -> None:
        """Make all that was written durable: from now on the registry may name it."""
        self.store.keep_parts(self.slug, self.paths)

    def discard(self) -> None:
        """Remove what was written: no registry will name it."""
        for path in self.paths:
            self.store.remove_part(self.slug, path)
        self.written.close()

    def _documents(self, batch: str) -> Path:
        return self.store.path("documents", self.slug, batch)

    def _divided(self, kind: str, portions: list[Portion], pages: Iterator[pl.DataFrame]) -> list[Spool]:
        """Put each record to its portion, on disk; write those that have no document."""
        last = max(int(portion.rows.max()) for portion in portions)
        number = np.zeros(last + 1, np.uint16)
        for place, portion in enumerate(portions):
            number[portion.rows] = place
        spools = [Spool(self.folder, DIVIDED_IN_MEMORY // len(portions)) for _ in portions]
        for page in pages:
            self._write_closed(kind, page)
            members = page.filter(~pl.col("doi_only"))
            places = pl.Series("portion", number[members[ROW].to_numpy()])
            for (place,), part in members.with_columns(places).partition_by("portion", as_dict=True).items():
                spools[int(place)].append(part.drop("portion"))
        return spools

    def _write_portion(self, kind: str, segments: list[Segment], pages: Iterator[pl.DataFrame]) -> None:
        self._write_all(kind, stream(kind, segments, self._open(kind, pages), self._documents, ROWS_PER_PART))

    def _open(self, kind: str, pages: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the records that have a document; write the others."""
        members = []
        for page in pages:
            self._write_closed(kind, page)
            members.append(page.filter(~pl.col("doi_only")))
        return pl.concat(members)

    def _write_closed(self, kind: str, page: pl.DataFrame) -> None:
        """Write what is DOI only and has no document."""
        closed = page.filter("doi_only").with_columns(document=pl.lit(None, pl.String))
        self._write_all(kind, closed.iter_slices(ROWS_PER_PART))

    def _write_all(self, kind: str, chunks: Iterator[pl.DataFrame]) -> None:
        """Write a part for each chunk: two are made at once, and meanwhile the documents of the next one are read."""
        with ThreadPoolExecutor(AT_ONCE) as making:
            wanted = (chunk for chunk in chunks if chunk.height)
            for part in in_order(making, partial(self._made, kind), wanted, AT_ONCE - 1):
                self._note(part)

    def _made(self, kind: str, chunk: pl.DataFrame) -> _Part:
        # Sorted before anything is made of it: what is made of a document is larger than the document.
        return self._part(kind, self._published(kind, chunk.sort("suffix")))

    def _published(self, kind: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with what is published of them."""
        if "document" not in rows.columns:
            rows = rows.with_columns(stamp(kind, rows, self.rules.prefix, self.moment).alias("document")).drop(
                "content", "relationships"
            )
        return rows.hstack(rendered(kind, rows, self.datacite))

    def _note(self, part: _Part) -> None:
        name, rows, fresh = part
        self.paths.append(name)
        self.written.append(rows)
        self.fresh.include(fresh)
        self._count += rows.height
        if self.progress:
            self.progress("documents published", self._count)

    def _part(self, kind: str, rows: pl.DataFrame) -> _Part:
        """Write one part of rows in the order of suffixes; return its name and what the registry has to know of them."""
        name = f"{self.moment.replace(':', '').replace('.', '')}-{uuid.uuid4().hex[:12]}-{kind}.parquet"
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{name}"
        try:
            rows.select("suffix", "version", "document", "payload").write_parquet(
                temporary, compression="zstd", compression_level=1, row_group_size=ROWS_PER_GROUP, statistics=True
            )
            temporary.rename(self.folder / name)
        except (OSError, pl.exceptions.ComputeError) as error:
            raise StoreError(
                f"A part of {self.slug} cannot be written to {self.folder} ({error}): make room there. Nothing of this "
                "publication was committed; run again."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        written = rows.with_columns(path=pl.lit(name), kind=pl.lit(kind)).select(WRITTEN)
        fresh = ContentVersion()
        fresh.add(kind, new_fingerprints(written.filter("fresh")))
        return name, written, fresh


def read_version(store: DatasetStore, dataset: str, path: str, suffix: str) -> tuple[str | None, str]:
    """Return (document or None, payload) of one object's version from its part: one row group is read."""
    part = store.part(dataset, path)
    row = pl.scan_parquet(part).filter(pl.col("suffix") == suffix).select("document", "payload").collect().row(0)
    return row[0], row[1]


def iterate_current(store: DatasetStore, dataset: str, current: pl.DataFrame) -> Iterator[str]:
    """Yield the documents of the given versions, part by part; DOI-only objects have none.

    Args:
        store: holds the parts.
        dataset: whose versions they are.
        current: `suffix, version, folder, path`, as `registry.objects.current_batches` gives them.
    """
    for (folder, path), members in current.group_by("folder", "path", maintain_order=True):
        file = pq.ParquetFile(store.part(str(folder), str(path)))
        for group in file.iter_batches(batch_size=5_000, columns=["suffix", "version", "document"]):
            frame = pl.from_arrow(group)
            assert isinstance(frame, pl.DataFrame)
            found = frame.join(members, on=["suffix", "version"], how="semi")
            yield from found["document"].drop_nulls()
