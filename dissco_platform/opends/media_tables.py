"""The media of a build: gathered batch by batch, one row and one document a medium, work only for what changed.

A medium may be shared by specimens of different batches, so rows go to buckets by key and are merged bucket by bucket.
How one batch's media are rendered is `media`; which records are walked is `build`.

Where few records changed, only the media that they name (or named) are touched: those are rendered from all records that
name them, every other medium stays in the table of the previous build as it is and where it is.
"""

from collections import Counter
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dissco_platform.opends.carried import link
from dissco_platform.opends.columns import Findings
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.media import render_media
from dissco_platform.opends.outputs import DOCUMENTS, MEDIA, MEDIA_ASIDE, BuildReport
from dissco_platform.opends.schema import problems
from dissco_platform.opends.spill import ParquetOut, Spill
from dissco_platform.provenance import ContentVersion, fingerprint
from dissco_platform.side_by_side import in_order

CHUNK = 100_000
RECORDS_A_BUCKET = 15_000
MOST_BUCKETS = 256  # each is an open file; where there are so many, they may be large
_OF_MANY_VALUES = ("media_key", "accessURI", "input_hash", "content_hash", "specimen_ids")
MEDIA_ASIDE_FILE = "media_aside.parquet"
_LINKED = {"media_key", "row", "normalisedPhysicalSpecimenID"}
_TOLD_APART = ("media_key", "input_hash", "content_hash", "doi_only", "batch")  # all else is in the content
_KNOWN = (pl.col("media_key"), pl.col("input_hash"), pl.col("batch").alias("old_batch"))


def _table(path: Path) -> ParquetOut:
    return ParquetOut(path, MEDIA, 50_000, plain=_OF_MANY_VALUES)


def _prints(rows: pl.DataFrame) -> pl.Series:
    return rows.select(fingerprint(["media_key", "content_hash"]).alias("f"))["f"]


def hash_bucket(digest: pl.Expr, buckets: int) -> pl.Expr:
    """Return a bucket's number from the first digits of a hexadecimal hash."""
    return (digest.str.head(4).str.to_integer(base=16) * buckets) // 65_536


class _Merged(NamedTuple):
    """The media of a bucket, sorted by key."""

    rows: pl.DataFrame  # one a medium
    new: pl.DataFrame  # of which a document is to be written
    refused: int


class MediaAside:
    """Writes `media_aside.parquet`: rows that name a medium without an address, by the fingerprint of their record.

    So the next build counts those of the records that it carries over without looking at them.
    """

    def __init__(self, folder: Path) -> None:
        self._out = ParquetOut(folder / MEDIA_ASIDE_FILE, MEDIA_ASIDE, 100_000)
        self._counts: Counter[str] = Counter()

    def add(self, aside: pl.DataFrame) -> None:
        """Add rows with the columns of MEDIA_ASIDE."""
        if aside.height:
            self._out.write(aside)
            self._counts.update(dict(aside["reason"].value_counts().iter_rows()))

    def carry(self, previous: Path, fingerprints: pl.Series | None = None) -> None:
        """Add what the previous build's folder says of these records (None: of all)."""
        scan = pl.scan_parquet(previous / MEDIA_ASIDE_FILE)
        for start in range(0, scan.select(pl.len()).collect().item(), CHUNK):
            part = scan.slice(start, CHUNK).collect()
            if fingerprints is not None:
                part = part.filter(pl.col("fingerprint").is_in(fingerprints.implode()))
            self.add(part)

    def close(self) -> dict[str, int]:
        """Finish the file; return the number of rows by reason."""
        self._out.close()
        return dict(self._counts)


