"""Is the registry whole? Reads only final state: identities, versions, part files; what DataCite holds if it is asked.

Each finding is a sentence with a code. Nothing is mended here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select

from dissco_platform.registry import Registry
from dissco_platform.registry.bulk import fetch_frame
from dissco_platform.registry.tables import batch, digital_object, ending, outbox, version
from dissco_platform.store import DatasetStore


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be: a stable code, how many, and one example."""

    code: str
    count: int
    example: str


_MEANING = {
    "versions_not_contiguous": "objects whose versions are not 1, 2, 3 … up to the current one",
    "content_hash_differs": "objects whose content hash is not that of their current version",
    "part_missing": "part files that the registry names and the store does not have",
    "document_missing": "versions whose document is not in its part",
    "document_unknown": "rows of parts that no version names",
    "document_misnamed": "documents that carry another DOI or version than their row",
    "orphan_part": "part files that no publication names (debris of a killed process)",
    "not_published": "DOIs that an earlier version of this software reserved and never published (the next run goes on)",
    "unregistered": "published objects that DataCite does not have and that are not queued",
    "unknown_at_datacite": "DOIs at DataCite that the registry does not have",
    "state_differs": "DOIs that are in another state at DataCite than they should be",
    "url_differs": "DOIs that lead elsewhere than to their landing page",
}


# Findings of a comparison with DataCite's list.
AT_DATACITE = ("unregistered", "unknown_at_datacite", "state_differs", "url_differs")


def meaning(code: str) -> str:
    """Return what a finding's code stands for."""
    return _MEANING[code]


def verify(
    registry: Registry,
    store: DatasetStore,
    prefix: str,
    *,
    at_datacite: Iterable[Mapping[str, Any]] | None = None,
    landing_page: str | None = None,
) -> list[Finding]:
    """Return everything that is wrong; an empty list is a whole registry.

    Args:
        registry: identities and versions.
        store: holds the published parts.
        prefix: the DOI prefix.
        at_datacite: records with `doi` and, to be compared as well, `state` and `url` (`DataCiteClient.walk`).
        landing_page: base address of the pages that DOIs lead to.
    """
    found: list[Finding] = []
    with registry.read() as connection:
        _versions(connection, found)
        _parts(connection, store, prefix, found)
        if at_datacite is not None:
            _datacite(connection, prefix, at_datacite, landing_page, found)
    return found


def _add(found: list[Finding], code: str, examples: pl.Series) -> None:
    if examples.len():
        found.append(Finding(code, examples.len(), str(examples[0])))


def _versions(connection: Connection, found: list[Finding]) -> None:
    o, v = digital_object.c, version.c
    numbers = (
        select(
            v.object_id, func.min(v.version).label("first"), func.max(v.version).label("last"), func.count().label("n")
        )
        .group_by(v.object_id)
        .subquery()
    )
    query = select(o.suffix, o.version, o.state, numbers.c.first, numbers.c.last, numbers.c.n).outerjoin(
        numbers, numbers.c.object_id == o.id
    )
    schema: dict[str, Any] = {
        "suffix": pl.String,
        "version": pl.Int64,
        "state": pl.String,
        "first": pl.Int64,
        "last": pl.Int64,
        "n": pl.Int64,
    }
    frame = fetch_frame(connection, query, schema)
    unpublished = (pl.col("version") == 0) & pl.col("n").is_null()
    whole = (pl.col("first") == 1) & (pl.col("last") == pl.col("version")) & (pl.col("n") == pl.col("version"))
    _add(found, "versions_not_contiguous", frame.filter(~(whole.fill_null(False) | unpublished))["suffix"])
    _add(found, "not_published", frame.filter(unpublished & (pl.col("state") != "waiting_quota"))["suffix"])
    differs = (
        select(o.suffix)
        .join(version, (v.object_id == o.id) & (v.version == o.version))
        .where(v.content_hash != o.content_hash)
    )
    _add(found, "content_hash_differs", fetch_frame(connection, differs, {"suffix": pl.String()})["suffix"])


