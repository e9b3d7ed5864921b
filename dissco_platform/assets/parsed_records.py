"""`parsed_records`: the archive as typed Parquet tables, with everything that was set aside and why."""

from typing import Any

import dagster as dg

from dissco_platform.archives import read_archive
from dissco_platform.assets.descriptions import DESCRIPTIONS
from dissco_platform.assets.inputs import made_from
from dissco_platform.assets.lineage import parsed_schema
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.recording import (
    Materialized,
    Progress,
    Recording,
    check_specs,
    named,
    required,
    result_again,
    reusable,
    told_plainly,
)
from dissco_platform.assets.summaries import parsed_text
from dissco_platform.resources import DatasetStoreResource


@dg.asset(
    partitions_def=datasets,
    deps=["raw_archive"],
    group_name=GROUPS["parsed_records"],
    kinds={"parquet", "polars"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["parsed_records"],
    check_specs=check_specs(
        "parsed_records",
        [
            ("rows_accounted_for", "For every file: rows read = rows parsed + rows rejected."),
            ("records_parsed", "The archive holds records; a share that is set aside is shown as a warning."),
        ],
    ),
    description=DESCRIPTIONS["parsed_records"],
)
def parsed_records(context: dg.AssetExecutionContext, store: DatasetStoreResource) -> Materialized:
    """Read the raw archive into tables."""
    slug = context.partition_key
    with told_plainly(context):
        raw = required(context, "raw_archive")
        inputs = made_from("parsed_records", {"raw_archive": raw.data_version})
        if found := reusable(context, "parsed_records", inputs, store.store()):
            return result_again(context, found)
        recording = Recording(inputs)
        files = store.store()
        blob = files.blob(raw.data_version)
        with files.building("parsed_records", slug) as build, named(blob, raw.text("source")):
            archive = read_archive(blob, build.path, progress=Progress(context, "parsed_records"))
            path = build.publish(archive.data_version)
        recording.count(records=archive.records)
        recording.rejects("rejects", archive.rejects)
        recording.rejects("extension_rejects", archive.extension_rejects)
        recording.metadata["summary"] = dg.MetadataValue.md(
            parsed_text(path, raw.text("source") or "", archive.records)
        )
        recording.metadata["kind"] = archive.kind
        recording.metadata["flags"] = dg.MetadataValue.json(list(archive.flags))
        recording.table(path / "records.parquet", archive.records)
        recording.metadata["dagster/column_schema"] = parsed_schema(archive.columns)
        recording.metadata["columns"] = dg.MetadataValue.json(dict(archive.columns))
        recording.metadata["files"] = dg.MetadataValue.md(_files_table(archive.files))
        unaccounted = [file for file in archive.files if file.rows_read != file.rows_parsed + file.rows_rejected]
        recording.check(
            "rows_accounted_for",
            not unaccounted,
            "; ".join(f"{file.name}: {file.rows_read} read" for file in unaccounted) or "every row is accounted for",
            rows_read=sum(file.rows_read for file in archive.files),
            rows_rejected=sum(file.rows_rejected for file in archive.files),
        )
        rejected = sum(archive.rejects.values())
        recording.check(
            "records_parsed",
            archive.records > 0 and rejected == 0,
            f"{archive.records} records parsed, {rejected} set aside",
            severity=dg.AssetCheckSeverity.ERROR if archive.records == 0 else dg.AssetCheckSeverity.WARN,
            records=archive.records,
            rejected=rejected,
        )
        return recording.result(archive.data_version)


def _files_table(files: Any) -> str:
    rows = [
        f"| {file.name} | {file.table} | {file.encoding} | {file.rows_read:,} | {file.rows_parsed:,} | {file.rows_rejected:,} |"
        for file in files
    ]
    return "\n".join(
        ["| file | table | encoding | rows read | parsed | rejected |", "|---|---|---|---|---|---|", *rows]
    )