class MediaTables:
    """Collects the media of a build and writes `media.parquet` and `media_documents.parquet`."""

    def __init__(
        self, out: Path, previous: Path | None, mapping: Mapping, context: DatasetContext, inputs: str, batch: str,
        buckets: int, findings: Findings,
    ) -> None:  # fmt: skip
        self.out, self.mapping, self.context = out, mapping, context
        self.inputs, self.batch, self.buckets, self.findings = inputs, batch, buckets, findings
        path = previous / "media.parquet" if previous is not None else None
        self.previous = path if path is not None and path.is_file() else None
        self.spill = Spill(out / ".spill" / "media", buckets)

    def add(self, links: pl.DataFrame, extension: pl.DataFrame | None, keys: pl.DataFrame) -> None:
        """Render the media of one batch's records.

        Args:
            links: of these records (`media.media_links`).
            extension: the rows of the media table that `links` refers to.
            keys: `row` and `normalisedPhysicalSpecimenID` of the records.
        """
        self.keep(self.rendered(links, extension, keys, self.findings))

    def rendered(
        self, links: pl.DataFrame, extension: pl.DataFrame | None, keys: pl.DataFrame, findings: Findings
    ) -> pl.DataFrame | None:
        """Return the media of one batch's records (as for `add`), for `keep`; touches nothing but `findings`."""
        if links.is_empty():
            return None
        rendered = render_media(links, extension, self.mapping, self.context, findings)
        rendered = rendered.join(
            keys.select("row", "normalisedPhysicalSpecimenID"), on="row", how="inner", maintain_order="left"
        )
        return rendered.with_columns(fingerprint([pl.col("content_hash"), pl.lit(self.inputs)]).alias("input_hash"))

    def keep(self, rendered: pl.DataFrame | None) -> None:
        """Put rendered media aside until all records have been seen."""
        if rendered is not None:
            self.spill.add(rendered, self._bucket())

    def _bucket(self) -> pl.Expr:
        return hash_bucket(fingerprint(["media_key"]), self.buckets)

    def expect(self, records: int) -> None:
        """Say that the media of no more than so many records will come."""
        self.buckets = min(self.buckets, 1 + records // RECORDS_A_BUCKET)
        self.spill = Spill(self.spill.folder, self.buckets)

    def naming(self, touched: pl.Series) -> pl.Series:
        """Return the ids of specimens that named one of the touched media in the previous build.

        Args:
            touched: keys of media that a new, changed or vanished record names or named.
        """
        if self.previous is None or touched.is_empty():
            return pl.Series("ids", [], dtype=pl.String)
        hit = pl.scan_parquet(self.previous).filter(pl.col("media_key").is_in(touched.implode()))
        return hit.select(pl.col("specimen_ids").explode().alias("ids")).collect()["ids"].unique()

    def finish(self, report: BuildReport, version: ContentVersion, pool: Executor) -> None:
        """Merge the buckets, write the tables; counts go to the report."""
        self._out = _table(self.out / "media.parquet")
        self._open_documents()
        old = self._previous_hashes()
        self.spill.write_held()
        old.write_held()

        def merged(bucket: int) -> _Merged | None:
            frame, known = self.spill.take(bucket), old.take(bucket)
            return None if frame is None else self._merged(frame, known)

        ahead = 1 if self.buckets < MOST_BUCKETS else 0
        for found in in_order(pool, merged, range(self.buckets), ahead):
            if found is not None:
                self._write_documents(found, report)
                self._out.write(found.rows)
                version.add("media", _prints(found.rows))
                report.media_doi_only += int(found.rows["doi_only"].sum())
        self._out.close()
        self._documents.close()
        report.media = self._out.rows

    def finish_touched(self, touched: pl.Series, report: BuildReport, version: ContentVersion) -> None:
        """Write the previous build's media with the touched ones as they are now; `version` has the previous ones in it.

        The table keeps its order; media that were not there stand at its end. Where none comes out otherwise (a record
        changed, and what it says of its media did not), the table is the previous one.
        """
        assert self.previous is not None
        self._open_documents()
        scan, hit = pl.scan_parquet(self.previous), pl.col("media_key").is_in(touched.implode())
        before = scan.filter(hit).select(_TOLD_APART).collect()
        old, parts = Spill(self.out / ".spill" / "media-before", self.buckets), [pl.DataFrame(schema=MEDIA)]
        old.add(before.select(_KNOWN), self._bucket())
        for bucket in range(self.buckets):
            frame, known = self.spill.take(bucket), old.take(bucket)
            if frame is not None:
                found = self._merged(frame, known)
                self._write_documents(found, report)
                parts.append(found.rows)
        self._documents.close()
        fresh = pl.concat(parts).sort("media_key")
        version.remove("media", _prints(before))
        version.add("media", _prints(fresh))
        report.media_doi_only += int(fresh["doi_only"].sum()) - int(before["doi_only"].sum())
        path = self.out / "media.parquet"
        if fresh.select(_TOLD_APART).equals(before.sort("media_key")):
            link(self.previous, path)
            report.media = scan.select(pl.len()).collect().item()
            return
        self._out = _table(path)
        for start in range(0, scan.select(pl.len()).collect().item(), CHUNK):
            frame = scan.slice(start, CHUNK).collect()
            gone = frame["media_key"].is_in(touched.implode())
            if gone.any():
                here = fresh["media_key"].is_in(frame["media_key"].filter(gone).implode())
                frame = pl.concat([frame.filter(~gone), fresh.filter(here)])
                fresh = fresh.filter(~here)
            self._out.write(frame)
        self._out.write(fresh)
        self._out.close()
        report.media = self._out.rows

    def _previous_hashes(self) -> Spill:
        """Return (media_key, input_hash, old_batch) of the previous media, by bucket."""
        old = Spill(self.out / ".spill" / "media-before", self.buckets)
        if self.previous is not None:
            scan = pl.scan_parquet(self.previous)
            for start in range(0, scan.select(pl.len()).collect().item(), CHUNK):
                old.add(scan.slice(start, CHUNK).select(_KNOWN).collect(), self._bucket())
        return old

    def _open_documents(self) -> None:
        self._documents = ParquetOut(
            self.out / "media_documents.parquet", DOCUMENTS, 1_000, texts=("content", "relationships")
        )

    def _write_documents(self, merged: _Merged, report: BuildReport) -> None:
        if merged.refused:
            report.media_rejects["invalid_media_document"] = (
                report.media_rejects.get("invalid_media_document", 0) + merged.refused
            )
        self._documents.write(merged.new)
        report.media_rendered += merged.new.height

    def _merged(self, frame: pl.DataFrame, known: pl.DataFrame | None) -> _Merged:
        ordered = frame.sort("media_key", "row", maintain_order=True)
        ids = ordered.group_by("media_key", maintain_order=True).agg(
            pl.col("normalisedPhysicalSpecimenID").unique().sort().alias("specimen_ids")
        )
        first = (
            ordered if ids.height == ordered.height else ordered.unique("media_key", keep="first", maintain_order=True)
        )
        merged = first.drop(_LINKED - {"media_key"}).with_columns(ids["specimen_ids"])
        merged = merged.with_columns(
            fingerprint([pl.col("content_hash"), pl.col("doi_only"), pl.col("specimen_ids").list.join("\x1f")]).alias(
                "content_hash"
            )
        )
        merged = merged.with_columns(
            fingerprint(["content_hash", "input_hash"]).alias("input_hash"), pl.lit(self.batch).alias("batch")
        )
        if known is not None:
            merged = merged.join(known, on=["media_key", "input_hash"], how="left", maintain_order="left")
        else:
            merged = merged.with_columns(pl.lit(None, dtype=pl.String).alias("old_batch"))
        new = merged.filter(pl.col("old_batch").is_null() & ~pl.col("doi_only"))
        merged = merged.with_columns(pl.coalesce("old_batch", "batch").alias("batch"))
        asked = new.filter("doubtful")
        bad = list(problems("ods:DigitalMedia", asked["content"].to_list(), asked["relationships"].to_list()))
        if bad:
            gone = asked["media_key"].gather([at for at, _ in bad]).implode()
            merged = merged.filter(~pl.col("media_key").is_in(gone))
            new = new.filter(~pl.col("media_key").is_in(gone))
        return _Merged(merged.select(list(MEDIA)), new.select(list(DOCUMENTS)), len(bad))
