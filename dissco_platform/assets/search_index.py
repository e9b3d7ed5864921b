"""`search_index`: what was published since the last time can be found in the portal, and its harvest is on record."""

from typing import Any

import dagster as dg
import polars as pl

from dissco_platform.assets.inputs import made_from
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.recording import (
    Materialized,
    Progress,
    Recorded,
    Recording,
    check_specs,
    is_forced,
    latest,
    required,
    result_again,
    reusable,
    told_plainly,
)
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.harvests import record_harvest
from dissco_platform.registry.objects import count_objects
from dissco_platform.resources import DatasetStoreResource, RegistryResource, SearchIndexResource
from dissco_platform.search.index import behind, forget, update_index
from dissco_platform.store import DatasetStore

EXAMPLES = 3  # of each reason for which rows were set aside
_LONGEST = 500


@dg.asset(
    partitions_def=datasets,
    deps=["registered_dois"],
    group_name=GROUPS["search_index"],
    kinds={"sqlite"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["search_index"],
    check_specs=check_specs("search_index", [("specimens_found", "Every specimen that has a DOI can be found.")]),
    description="Full text, facets, dates, places and identifiers of what is published. Only what changed is indexed.",
)
def search_index(
    context: dg.AssetExecutionContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    search: SearchIndexResource,
) -> Materialized:
    """Index what was published since the last time."""
    slug = context.partition_key
    with told_plainly(context), registry.opened() as known, search.opened() as index:
        published = required(context, "registered_dois")
        inputs = made_from("search_index", {"registered_dois": published.data_version})
        found = reusable(context, "search_index", inputs)
        if found is not None and slug not in behind(index, known):
            return result_again(context, found)
        files = store.store()
        recording = Recording(inputs)
        before = latest(context.instance, "search_index", slug)
        if is_forced(context) or (before is not None and before.made_from.get("code") != inputs["code"]):
            forget(index, slug)
        done = update_index(index, known, files, slug, told=Progress(context, "search_index"))
        _keep_harvest(context, known, files, slug, published)
        with known.read() as connection:
            counted = count_objects(connection, slug)
        listed = sum(
            count
            for (kind, state, _, _), count in counted.items()
            if kind == "specimen" and state in {"active", "missing"}
        )
        recording.count(entries=done.entries, replaced=done.replaced, removed=done.removed, parts=done.batches)
        recording.check(
            "specimens_found",
            done.entries == listed,
            f"{done.entries} specimens can be found, {listed} are published",
            entries=done.entries,
            published=listed,
        )
        return recording.result(published.data_version)


def _keep_harvest(
    context: dg.AssetExecutionContext, registry: Registry, store: DatasetStore, slug: str, published: Recorded
) -> None:
    """Record what the publication came to, for the dataset's page."""
    with registry.read() as connection:
        moment = get_dataset(connection, slug).summary.get("published")
    if not moment:
        return
    parsed, built = (
        latest(context.instance, "parsed_records", slug),
        latest(context.instance, "digital_specimens", slug),
    )
    raw = latest(context.instance, "raw_archive", slug)
    body: dict[str, Any] = {"made_from": published.json("origin"), "counts": {}, "examples": {}, "checks": []}
    if raw:
        body["source"] = raw.text("source")
    counts = body["counts"]
    if parsed:
        counts["records"] = parsed.number("records") + parsed.number("rejects")
        body["rejects"] = parsed.json("rejects_by_reason")
        body["extension_rejects"] = parsed.json("extension_rejects_by_reason")
        body["kind"] = parsed.text("kind")
        body["columns"] = parsed.json("columns")
        body["examples"] |= _examples(store, "parsed_records", slug, parsed.data_version)
    if built:
        for reason, count in built.json("rejects_by_reason").items():
            body.setdefault("rejects", {})[reason] = body.get("rejects", {}).get(reason, 0) + count
        body["media_rejects"] = built.json("media_rejects_by_reason")
        for name in ("match_types", "mids", "disciplines", "doi_only_reasons"):
            body[name] = built.json(name)
        body["examples"] |= _examples(store, "digital_specimens", slug, built.data_version)
    counts |= {name: published.number(name) for name in ("specimens", "doi_only", "media", "held", "waiting_quota")} | {
        name: published.number(f"versions_{name}") for name in ("new", "changed", "unchanged", "missing", "tombstoned")
    }
    for found in (parsed, built, published):
        if found:
            body["checks"] += [
                {key: check[key] for key in ("name", "passed", "severity", "description")}
                for check in found.json("checks").get("results", [])
            ]
    with registry.write() as connection:
        record_harvest(connection, slug, moment, body)


def _examples(store: DatasetStore, stage: str, slug: str, version: str) -> dict[str, list[dict[str, Any]]]:
    """Return a few of the rows that were set aside, by reason."""
    if not store.has(stage, slug, version):
        return {}
    path = store.path(stage, slug, version) / "rejects.parquet"
    if not path.exists():
        return {}
    rejects = pl.scan_parquet(path)
    columns = set(rejects.collect_schema().names())
    picked = (
        rejects.with_columns(pl.int_range(pl.len()).over("reason").alias("nth"))
        .filter(pl.col("nth") < EXAMPLES)
        .select(
            "reason",
            pl.col("source_file").alias("file"),
            pl.col("source_line").alias("line"),
            pl.col("message").str.head(_LONGEST),
            (pl.col("raw") if "raw" in columns else pl.lit(None, pl.String)).str.head(_LONGEST).alias("raw"),
        )
        .collect()
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in picked.to_dicts():
        found.setdefault(row.pop("reason"), []).append(row)
    return found
