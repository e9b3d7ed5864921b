"""What the name matching found, ready to be laid beside the name as written.

Reads `names.parquet` of `names/harmonise`; makes one TaxonIdentification object a distinct name. Matching itself and its
confidence are `names/`; which identification is accepted is `identifications`.
"""

from pathlib import Path

import orjson
import polars as pl

from dissco_platform.names.ranks import CLASSIFICATION
from dissco_platform.opends.render import objects
from dissco_platform.provenance import fingerprint, json_version

MATCHED = ("exact", "variant", "fuzzy")
_RESULT = (
    "matchType", "usageID", "matchedName", "matchedAuthorship", "matchedRank", "matchedStatus", "acceptedUsageID",
    "acceptedName", "acceptedAuthorship", "acceptedRank", *CLASSIFICATION, "species", "nomenclaturalCode",
)  # fmt: skip
_NAME_HASH = fingerprint([pl.col(column) for column in _RESULT]).alias("name_hash")
CODES = {
    "zoological": "ICZN",
    "botanical": "ICN",
    "bacterial": "ICNP",
    "virus": "ICVCN",
    "viral": "ICVCN",
    "cultivars": "ICNCP",
}
TOO_HIGH = ("domain", "superdomain", "realm", "superkingdom", "kingdom", "unranked")
COL_TAXON = "https://www.catalogueoflife.org/data/taxon/"
SCHEMA = {
    "name_key": pl.String, "name_hash": pl.String, "matchType": pl.String, "col_item": pl.String, "col_name": pl.String,
    "col_link": pl.String, "col_kingdom": pl.String, "col_phylum": pl.String, "col_class": pl.String,
    "col_order": pl.String, "col_code": pl.String,
}  # fmt: skip
NAME_HASHES = {"name_key": pl.String, "name_hash": pl.String}


def read_names(names: Path) -> pl.DataFrame:
    """Return one row a distinct name with the columns of SCHEMA; an empty frame where there are no names.

    `name_hash` covers what reaches the document (not the confidence, nor the release: a new release with the same
    result changes nothing). `names` is the folder of `names.parquet`, or that file.
    """
    scan = _results(names)
    return pl.DataFrame(schema=SCHEMA) if scan is None else _taxa(scan.collect())


def read_answers(names: Path, keys: pl.Series | None = None) -> pl.DataFrame:
    """Return one row a distinct answer (`name_hash`) with the columns of SCHEMA but `name_key`.

    Many names have one answer, and answers are large: which name has which is `name_hashes`. `keys` are the names wanted,
    if not all.
    """
    scan = _results(names)
    if scan is None:
        return pl.DataFrame(schema=SCHEMA).drop("name_key")
    wanted = scan if keys is None else scan.filter(pl.col("name_key").is_in(keys.implode()))
    different = wanted.with_columns(_NAME_HASH).collect().unique("name_hash", keep="any", maintain_order=True)
    return _taxa(different.drop("name_hash")).drop("name_key")


def name_hashes(names: Path) -> pl.DataFrame:
    """Return `name_key` and `name_hash` (see `read_names`) of all names, sorted by key."""
    scan = _results(names)
    if scan is None:
        return pl.DataFrame(schema=NAME_HASHES)
    return scan.select("name_key", _NAME_HASH).sort("name_key").collect()