def _parts(connection: Connection, store: DatasetStore, prefix: str, found: list[Finding]) -> None:
    missing: list[str] = []
    absent: list[str] = []
    unknown: list[str] = []
    misnamed: list[str] = []
    named: set[str] = set()
    there = sorted("/".join(part) for part in store.parts())
    for row in connection.execute(select(batch.c.id, batch.c.dataset, batch.c.path).order_by(batch.c.id)).all():
        name = f"{row.dataset}/{row.path}"
        named.add(name)
        if name not in there:
            missing.append(name)
            continue
        query = (
            select(digital_object.c.suffix, version.c.version)
            .join(digital_object, digital_object.c.id == version.c.object_id)
            .where(version.c.batch_id == row.id)
        )
        wanted = fetch_frame(connection, query, {"suffix": pl.String(), "version": pl.Int64()})
        held = pl.read_parquet(store.part(row.dataset, row.path), columns=["suffix", "version", "document"])
        keys = ["suffix", "version"]
        absent += wanted.join(held, on=keys, how="anti")["suffix"].to_list()
        unknown += held.join(wanted, on=keys, how="anti")["suffix"].to_list()
        start = pl.concat_str([pl.lit(f'{{"@id":"https://doi.org/{prefix}/'), pl.col("suffix"), pl.lit('"')])
        number = pl.concat_str([pl.lit('"ods:version":'), pl.col("version").cast(pl.String), pl.lit(",")])
        fits = pl.col("document").str.starts_with(start) & pl.col("document").str.contains(number, literal=True)
        misnamed += held.filter(pl.col("document").is_not_null() & ~fits)["suffix"].to_list()
    orphans = [name for name in there if name not in named]
    for code, names in (
        ("part_missing", missing),
        ("document_missing", absent),
        ("document_unknown", unknown),
        ("document_misnamed", misnamed),
        ("orphan_part", orphans),
    ):
        _add(found, code, pl.Series(names, dtype=pl.String))


def _datacite(
    connection: Connection,
    prefix: str,
    records: Iterable[Mapping[str, Any]],
    landing_page: str | None,
    found: list[Finding],
) -> None:
    fields: dict[str, Any] = {"doi": pl.String, "state": pl.String, "url": pl.String}
    theirs = pl.DataFrame(
        [tuple(record.get(name) for name in fields) for record in records], schema=fields, orient="row"
    ).with_columns(pl.col("doi").str.to_uppercase())
    query = (
        select(digital_object.c.suffix, digital_object.c.state, ending.c.kind, outbox.c.object_id)
        .outerjoin(outbox, outbox.c.object_id == digital_object.c.id)
        .outerjoin(ending, ending.c.object_id == digital_object.c.id)
        .where(digital_object.c.suffix.is_not(None), digital_object.c.version > 0)
    )
    schema: dict[str, Any] = {"suffix": pl.String, "own_state": pl.String, "ending": pl.String, "queued": pl.Int64}
    ours = fetch_frame(connection, query, schema).with_columns(doi=pl.concat_str([pl.lit(f"{prefix}/"), "suffix"]))
    settled = ours.filter(pl.col("queued").is_null())
    _add(found, "unregistered", settled.join(theirs, on="doi", how="anti")["doi"])
    _add(found, "unknown_at_datacite", theirs.join(ours, on="doi", how="anti").sort("doi")["doi"])
    both = settled.join(theirs, on="doi")
    hidden = (pl.col("own_state") == "tombstoned") & (pl.col("ending").fill_null("") != "merged")
    wanted = pl.when(hidden).then(pl.lit("registered")).otherwise(pl.lit("findable"))
    _add(found, "state_differs", both.filter(pl.col("state") != wanted)["doi"])
    if landing_page is not None:
        page = pl.concat_str([pl.lit(landing_page.rstrip("/") + "/"), "doi"])
        _add(found, "url_differs", both.filter(pl.col("url") != page)["doi"])
