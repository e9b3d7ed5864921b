"""A made-up museum for the benchmarks of this folder: its registry, and builds as `opends.build` writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.identity.builds import documents, specimen_columns
from dissco_platform.identity.datacite.metadata import DataCiteContext
from dissco_platform.identity.parts import Rules
from dissco_platform.identity.publish import PublishReport, publish
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.datasets import add_dataset, get_dataset
from dissco_platform.store import DatasetStore

SLUG = "museum"
RULES = Rules(
    prefix="10.5555",
    yearly_quota=None,
    datacite=DataCiteContext(
        landing_page="https://specimens.example", publisher_id="https://ror.org/02wddde16", publisher_name="A publisher"
    ),
)
_KIB = "A place at the edge of the forest. " * 30


@dataclass(frozen=True)
class Edition:
    """What an archive held: specimens from `first` on; the first `changed` of them are called otherwise (`wording`).

    Every `media_every`-th specimen has a medium of its own (0: none has).
    """

    specimens: int
    first: int = 0
    changed: int = 0
    wording: str = "here"
    media_every: int = 0

    @property
    def name(self) -> str:
        """A name for its build."""
        return f"edition-{self.first}-{self.specimens}-{self.changed}-{self.wording}"


def open_museum(folder: Path, url: str | None = None) -> tuple[Registry, DatasetStore]:
    """Return a registry with one dataset (new if it has none), and the store in the folder."""
    registry = open_registry(url or f"sqlite:///{folder / 'registry.sqlite'}")
    with registry.write() as connection:
        from dissco_platform.registry.datasets import list_datasets

        if not list_datasets(connection):
            add_dataset(
                connection, slug=SLUG, source="none", organisation_id="https://ror.org/0566bfb96",
                organisation_name="A museum", source_system_id="https://hdl.handle.net/20.5000.1025/AAA-BBB-CCC",
                doi_only=False,
            )  # fmt: skip
    return registry, DatasetStore(folder)


def publish_edition(registry: Registry, store: DatasetStore, folder: Path, edition: Edition) -> PublishReport:
    """Write the edition's build if it is not there, and publish it."""
    build = folder / "documents" / SLUG / edition.name
    if not build.is_dir():
        write_build(build, edition)
    with registry.read() as connection:
        dataset = get_dataset(connection, SLUG)
    return publish(registry, dataset, build, store, rules=RULES, made_from={"archive": edition.name})


def write_build(folder: Path, edition: Edition) -> None:
    """Write the tables of an edition's build: 1 KiB documents, named so that each says something of its own."""
    partial = folder.with_name(f".{folder.name}")
    partial.mkdir(parents=True, exist_ok=True)
    row = pl.int_range(edition.first, edition.first + edition.specimens, dtype=pl.Int64)
    frame = pl.select(row.alias("row")).with_columns(
        pl.concat_str(pl.lit("https://museum.example/"), "row").alias("key"),
        pl.when(pl.col("row") < edition.first + edition.changed)
        .then(pl.lit(edition.wording))
        .otherwise(pl.lit("here"))
        .alias("place"),
        pl.when((pl.col("row") % edition.media_every == 0) if edition.media_every else pl.lit(False))
        .then(pl.concat_list(pl.concat_str(pl.lit("https://images.example/"), "row", pl.lit(".jpg"))))
        .otherwise(pl.lit([], pl.List(pl.String)))
        .alias("media_keys"),
    )
    frame = frame.with_columns(pl.concat_str("key", "place").alias("content_hash"))
    name = pl.concat_str(pl.lit("Parus major, found "), "place")
    frame.select(
        "row",
        pl.concat_str(pl.lit("MUS "), "row").alias("catalogNumber"),
        *specimen_columns(),
        pl.lit(False).alias("doi_only"),
        name.alias("specimen_name"),
        "media_keys",
        pl.lit(folder.name).alias("batch"),
    ).write_parquet(partial / "specimens.parquet")
    place = pl.concat_str("place", pl.lit(" "), "row")
    documents(frame, place, _KIB).write_parquet(partial / "documents.parquet", row_group_size=10_000)
    media = frame.explode("media_keys").drop_nulls("media_keys")
    link = pl.col("media_keys")
    media.select(
        link.alias("media_key"), link.alias("accessURI"), pl.lit("StillImage").alias("media_type"),
        pl.lit("image/jpeg").alias("format"), pl.lit("CC0-1.0").alias("licence"),
        pl.lit(None, pl.String).alias("rights_holder"), pl.lit(False).alias("doi_only"), link.alias("content_hash"),
        pl.concat_list("key").alias("specimen_ids"), pl.lit(folder.name).alias("batch"),
    ).write_parquet(partial / "media.parquet")  # fmt: skip
    content = pl.concat_str(pl.lit('{"ac:accessURI":"'), link, pl.lit('"}'))
    told: dict[str, Any] = {"content_hash": link, "content": content, "relationships": pl.lit("[]")}
    media.select(**told).write_parquet(partial / "media_documents.parquet")
    partial.rename(folder)
