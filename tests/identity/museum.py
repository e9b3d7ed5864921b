"""A museum that publishes editions of its dataset: what the tests of this room start from."""

import json
from pathlib import Path

from dissco_platform.identity.parts import iterate_current
from dissco_platform.identity.publish import PublishReport, publish
from dissco_platform.registry import Registry, objects
from dissco_platform.registry.datasets import Dataset, get_dataset
from dissco_platform.store import DatasetStore
from tests.identity.conftest import Records, write_build
from tests.identity.rules import RULES

SPECIMEN = "https://museum.example/{}"


class Museum:
    """A dataset that publishes editions."""

    def __init__(self, registry: Registry, dataset: Dataset, folder: Path) -> None:
        self.registry, self.slug, self.folder, self.edition = registry, dataset.slug, folder, 0
        self.store = DatasetStore(folder)
        self.rules = RULES
        self.published = self.store.new_parts(dataset.slug)

    def publish(self, records: Records, **made_from: str) -> PublishReport:
        self.edition += 1
        build = write_build(records, self.folder / "documents" / self.slug / f"build{self.edition}")
        return publish(
            self.registry,
            self.dataset(),
            build,
            self.store,
            rules=self.rules,
            made_from={"archive": f"edition{self.edition}", **made_from},
        )

    def dataset(self) -> Dataset:
        with self.registry.read() as connection:
            return get_dataset(connection, self.slug)

    def documents(self, kind: str = "specimen") -> dict[str, dict[str, object]]:
        with self.registry.read() as connection:
            current = objects.current_batches(connection, self.slug, kind)
        found = [json.loads(text) for text in iterate_current(self.store, self.slug, current)]
        return {document["@id"]: document for document in found}

    def suffixes(self, kind: str = "specimen") -> dict[str, str]:
        with self.registry.read() as connection:
            current = objects.current_objects(connection, self.slug, kind)
        return dict(zip(current["identity_key"].to_list(), current["suffix"].to_list(), strict=True))


def edition(*numbers: int, **changes: str) -> Records:
    records = Records()
    for number in numbers:
        key = SPECIMEN.format(number)
        records.documents[key] = {"ods:physicalSpecimenID": key, "dwc:locality": changes.get(f"n{number}", "here")}
    return records
