"""From DOI-free content to the published document: identifiers, version, dates and specimen–media links are put in.

Works on text: content is a JSON object whose braces are opened and extended, so that a document is rendered once (in
`opends`) and never parsed again on its way to publication. Key order is fixed, hence equal input gives equal bytes.
Terms: openDS DigitalSpecimen 0.4.0, DigitalMedia 0.5.0, EntityRelationship 0.4.0.
"""

import polars as pl

DOI_RESOLVER = "https://doi.org/"

# Relationship from the object to the one it is linked with.
LINKS = {"specimen": "hasDigitalMedia", "media": "hasDigitalSpecimen"}
TYPES = {"specimen": "ods:DigitalSpecimen", "media": "ods:DigitalMedia"}

# What stamping and every comparison of versions leave out: they change although the content does not.
VOLATILE = ("ods:version", "dcterms:created", "dcterms:modified")


def doi_url(prefix: str, suffix: pl.Expr) -> pl.Expr:
    """Return `https://doi.org/{prefix}/{suffix}`."""
    return pl.concat_str([pl.lit(f"{DOI_RESOLVER}{prefix}/"), suffix])


def stamp(kind: str, frame: pl.DataFrame, prefix: str, modified: str) -> pl.Series:
    """Return the documents as JSON text.

    Args:
        kind: `specimen` or `media`.
        frame: `suffix`, `version` Int64, `created` (ISO 8601), `content` (JSON object text), `relationships` (JSON
            array text), `links` List[String] (suffixes of the linked media or specimens, in order).
        prefix: the DOI prefix.
        modified: `dcterms:modified`: when the object changed so that a new version came to be (ISO 8601).
    """
    doi = doi_url(prefix, pl.col("suffix"))
    content, relationships, links = _inner("content"), _inner("relationships"), pl.col("_links")
    has_content, has_relationships, has_links = (text.str.len_bytes() > 0 for text in (content, relationships, links))
    nothing = pl.lit("")
    # One level of concatenation: each further one would copy kilobytes a document.
    document = pl.concat_str(
        [
            pl.lit('{"@id":"'),
            doi,
            pl.lit(f'","@type":"{TYPES[kind]}","dcterms:identifier":"'),
            doi,
            pl.lit('","ods:version":'),
            pl.col("version").cast(pl.String),
            pl.lit(',"ods:status":"Active","dcterms:created":"'),
            pl.col("created"),
            pl.lit(f'","dcterms:modified":"{modified}"'),
            pl.when(has_content).then(pl.lit(",")).otherwise(nothing),
            content,
            pl.when(has_relationships | has_links).then(pl.lit(',"ods:hasEntityRelationships":[')).otherwise(nothing),
            relationships,
            pl.when(has_relationships & has_links).then(pl.lit(",")).otherwise(nothing),
            links,
            pl.when(has_relationships | has_links).then(pl.lit("]}")).otherwise(pl.lit("}")),
        ]
    )
    # Lazily: expressions that occur twice are then computed once.
    whole = frame.with_columns(_links(kind, frame, prefix).alias("_links")).lazy()
    return whole.select(document.alias("document")).collect()["document"]


def _links(kind: str, frame: pl.DataFrame, prefix: str) -> pl.Series:
    """Return the entity relationships to linked objects as comma-separated JSON objects."""
    url = pl.concat_str([pl.lit(f"{DOI_RESOLVER}{prefix}/"), pl.element()])
    relationship = pl.concat_str(
        [
            pl.lit(
                '{"@type":"ods:EntityRelationship","dwc:relationshipOfResource":"'
                + LINKS[kind]
                + '","dwc:relatedResourceID":"'
            ),
            url,
            pl.lit('","ods:relatedResourceURI":"'),
            url,
            pl.lit('"}'),
        ]
    )
    return frame.select(
        pl.col("links").fill_null([]).cast(pl.List(pl.String)).list.eval(relationship).list.join(",").alias("l")
    )["l"]


def _inner(column: str) -> pl.Expr:
    """Return a JSON object's or array's text without its brackets: views of the text, nothing is copied or counted."""
    return pl.col(column).str.slice(1).str.head(-1)
