"""The index of a checklist release: built once from ColDP or Darwin Core, opened by every match.

Tables written into the index folder (Parquet; a row number is the place of a usage in `usages`):

- `usages`: id, name (without authorship), authorship, authorship_id, rank, status, code, accepted, lineage, species
- `authorships`: each distinct citation
- `lineages`: row number and name of every classification rank above (and including) a taxon
- `words`: the numbers of the words of each usage, packed
- `keys`: (key, row) sorted by key: genus or uninomial word, stems of the epithets
- `genera`, `epithets`: distinct words with their number and stem number
- `genus_deletions`, `stem_deletions`, `epithet_deletions`: (hash, number) sorted by hash: words with one letter left out
- `identifiers`: (hash of the id, row), sorted
- `info.json`: release, licence, counts, versions

How a name is looked up there is in `candidates.py`.
"""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson
import polars as pl

from dissco_platform.errors import ChecklistError
from dissco_platform.names.coldp import Checklist, read_checklist
from dissco_platform.names.index import (
    CODE_ENUM,
    INDEX_VERSION,
    MAX_WORDS,
    RANK_ENUM,
    STATUS_ENUM,
    Backbone,
    BackboneInfo,
    open_backbone,
    pack,
)
from dissco_platform.names.normalise import stem_key
from dissco_platform.names.parse_many import parse_names
from dissco_platform.names.ranks import CLASSIFICATION, RANK_NUMBER, STATUSES
from dissco_platform.names.words import deletions, hash64, name_words, parsed_keys
from dissco_platform.provenance import ContentVersion, fingerprint

__all__ = ["Backbone", "BackboneInfo", "build_backbone", "open_backbone"]

MAX_DEPTH: Final = 64
CHUNK: Final = 500_000
"""Usages whose fingerprints are made at a time: bounds memory."""

Progress = Callable[[str, int], None]


def build_backbone(source: Path, out: Path, *, progress: Progress | None = None) -> BackboneInfo:
    """Build the index of the checklist `source` in the empty folder `out`.

    `progress(what, usages)` is told of each step. Raises ChecklistError where the source cannot be read or holds no
    usages, or has more than two million distinct words (the width of a key).
    """
    tell = progress or (lambda what, count: None)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".build-") as folder:
        scratch = Path(folder)
        try:
            checklist = read_checklist(source, scratch)
        except pl.exceptions.PolarsError as error:
            raise _unreadable(source, error) from error
        raw = scratch / "usages-as-read.parquet"
        tell("reading", 0)
        try:
            raw = _parse_irregular(_read_words(checklist, raw))
        except pl.exceptions.PolarsError as error:
            raise _unreadable(source, error) from error
        rows = pl.scan_parquet(raw).select(pl.len()).collect().item()
        if rows == 0:
            raise ChecklistError(f"{source.name}: the checklist has no usages")
        tell("linking", rows)
        tree = _link(raw)
        lineages = _lineages(raw, tree, out)
        tell("indexing", rows)
        _write_keys(raw, out)
        info = _write_usages(raw, out, tree, lineages, checklist)
        for warning in tree.warnings:
            info.warnings.append(warning)
        (out / "info.json").write_bytes(orjson.dumps(asdict(info), option=orjson.OPT_INDENT_2))
        tell("done", rows)
    return info


def _unreadable(source: Path, error: Exception) -> ChecklistError:
    first = str(error).strip().split("\n")[0]
    return ChecklistError(f"{source.name}: a table of the checklist cannot be read ({first}); check quotes and columns")


def _read_words(checklist: Checklist, raw: Path) -> Path:
    """Write the checklist's usages with their words (`g`, `e1`, `e2` keys) to `raw`, streaming."""
    frame = checklist.usages.filter(pl.col("id").is_not_null() & pl.col("scientificName").is_not_null())
    frame = frame.with_columns(
        pl.col("rank").cast(RANK_ENUM),
        pl.col("status").cast(STATUS_ENUM),
        pl.col("code").cast(CODE_ENUM),
    )
    name_words(frame, "scientificName", "authorship").sink_parquet(raw, compression="zstd", compression_level=1)
    return raw


