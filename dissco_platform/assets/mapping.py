"""`mapping`: the base mapping and the dataset's own overrides, resolved."""

import shutil
from pathlib import Path

import dagster as dg

from dissco_platform.assets.descriptions import DESCRIPTIONS
from dissco_platform.assets.inputs import Facts, made_from
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.pinned import mappings_in_force
from dissco_platform.assets.recording import Materialized, Recording, latest, result_again, reusable, told_plainly
from dissco_platform.opends.mapping import Mapping as TermMapping
from dissco_platform.provenance import json_version
from dissco_platform.registry.pins import pins_of
from dissco_platform.resources import DatasetStoreResource, MappingFiles, RegistryResource


@dg.asset(
    partitions_def=datasets,
    group_name=GROUPS["mapping"],
    kinds={"yaml"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["mapping"],
    description=DESCRIPTIONS["mapping"],
)
def mapping(
    context: dg.AssetExecutionContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    mapping_files: MappingFiles,
) -> Materialized:
    """Resolve and check the dataset's mapping, or take the one that it is pinned to."""
    slug = context.partition_key
    with told_plainly(context):
        with registry.opened() as known, known.read() as connection:
            pin = pins_of(connection, slug).mapping
        parsed = latest(context.instance, "parsed_records", slug)
        folder = mapping_files.path()
        mappings = mappings_in_force(store.store(), folder, slug, parsed.text("kind") if parsed else None, pin)
        versions = {kind: resolved.version for kind, resolved in mappings.items()}
        inputs = made_from("mapping", {}, Facts(mapping=versions))
        if found := reusable(context, "mapping", inputs, store.store()):
            return result_again(context, found)
        recording = Recording(inputs)
        version = pin.version if pin is not None else json_version(versions)
        if pin is None:
            with store.store().building("mapping", slug) as build:
                _write(mappings, build.path)
                build.publish(version)
        rules = {kind: sum(map(len, resolved.blocks.values())) for kind, resolved in mappings.items()}
        recording.count(rules=max(rules.values(), default=0))
        recording.metadata["dagster/uri"] = store.store().address("mapping", slug, version)
        recording.metadata["versions"] = dg.MetadataValue.json(pin.facts if pin is not None else versions)
        own = folder / "datasets" / f"{slug}.yaml"
        recording.metadata["overrides"] = str(own) if own.is_file() else f"none (they would be in {own})"
        if pin is not None:
            recording.metadata["pinned"] = pin.text
        return recording.result(version)


def _write(mappings: dict[str, TermMapping], folder: Path) -> None:
    """Write resolved mappings with the vocabularies beside them, so that they can be taken into force again."""
    for kind, resolved in mappings.items():
        (folder / f"{kind}.json").write_text(resolved.to_json())
        if resolved.vocabulary_folder is not None:
            (folder / "vocabularies").mkdir(exist_ok=True)
            for path in resolved.vocabulary_folder.glob("*.tsv"):
                shutil.copyfile(path, folder / "vocabularies" / path.name)
