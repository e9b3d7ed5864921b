"""`digital_specimens`: openDS documents without identifiers, validated; only what changed is rendered."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from dissco_platform.assets.descriptions import DESCRIPTIONS
from dissco_platform.assets.inputs import Facts, enrolment_version, made_from
from dissco_platform.assets.lineage import document_lineage, document_schema
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.pinned import mapping_as_made
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
from dissco_platform.assets.summaries import specimens_text
from dissco_platform.errors import ArchiveError
from dissco_platform.opends.build import BuildReport, build_specimens
from dissco_platform.opends.context import DatasetContext
from dissco_platform.registry.datasets import Dataset, get_dataset
from dissco_platform.resources import DatasetStoreResource, MappingFiles, RegistryResource
from dissco_platform.store import DatasetStore

# Documents lie apart from the tables: a version of the tables refers to those of earlier builds that still hold.
DOCUMENT_FILES = ("documents.parquet", "media_documents.parquet")


def dataset_context(dataset: Dataset, metadata: dict[str, Any]) -> DatasetContext:
    """Return what documents need to know of their dataset: enrolment, and the archive's own metadata."""
    return DatasetContext(
        slug=dataset.slug,
        organisation_id=dataset.organisation_id,
        organisation_name=dataset.organisation_name or metadata.get("publisher"),
        source_system_id=dataset.source_system_id,
        source_system_name=metadata.get("title") or dataset.slug,
        doi_only=dataset.doi_only,
        licence=metadata.get("license"),
        publisher=metadata.get("publisher"),
    )


@dg.asset(
    partitions_def=datasets,
    deps=["parsed_records", "taxon_harmonised", "mapping"],
    group_name=GROUPS["digital_specimens"],
    kinds={"parquet", "json"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["digital_specimens"],
    check_specs=check_specs(
        "digital_specimens",
        [
            ("records_accounted_for", "Records in = specimens (full or DOI only) + rejects."),
            ("identifiers_present_and_unique", "Every record has a physical specimen id that no other record has."),
            ("licence_accepted", "Records whose licence is open (CC0, CC BY, public domain); others get DOIs only."),
            ("documents_valid", "Every document fits the openDS model."),
        ],
    ),
    description=DESCRIPTIONS["digital_specimens"],
)
def digital_specimens(
    context: dg.AssetExecutionContext,
    store: DatasetStoreResource,
    registry: RegistryResource,
    mapping_files: MappingFiles,
) -> Materialized:
    """Map records to openDS."""
    slug = context.partition_key
    with told_plainly(context):
        parsed, names = required(context, "parsed_records"), required(context, "taxon_harmonised")
        mapped = required(context, "mapping")
        with registry.opened() as known, known.read() as connection:
            dataset = get_dataset(connection, slug)
        files = store.store()
        parsed_path = files.path("parsed_records", slug, parsed.data_version)
        about = dataset_context(dataset, parsed_metadata(context, files))
        kind = parsed.text("kind") or "dwca"
        versions = {
            "parsed_records": parsed.data_version,
            "taxon_harmonised": names.data_version,
            "mapping": mapped.json("versions").get(kind, mapped.data_version),
        }
        mapping = mapping_as_made(files, mapped, mapping_files.path(), slug, kind)
        inputs = made_from("digital_specimens", versions, Facts(enrolment=enrolment_version(dataset)))
        if found := reusable(context, "digital_specimens", inputs, files):
            return result_again(context, found)
        before = latest(context.instance, "digital_specimens", slug)
        previous = (
            files.path("digital_specimens", slug, before.data_version)
            if before and not is_forced(context) and files.has("digital_specimens", slug, before.data_version)
            else None
        )
        recording = Recording(inputs)
        batch = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        with files.building("documents", slug) as documents, files.building("digital_specimens", slug) as build:
            report = build_specimens(
                parsed_path,
                files.path("taxon_harmonised", slug, names.data_version),
                mapping,
                about,
                build.path,
                previous=previous,
                batch=batch,
                progress=Progress(context, "digital_specimens"),
            )
            if report.specimens == 0:
                reasons = (
                    ", ".join(f"{reason} {count}" for reason, count in report.rejects.items()) or "it has no records"
                )
                raise ArchiveError(
                    f"{dataset.source} holds no specimens ({reasons}); nothing was published. "
                    "`dissco archive inspect` shows what it holds.",
                    reason="no_specimens",
                )
            for name in DOCUMENT_FILES:
                if (build.path / name).exists():
                    (build.path / name).rename(documents.path / name)
            documents.publish(batch)
            path = build.publish(report.data_version)
        _record(recording, report, parsed.number("records"))
        recording.metadata["summary"] = dg.MetadataValue.md(specimens_text(path, slug, dataset.source, report))
        recording.table(path / "specimens.parquet", report.specimens)
        recording.metadata["dagster/column_schema"] = document_schema(mapping)
        recording.metadata["dagster/column_lineage"] = document_lineage(mapping, parsed.json("columns"))
        return recording.result(report.data_version)


def _record(recording: Recording, report: BuildReport, records: int) -> None:
    rejected, full = sum(report.rejects.values()), report.specimens - report.doi_only
    recording.count(
        records=records,
        specimens=full,
        doi_only=report.doi_only,
        media=report.media,
        rendered=report.rendered,
        carried_over=report.carried_over,
        **{f"mids_{level}": count for level, count in sorted(report.mids_levels.items())},
    )
    recording.rejects("rejects", report.rejects)
    recording.rejects("media_rejects", report.media_rejects)
    for name, numbers in (
        ("mids", report.mids_levels),
        ("disciplines", report.disciplines),
        ("match_types", report.match_types),
        ("doi_only_reasons", report.doi_only_reasons),
        ("accepted_identification_by", report.accepted_by),
        ("unmatched_vocabulary_values", report.unmatched),
        ("invalid_terms", report.invalid),
        ("placeholders", report.placeholders),
    ):
        recording.metadata[name] = dg.MetadataValue.json(dict(numbers))
    recording.check(
        "records_accounted_for",
        records == report.specimens + rejected,
        f"{records} records = {full} full + {report.doi_only} DOI only + {rejected} rejected",
        records=records,
        specimens=report.specimens,
        rejected=rejected,
    )
    unidentified = sum(report.rejects.get(reason, 0) for reason in ("missing_identifier", "duplicate_identifier"))
    recording.check(
        "identifiers_present_and_unique",
        unidentified == 0,
        f"{unidentified} records have no identifier of their own",
        severity=dg.AssetCheckSeverity.WARN,
        records=unidentified,
    )
    recording.check(
        "licence_accepted",
        report.doi_only == 0,
        f"{report.doi_only} records get a DOI only",
        severity=dg.AssetCheckSeverity.WARN,
        doi_only=report.doi_only,
    )
    invalid = report.rejects.get("invalid_document", 0)
    recording.check(
        "documents_valid",
        invalid == 0,
        f"{invalid} documents do not fit the openDS model and are not published",
        invalid=invalid,
    )


def parsed_metadata(context: dg.AssetExecutionContext, store: DatasetStore) -> dict[str, Any]:
    """Return what the archive says of itself (title, licence, publisher …)."""
    parsed = required(context, "parsed_records")
    path = store.path("parsed_records", context.partition_key, parsed.data_version) / "dataset.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}
