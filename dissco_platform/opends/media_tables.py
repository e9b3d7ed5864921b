"""The media of a build: gathered batch by batch, one row and one document a medium, work only for what changed.

A medium may be shared by specimens of different batches, so rows go to buckets by key and are merged bucket by bucket.
How one batch's media are rendered is `media`; which records are walked is `build`.

Where few records changed, only the media that they name (or named) are touched: those are rendered from all records that
name them, every other medium is carried over from the previous build as it is.
"""

from collections import Counter
from pathlib import Path

import polars as pl

from dissco_platform.opends.columns import Findings
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.media import render_media
from dissco_platform.opends.outputs import DOCUMENTS, MEDIA, BuildReport
from dissco_platform.opends.schema import problems
from dissco_platform.opends.spill import ParquetOut, Spill
from dissco_platform.provenance import ContentVersion, fingerprint

_LINKED = {"media_key", "row", "normalisedPhysicalSpecimenID"}


def hash_bucket(digest: pl.Expr, buckets: int) -> pl.Expr:
    """Return a bucket's number from the first digits of a hexadecimal hash."""
    return (digest.str.head(4).str.to_integer(base=16) * buckets) // 65_536


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
        self.kept = Spill(out / ".spill" / "media-kept", buckets)

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

    def complete(self, specimens: Path) -> bool:
        """Return whether the previous build has a medium for each that its specimens name (none was set aside)."""
        if self.previous is None:
            return False
        named = pl.scan_parquet(specimens).select(pl.col("media_keys").list.len().sum()).collect().item()
        known = pl.scan_parquet(self.previous).select(pl.col("specimen_ids").list.len().sum()).collect().item()
        return bool((named or 0) == (known or 0))

    def carry_over(self, touched: pl.Series) -> pl.Series:
        """Keep the previous build's media but for the touched ones; return the ids of specimens that named those.

        Args:
            touched: keys of media that a new, changed or vanished record names or named.
        """
        if self.previous is None:
            return pl.Series("ids", [], dtype=pl.String)
        ids: list[pl.Series] = []
        scan = pl.scan_parquet(self.previous)
        height = scan.select(pl.len()).collect().item()
        for start in range(0, height, 200_000):
            frame = scan.slice(start, 200_000).collect()
            hit = frame["media_key"].is_in(touched.implode())
            if hit.any():
                ids.append(frame.filter(hit).select(pl.col("specimen_ids").explode().alias("ids"))["ids"])
                frame = frame.filter(~hit)
            self.kept.add(frame, self._bucket())
        return pl.concat(ids).unique() if ids else pl.Series("ids", [], dtype=pl.String)

    def finish(self, report: BuildReport, version: ContentVersion) -> None:
        """Merge the buckets, write the tables; counts go to the report."""
        out = ParquetOut(self.out / "media.parquet", MEDIA, 50_000)
        documents = ParquetOut(
            self.out / "media_documents.parquet", DOCUMENTS, 1_000, texts=("content", "relationships")
        )
        invalid: Counter[str] = Counter(report.media_rejects)
        for bucket in range(self.buckets):
            frame, kept = self.spill.take(bucket), self.kept.take(bucket)
            if frame is not None:
                merged, new, refused = self._merged(frame)
                if refused:
                    invalid["invalid_media_document"] += refused
                documents.write(new)
                report.media_rendered += new.height
                kept = merged if kept is None else pl.concat([kept, merged.select(kept.columns)])
            if kept is None:
                continue
            kept = kept.sort("media_key")
            out.write(kept)
            version.add("media", kept.select(fingerprint(["media_key", "content_hash"]).alias("f"))["f"])
            report.media_doi_only += int(kept["doi_only"].sum())
        out.close()
        documents.close()
        report.media = out.rows
        report.media_rejects = dict(invalid)

    def _merged(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
        """Return one row a medium, the rows of which a document is to be written, and the number of refused ones."""
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
        if self.previous is not None:
            old = pl.scan_parquet(self.previous).select("media_key", "input_hash", pl.col("batch").alias("old_batch"))
            known = old.filter(pl.col("media_key").is_in(merged["media_key"].implode())).collect()
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
        return merged.select(list(MEDIA)), new, len(bad)