def _parse_irregular(raw: Path) -> Path:
    """Return usages whose names are not of the regular form with the words that the parser finds in them."""
    odd = (
        pl.scan_parquet(raw)
        .select("name", "author", "code", "quality")
        .with_row_index("row")
        .filter(pl.col("quality") > 1)
    ).collect()
    if odd.is_empty():
        return raw
    asked = odd.select("name", authorship="author", code=pl.col("code").cast(pl.String))
    parsed = parse_names(asked)
    keys = (
        parsed_keys(odd["name"], parsed, informal_whole=True)
        .rename({"g": "_g", "e1": "_e1", "e2": "_e2"})
        .drop("whole")
    )
    patch = pl.concat([odd.select("row"), keys, parsed.select(_author="authorship")], how="horizontal")
    found = pl.col("_g").is_not_null()
    target = raw.with_name("usages-parsed.parquet")
    (
        pl.scan_parquet(raw)
        .with_row_index("row")
        .join(patch.lazy(), on="row", how="left", maintain_order="left")
        .with_columns(
            g=pl.coalesce("_g", "g"),
            e1=pl.when(found).then("_e1").otherwise("e1"),
            e2=pl.when(found).then("_e2").otherwise("e2"),
            author=pl.coalesce("author", "_author"),
        )
        .drop("row", "_g", "_e1", "_e2", "_author")
        .sink_parquet(target, compression="zstd", compression_level=1)
    )
    return target


@dataclass
class _Tree:
    """Row links of a checklist: `accepted` of every usage, `parent` of accepted ones (null for none)."""

    accepted: pl.Series
    parent: pl.Series
    warnings: list[str]


def _link(raw: Path) -> _Tree:
    frame = pl.read_parquet(raw, columns=["id", "parent_id", "status"])
    rows = frame.height
    ids = frame.select("id", target=pl.int_range(pl.len(), dtype=pl.Int32)).unique("id", keep="first")
    linked = frame.select("parent_id").join(ids, left_on="parent_id", right_on="id", how="left", maintain_order="left")
    warnings = []
    unknown = int((linked["parent_id"].is_not_null() & linked["target"].is_null()).sum())
    if unknown:
        warnings.append(f"{unknown} usages name a parent or accepted usage that the checklist does not hold")
    if ids.height < rows:
        warnings.append(f"{rows - ids.height} usages repeat an id; the first of each is linked to")
    own = pl.int_range(rows, dtype=pl.Int32, eager=True)
    target = linked["target"].set(linked["target"] == own, None)
    synonym = frame["status"].to_physical() >= STATUSES.index("synonym")
    accepted = own.zip_with(~synonym, target)
    for _ in range(8):  # a synonym of a synonym: follow to the end
        onward = synonym.gather(accepted).fill_null(value=False)
        if not onward.any():
            break
        accepted = accepted.zip_with(~onward, accepted.gather(accepted))
    lost = synonym.gather(accepted).fill_null(value=True)
    if lost.any():
        bare = int((lost & (frame["status"] != "bare name")).sum())
        if bare:
            warnings.append(f"{bare} synonyms lead to no accepted usage and stand for themselves")
        accepted = accepted.zip_with(~lost, own)
    return _Tree(accepted, target.set(synonym, None), warnings)


def _lineages(raw: Path, tree: _Tree, out: Path) -> tuple[pl.Series, pl.Series]:
    """Write `lineages` and return for every usage its lineage number and the row of its species (null for none)."""
    frame = pl.read_parquet(raw, columns=["rank"])
    rows = frame.height
    own = pl.int_range(rows, dtype=pl.Int32, eager=True)
    slot = (
        frame["rank"]
        .cast(pl.String)
        .replace_strict({name: place for place, name in enumerate(CLASSIFICATION)}, default=None, return_dtype=pl.Int8)
    )
    is_accepted = tree.accepted == own
    # usages that share everything above them share a lineage: one for each taxon that has children or a rank of its own
    used = pl.DataFrame({"row": tree.parent}).drop_nulls().unique()
    ranked = pl.DataFrame({"row": own.filter(is_accepted & slot.is_not_null())})
    nodes = pl.concat([used, ranked]).unique().sort("row").with_row_index("lineage")
    levels = []
    current = nodes.select("lineage", "row")
    for depth in range(MAX_DEPTH):
        here = current.with_columns(slot=pl.Series(slot.gather(current["row"])))
        levels.append(here.drop_nulls("slot").with_columns(depth=pl.lit(depth, dtype=pl.Int8)))
        above = tree.parent.gather(tree.accepted.gather(current["row"]))
        current = current.with_columns(row=above).drop_nulls("row")
        if current.is_empty():
            break
    else:
        tree.warnings.append(f"{current.height} taxa lie in a circle of parents; their classification is cut")
    filled = pl.concat(levels).sort("depth").unique(["lineage", "slot"], keep="first")
    names = pl.read_parquet(raw, columns=["name"])["name"]
    table = nodes.select("lineage")
    for place, name in enumerate(CLASSIFICATION):
        one = filled.filter(pl.col("slot") == place).select("lineage", pl.col("row").alias(f"{name}_row"))
        table = table.join(one, on="lineage", how="left", maintain_order="left")
        table = table.with_columns(_last_word(names.gather(table[f"{name}_row"])).alias(name))
    by_row = pl.DataFrame({"row": tree.accepted}).with_columns(
        parent=pl.Series(tree.parent.gather(tree.accepted)), own=pl.lit(value=True)
    )
    numbered = nodes.select(pl.col("row"), pl.col("lineage").cast(pl.Int32))
    lineage = (
        by_row.join(numbered, on="row", how="left", maintain_order="left")
        .join(
            numbered.rename({"lineage": "above"}), left_on="parent", right_on="row", how="left", maintain_order="left"
        )
        .select(pl.coalesce("lineage", "above"))
        .to_series()
    )
    species = _species(frame["rank"], own, tree)
    flat = [c for c in pl.scan_parquet(raw).collect_schema().names() if c.startswith("flat_")]
    table = table.drop("lineage")
    if flat:
        table, lineage = _flat_lineages(raw, flat, table, lineage)
    table.write_parquet(out / "lineages.parquet", compression="zstd")
    return lineage, species