def names_version(names: Path) -> str | None:
    """Return the version of a names table's content, as the matching wrote it beside the table; None where it did not."""
    try:
        return json_version(orjson.loads((names / "made_with.json").read_bytes())["sums"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _results(names: Path) -> pl.LazyFrame | None:
    path = names / "names.parquet" if names.is_dir() else names
    if not path.is_file():
        return None
    scan = pl.scan_parquet(path)
    present = scan.collect_schema().names()
    frame = scan.select("name_key", "release", *(column for column in _RESULT if column in present))
    frame = frame.with_columns(
        pl.lit(None, dtype=pl.String).alias(column) for column in _RESULT if column not in present
    )
    return frame.with_columns(pl.col("nomenclaturalCode").replace(CODES))


# Names of these ranks are set in italics (ICZN appendix B6, ICN recommendation 60F).
ITALIC = ("genus", "subgenus", "section", "species", "subspecies", "variety", "form")


def _html(name: str, authorship: str | None) -> pl.Expr:
    """Return a name as HTML, in italics but for the connecting terms, its authorship upright."""
    plain = pl.col(name)
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.str.replace_all(mark, entity, literal=True)
    italic = pl.concat_str(
        pl.lit("<i>"), plain.str.replace_all(r" (subsp\.|var\.|f\.|sect\.) ", "</i> $1 <i>"), pl.lit("</i>")
    )
    if authorship is None:
        return italic
    author = pl.col(authorship)
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        author = author.str.replace_all(mark, entity, literal=True)
    return pl.concat_str([italic, author], separator=" ", ignore_nulls=True)


def _taxa(frame: pl.DataFrame) -> pl.DataFrame:
    matched = pl.col("matchType").is_in(MATCHED)
    shown = matched | (pl.col("matchType") == "higherRank")
    col = pl.col("release").str.contains(r"(?i)catalogue of life|^(?:3LR|3LXR|COL)").fill_null(value=False)
    identifier = pl.when(col).then(pl.lit(COL_TAXON) + pl.col("acceptedUsageID")).otherwise(pl.col("acceptedUsageID"))
    label = pl.concat_str([pl.col("acceptedName"), pl.col("acceptedAuthorship")], separator=" ", ignore_nulls=True)
    label = pl.when(label != "").then(label)
    written = pl.concat_str([pl.col("matchedName"), pl.col("matchedAuthorship")], separator=" ", ignore_nulls=True)
    synonym = pl.col("usageID") != pl.col("acceptedUsageID")
    remark = (
        pl.when(pl.col("matchType") == "higherRank").then(pl.lit("the name itself was not found: its nearest known higher taxon"))
        .when(synonym).then(pl.concat_str(pl.lit("accepted name of the synonym "), written))
        .when(pl.col("matchType") == "fuzzy").then(pl.concat_str(pl.lit("matched in spite of its spelling to "), written))
    )  # fmt: skip
    epithets = pl.col("acceptedName").str.split(" ")
    species = pl.col("acceptedRank").is_in(["species", "subspecies", "variety", "form"])
    below = species & (pl.col("acceptedRank") != "species")
    taxon = frame.select(
        pl.when(col).then(identifier).alias("@id"),
        identifier.alias("dwc:taxonID"),
        label.alias("dwc:scientificName"),
        pl.when(pl.col("acceptedRank").is_in(ITALIC))
        .then(_html("acceptedName", "acceptedAuthorship"))
        .alias("ods:scientificNameHTMLLabel"),
        pl.when(pl.col("genus").is_not_null()).then(_html("genus", None)).alias("ods:genusHTMLLabel"),
        pl.col("acceptedAuthorship").alias("dwc:scientificNameAuthorship"),
        pl.col("acceptedRank").alias("dwc:taxonRank"),
        remark.alias("dwc:taxonRemarks"),
        *(pl.col(rank).alias(f"dwc:{rank}") for rank in CLASSIFICATION),
        pl.when(species).then(epithets.list.get(0, null_on_oob=True)).alias("dwc:genericName"),
        pl.when(species).then(epithets.list.get(1, null_on_oob=True)).alias("dwc:specificEpithet"),
        pl.when(below & (epithets.list.len() > 2)).then(epithets.list.last()).alias("dwc:infraspecificEpithet"),
        pl.lit("accepted").alias("dwc:taxonomicStatus"),
        pl.col("nomenclaturalCode").alias("dwc:nomenclaturalCode"),
    )
    items = objects(taxon, "ods:TaxonIdentification")
    # a kingdom alone tells nobody what the specimen is; it still decides the discipline
    only_kingdom = (pl.col("matchType") == "higherRank") & pl.col("acceptedRank").is_in(TOO_HIGH)
    named = shown & label.is_not_null() & ~only_kingdom.fill_null(value=False)
    return frame.with_columns(items.alias("item")).select(
        "name_key",
        _NAME_HASH,
        "matchType",
        pl.when(named).then(pl.col("item")).alias("col_item"),
        pl.when(matched).then(label).alias("col_name"),
        pl.when(matched).then(identifier).alias("col_link"),
        pl.when(shown).then(pl.col("kingdom")).alias("col_kingdom"),
        pl.when(shown).then(pl.col("phylum")).alias("col_phylum"),
        pl.when(shown).then(pl.col("class")).alias("col_class"),
        pl.when(shown).then(pl.col("order")).alias("col_order"),
        pl.when(shown).then(pl.col("nomenclaturalCode")).alias("col_code"),
    )
