"""`taxon_harmonised`: the dataset's distinct names with their place in the Catalogue of Life."""

import dagster as dg

from dissco_platform.assets.descriptions import DESCRIPTIONS
from dissco_platform.assets.inputs import Facts, made_from, name_overrides
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.pinned import CHECKLIST, pinned_checklist
from dissco_platform.assets.recording import (
    Materialized,
    Progress,
    Recording,
    check_specs,
    is_forced,
    latest,
    required,
    result_again,
    reusable,
    told_plainly,
)
from dissco_platform.assets.summaries import names_text
from dissco_platform.names.harmonise import harmonise
from dissco_platform.names.match_types import AS_WRITTEN
from dissco_platform.registry.pins import pins_of
from dissco_platform.resources import DatasetStoreResource, MappingFiles, RegistryResource


@dg.asset(
    partitions_def=datasets,
    deps=["parsed_records", "catalogue_of_life"],
    group_name=GROUPS["taxon_harmonised"],
    kinds={"parquet", "polars"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["taxon_harmonised"],
    check_specs=check_specs("taxon_harmonised", [("names_matched", "Records whose name is found in the checklist.")]),
    description=DESCRIPTIONS["taxon_harmonised"],
)
def taxon_harmonised(
    context: dg.AssetExecutionContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    mapping_files: MappingFiles,
) -> Materialized:
    """Match the dataset's names with the checklist in use, or with the release that it is pinned to."""
    slug = context.partition_key
    with told_plainly(context):
        with registry.opened() as known, known.read() as connection:
            pin = pins_of(connection, slug).checklist
        parsed = required(context, "parsed_records")
        checklist = pinned_checklist(pin) if pin is not None else required(context, "catalogue_of_life")
        versions = {"parsed_records": parsed.data_version, "catalogue_of_life": checklist.data_version}
        overrides = name_overrides(mapping_files.path(), slug)
        inputs = made_from("taxon_harmonised", versions, Facts(overrides=overrides.version))
        if found := reusable(context, "taxon_harmonised", inputs, store.store()):
            return result_again(context, found)
        recording = Recording(inputs)
        files = store.store()
        before = None if is_forced(context) else latest(context.instance, "taxon_harmonised", slug)
        previous = (
            files.path("taxon_harmonised", slug, before.data_version)
            if before
            and before.made_from.get("code") == inputs["code"]
            and files.has("taxon_harmonised", slug, before.data_version)
            else None
        )
        with files.building("taxon_harmonised", slug) as build:
            report = harmonise(
                files.path("parsed_records", slug, parsed.data_version),
                files.path("catalogue_of_life", CHECKLIST, checklist.data_version),
                build.path,
                overrides=overrides,
                cache=None if is_forced(context) else files.root / "name_parses",
                previous=previous,
            )
            path = build.publish(report.data_version)
        distinct = sum(report.names.values())
        Progress(context, "taxon_harmonised")("distinct names", distinct)
        matches = dict(report.records)
        recording.count(distinct_names=distinct, **{f"matched_{name}": n for name, n in matches.items()})
        known_as_written = sum(matches.get(kind, 0) for kind in AS_WRITTEN)
        recording.metadata["match_rate"] = round(100 * known_as_written / max(sum(matches.values()), 1), 2)
        recording.metadata["summary"] = dg.MetadataValue.md(
            names_text(path / "names.parquet", report.release, matches, report.doubtful)
        )
        recording.metadata["matches"] = dg.MetadataValue.json(matches)
        recording.metadata["release"] = report.release
        if pin is not None:
            recording.metadata["pinned"] = pin.text
        recording.table(path / "names.parquet", distinct)
        total, unmatched = sum(matches.values()), matches.get("none", 0)
        recording.check(
            "names_matched",
            unmatched == 0,
            f"{unmatched} of {total} records have a name that the checklist does not know",
            severity=dg.AssetCheckSeverity.WARN,
            records=total,
            unmatched=unmatched,
        )
        return recording.result(report.data_version)
