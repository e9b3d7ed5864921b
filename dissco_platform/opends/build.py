"""Parsed tables to specimens, media and documents: batches of records, bounded memory, work only for what changed.

Where few records changed, only they are looked at: the others are found by their fingerprints and carried over (`carried`).
Otherwise all records are walked three times: keys and input hashes (cheap columns of all records), the decision which to
carry over, and the rendering of the rest with their media. What one batch becomes is `specimens` and `media`.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import polars as pl

from dissco_platform.names.keys import NAME_COLUMNS, name_key
from dissco_platform.opends.batch import Batch, Read, Rendered
from dissco_platform.opends.borders import choose_borders, range_number
from dissco_platform.opends.carried import NAMED, MadeWith, carried_over, name_answers
from dissco_platform.opends.columns import Findings
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.identity_columns import identity, needed
from dissco_platform.opends.mapping import Mapping, rule_columns
from dissco_platform.opends.media import media_links
from dissco_platform.opends.media_tables import MOST_BUCKETS, MediaAside, MediaTables
from dissco_platform.opends.outputs import DOCUMENTS, REJECTS, SPECIMENS, BuildReport
from dissco_platform.opends.ranges import ParsedTables, Progress
from dissco_platform.opends.refusals import duplicates, first_of_each
from dissco_platform.opends.schema import problems
from dissco_platform.opends.specimen_table import COUNTS, SpecimenTable, table_rows, version_prints
from dissco_platform.opends.specimens import build_batch
from dissco_platform.opends.spill import ParquetOut, Spill
from dissco_platform.opends.taxa import SCHEMA, names_version, read_answers
from dissco_platform.opends.update import update
from dissco_platform.provenance import ContentVersion, fingerprint, json_version
from dissco_platform.side_by_side import in_order, read_ahead

CODE_VERSION = "6"
"""Raise when the same inputs give other documents: every document is then rendered anew."""

KEYS = ("row", "source_file", "source_line", "core_id", "physicalSpecimenID", "normalisedPhysicalSpecimenID")
"""What is asked of all records at once, to find those with an identifier that another has."""
BATCH_ROWS = 10_000
WORKERS = 2  # batches rendered at once; one more is being stored and one, as parsed, is read: memory is that of three
SPECIMENS_A_BUCKET = 100_000
MEDIA_A_BUCKET = 15_000


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
    workers: int = WORKERS,
) -> BuildReport:
    """Build the specimens of a dataset into `out` (an empty folder).

    Args:
        parsed: folder of parsed tables (`archives.read_archive`).
        names: folder of `names.parquet` (`names.harmonise`); an empty folder means no matching was done.
        mapping: the resolved mapping.
        context: the dataset's settings.
        out: receives specimens, documents, media, media_documents, rejects and media_aside as Parquet.
        previous: folder of the previous build; a record with the same `input_hash` is carried over from it.
        batch: name of this build, kept with every document that it renders.
        progress: called with a stage and the number of records done.
        batch_rows: records of one batch.
        workers: batches rendered at once; the result is the same for any number.
    """
    build = Build(parsed, names, mapping, context, out, previous, batch, progress, batch_rows, workers)
    try:
        return build.run()
    finally:
        shutil.rmtree(out / ".spill", ignore_errors=True)


class Build:
    """The state of a build and the steps that building anew and updating share."""

    def __init__(
        self, parsed: Path, names: Path, mapping: Mapping, context: DatasetContext, out: Path, previous: Path | None,
        batch: str, progress: Progress | None, batch_rows: int, workers: int,
    ) -> None:  # fmt: skip
        self.mapping, self.context, self.out = mapping, context, out
        self.previous, self.batch, self.workers = previous, batch, workers
        self.parsed = ParsedTables(parsed, {table for _, table in mapping.blocks}, batch_rows, progress)
        self.names = names
        self.answers = pl.DataFrame()  # of the matching, for the names of the records that are rendered
        self.names_complete = True
        self.report = BuildReport(records=self.parsed.height)
        self.findings = Findings()
        self.inputs = json_version({"code": CODE_VERSION, "mapping": mapping.version, "context": context.to_dict()})
        self.buckets = 1 + self.report.records // SPECIMENS_A_BUCKET
        self.spill = out / ".spill"
        self.rejects = ParquetOut(out / "rejects.parquet", REJECTS, 100_000)
        self.documents = ParquetOut(out / "documents.parquet", DOCUMENTS, 1_000, texts=("content", "relationships"))
        self.media = MediaTables(
            out, previous, mapping, context, self.inputs, batch,
            min(MOST_BUCKETS, 1 + self.report.records // MEDIA_A_BUCKET), self.findings,
        )  # fmt: skip
        self.aside = MediaAside(out)
        self.touched: list[pl.Series] | None = None  # keys of touched media; None: all are looked at
        self.borders: list[str] = []  # of the ranges of identifiers that are sorted in memory
        self.version = ContentVersion()
        self.data_prefix = sorted(self.parsed.about.items())
        self.made_with = json_version([self.inputs, self.data_prefix])
        self.lookup = name_answers(names, previous, self.made_with)

    def run(self) -> BuildReport:
        """Carry over what holds, render the rest, finish the files."""
        carried = carried_over(self.previous, self.made_with, self.lookup, self.parsed)
        if carried is None or not update(self, carried):
            self._anew()
        self.rejects.close()
        self._summarise()
        kept = {name: getattr(self.report, name) for name in (*COUNTS, "media", "media_doi_only", "media_rejects")}
        made = MadeWith(self.made_with, self.names_complete, names_version(self.names), self.version.sums(), kept)
        made.write(self.out, self.lookup)
        return self.report

    def _anew(self) -> None:
        with ThreadPoolExecutor(self.workers) as pool:
            answers = pool.submit(read_answers, self.names)
            keys = self._walk_keys(pool)
            self.answers = answers.result()
            state, specimens = self._decide(keys)
            self.render_all(self._all_reads(state), specimens, pool)
            self._write_specimens(specimens, pool)
            self.report.media_rejects = self.aside.close()
            self.media.finish(self.report, self.version, pool)

    def _write_specimens(self, specimens: Spill, pool: Executor) -> None:
        def taken(bucket: int) -> tuple[pl.DataFrame, pl.Series] | None:
            frame = specimens.take(bucket)
            if frame is None:
                return None
            ordered = frame.sort("normalisedPhysicalSpecimenID")
            return ordered, version_prints(ordered)

        table = SpecimenTable(self.out)
        specimens.write_held()
        for found in in_order(pool, taken, range(specimens.buckets), ahead=1):
            if found is not None:
                table.write(found[0])
                self.version.add("specimens", found[1])
        table.close(self.report)

    # --- first walk: keys ---------------------------------------------------------------------------------------

    def _walk_keys(self, pool: Executor) -> Spill:
        self.borders = choose_borders(self.parsed, self.mapping, self.context, self.buckets)
        keys = Spill(self.spill / "keys", self.buckets)
        asked = [*KEYS, *(("fingerprint", "input_hash") if self._previous_specimens() is not None else ())]

        columns = {*needed(self.mapping), *NAME_COLUMNS}

        def read(bounds: tuple[int, int]) -> tuple[int, pl.DataFrame, pl.DataFrame | None]:
            return bounds[0], self.parsed.rows("records", *bounds, columns), self._identifications(*bounds)

        def made(batch: tuple[int, pl.DataFrame, pl.DataFrame | None]) -> tuple[int, pl.DataFrame]:
            return batch[0], self.keys(batch[1], batch[2])

        for start, frame in in_order(pool, made, read_ahead(read, self.parsed.ranges("keys")), self.workers):
            self.reject(frame.filter(pl.col("reason").is_not_null()))
            accepted = frame.filter(pl.col("reason").is_null()).drop("reason", "message")
            accepted.write_ipc(self._keys_of(start), compression="lz4")  # for the rendering of the same batch
            keys.add(accepted.select(asked), self.bucket())
        return keys

    def _keys_of(self, start: int) -> Path:
        return self.spill / f"keys-{start}.arrow"

    def _identifications(self, start: int, end: int) -> pl.DataFrame | None:
        """Return the names (`row`, `name_key`) of a range's further identifications and parts."""
        tables = [self.parsed.rows(name, start, end) for name in NAMED if name in self.parsed.tables]
        return pl.concat(table.select("row", name_key(table.columns)) for table in tables) if tables else None

    def keys(self, records: pl.DataFrame, named: pl.DataFrame | None) -> pl.DataFrame:
        """Return the identity of records (`identity_columns.IDENTITY`) with their `name_key` and `input_hash`."""
        named_as = records.select("row", name_key(records.columns))["name_key"]
        frame = identity(records, self.mapping, self.context).with_columns(named_as)
        frame = frame.with_columns(self._name_hashes(frame.select("row", "name_key"), named).alias("names"))
        parts: list[str | pl.Expr] = [pl.lit(self.made_with), "names"]
        return frame.with_columns(fingerprint(parts).alias("input_hash")).drop("names")

    def _name_hashes(self, records: pl.DataFrame, rows: pl.DataFrame | None) -> pl.Series:
        """Return what the name matching found for each record and its identifications, as text."""
        lookup = self.lookup
        found = records.join(lookup, on="name_key", how="left", maintain_order="left")
        self._look_for_unknown(found)
        own = found["name_hash"]
        if rows is None:
            return own.alias("names")
        further = rows.join(lookup, on="name_key", how="left")
        self._look_for_unknown(further)
        further = further.group_by("row").agg(pl.col("name_hash").drop_nulls().sort().str.join(","))
        joined = records.select("row").join(further, on="row", how="left", maintain_order="left")["name_hash"]
        return pl.DataFrame({"a": own, "b": joined}).select(
            pl.concat_str("a", "b", separator="/", ignore_nulls=True).alias("names")
        )["names"]

    def _look_for_unknown(self, answered: pl.DataFrame) -> None:
        """Note a name that the matching never saw: whether its answer changes cannot be told from the names alone."""
        if self.lookup.height and answered["name_hash"].null_count() > answered["name_key"].null_count():
            self.names_complete = False

    def bucket(self) -> pl.Expr:
        return range_number(self.borders)

    def reject(self, frame: pl.DataFrame) -> None:
        self.rejects.write(frame)
        for reason, count in frame["reason"].value_counts().iter_rows():
            self.report.rejects[reason] = self.report.rejects.get(reason, 0) + count

    # --- second: what is new ------------------------------------------------------------------------------------

    def _decide(self, keys: Spill) -> tuple[pl.Series, Spill]:
        """Return the state of each row (0 rejected, 1 to render, 2 carried over) and the rows carried over."""
        highest = self.parsed.bounds[-1] if self.parsed.bounds else 0
        state = pl.zeros(highest, dtype=pl.UInt8, eager=True).alias("state")
        carried = Spill(self.spill / "specimens", self.buckets)
        old = self._previous_specimens()
        for frame in keys.drain():
            kept, later = first_of_each(frame)
            self.reject(duplicates(later))
            state = state.scatter(kept["row"], 1)
            if old is None or kept.is_empty():
                continue
            low, high = kept["normalisedPhysicalSpecimenID"][0], kept["normalisedPhysicalSpecimenID"][-1]
            known = old.filter(pl.col("normalisedPhysicalSpecimenID").is_between(pl.lit(low), pl.lit(high))).collect()
            key = ["normalisedPhysicalSpecimenID", "fingerprint", "input_hash"]
            same = kept.select("row", "source_file", "source_line", *key).join(
                known.drop("row", "source_file", "source_line"), on=key, how="inner"
            )
            state = state.scatter(same["row"], 2)
            carried.add(same.select(list(SPECIMENS)), self.bucket())
            self.report.carried_over += same.height
        return state, carried

    def _previous_specimens(self) -> pl.LazyFrame | None:
        path = self.previous / "specimens.parquet" if self.previous is not None else None
        if path is None or not path.is_file():
            return None
        scan = pl.scan_parquet(path)
        return scan if set(SPECIMENS) <= set(scan.collect_schema().names()) else None

    # --- third walk: documents ----------------------------------------------------------------------------------

    def render_all(self, reads: Iterator[Read], specimens: Spill, pool: Executor) -> None:
        """Render batches side by side, and take them in again in the order of the file: the result is always the same.

        One thread reads, this one writes; what a worker touches is its own batch, and caches that only remember.
        """
        for done in in_order(pool, self._render, reads, self.workers):
            self._take_in(done, specimens)
        self.documents.close()
        self.report.documents = self.documents.rows

    def _all_reads(self, state: pl.Series) -> Iterator[Read]:
        for read in read_ahead(lambda bounds: self._read(state, *bounds), self.parsed.ranges("documents")):
            if read is not None:
                yield read

    def _read(self, state: pl.Series, start: int, end: int) -> Read | None:
        """Read one batch. None where nothing in it is to be rendered."""
        mark = state.slice(start, end - start)
        media_too = self._has_media()
        if not (mark == 1).any() and not (media_too and (mark == 2).any()):
            return None
        records = self.parsed.rows("records", start, end)
        states = state.gather(records["row"])
        records = records.filter(states > 0 if media_too else states == 1)
        todo = records.filter(state.gather(records["row"]) == 1) if media_too else records
        extensions = {
            table: frame
            for table in self.parsed.tables
            if todo.height
            and table != "media"
            and (frame := self.parsed.extension(table, todo, start, end)) is not None
            and frame.height
        }
        media = self.parsed.extension("media", records, start, end)
        keys = pl.read_ipc(self._keys_of(start))
        self._keys_of(start).unlink()
        if keys.height != records.height:
            keys = keys.join(records.select("row"), on="row", how="semi", maintain_order="left")
        return Read(records, todo, keys, media, extensions)

    def _render(self, read: Read) -> Rendered:
        """Render one batch and its media."""
        records, todo, keys, findings = read.records, read.todo, read.keys, Findings()
        links, lacking = media_links(records, read.media, self.mapping)
        aside = lacking.join(keys.select("row", "fingerprint"), on="row", how="inner").drop("row")
        media = self.media.rendered(links, read.media, keys, findings) if self.touched is None else None
        if todo.is_empty():
            return Rendered(None, links, aside, media, findings)
        chosen = keys if todo.height == records.height else keys.join(
            todo.select("row"), on="row", how="semi", maintain_order="left"
        )  # fmt: skip
        own = links.join(todo.select("row"), on="row", how="semi", maintain_order="left")
        batch = Batch(
            todo.with_columns(chosen["name_key"]),
            {
                table: frame.with_columns(name_key(frame.columns)) if table in NAMED else frame
                for table, frame in read.extensions.items()
            },
        )
        built = build_batch(
            batch,
            chosen,
            own,
            self._taxa(batch),
            self.mapping,
            self.context,
            findings,
        ).with_columns(chosen["fingerprint"], chosen["input_hash"], chosen["core_id"])
        return Rendered(built, links, aside, media, findings)

    def _taxa(self, batch: Batch) -> pl.DataFrame:
        """Return the answers for the names of a batch, one row a name (`taxa.read_names`)."""
        tables = [batch.records, *(batch.extensions[name] for name in NAMED if name in batch.extensions)]
        keys = pl.concat([table.select("name_key") for table in tables]).drop_nulls().unique()
        return keys.join(self.lookup, on="name_key").join(self.answers, on="name_hash").select(list(SCHEMA))

    def _take_in(self, done: Rendered, specimens: Spill) -> None:
        self.findings.merge(done.findings)
        self.aside.add(done.aside)
        if self.touched is None:
            self.media.keep(done.media)
        else:  # what else names these media is only known when all records have been seen
            self.touched.append(done.links["media_key"])
        if done.built is not None:
            self._store(done.built, specimens)

    def _has_media(self) -> bool:
        rules = self.mapping.block("ods:DigitalMedia", "records").values()
        linked = {column for rule in rules for column in rule_columns(rule)}
        return "media" in self.parsed.tables or bool(linked & self.parsed.columns)

    def _store(self, built: pl.DataFrame, specimens: Spill) -> None:
        full = built.filter(~pl.col("doi_only"))
        asked = full.filter("doubtful")
        bad = list(problems("ods:DigitalSpecimen", asked["content"].to_list(), asked["relationships"].to_list()))
        if bad:
            refused = asked["row"].gather([at for at, _ in bad])
            why = pl.DataFrame({"row": refused, "message": [message for _, message in bad]})
            self.reject(full.join(why, on="row", how="inner").with_columns(pl.lit("invalid_document").alias("reason")))
            built = built.join(why, on="row", how="anti", maintain_order="left")
            full = full.join(why, on="row", how="anti", maintain_order="left")
        self.documents.write(full.select(list(DOCUMENTS)))
        rows = table_rows(built, self.batch)
        specimens.add(rows, self.bucket())
        self.report.rendered += rows.height

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
