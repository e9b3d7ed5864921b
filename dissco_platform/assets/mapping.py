"""`mapping`: the base mapping and the dataset's own overrides, resolved."""

import dagster as dg

from dissco_platform.assets.inputs import Facts, made_from, resolve_mappings
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.recording import Materialized, Recording, latest, result_again, reusable, told_plainly
from dissco_platform.provenance import json_version
from dissco_platform.resources import DatasetStoreResource, MappingFiles


@dg.asset(
    partitions_def=datasets,
    group_name=GROUPS["mapping"],
    kinds={"yaml"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["mapping"],
    description="Which source term feeds which openDS term, by which transform: base mapping plus the dataset's overrides.",
)
def mapping(
    context: dg.AssetExecutionContext, store: DatasetStoreResource, mapping_files: MappingFiles
) -> Materialized:
    """Resolve and check the dataset's mapping."""
    slug = context.partition_key
    with told_plainly(context):
        parsed = latest(context.instance, "parsed_records", slug)
        mappings = resolve_mappings(mapping_files.path(), slug, parsed.text("kind") if parsed else None)
        versions = {kind: resolved.version for kind, resolved in mappings.items()}
        inputs = made_from("mapping", {}, Facts(mapping=versions))
        if found := reusable(context, "mapping", inputs, store.store()):
            return result_again(context, found)
        recording = Recording(inputs)
        with store.store().building("mapping", slug) as build:
            for kind, resolved in mappings.items():
                (build.path / f"{kind}.json").write_text(resolved.to_json())
            path = build.publish(json_version(versions))
        recording.metadata["dagster/uri"] = str(path)
        recording.metadata["versions"] = dg.MetadataValue.json(versions)
        return recording.result(json_version(versions))
