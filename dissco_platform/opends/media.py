"""Media of specimens: rows of media extensions and links in associatedMedia, one Digital Media document a medium.

A medium is what its access URI names (`identity/keys.normalised_media_url`); two specimens on one photograph share it.
It is judged by its own licence, else the dataset's: not open means a DOI without a document. Its licence never decides
the specimen's.
"""

import polars as pl

from dissco_platform.identity.keys import normalised_media_url
from dissco_platform.opends.columns import Findings, evaluate, rule_expr
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.distinct import distinct
from dissco_platform.opends.doubts import without_marks
from dissco_platform.opends.licences import parse_licence
from dissco_platform.opends.lists import constant_relationships, relationship_pieces, with_kinds
from dissco_platform.opends.mapping import Mapping, Rule
from dissco_platform.opends.placeholders import without_placeholders
from dissco_platform.opends.render import objects, print_of_texts
from dissco_platform.opends.terms import MEDIA_FDO_TYPE, model

# File endings → media type (IANA), for access URIs whose format nobody stated.
FORMATS = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "tif": "image/tiff", "tiff": "image/tiff",
    "gif": "image/gif", "webp": "image/webp", "jp2": "image/jp2", "mp3": "audio/mpeg", "wav": "audio/wav",
    "ogg": "audio/ogg", "mp4": "video/mp4", "mov": "video/quicktime", "avi": "video/x-msvideo", "pdf": "application/pdf",
    "glb": "model/gltf-binary", "stl": "model/stl",
}  # fmt: skip
_RIGHTS_OWNER = (
    r'"schema:name":"((?:[^"\\]|\\.)*)","ods:hasRoles":\[\{"@type":"schema:Role","schema:roleName":"rights-owner"'
)
ASIDE = {"row": pl.Int64, "reason": pl.String}
LINKS = {"row": pl.Int64, "at": pl.Int64, "source": pl.String, "accessURI": pl.String, "media_key": pl.String}


