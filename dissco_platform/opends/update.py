"""A build made from the one before, where few records changed: work for what changed, files copied for what did not.

Which records hold is `carried`; how a batch is rendered and stored is `build`. The result is what a build from all records
makes.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl

from dissco_platform.names.keys import name_key
from dissco_platform.opends.batch import Read
from dissco_platform.opends.carried import FEW, NAMED, Carried, link
from dissco_platform.opends.media import media_links
from dissco_platform.opends.outputs import DOCUMENTS
from dissco_platform.opends.refusals import duplicates, first_of_each
from dissco_platform.opends.specimen_table import COUNTS, SpecimenTable, version_prints
from dissco_platform.opends.spill import ParquetOut, Spill
from dissco_platform.opends.taxa import read_answers
from dissco_platform.provenance import ContentVersion

if TYPE_CHECKING:
    from dissco_platform.opends.build import Build


def update(build: "Build", carried: Carried) -> bool:
    """Make the build from the one before; False (and nothing is written) where more changed than it seemed."""
    taken = _new_keys(build, carried)
    if taken is None:
        return False
    rows, rejects, keys = taken
    for frame in rejects:
        build.reject(frame)
    build.version = ContentVersion.resume(carried.made.sums)
    build.names_complete = build.names_complete and carried.made.names_complete
    build.report.carried_over = carried.count
    same = not len(rows) and not carried.gone and carried.same_places
    build.touched = []
    build.borders = carried.borders
    build.media.expect(len(rows))
    specimens = Spill(build.spill / "specimens", 1 + len(build.borders))
    with ThreadPoolExecutor(build.workers) as pool:
        build.render_all(_chosen_reads(build, rows, keys), specimens, pool)
    if same:
        link(carried.path, build.out / "specimens.parquet")
        build.aside.carry(carried.folder)
        for name in COUNTS:
            setattr(build.report, name, carried.made.report[name])
    else:
        _write_specimens(build, carried, specimens)
    build.report.media_rejects = build.aside.close()
    _update_media(build, carried)
    return True


def _new_keys(build: "Build", carried: Carried) -> tuple[pl.Series, list[pl.DataFrame], pl.DataFrame | None] | None:
    """Return the rows to render, what is set aside of those that are not carried over, and the keys of all where they are
    no more than a batch; None: look at all records.
    """
    keys: pl.DataFrame | None = None
    rejects: list[pl.DataFrame] = []
    accepted: list[pl.DataFrame] = []
    wanted = [pl.Series("name_key", [], dtype=pl.String)]
    for start in range(0, len(carried.left), build.parsed.batch_rows):
        rows = carried.left.slice(start, build.parsed.batch_rows)
        records, named = build.parsed.chosen("records", rows), _further_names(build, rows)
        frame = build.keys(records, named)
        keys = frame if len(carried.left) == len(rows) else None
        rejects.append(frame.filter(pl.col("reason").is_not_null()))
        accepted.append(
            frame.filter(pl.col("reason").is_null()).select(
                "row", "source_file", "source_line", "core_id", "physicalSpecimenID", "normalisedPhysicalSpecimenID"
            )
        )
        wanted += [
            frame["name_key"],
            *([named["name_key"]] if named is not None else []),
        ]
        if sum(frame.height for frame in accepted) > FEW * build.report.records:
            return None
    build.answers = read_answers(build.names, pl.concat(wanted).drop_nulls().unique())
    if not accepted:
        return pl.Series("row", [], dtype=pl.Int64), rejects, None
    kept, later = first_of_each(pl.concat(accepted))
    clashes = kept.join(
        carried.clashes(kept["normalisedPhysicalSpecimenID"]), on="normalisedPhysicalSpecimenID", how="inner"
    )
    if (clashes["row"] < clashes["first"]).any():  # a carried one comes to stand behind a new one of the same name
        return None
    kept = kept.join(clashes, on="row", how="anti")
    carried_first = clashes.select("normalisedPhysicalSpecimenID", carried_line="first_line")
    later = later.join(carried_first, on="normalisedPhysicalSpecimenID", how="left", maintain_order="left")
    later = later.with_columns(pl.coalesce("carried_line", "first_line").alias("first_line"))
    rejects += [duplicates(later), duplicates(clashes)]
    return kept["row"].sort(), rejects, keys


def _further_names(build: "Build", rows: pl.Series) -> pl.DataFrame | None:
    tables = [build.parsed.chosen(name, rows) for name in NAMED if name in build.parsed.tables]
    return pl.concat(table.select("row", name_key(table.columns)) for table in tables) if tables else None


def _chosen_reads(build: "Build", rows: pl.Series, known: pl.DataFrame | None) -> Iterator[Read]:
    for start in range(0, len(rows), build.parsed.batch_rows):
        part = rows.slice(start, build.parsed.batch_rows)
        records = build.parsed.chosen("records", part)
        tables = {name: build.parsed.chosen(name, part) for name in build.parsed.tables}
        media = tables.pop("media", None)
        if known is None:
            keys = build.keys(records, _further_names(build, part))
        else:
            keys = known.join(part.to_frame(), on="row", how="semi", maintain_order="left")
        yield Read(
            records, records, keys, media,
            {name: frame for name, frame in tables.items() if frame.height},
        )  # fmt: skip
        build.parsed.progress("documents", min(start + build.parsed.batch_rows, len(rows)))


def _write_specimens(build: "Build", carried: Carried, specimens: Spill) -> None:
    table = SpecimenTable(build.out)
    assert build.touched is not None
    for at, (kept, gone) in enumerate(carried.chunks()):
        if gone.height:
            build.version.remove("specimens", version_prints(gone))
            build.touched.append(gone["media_keys"].explode(empty_as_null=False))
        build.aside.carry(carried.folder, kept["fingerprint"])
        new = specimens.take(at)
        if new is not None:
            build.version.add("specimens", version_prints(new))
        both = kept if new is None else pl.concat([kept, new]).sort("normalisedPhysicalSpecimenID")
        table.write(both)
    table.close(build.report)


def _update_media(build: "Build", carried: Carried) -> None:
    """Render the touched media from all records that name them; the others stay as they are."""
    empty = pl.Series("media_key", [], dtype=pl.String)
    touched = pl.concat([empty, *(keys.rename("media_key") for keys in build.touched or [])]).drop_nulls().unique()
    build.report.media_doi_only = carried.made.report["media_doi_only"]
    if touched.is_empty():
        link(carried.folder / "media.parquet", build.out / "media.parquet")
        build.report.media = carried.made.report["media"]
        ParquetOut(build.out / "media_documents.parquet", DOCUMENTS, 1_000).close()
        return
    table = pl.scan_parquet(build.out / "specimens.parquet").select("row", "normalisedPhysicalSpecimenID", "batch")
    named = pl.col("normalisedPhysicalSpecimenID").is_in(build.media.naming(touched).implode())
    rows = table.filter(named | (pl.col("batch") == build.batch)).drop("batch").collect().sort("row")
    for start in range(0, rows.height, build.parsed.batch_rows):
        keys = rows.slice(start, build.parsed.batch_rows)
        records = build.parsed.chosen("records", keys["row"])
        extension = build.parsed.chosen("media", keys["row"]) if "media" in build.parsed.tables else None
        links, _ = media_links(records, extension, build.mapping)
        links = links.filter(pl.col("media_key").is_in(touched.implode()))
        build.media.add(links, extension, keys)
    build.media.finish_touched(touched, build.report, build.version)
