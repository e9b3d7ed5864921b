"""Rules of publication for tests: a made-up publisher and landing page."""

from dissco_platform.identity.datacite.metadata import DataCiteContext
from dissco_platform.identity.parts import Rules

PUBLISHER = ("https://ror.org/02wddde16", "A publisher")

RULES = Rules(
    prefix="10.5555",
    yearly_quota=None,
    datacite=DataCiteContext(
        landing_page="https://specimens.example",
        publisher_id=PUBLISHER[0],
        publisher_name=PUBLISHER[1],
        prefix="10.5555",
    ),
)
