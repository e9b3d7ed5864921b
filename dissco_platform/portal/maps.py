"""A small map: where on Earth a point lies, drawn with lines of latitude and longitude and the outline of the land.

Plate carrée; the land is `static/land.svg` (a tenth of a degree a unit). No map service is asked: a visitor's interest
in a place is nobody's business. A link leads to OpenStreetMap for those who want to see more.
"""

from dataclasses import dataclass
from math import cos, radians


@dataclass(frozen=True)
class Locator:
    """A map's frame and point, in tenths of degrees, south positive; `circle` is the uncertainty's radius there."""

    latitude: float
    longitude: float
    left: float
    top: float
    width: float
    height: float
    x: float
    y: float
    circle: float
    parallels: list[tuple[float, str]]
    meridians: list[tuple[float, str]]
    link: str

    @property
    def words(self) -> str:
        """The point in words, for those who do not see the map."""
        north, east = "N" if self.latitude >= 0 else "S", "E" if self.longitude >= 0 else "W"
        return f"{abs(self.latitude):g}° {north}, {abs(self.longitude):g}° {east}"


def locator(latitude: float, longitude: float, uncertainty: object = None) -> Locator | None:
    """Return the map of a point (degrees, WGS 84 or close to it); None where it does not lie on Earth.

    Args:
        latitude: -90 to 90.
        longitude: -180 to 180.
        uncertainty: radius in metres, if known.
    """
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    width, height = 480.0, 300.0
    x, y = longitude * 10, -latitude * 10
    left = min(max(x - width / 2, -1800), 1800 - width)
    top = min(max(y - height / 2, -900), 900 - height)
    metres = float(uncertainty) if isinstance(uncertainty, int | float) else 0.0
    circle = min(metres / 111_320 * 10 / max(cos(radians(latitude)), 0.2), 400.0)
    parallels = [
        (float(line), _degrees(-line / 10, "N", "S"))
        for line in range(-900, 901, 100)
        if top + 8 < line < top + height - 4
    ]
    meridians = [
        (float(line), _degrees(line / 10, "E", "W"))
        for line in range(-1800, 1801, 100)
        if left + 4 < line < left + width - 4
    ]
    link = (
        f"https://www.openstreetmap.org/?mlat={latitude:.5f}&mlon={longitude:.5f}#map=8/{latitude:.4f}/{longitude:.4f}"
    )
    return Locator(latitude, longitude, left, top, width, height, x, y, circle, parallels, meridians, link)


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):g}°" + (positive if value > 0 else negative if value < 0 else "")