def _species(rank: pl.Series, own: pl.Series, tree: _Tree) -> pl.Series:
    """Return for every usage the row of the species that its accepted usage is or belongs to."""
    is_species = rank == "species"
    numbers = rank.to_physical()
    first, last = RANK_NUMBER["species"], RANK_NUMBER["unranked"]
    found = own.set(~is_species, None)
    current = tree.parent
    below = (numbers > first) & (numbers < last)
    for _ in range(4):  # form, variety, subspecies, species
        hit = below & found.is_null() & is_species.gather(current).fill_null(value=False)
        found = found.zip_with(~hit, current)
        current = tree.parent.gather(current)
    return found.gather(tree.accepted)


def _last_word(names: pl.Series) -> pl.Series:
    """Return a classification's names: `Aus (Bus)` is the subgenus Bus."""
    return names.to_frame("n").select(pl.col("n").str.extract(r"\(([^)]+)\)\s*$").fill_null(pl.col("n"))).to_series()


def _flat_lineages(
    raw: Path, flat: list[str], table: pl.DataFrame, lineage: pl.Series
) -> tuple[pl.DataFrame, pl.Series]:
    """Give usages that hang in no tree the lineage written in their own columns (ColDP: either the one or the other)."""
    written = pl.read_parquet(raw, columns=flat).with_columns(lineage=lineage)
    loose = pl.col("lineage").is_null() & pl.any_horizontal(pl.col(flat).is_not_null())
    distinct = written.filter(loose).select(flat).unique(maintain_order=True)
    if distinct.is_empty():
        return table, lineage
    numbered = distinct.with_columns(number=pl.int_range(pl.len(), dtype=pl.Int32) + table.height)
    joined = written.join(numbered, on=flat, how="left", nulls_equal=True, maintain_order="left")
    extra = distinct.rename({column: column.removeprefix("flat_") for column in flat})
    lineage = joined.select(pl.when(loose).then("number").otherwise("lineage")).to_series()
    return pl.concat([table, extra], how="diagonal"), lineage


