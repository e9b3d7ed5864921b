"""What a dataset is, as far as its documents say so: whose it is, where it comes from, under which licence."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """A dataset's own settings.

    `source_system_id` is its permanent handle (`https://hdl.handle.net/20.5000.1025/XXX-XXX-XXX`), `licence` the
    dataset's own licence as written, `doi_only` the dataset's choice to publish no documents.
    """

    slug: str
    organisation_id: str
    organisation_name: str | None
    source_system_id: str
    source_system_name: str | None
    doi_only: bool = False
    licence: str | None = None
    publisher: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the settings that reach documents, for the hash of a build's inputs."""
        return asdict(self)
