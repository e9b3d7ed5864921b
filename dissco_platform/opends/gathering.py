"""How a specimen was gathered: columns of the event with its location, georeference and geology inside.

What these columns are read from is the mapping's; where a part has a gathering of its own is `specimen_parts`.
"""

import polars as pl

from dissco_platform.opends.batch import joined, verbatim_assertions
from dissco_platform.opends.columns import Findings, evaluate
from dissco_platform.opends.mapping import Mapping, Rule
from dissco_platform.opends.render import objects

EVENT, LOCATION, GEOREFERENCE, GEOLOGY = "ods:Event", "ods:Location", "ods:Georeference", "ods:GeologicalContext"
# Terms of a georeference that say where; a datum alone says nothing.
PLACES = (
    "dwc:decimalLatitude",
    "dwc:decimalLongitude",
    "dwc:verbatimCoordinates",
    "dwc:verbatimLatitude",
    "dwc:verbatimLongitude",
    "dwc:footprintWKT",
)


def gathering(frame: pl.DataFrame, table: str, mapping: Mapping, findings: Findings) -> dict[str, pl.DataFrame]:
    """Return the evaluated columns of event, location, georeference and geology, by class."""
    columns = {
        owner: evaluate(frame, mapping, owner, table, findings) for owner in (EVENT, LOCATION, GEOREFERENCE, GEOLOGY)
    }
    columns[GEOREFERENCE] = placed(columns[GEOREFERENCE])
    return columns


def placed(georeference: pl.DataFrame) -> pl.DataFrame:
    """Return the georeference without coordinates 0, 0 (a blank field of a database) and without a datum of no place.

    What was written as 0 and 0 stays as the verbatim latitude and longitude.
    """
    columns = set(georeference.columns)
    if {"dwc:decimalLatitude", "dwc:decimalLongitude"} <= columns:
        zero = (pl.col("dwc:decimalLatitude") == 0) & (pl.col("dwc:decimalLongitude") == 0)
        written = {"dwc:verbatimLatitude": "0", "dwc:verbatimLongitude": "0"}
        known = [pl.col(name) for name in (*written, "dwc:verbatimCoordinates") if name in columns]
        unwritten = pl.all_horizontal([column.is_null() for column in known]) if known else pl.lit(value=True)
        georeference = georeference.with_columns(
            *(
                pl.when(zero.fill_null(value=False)).then(None).otherwise(pl.col(name)).alias(name)
                for name in ("dwc:decimalLatitude", "dwc:decimalLongitude")
            ),
            *(
                pl.when(zero.fill_null(value=False) & unwritten)
                .then(pl.lit(text))
                .otherwise(pl.col(name) if name in columns else pl.lit(None, pl.String))
                .alias(name)
                for name, text in written.items()
            ),
        )
    places = [pl.col(name).is_null() for name in PLACES if name in georeference.columns]
    if "dwc:geodeticDatum" in columns and places:
        nowhere = pl.all_horizontal(places)
        datum = pl.when(nowhere).then(None).otherwise(pl.col("dwc:geodeticDatum"))
        georeference = georeference.with_columns(datum.alias("dwc:geodeticDatum"))
        if "verbatim dwc:geodeticDatum" in columns:
            name = "verbatim dwc:geodeticDatum"
            georeference = georeference.with_columns(pl.when(nowhere).then(None).otherwise(pl.col(name)).alias(name))
    return georeference


def event_columns(columns: dict[str, pl.DataFrame], mapping: Mapping, table: str = "records") -> pl.DataFrame:
    """Return the event's columns with its location (and that one's georeference and geology) inside.

    Nulls alone where nothing is said but a rule's default: of such a record nobody knows that it was gathered.
    """
    geo = columns[GEOREFERENCE]
    location = columns[LOCATION]
    parts = []
    if geo.width:
        parts.append(objects(geo, GEOREFERENCE).alias("ods:hasGeoreference"))
    if columns[GEOLOGY].width:
        parts.append(objects(columns[GEOLOGY], GEOLOGY).alias("ods:hasGeologicalContext"))
    location = location.with_columns(parts) if location.width else pl.DataFrame(parts)
    event = columns[EVENT]
    more = [objects(location, LOCATION).alias("ods:hasLocation")] if location.width else []
    said = [
        column
        for frame in (event, columns[LOCATION], geo)
        if frame.width and (column := verbatim_assertions(frame)) is not None
    ]
    if (assertions := joined(said)) is not None:
        more.append(assertions.alias("ods:hasAssertions"))
    event = event.with_columns(more) if event.width else pl.DataFrame(more)
    defaults = {
        name: rule.default
        for name, rule in mapping.block(EVENT, table).items()
        if isinstance(rule, Rule) and rule.default is not None and name in event.columns
    }
    if not defaults:
        return event
    stated = [pl.col(name).is_not_null() for name in event.columns if name not in defaults]
    stated += [(pl.col(name) != pl.lit(default)).fill_null(value=False) for name, default in defaults.items()]
    return event.with_columns(pl.when(pl.any_horizontal(stated)).then(pl.col(name)).alias(name) for name in defaults)
