"""The trial load of a pre-registered dataset: fetched, read, names matched, documents built and validated; no DOIs.

It runs the very functions of the chain into a throw-away folder. What its figures mean for the requirements is
`requirements`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dissco_platform.archives import ParsedArchive, read_archive
from dissco_platform.archives.sources import fetch_source
from dissco_platform.errors import ArchiveError, SourceError
from dissco_platform.http import HttpClient
from dissco_platform.localfiles import local_path
from dissco_platform.names.harmonise import HarmoniseReport, harmonise
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import Mapping as TermMapping
from dissco_platform.opends.outputs import BuildReport

# Stands where the permanent handle will: documents are validated with it and thrown away.
PLACEHOLDER_SYSTEM = "https://hdl.handle.net/20.5000.1025/XXX-XXX-XXX"

# What a provider knows its rows by, in this order; an example shows those that the archive has.
_TELLING = (
    "dwc:catalogNumber", "dwc:occurrenceID", "dwc:institutionCode", "dwc:collectionCode", "dwc:basisOfRecord",
    "dwc:scientificName", "abcd:UnitID", "abcd:UnitGUID", "abcd:SourceInstitutionID",
    "abcd:SourceID", "abcd:RecordBasis",
)  # fmt: skip
EXAMPLES = 3
_PRIVATE = re.compile(r"(\S+) lies on a private network.*$", re.DOTALL)
# Reasons whose requirement says all there is to say; their messages speak of our own terms.
_SAID = ("missing_identifier",)


@dataclass(frozen=True)
class Wanted:
    """What an applicant asks for: the address, the institution as given, and DOIs only or full specimens."""

    slug: str
    source: str
    organisation: str
    organisation_name: str | None = None
    doi_only: bool = False


@dataclass
class Trial:
    """What came of the trial load; parts that were not reached are None, `fetch_error` and `archive_error` say why."""

    name: str = ""
    """Last part of the address: what the provider calls the file."""
    is_local: bool = False
    size: int = 0
    sha256: str = ""
    fetch_error: str | None = None
    archive_error: ArchiveError | None = None
    archive: ParsedArchive | None = None
    names: HarmoniseReport | None = None
    report: BuildReport | None = None
    parsed: Path = field(default_factory=Path)
    built: Path = field(default_factory=Path)

    def rejects(self) -> pl.DataFrame:
        """Return what was set aside: `source_file, source_line, reason, message, row` (row: null before the tables)."""
        columns = ["source_file", "source_line", "reason", "message"]
        early = pl.scan_parquet(self.parsed / "rejects.parquet").filter(pl.col("table") == "records")
        late = pl.scan_parquet(self.built / "rejects.parquet")
        return pl.concat(
            [
                early.select(*columns, pl.lit(None, pl.Int64).alias("row")),
                late.select(*columns, "row"),
            ]
        ).collect()

    def specimens(self, *columns: str) -> pl.DataFrame:
        """Return columns of the specimens."""
        return pl.scan_parquet(self.built / "specimens.parquet").select(columns).collect()

    def media(self) -> pl.DataFrame:
        """Return the distinct media: `accessURI, licence, doi_only`; empty where there are none."""
        path = self.built / "media.parquet"
        columns = ["accessURI", "licence", "doi_only"]
        if not path.is_file():
            return pl.DataFrame(schema={"accessURI": pl.String, "licence": pl.String, "doi_only": pl.Boolean})
        return pl.scan_parquet(path).select(columns).collect()

    def has_column(self, *names: str) -> bool:
        """Say whether the dataset has one of the columns."""
        known = pl.scan_parquet(self.parsed / "records.parquet").collect_schema().names()
        return any(name in known for name in names)

    def examples(self, rows: pl.DataFrame, *more: str) -> list[dict[str, Any]]:
        """Return the provider's own first rows among the given ones (`row, source_file, source_line`, maybe `message`).

        `more`: columns of the given rows that are shown as well.
        """
        first = rows.sort("source_file", "source_line").head(EXAMPLES)
        scan = pl.scan_parquet(self.parsed / "records.parquet")
        telling = [column for column in _TELLING if column in scan.collect_schema().names()]
        wanted = first["row"].drop_nulls().implode()
        own = {
            row.pop("row"): row
            for row in scan.filter(pl.col("row").is_in(wanted)).select("row", *telling).collect().to_dicts()
        }
        return [
            {
                "file": self.name if row["source_file"] == self.sha256 else row["source_file"],
                "line": row["source_line"],
                **{name.partition(":")[2]: value for name, value in own.get(row["row"], {}).items()},
                **{name: row[name] for name in more},
                **({"what": row["message"]} if row.get("message") and row["reason"] not in _SAID else {}),
            }
            for row in first.to_dicts()
        ]


def for_strangers(error: SourceError) -> str:
    """Return what an applicant is told of an address that could not be read: nothing of our own network."""
    said = _PRIVATE.sub(r"\1 does not lie on the public internet; sources must be publicly reachable.", str(error))
    return said.replace(" that DISSCO_DOWNLOAD_MAX_BYTES allows", " that are allowed").replace(
        " that DISSCO_DOWNLOAD_TIMEOUT_SECONDS allows", " that are allowed"
    )


def load_for_trial(
    wanted: Wanted,
    folder: Path,
    *,
    http: HttpClient,
    mapping_of: Callable[[str], TermMapping],
    organisation_id: str | None,
    backbone: Path | None,
) -> Trial:
    """Fetch and load a dataset into the empty folder `folder`.

    The address comes from a stranger: only public hosts are asked (`http.HttpClient`). A path on this machine is read
    where an operator gave it.

    Args:
        wanted: the application.
        folder: empty; may be removed afterwards.
        http: the client for sources.
        mapping_of: kind of archive → mapping.
        organisation_id: the institution, where its identifier is well-formed.
        backbone: folder of the checklist in use; None: names are not matched.
    """
    trial = Trial(
        name=wanted.source.rsplit("/", 1)[-1],
        is_local=local_path(wanted.source) is not None,
        parsed=folder / "parsed",
        built=folder / "built",
    )
    names = folder / "names"
    for path in (trial.parsed, trial.built, names):
        path.mkdir(parents=True)
    try:
        fetched = fetch_source(http, wanted.source, folder / "blobs")
    except SourceError as error:
        trial.fetch_error = for_strangers(error)
        return trial
    trial.size, trial.sha256 = fetched.size, fetched.sha256
    try:
        archive = trial.archive = read_archive(fetched.path, trial.parsed)
    except ArchiveError as error:
        said = str(error).replace(str(fetched.path), wanted.source).replace(fetched.path.name, "the archive")
        trial.archive_error = ArchiveError(said, reason=error.reason)
        return trial
    if backbone is not None:
        trial.names = harmonise(trial.parsed, backbone, names)
    trial.report = build_specimens(
        trial.parsed,
        names,
        mapping_of(archive.kind),
        DatasetContext(
            slug=wanted.slug,
            organisation_id=organisation_id or "https://ror.org/02wddde16",  # holds a place, as the handle does
            organisation_name=wanted.organisation_name or archive.metadata.get("publisher"),
            source_system_id=PLACEHOLDER_SYSTEM,
            source_system_name=archive.metadata.get("title") or wanted.slug,
            licence=archive.metadata.get("license"),
            publisher=archive.metadata.get("publisher"),
        ),
        trial.built,
        batch="trial",
    )
    return trial
