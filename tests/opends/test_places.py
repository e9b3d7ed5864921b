"""What a georeference says when it says nothing: a blank 0, 0 and a datum without a place."""

import polars as pl

from dissco_platform.opends.gathering import placed as georeference_placed


def test_zero_zero_is_no_place_and_stays_as_written() -> None:
    frame = pl.DataFrame(
        {
            "dwc:decimalLatitude": [0.0, 0.0, 52.1],
            "dwc:decimalLongitude": [0.0, 10.5, 5.2],
            "dwc:geodeticDatum": ["WGS84"] * 3,
        }
    )
    placed = georeference_placed(frame)
    assert placed["dwc:decimalLatitude"].to_list() == [None, 0.0, 52.1]
    assert placed["dwc:verbatimLatitude"].to_list() == ["0", None, None]


def test_a_datum_without_a_place_is_left_out() -> None:
    frame = pl.DataFrame(
        {
            "dwc:decimalLatitude": [None, 52.1, None],
            "dwc:decimalLongitude": [None, 5.2, None],
            "dwc:verbatimCoordinates": [None, None, "near the mill"],
            "dwc:geodeticDatum": ["WGS84"] * 3,
        },
        schema_overrides={"dwc:decimalLatitude": pl.Float64, "dwc:decimalLongitude": pl.Float64},
    )
    assert georeference_placed(frame)["dwc:geodeticDatum"].to_list() == [None, "WGS84", "WGS84"]
