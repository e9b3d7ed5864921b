"""Parsed tables to specimens, media and documents: batches of records, bounded memory, work only for what changed.

Three walks over the records: keys and input hashes (cheap columns of all records), the decision which to carry over from
the previous build, and the rendering of the rest with their media. What one batch becomes is `specimens` and `media`.
"""

import shutil
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import orjson
import polars as pl

from dissco_platform.names.keys import name_key
from dissco_platform.opends.columns import Findings
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.identity_columns import identity
from dissco_platform.opends.mapping import Mapping, rule_columns
from dissco_platform.opends.media import media_links, render_media
from dissco_platform.opends.outputs import (
    DOCUMENTS,
    MEDIA,
    REJECTS,
    SPECIMENS,
    BuildReport,
    other_specimen_ids,
    write_documents,
)
from dissco_platform.opends.schema import problems
from dissco_platform.opends.specimens import EXTENSIONS, Batch, build_batch
from dissco_platform.opends.spill import ParquetOut, Spill
from dissco_platform.opends.taxa import read_names
from dissco_platform.provenance import ContentVersion, fingerprint, json_version

CODE_VERSION = "3"
"""Raise when the same inputs give other documents: every document is then rendered anew."""

BATCH_ROWS = 10_000
CHUNK_BATCHES = 5
SPECIMENS_A_BUCKET = 100_000
DOCUMENTS_A_BUCKET = 15_000

Progress = Callable[[str, int], None]


def build_specimens(
    parsed: Path,
    names: Path,
    mapping: Mapping,
    context: DatasetContext,
    out: Path,
    *,
    previous: Path | None = None,
    batch: str,
    progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
) -> BuildReport:
    """Build the specimens of a dataset into `out` (an empty folder).

    Args:
        parsed: folder of parsed tables (`archives.read_archive`).
        names: folder of `names.parquet` (`names.harmonise`); an empty folder means no matching was done.
        mapping: the resolved mapping.
        context: the dataset's settings.
        out: receives specimens, documents, media, media_documents, rejects and media_rejects as Parquet.
        previous: folder of the previous build; a record with the same `input_hash` is carried over from it.
        batch: name of this build, kept with every document that it renders.
        progress: called with a stage and the number of records done.
        batch_rows: records held in memory at a time.
    """
    build = _Build(parsed, names, mapping, context, out, previous, batch, progress, batch_rows)
    try:
        return build.run()
    finally:
        shutil.rmtree(out / ".spill", ignore_errors=True)


