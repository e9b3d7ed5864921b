"""Releases of a checklist: where new ones are listed, and what taking one into use would change for a dataset.

Listings: the JSON of ChecklistBank's API (`GET /dataset?releasedFrom=3&sortBy=created`: `result[]` with `key`, `alias`,
`version`, `issued`, `title`, `private`), or a folder with ColDP archives. Nothing is put into use here.
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml

from dissco_platform.errors import ChecklistError
from dissco_platform.names.harmonise import harmonise
from dissco_platform.names.index import Backbone
from dissco_platform.names.keys import name_key
from dissco_platform.names.overrides import Overrides

EXAMPLES_SHOWN = 10
_LARGEST_METADATA = 2**20


@dataclass(frozen=True)
class Release:
    """One release of a checklist; `issued` is its date as ISO 8601, `source` where its archive is."""

    key: str
    label: str
    issued: str
    source: str
    title: str = ""


def read_listing(address: str, content: bytes, download: str) -> list[Release]:
    """Return the public releases of a listing, the newest first.

    Args:
        address: where it came from, for messages.
        content: JSON as ChecklistBank's API gives it.
        download: address of an archive with `{key}`, `{issued}`, `{version}`, `{alias}` to be filled in.

    Raises:
        ChecklistError: it is no such listing, or the download's address has other blanks.
    """
    try:
        entries = orjson.loads(content)["result"]
        found = [_listed(entry, download) for entry in entries if not entry.get("private")]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ChecklistError(
            f"{address} is no listing of releases ({type(error).__name__}: {error}); "
            "see DISSCO_CHECKLIST_RELEASES and DISSCO_CHECKLIST_DOWNLOAD in docs/settings.md."
        ) from error
    return sorted(found, key=lambda release: (release.issued, release.key), reverse=True)


def _listed(entry: dict[str, Any], download: str) -> Release:
    blanks = {name: str(entry.get(name) or "") for name in ("key", "issued", "version", "alias")}
    label = " ".join(part for part in (blanks["alias"], blanks["version"]) if part) or blanks["key"]
    return Release(
        blanks["key"][:64], label, blanks["issued"], download.format(**blanks), str(entry.get("title") or "")
    )


def releases_in(folder: Path) -> list[Release]:
    """Return the ColDP archives of a folder that say what they are, the newest first.

    Raises:
        ChecklistError: there is no such folder.
    """
    if not folder.is_dir():
        raise ChecklistError(f"{folder}, where releases of the checklist should lie, is no folder.")
    found = [release for path in sorted(folder.glob("*.zip")) if (release := release_of(path)) is not None]
    return sorted(found, key=lambda release: (release.issued, release.key), reverse=True)


def release_of(path: Path) -> Release | None:
    """Return what a ColDP archive says of itself in `metadata.yaml`; None where it does not."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = next((m for m in archive.infolist() if Path(m.filename).name == "metadata.yaml"), None)
            if member is None or member.file_size > _LARGEST_METADATA:
                return None
            about = yaml.safe_load(archive.read(member))
    except (OSError, zipfile.BadZipFile, yaml.YAMLError, UnicodeDecodeError, RuntimeError):
        return None
    if not isinstance(about, dict):
        return None
    key, version, issued = (str(about.get(name) or "") for name in ("alias", "version", "issued"))
    label = " ".join(part for part in (key or str(about.get("key") or ""), version or issued) if part) or path.stem
    return Release(path.stem[:64], label, issued or version, str(path), str(about.get("title") or ""))


@dataclass(frozen=True)
class Effect:
    """What a release would change for one dataset: counts of distinct names, and of the records that bear them."""

    names: int
    records: int
    accepted_changed: int
    records_changed: int
    found: int  # names that the present checklist does not know and the release does
    lost: int  # the other way
    examples: list[dict[str, Any]] = field(default_factory=list)  # the changes that concern the most records


def release_effect(
    parsed: Path,
    present: Path,
    release: Backbone,
    scratch: Path,
    *,
    overrides: Overrides | None = None,
    cache: Path | None = None,
) -> Effect:
    """Match a dataset's names with a release and compare the accepted names with the present ones.

    Args:
        parsed: folder of its parsed tables.
        present: its `names.parquet` (see `harmonise`).
        release: the release's opened index.
        scratch: an empty folder for the other result.
        overrides: curators' decisions for the dataset.
        cache: folder of kept parses.
    """
    harmonise(parsed, release, scratch, overrides=overrides, cache=cache)
    wanted = [pl.col("name_key", "matchType", "acceptedName"), pl.col("dwc:scientificName").alias("scientificName")]
    other = pl.scan_parquet(scratch / "names.parquet").select(wanted)
    both = (
        pl.scan_parquet(present)
        .select(wanted)
        .join(other, on="name_key", how="left", suffix="_new")
        .join(_records(parsed), on="name_key", how="left")
        .with_columns(
            pl.col("records").fill_null(0), changed=pl.col("acceptedName").ne_missing(pl.col("acceptedName_new"))
        )
    )
    none, none_new = pl.col("matchType") == "none", pl.col("matchType_new") == "none"
    counts = both.select(
        names=pl.len(),
        records=pl.col("records").sum(),
        accepted_changed=pl.col("changed").sum(),
        records_changed=pl.col("records").filter("changed").sum(),
        found=(none & ~none_new).sum(),
        lost=(~none & none_new).sum(),
    ).collect()
    examples = (
        both.filter("changed")
        .sort("records", "scientificName", descending=[True, False])
        .head(EXAMPLES_SHOWN)
        .select("scientificName", "records", before="acceptedName", after="acceptedName_new")
        .collect()
    )
    return Effect(
        **{name: int(value or 0) for name, value in counts.row(0, named=True).items()}, examples=examples.to_dicts()
    )


def _records(parsed: Path) -> pl.LazyFrame:
    frame = pl.scan_parquet(parsed / "records.parquet")
    key = name_key(frame.collect_schema().names())
    return frame.select(key).group_by("name_key").agg(records=pl.len())


def used_ids(names: Iterable[Path]) -> list[str]:
    """Return the usages that datasets' harmonised names (`names.parquet`) lead to, each once."""
    files = list(names)
    if not files:
        return []
    ids = pl.scan_parquet(files).select(pl.col("acceptedUsageID").drop_nulls().unique()).collect()
    return sorted(set(ids["acceptedUsageID"].to_list()))
