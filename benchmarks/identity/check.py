"""Is a museum's final state what its editions ask for? Reads registry, parts and the DOI service; knows of no run.

Every specimen exactly one DOI; every version once, in order, and with its own content; the DOI service holds exactly our
DOIs, findable, each as its current version says; nothing queued. What it expects follows from the editions alone.
"""

from collections import defaultdict

import httpx
import orjson
import polars as pl
from sqlalchemy import select

from benchmarks.identity.editions import RULES, SLUG, Edition
from dissco_platform.identity.verify import verify
from dissco_platform.registry import Registry
from dissco_platform.registry.tables import batch, digital_object, outbox, version
from dissco_platform.store import DatasetStore

TITLE = "Parus major, found {}"


def expected(editions: list[Edition]) -> dict[str, list[str]]:
    """Return each specimen's wordings, one a version."""
    said: dict[str, list[str]] = defaultdict(list)
    for edition in editions:
        for row in range(edition.first, edition.first + edition.specimens):
            wording = edition.wording if row < edition.first + edition.changed else "here"
            versions = said[f"https://museum.example/{row}"]
            if not versions or versions[-1] != wording:
                versions.append(wording)
    return dict(said)


def problems(registry: Registry, store: DatasetStore, url: str, editions: list[Edition]) -> list[str]:
    """Return everything that is not as the editions ask for; an empty list is a whole state."""
    wanted, found = expected(editions), []
    with registry.read() as connection:
        o, v = digital_object.c, version.c
        objects = connection.execute(select(o.identity_key, o.suffix, o.version, o.doi_state, o.kind)).all()
        rows = connection.execute(
            select(o.identity_key, o.suffix, v.version, batch.c.path)
            .join(version, v.object_id == o.id)
            .join(batch, batch.c.id == v.batch_id)
            .where(o.kind == "specimen")
            .order_by(o.identity_key, v.version)
        ).all()
        queued = len(connection.execute(select(outbox.c.object_id)).all())
    specimens = [row for row in objects if row.kind == "specimen"]
    if sorted(row.identity_key for row in specimens) != sorted(wanted):
        found.append(f"{len(specimens)} specimens, {len(wanted)} expected")
    if len({row.suffix for row in objects} - {None}) != len(objects):
        found.append("DOIs that are missing or given twice")
    if queued:
        found.append(f"{queued} records queued")
    if unregistered := sum(row.doi_state != "registered" for row in objects):
        found.append(f"{unregistered} DOIs not registered")
    texts: dict[tuple[str, int], str] = {}
    for path in {row.path for row in rows}:
        part = pl.read_parquet(store.part(SLUG, path), columns=["suffix", "version", "document"])
        texts |= {(suffix, number): document for suffix, number, document in part.iter_rows()}
    said: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.version != len(said[row.identity_key]) + 1:
            found.append(f"{row.identity_key}: version {row.version} out of order")
        document = orjson.loads(texts.get((row.suffix, row.version), "{}"))
        said[row.identity_key].append(str(document.get("dwc:locality")).split(" ")[0])
    found += [f"{key}: {said.get(key)} instead of {words}" for key, words in wanted.items() if said.get(key) != words]
    there = {record["doi"]: record for record in _at_service(url)}
    ours = {f"{RULES.prefix}/{row.suffix}".lower(): row for row in objects}
    if set(there) != set(ours):
        found.append(f"{len(set(there) - set(ours))} DOIs unknown here, {len(set(ours) - set(there))} unknown there")
    for doi, row in ours.items():
        record = there.get(doi)
        if record is None or row.kind != "specimen":
            continue
        title = TITLE.format(wanted.get(row.identity_key, ["?"])[-1])
        if record["state"] != "findable" or record["titles"] != [{"title": title}]:
            found.append(f"{doi}: {record['state']}, {record['titles']} instead of {title}")
    for finding in verify(registry, store, RULES.prefix):
        if finding.code != "orphan_part":  # debris of a kill, swept by `dissco registry verify --sweep --yes`
            found.append(f"{finding.code}: {finding.count}, for example {finding.example}")
    return found


def _at_service(url: str) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    following: str | None = f"{url}/dois?page[size]=1000&page[cursor]=1&sort=created"
    while following:
        page = httpx.get(following, auth=("DISSCO.SANDBOX", "sandbox"), timeout=60).json()
        records += [{**entry["attributes"], "doi": entry["id"].lower()} for entry in page["data"]]
        following = page.get("links", {}).get("next") if page["data"] else None
    return records