class _Build:
    def __init__(
        self, parsed: Path, names: Path, mapping: Mapping, context: DatasetContext, out: Path, previous: Path | None,
        batch: str, progress: Progress | None, batch_rows: int,
    ) -> None:  # fmt: skip
        self.parsed, self.mapping, self.context, self.out = parsed, mapping, context, out
        self.previous, self.batch, self.batch_rows = previous, batch, batch_rows
        self.progress = progress or (lambda _stage, _done: None)
        self.tables = {
            table: path
            for table in ("identifications", "media", *(table for table, _, _ in EXTENSIONS))
            if (path := parsed / f"{table}.parquet").is_file()
        }
        self.records = pl.scan_parquet(parsed / "records.parquet")
        self.columns = set(self.records.collect_schema().names())
        self.bounds = self._bounds()
        self.taxa = read_names(names)
        self.report = BuildReport(records=int(self.records.select(pl.len()).collect().item()))
        self.findings = Findings()
        self._chunks: dict[str, tuple[int, int, pl.DataFrame]] = {}
        self.inputs = json_version({"code": CODE_VERSION, "mapping": mapping.version, "context": context.to_dict()})
        self.buckets = 1 + self.report.records // SPECIMENS_A_BUCKET
        self.document_buckets = min(256, 1 + self.report.records // DOCUMENTS_A_BUCKET)
        self.spill = out / ".spill"
        self.rejects = ParquetOut(out / "rejects.parquet", REJECTS, 100_000)
        self.cuts: list[str] = []
        self.version = ContentVersion()
        about = self._about_dataset()
        self.dataset_columns = [
            pl.lit(value, dtype=pl.String).alias(f"dataset:{name}") for name, value in about.items()
        ]
        self.data_prefix = sorted(about.items())

    def _about_dataset(self) -> dict[str, str | None]:
        """Return what mappings may read of the dataset's metadata, as columns `dataset:<name>`."""
        path = self.parsed / "dataset.json"
        about = orjson.loads(path.read_bytes()) if path.is_file() else {}
        return {name: str(about[name]) if about.get(name) else None for name in ("title", "language", "license")}

    def _bounds(self) -> list[int]:
        rows = self.records.select(pl.col("row")).collect()["row"]
        starts = rows.gather_every(self.batch_rows).to_list()
        return [*starts, int(rows[-1]) + 1] if len(rows) else []

    def _ranges(self, stage: str) -> Iterator[tuple[int, int]]:
        done = 0
        for start, end in zip(self.bounds, self.bounds[1:], strict=False):
            yield start, end
            done += self.batch_rows
            self.progress(stage, min(done, self.report.records))

    def _rows(self, table: str, start: int, end: int) -> pl.DataFrame:
        """Return a table's rows of one range of records, from a chunk of several ranges read at once.

        A Parquet row group is decoded whole: reading it anew for each range would cost many times the reading.
        """
        chunk = self._chunks.get(table)
        if chunk is None or not (chunk[0] <= start and end <= chunk[1]):
            at = bisect_left(self.bounds, start)
            last = self.bounds[min(at + CHUNK_BATCHES, len(self.bounds) - 1)]
            scan = self.records if table == "records" else pl.scan_parquet(self.tables[table])
            frame = scan.filter(pl.col("row").is_between(start, last, closed="left")).collect()
            chunk = self._chunks[table] = (start, last, frame)
        frame = chunk[2].filter(pl.col("row").is_between(start, end, closed="left"))
        return frame.with_columns(self.dataset_columns) if table == "records" else frame

    def run(self) -> BuildReport:
        """Run the three walks and finish the files."""
        keys = self._walk_keys()
        render, carried = self._decide(keys)
        self._walk_render(render, carried)
        self.rejects.close()
        self._summarise()
        return self.report

    # --- first walk: keys ---------------------------------------------------------------------------------------

    def _walk_keys(self) -> Spill:
        self._choose_cuts()
        keys = Spill(self.spill / "keys", self.buckets)
        for start, end in self._ranges("keys"):
            records = self._rows("records", start, end)
            frame = self._keys(records, start, end)
            self._reject(frame.filter(pl.col("reason").is_not_null()))
            keys.add(frame.filter(pl.col("reason").is_null()).drop("reason", "message"), self._bucket())
        return keys

    def _keys(self, records: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        frame = identity(records, self.mapping, self.context)
        frame = frame.with_columns(self._name_hashes(records, start, end).alias("names"))
        parts: list[str | pl.Expr] = ["fingerprint", pl.lit(self.inputs), "names", pl.lit(str(self.data_prefix))]
        return frame.with_columns(fingerprint(parts).alias("input_hash")).drop("fingerprint", "names")

    def _name_hashes(self, records: pl.DataFrame, start: int, end: int) -> pl.Series:
        """Return what the name matching found for each record and its identifications, as text."""
        lookup = self.taxa.select("name_key", "name_hash")
        own = records.select("row", name_key(records.columns)).join(
            lookup, on="name_key", how="left", maintain_order="left"
        )["name_hash"]
        if "identifications" not in self.tables:
            return own.alias("names")
        rows = self._rows("identifications", start, end)
        further = (
            rows.select("row", name_key(rows.columns))
            .join(lookup, on="name_key", how="left")
            .group_by("row")
            .agg(pl.col("name_hash").drop_nulls().sort().str.join(","))
        )
        joined = records.select("row").join(further, on="row", how="left", maintain_order="left")["name_hash"]
        return pl.DataFrame({"a": own, "b": joined}).select(
            pl.concat_str("a", "b", separator="/", ignore_nulls=True).alias("names")
        )["names"]

    def _choose_cuts(self) -> None:
        """Choose bucket borders from a sample of keys, so that sorted buckets make a sorted file."""
        if self.buckets == 1:
            return
        step = max(1, len(self.bounds) // 20)
        samples = [
            identity(self._rows("records", start, min(end, start + 2_000)), self.mapping, self.context)[
                "normalisedPhysicalSpecimenID"
            ]
            for start, end in list(zip(self.bounds, self.bounds[1:], strict=False))[::step]
        ]
        sample = pl.concat(samples).drop_nulls().sort()
        if len(sample) >= self.buckets:
            self.cuts = [sample[len(sample) * at // self.buckets] for at in range(1, self.buckets)]

    def _bucket(self) -> pl.Expr:
        key = pl.col("normalisedPhysicalSpecimenID")
        return pl.sum_horizontal([(key >= cut).cast(pl.Int32) for cut in self.cuts]) if self.cuts else pl.lit(0)

    def _reject(self, frame: pl.DataFrame) -> None:
        self.rejects.write(frame)
        for reason, count in frame["reason"].value_counts().iter_rows():
            self.report.rejects[reason] = self.report.rejects.get(reason, 0) + count

    # --- second: what is new ------------------------------------------------------------------------------------

    def _decide(self, keys: Spill) -> tuple[pl.Series, Spill]:
        """Return the state of each row (0 rejected, 1 to render, 2 carried over) and the rows carried over."""
        highest = self.bounds[-1] if self.bounds else 0
        state = pl.zeros(highest, dtype=pl.UInt8, eager=True).alias("state")
        carried = Spill(self.spill / "specimens", self.buckets)
        old = None
        if self.previous is not None and (self.previous / "specimens.parquet").is_file():
            old = pl.scan_parquet(self.previous / "specimens.parquet")
        for frame in keys.drain():
            ordered = frame.sort("normalisedPhysicalSpecimenID", "row")
            repeated = ordered.with_columns(
                pl.col("row").first().over("normalisedPhysicalSpecimenID").alias("first"),
                pl.col("source_line").first().over("normalisedPhysicalSpecimenID").alias("first_line"),
            )
            later = repeated.filter(pl.col("row") != pl.col("first"))
            if later.height:
                self._reject(
                    later.with_columns(
                        pl.lit("duplicate_identifier").alias("reason"),
                        pl.format(
                            "{} is the identifier of the record on line {} already", "physicalSpecimenID", "first_line"
                        ).alias("message"),
                    )
                )
            kept = repeated.filter(pl.col("row") == pl.col("first"))
            state = state.scatter(kept["row"], 1)
            if old is None or kept.is_empty():
                continue
            low, high = kept["normalisedPhysicalSpecimenID"][0], kept["normalisedPhysicalSpecimenID"][-1]
            known = old.filter(pl.col("normalisedPhysicalSpecimenID").is_between(pl.lit(low), pl.lit(high))).collect()
            same = kept.select("row", "source_file", "source_line", "normalisedPhysicalSpecimenID", "input_hash").join(
                known.drop("row", "source_file", "source_line"),
                on=["normalisedPhysicalSpecimenID", "input_hash"],
                how="inner",
            )
            state = state.scatter(same["row"], 2)
            carried.add(same.select(list(SPECIMENS)), self._bucket())
            self.report.carried_over += same.height
        return state, carried

    # --- third walk: documents ----------------------------------------------------------------------------------

    def _walk_render(self, state: pl.Series, specimens: Spill) -> None:
        documents = Spill(self.spill / "documents", self.document_buckets)
        media = Spill(self.spill / "media", self.document_buckets)
        aside: Counter[str] = Counter()
        # Validation holds Python, rendering holds Polars: one batch is checked and stored while the next is rendered.
        with ThreadPoolExecutor(max_workers=1) as worker:
            storing: Future[None] | None = None
            for start, end in self._ranges("documents"):
                built = self._batch(state, start, end, media, aside)
                if storing is not None:
                    storing.result()
                storing = worker.submit(self._store, built, specimens, documents) if built is not None else None
            if storing is not None:
                storing.result()
        self.report.media_rejects = dict(aside)
        self._finish(specimens, documents)
        self._finish_media(media)

    def _batch(self, state: pl.Series, start: int, end: int, media: Spill, aside: Counter[str]) -> pl.DataFrame | None:
        """Render one batch; its media go to `media`. None where nothing in it is to be rendered."""
        mark = state.slice(start, end - start)
        if not (mark == 1).any() and not (self._has_media() and (mark == 2).any()):
            return None
        records = self._rows("records", start, end)
        records = records.with_columns(state.gather(records["row"]).alias("__state")).filter(pl.col("__state") > 0)
        keys = self._keys(records.drop("__state"), start, end)
        extension = self._extension("media", records, start, end)
        links, dropped = media_links(records, extension, self.mapping)
        aside.update(dropped)
        self._add_media(links, extension, keys, media)
        todo = records.filter(pl.col("__state") == 1).drop("__state")
        if todo.is_empty():
            return None
        chosen = keys.join(todo.select("row"), on="row", how="semi", maintain_order="left")
        extensions = {
            table: frame
            for table in self.tables
            if table != "media" and (frame := self._extension(table, todo, start, end)) is not None and frame.height
        }
        own = links.join(todo.select("row"), on="row", how="semi", maintain_order="left")
        return build_batch(
            Batch(todo, extensions), chosen, own, self.taxa, self.mapping, self.context, self.findings
        ).with_columns(chosen["input_hash"], chosen["core_id"])

    def _has_media(self) -> bool:
        rules = self.mapping.block("ods:DigitalMedia", "records").values()
        linked = {column for rule in rules for column in rule_columns(rule)}
        return "media" in self.tables or bool(linked & self.columns)

    def _extension(self, table: str, records: pl.DataFrame, start: int, end: int) -> pl.DataFrame | None:
        if table not in self.tables:
            return None
        return self._rows(table, start, end).join(records.select("row"), on="row", how="semi", maintain_order="left")

    def _store(self, built: pl.DataFrame, specimens: Spill, documents: Spill) -> None:
        full = built.filter(~pl.col("doi_only"))
        bad = list(problems("ods:DigitalSpecimen", full["content"].to_list(), full["relationships"].to_list()))
        if bad:
            refused = full["row"].gather([at for at, _ in bad])
            why = pl.DataFrame({"row": refused, "message": [message for _, message in bad]})
            self._reject(full.join(why, on="row", how="inner").with_columns(pl.lit("invalid_document").alias("reason")))
            built = built.join(why, on="row", how="anti", maintain_order="left")
            full = full.join(why, on="row", how="anti", maintain_order="left")
        documents.add(full.select(list(DOCUMENTS)), self._hash_bucket(pl.col("content_hash")))
        rows = built.select(
            "row", "source_file", "source_line", "catalogNumber", "occurrenceID", "physicalSpecimenID",
            "physicalSpecimenIDType", "normalisedPhysicalSpecimenID", "input_hash", "content_hash", "doi_only",
            "doi_only_reason", "licence", "mids_level", "mids_missing", "match_type", "accepted_by", "specimen_name",
            pl.col("ods:topicDiscipline").alias("topicDiscipline"), pl.col("ods:topicDomain").alias("topicDomain"),
            pl.col("ods:topicOrigin").alias("topicOrigin"), pl.col("ods:topicCategory").alias("topicCategory"),
            pl.col("ods:livingOrPreserved").alias("livingOrPreserved"), "is_marked_as_type",
            pl.col("basis").alias("basisOfRecord"), "modified", other_specimen_ids(built),
            pl.col("media_keys").list.sort(), pl.lit(self.batch).alias("batch"),
        )  # fmt: skip
        specimens.add(rows.with_columns(pl.col(name).cast(dtype) for name, dtype in SPECIMENS.items()), self._bucket())
        self.report.rendered += rows.height

    def _hash_bucket(self, digest: pl.Expr) -> pl.Expr:
        return (digest.str.head(4).str.to_integer(base=16) * self.document_buckets) // 65_536

    def _finish(self, specimens: Spill, documents: Spill) -> None:
        out = ParquetOut(self.out / "specimens.parquet", SPECIMENS, 50_000)
        counts: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("mids_level", "topicDiscipline", "match_type", "accepted_by", "doi_only_reason")
        }
        for frame in specimens.drain():
            ordered = frame.sort("normalisedPhysicalSpecimenID")
            out.write(ordered)
            self.version.add(
                "specimens",
                ordered.select(
                    fingerprint(["normalisedPhysicalSpecimenID", "content_hash", "doi_only", "licence"]).alias("f")
                )["f"],
            )
            self.report.doi_only += int(ordered["doi_only"].sum())
            for name, counter in counts.items():
                for value, count in ordered[name].value_counts().iter_rows():
                    if value is not None:
                        counter[str(value)] += count
        out.close()
        self.report.specimens = out.rows
        self.report.mids_levels = dict(sorted(counts["mids_level"].items()))
        self.report.disciplines = dict(counts["topicDiscipline"].most_common())
        self.report.match_types = dict(counts["match_type"].most_common())
        self.report.accepted_by = dict(counts["accepted_by"].most_common())
        self.report.doi_only_reasons = dict(counts["doi_only_reason"].most_common())
        self.report.documents = write_documents(self.out / "documents.parquet", documents)

    # --- media --------------------------------------------------------------------------------------------------

    def _add_media(self, links: pl.DataFrame, extension: pl.DataFrame | None, keys: pl.DataFrame, media: Spill) -> None:
        if links.is_empty():
            return
        rendered = render_media(links, extension, self.mapping, self.context, self.findings)
        rendered = rendered.join(
            keys.select("row", "normalisedPhysicalSpecimenID"), on="row", how="inner", maintain_order="left"
        )
        rendered = rendered.with_columns(fingerprint([pl.col("content_hash"), pl.lit(self.inputs)]).alias("input_hash"))
        media.add(rendered, self._hash_bucket(fingerprint(["media_key"])))

    def _finish_media(self, media: Spill) -> None:
        out = ParquetOut(self.out / "media.parquet", MEDIA, 50_000)
        documents = Spill(self.spill / "media_documents", self.document_buckets)
        invalid: Counter[str] = Counter(self.report.media_rejects)
        previous = self.previous / "media.parquet" if self.previous is not None else None
        old = (
            pl.scan_parquet(previous).select("media_key", "input_hash", "batch")
            if previous is not None and previous.is_file()
            else None
        )
        for frame in media.drain():
            merged = (
                frame.sort("media_key", "row", maintain_order=True)
                .group_by("media_key", maintain_order=True)
                .agg(
                    *(
                        pl.col(name).first()
                        for name in frame.columns
                        if name not in {"media_key", "row", "normalisedPhysicalSpecimenID"}
                    ),
                    pl.col("normalisedPhysicalSpecimenID").unique().sort().alias("specimen_ids"),
                )
            )
            merged = merged.with_columns(
                fingerprint(
                    [pl.col("content_hash"), pl.col("doi_only"), pl.col("specimen_ids").list.join("\x1f")]
                ).alias("content_hash")
            )
            merged = merged.with_columns(fingerprint(["content_hash", "input_hash"]).alias("input_hash"))
            merged = merged.with_columns(pl.lit(self.batch).alias("batch"))
            fresh = pl.lit(value=True)
            if old is not None:
                known = old.filter(pl.col("media_key").is_in(merged["media_key"].implode())).collect()
                merged = merged.join(
                    known.rename({"batch": "old_batch"}),
                    on=["media_key", "input_hash"],
                    how="left",
                    maintain_order="left",
                )
                fresh = pl.col("old_batch").is_null()
                merged = merged.with_columns(fresh.alias("fresh"), pl.coalesce("old_batch", "batch").alias("batch"))
            else:
                merged = merged.with_columns(fresh.alias("fresh"))
            new = merged.filter(pl.col("fresh") & ~pl.col("doi_only"))
            bad = list(problems("ods:DigitalMedia", new["content"].to_list(), new["relationships"].to_list()))
            if bad:
                invalid["invalid_media_document"] += len(bad)
                gone = new["media_key"].gather([at for at, _ in bad])
                merged = merged.filter(~pl.col("media_key").is_in(gone.implode()))
                new = new.filter(~pl.col("media_key").is_in(gone.implode()))
            documents.add(new.select(list(DOCUMENTS)), self._hash_bucket(pl.col("content_hash")))
            out.write(merged)
            self.version.add("media", merged.select(fingerprint(["media_key", "content_hash"]).alias("f"))["f"])
            self.report.media_doi_only += int(merged["doi_only"].sum())
            self.report.media_rendered += new.height
        out.close()
        self.report.media = out.rows
        self.report.media_rejects = dict(invalid)
        write_documents(self.out / "media_documents.parquet", documents)

    def _summarise(self) -> None:
        report = self.report
        report.unmatched = {
            term: dict(counter.most_common(50)) for term, counter in sorted(self.findings.unmatched.items())
        }
        report.invalid = {
            f"{owner} {term}: {rule}": count for (owner, term, rule), count in sorted(self.findings.invalid.items())
        }
        report.placeholders = dict(sorted(self.findings.placeholders.items()))
        self.version.schema("specimens", SPECIMENS)
        report.data_version = json_version({"content": self.version.hexdigest(), "rejects": report.rejects})


__all__ = ["BuildReport", "build_specimens"]