def _write_keys(raw: Path, out: Path) -> None:
    words = (
        pl.read_parquet(raw, columns=["g"])["g"]
        .drop_nulls()
        .unique()
        .sort()
        .to_frame("word")
        .with_row_index("id", offset=1)
    )
    _check_width(words.height, "genera and uninomials")
    words = words.with_columns(pl.col("id").cast(pl.UInt32))
    words.write_parquet(out / "genera.parquet", compression="zstd")
    deletions(words.select(pl.col("word"), pl.col("id"))).write_parquet(
        out / "genus_deletions.parquet", compression="zstd"
    )
    epithets = (
        pl.concat([pl.read_parquet(raw, columns=[c])[c].drop_nulls().unique() for c in ("e1", "e2")])
        .unique()
        .sort()
        .to_frame("word")
        .with_columns(stem=stem_key(pl.col("word")))
    )
    stems = epithets["stem"].unique().sort().to_frame("stem").with_row_index("stem_id", offset=1)
    _check_width(epithets.height, "epithets")
    stems = stems.with_columns(pl.col("stem_id").cast(pl.UInt32))
    epithets = epithets.join(stems, on="stem", how="left", maintain_order="left")
    epithets.write_parquet(out / "epithets.parquet", compression="zstd")
    deletions(stems.select(word=pl.col("stem"), id=pl.col("stem_id"))).write_parquet(
        out / "stem_deletions.parquet", compression="zstd"
    )
    keys = pl.read_parquet(raw, columns=["g", "e1", "e2"]).with_row_index("row")
    by_word = epithets.select("word", "stem_id")
    g = keys.select("g").join(words, left_on="g", right_on="word", how="left", maintain_order="left")["id"]
    one = keys.select("e1").join(by_word, left_on="e1", right_on="word", how="left", maintain_order="left")["stem_id"]
    two = keys.select("e2").join(by_word, left_on="e2", right_on="word", how="left", maintain_order="left")["stem_id"]
    # an error in an ending changes the stem by more than a letter: whole words are near one another as well
    numbered = epithets.select("word", "stem_id", id=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
    deletions(numbered.select("word", "id")).write_parquet(out / "epithet_deletions.parquet", compression="zstd")
    word_number = numbered.select("word", number="id")
    w1 = keys.select("e1").join(word_number, left_on="e1", right_on="word", how="left", maintain_order="left")["number"]
    w2 = keys.select("e2").join(word_number, left_on="e2", right_on="word", how="left", maintain_order="left")["number"]
    pack(g, w1, w2).alias("words").to_frame().write_parquet(out / "words.parquet", compression="zstd")
    table = (
        pl.DataFrame({"row": keys["row"].cast(pl.Int32), "key": pack(g, one, two)})
        .filter(pl.col("key").is_not_null())
        .sort("key", "row")
    )
    table.write_parquet(out / "keys.parquet", compression="zstd")


def _check_width(words: int, what: str) -> None:
    if words >= MAX_WORDS:
        raise ChecklistError(f"the checklist has {words} distinct {what}; an index holds {MAX_WORDS - 1}")


def _write_usages(
    raw: Path,
    out: Path,
    tree: _Tree,
    lineages: tuple[pl.Series, pl.Series],
    checklist: Checklist,
) -> BackboneInfo:
    lineage, species = lineages
    authorships = (
        pl.read_parquet(raw, columns=["author"])["author"]
        .drop_nulls()
        .unique()
        .sort()
        .to_frame("authorship")
        .with_row_index("authorship_id")
    ).with_columns(pl.col("authorship_id").cast(pl.Int32))
    authorships.write_parquet(out / "authorships.parquet", compression="zstd")
    author = pl.read_parquet(raw, columns=["author"]).join(
        authorships, left_on="author", right_on="authorship", how="left", maintain_order="left"
    )["authorship_id"]
    frame = pl.read_parquet(raw, columns=["id", "name", "rank", "status", "code", "extinct", "quality"]).with_columns(
        authorship_id=author,
        accepted=tree.accepted,
        lineage=lineage,
        species=species,
    )
    frame.write_parquet(out / "usages.parquet", compression="zstd", row_group_size=250_000)
    ids = frame.select(hash=hash64(pl.col("id")), row=pl.int_range(pl.len(), dtype=pl.Int32)).sort("hash", "row")
    ids.write_parquet(out / "identifiers.parquet", compression="zstd")
    version = _version(frame, authorships["authorship"], out)
    meta = checklist.metadata

    def text(*names: str) -> str:
        value = next((meta[name] for name in names if meta.get(name)), "")
        return str(value)

    odd = frame.select(
        (~pl.col("id").str.contains(r"^(?:[23456789BCDFGHJKLMNPQRSTVWXYZ]{1,7}|BOLD:.*|SH\d.*)$")).mean()
    ).item()
    return BackboneInfo(
        key=text("alias", "key"),
        title=text("title"),
        version=text("version", "issued"),
        doi=text("doi").removeprefix("https://doi.org/"),
        licence=text("license"),
        issued=text("issued"),
        kind=checklist.kind,
        usages=frame.height,
        by_status=_counts(frame["status"]),
        by_rank=_counts(frame["rank"]),
        data_version=version,
        temporary_ids=round(float(odd or 0.0), 6),
        warnings=list(checklist.warnings),
    )


def _version(usages: pl.DataFrame, authorships: pl.Series, out: Path) -> str:
    """Return the version of what a match can depend on: each usage, whom it leads to, and what stands above it."""
    version = ContentVersion()
    version.schema("usages", [f"index {INDEX_VERSION}"])
    table = pl.read_parquet(out / "lineages.parquet", columns=list(CLASSIFICATION))
    above = table.select(fingerprint([pl.col(rank) for rank in CLASSIFICATION])).to_series()
    ids = usages["id"]
    for start in range(0, usages.height, CHUNK):
        part = usages.slice(start, CHUNK)
        part = part.select("id", "name", "rank", "status", "code").with_columns(
            author=authorships.gather(part["authorship_id"]),
            accepted=ids.gather(part["accepted"]),
            above=above.gather(part["lineage"]),
        )
        version.add("usages", part.select(fingerprint([pl.col(c).cast(pl.String) for c in part.columns])).to_series())
    return version.hexdigest()


def _counts(column: pl.Series) -> dict[str, int]:
    counted = column.cast(pl.String).value_counts(sort=True)
    return {str(name): int(count) for name, count in counted.iter_rows()}