def media_links(
    records: pl.DataFrame, extension: pl.DataFrame | None, mapping: Mapping
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the media of a batch's records with the columns of LINKS, and what is set aside with the columns of ASIDE.

    `at` is the row's position in the frame it came from (`source`: media or records). A link named twice by a record
    (in the extension and in associatedMedia, say) is one medium.
    """
    parts: list[pl.DataFrame] = []
    aside: list[pl.DataFrame] = [pl.DataFrame(schema=ASIDE)]
    term = model().term("ods:DigitalMedia", "ac:accessURI")
    lacking = pl.lit("media_without_access_uri").alias("reason")
    if extension is not None and extension.height:
        rule = mapping.block("ods:DigitalMedia", "media").get(term.name)
        expr = rule_expr(rule, term, extension.columns) if isinstance(rule, Rule) else None
        uri = expr if expr is not None else pl.lit(None, dtype=pl.String)
        links = extension.select(
            "row", pl.int_range(pl.len()).alias("at"), pl.lit("media").alias("source"), uri.alias("accessURI")
        )
        if links["accessURI"].null_count():
            aside.append(links.filter(pl.col("accessURI").is_null()).select("row", lacking))
            links = links.filter(pl.col("accessURI").is_not_null())
        parts.append(links)
    rule = mapping.block("ods:DigitalMedia", "records").get(term.name)
    expr = rule_expr(rule, term, records.columns) if isinstance(rule, Rule) else None
    if expr is not None:
        cells = records.select(
            "row", pl.int_range(pl.len()).alias("at"), pl.lit("records").alias("source"), expr.alias("accessURI")
        ).filter(pl.col("accessURI").is_not_null())
        cells = cells.with_columns(
            pl.col("accessURI").str.replace_all(r"(?i)\s*[|;,\s]\s*(https?://)", "\x1f$1").str.split("\x1f")
        ).explode("accessURI", empty_as_null=True)
        cells = cells.with_columns(pl.col("accessURI").str.strip_chars(" |;,"))
        web = pl.col("accessURI").str.contains(r"^(?i)https?://\S+$")
        aside.append(cells.filter(~web & (pl.col("accessURI") != "")).select("row", lacking))
        parts.append(cells.filter(web))
    if not parts:
        return pl.DataFrame(schema=LINKS), aside[0]
    links = pl.concat(parts).with_columns(normalised_media_url(pl.col("accessURI")).alias("media_key"))
    return links.unique(["row", "media_key"], keep="first", maintain_order=True), pl.concat(aside)


def render_media(
    links: pl.DataFrame,
    extension: pl.DataFrame | None,
    mapping: Mapping,
    context: DatasetContext,
    findings: Findings,
) -> pl.DataFrame:
    """Return one row a link: `media_key`, `row`, facts of the media table, `content` and `relationships`."""
    frames = []
    if extension is not None:
        own = links.filter(pl.col("source") == "media")
        if own.height:
            chosen = without_placeholders(extension[own["at"].to_list()], mapping, "media", findings.placeholders)
            evaluated = evaluate(chosen, mapping, "ods:DigitalMedia", "media", findings)
            frames.append(pl.concat([own, evaluated.drop("ac:accessURI", strict=False)], how="horizontal"))
    listed = links.filter(pl.col("source") == "records")
    if listed.height:
        frames.append(listed)
    if not frames:
        return pl.DataFrame()
    frame = pl.concat(frames, how="diagonal_relaxed").sort("row", "source", "at")
    return _rendered(_derived(frame, context), context)


def _derived(frame: pl.DataFrame, context: DatasetContext) -> pl.DataFrame:
    for name in ("dcterms:format", "dcterms:type", "dcterms:rights", "ods:hasAgents", "ods:hasEntityRelationships"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    ending = pl.col("accessURI").str.extract(r"(?i)\.([a-z0-9]{2,4})(?:[?#].*)?$", 1).str.to_lowercase()
    guessed = ending.replace_strict(list(FORMATS), list(FORMATS.values()), default=None, return_dtype=pl.String)
    media_format = pl.coalesce(pl.col("dcterms:format"), guessed)
    lowered = media_format.str.to_lowercase()
    by_format = (
        pl.when(lowered.str.contains(r"^image|^(?:jpe?g|png|tiff?|gif)$")).then(pl.lit("StillImage"))
        .when(lowered.str.starts_with("audio")).then(pl.lit("Sound"))
        .when(lowered.str.starts_with("video")).then(pl.lit("MovingImage"))
        .when(lowered.str.contains(r"^application/(?:ld\+)?json")).then(pl.lit("InteractiveResource"))  # IIIF manifest
        .when(lowered.str.starts_with("model/")).then(pl.lit("InteractiveResource"))
        .when(lowered.str.contains(r"^text/|pdf$")).then(pl.lit("Text"))
    )  # fmt: skip
    frame = frame.with_columns(
        media_format.alias("dcterms:format"),
        pl.coalesce(pl.col("dcterms:type"), by_format).alias("dcterms:type"),
        pl.coalesce(pl.col("dcterms:rights"), pl.lit(context.licence, dtype=pl.String)).alias("dcterms:rights"),
    )
    rights = frame["dcterms:rights"]
    frame = frame.with_columns(
        distinct(lambda text: (found := parse_licence(text)) and found.spdx, pl.String)(rights).alias("spdx"),
        distinct(lambda text: (found := parse_licence(text)) and found.url, pl.String)(rights).alias("url"),
        distinct(lambda text: bool((found := parse_licence(text)) and found.open), pl.Boolean)(rights).alias("open"),
    )
    return frame.with_columns(
        pl.coalesce("spdx", "dcterms:rights").alias("licence"),
        (~pl.col("open").fill_null(value=False) | context.doi_only).alias("doi_only"),
        pl.coalesce("url", "dcterms:rights").alias("dcterms:rights"),
        pl.col("ods:hasAgents").str.extract(_RIGHTS_OWNER, 1).alias("rights_holder"),
    )  # fmt: skip


def _rendered(frame: pl.DataFrame, context: DatasetContext) -> pl.DataFrame:
    terms = model().classes["ods:DigitalMedia"]
    whole = frame.with_columns(
        pl.lit(MEDIA_FDO_TYPE).alias("ods:fdoType"),
        pl.col("accessURI").alias("ac:accessURI"),
        pl.lit(context.source_system_id).alias("ods:sourceSystemID"),
        pl.lit(context.source_system_name, dtype=pl.String).alias("ods:sourceSystemName"),
        pl.lit(context.organisation_id).alias("ods:organisationID"),
        pl.lit(context.organisation_name, dtype=pl.String).alias("ods:organisationName"),
    )
    content = objects(
        whole.select(name for name in whole.columns if name in terms and name != "ods:hasEntityRelationships"),
        "ods:DigitalMedia",
        with_type=False,
    )
    constant = constant_relationships(
        ("hasOrganisationID", context.organisation_id),
        ("hasFDOType", MEDIA_FDO_TYPE),
        ("hasSourceSystemID", context.source_system_id),
    )
    uri = pl.col("accessURI").str.replace_all('"', "%22", literal=True).str.replace_all("\\", "%5C", literal=True)
    open_link = pl.col("dcterms:rights").str.starts_with("http") & pl.col("open")
    further = pl.col("ods:hasEntityRelationships")
    linked = whole.select(uri.alias("hasURL"), pl.when(open_link).then("dcterms:rights").alias("hasLicense"), further)
    listed = with_kinds(linked, ["hasURL", "hasLicense"]).select(
        pl.concat_str(
            [
                pl.lit("["), *relationship_pieces("hasURL", "hasURL"), pl.lit("," + constant),
                *relationship_pieces("hasLicense", "hasLicense", ","),
                pl.when(further.is_not_null()).then(pl.lit(",")), further, pl.lit("]"),
            ],
            ignore_nulls=True,
        ).alias("relationships")
    )["relationships"]  # fmt: skip
    made = without_marks(whole.with_columns(content.alias("content"), listed))
    return made.select(
        "row", "media_key", "accessURI", pl.col("dcterms:type").alias("media_type"), pl.col("dcterms:format").alias("format"),
        "licence", "rights_holder", "doi_only", "content", "relationships", "doubtful",
        print_of_texts(made, ["content", "relationships"]),
    )  # fmt: skip
