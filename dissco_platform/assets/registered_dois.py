"""`registered_dois`: identities resolved, DOIs minted, versions committed, DataCite told."""

from dataclasses import replace

import dagster as dg

from dissco_platform.assets.descriptions import DESCRIPTIONS
from dissco_platform.assets.digital_specimens import dataset_context, parsed_metadata
from dissco_platform.assets.inputs import made_from
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS, datasets
from dissco_platform.assets.recording import (
    Materialized,
    Progress,
    Recording,
    check_specs,
    required,
    result_again,
    reusable,
    told_plainly,
)
from dissco_platform.assets.summaries import published_text
from dissco_platform.identity.datacite.drain import DrainReport
from dissco_platform.identity.publish import PublishReport, publish
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.decisions import held_records
from dissco_platform.registry.objects import count_objects, newest_suffixes
from dissco_platform.registry.outbox import dead_letters, waiting
from dissco_platform.resources import DatasetStoreResource, DoiService, RegistryResource

_NEWEST_SHOWN = 3


@dg.asset(
    partitions_def=datasets,
    deps=["digital_specimens"],
    group_name=GROUPS["registered_dois"],
    kinds={"sqlite", "parquet"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["registered_dois"],
    check_specs=check_specs(
        "registered_dois",
        [
            (
                "specimens_accounted_for",
                "Specimens in = full + DOI only + held + withdrawn or merged + waiting for quota.",
            ),
            ("identifiers_of_one_dataset", "No other dataset of the organisation has the same local identifiers."),
            ("disappearances_believed", "So many specimens vanished at once that an operator has to confirm it."),
            ("dois_registered", "Every DOI is registered at DataCite; what waits or failed is shown as a warning."),
        ],
    ),
    description=DESCRIPTIONS["registered_dois"],
)
def registered_dois(
    context: dg.AssetExecutionContext, store: DatasetStoreResource, registry: RegistryResource, doi_service: DoiService
) -> Materialized:
    """Publish the built specimens and register their DOIs."""
    slug = context.partition_key
    progress = Progress(context, "registered_dois")
    with told_plainly(context), registry.opened() as known:
        built = required(context, "digital_specimens")
        inputs = made_from("registered_dois", {"digital_specimens": built.data_version})
        files = store.store()
        found = reusable(context, "registered_dois", inputs)
        if found is not None and not doi_service.is_behind(known, slug):
            return result_again(context, found)
        recording = Recording(inputs)
        with doi_service.running() as service:
            service.check()  # a wrong password must be known before anything is minted
            with known.read() as connection:
                dataset = get_dataset(connection, slug)
            name = dataset_context(dataset, parsed_metadata(context, files)).organisation_name
            report = publish(
                known,
                replace(dataset, organisation_name=name),
                files.path("digital_specimens", slug, built.data_version),
                files,
                rules=service.rules,
                made_from=_origin(context, built.made_from),
                progress=progress,
            )
            drained = service.drain(known, files, slug, progress)
        _record(recording, known, slug, report, drained)
        recording.metadata["summary"] = dg.MetadataValue.md(_summary(known, slug, report, doi_service))
        recording.metadata["origin"] = dg.MetadataValue.json(_origin(context, built.made_from))
        return recording.result(report.data_version)


def _origin(context: dg.AssetExecutionContext, built_from: dict[str, str]) -> dict[str, str]:
    """Return the versions of all that a publication goes back to, for its provenance."""
    parsed, names = required(context, "parsed_records"), required(context, "taxon_harmonised")
    return {
        "archive": parsed.made_from.get("raw_archive", ""),
        "records": built_from.get("parsed_records", ""),
        "release": names.made_from.get("catalogue_of_life", ""),
        "release_name": names.text("release") or "",
        "mapping": built_from.get("mapping", ""),
        "enrolment": built_from.get("enrolment", ""),
        "code": built_from.get("code", ""),
        "build": required(context, "digital_specimens").data_version,
        "run": context.run.run_id,
    }


def _summary(registry: Registry, slug: str, report: PublishReport, doi_service: DoiService) -> str:
    with registry.read() as connection:
        held = held_records(connection, slug)
        refused = dead_letters(connection, slug)
        newest = newest_suffixes(connection, slug, _NEWEST_SHOWN)
        queued, _ = waiting(connection, slug)
    problems = [(f"held: {row.reason}", row.identity_key, row.message) for row in held]
    problems += [("refused by DataCite", f"{doi_service.prefix}/{row.suffix}", row.error or "") for row in refused]
    base = doi_service.landing_page.rstrip("/")
    return published_text(
        slug,
        {
            "new": report.new,
            "changed": report.changed,
            "unchanged": report.unchanged,
            "missing": report.missing,
            "tombstoned": report.tombstoned,
            "pending": queued,
            "failed": len(refused),
        },
        problems,
        [f"{base}/{doi_service.prefix}/{suffix}" for suffix in newest],
    )


def _record(recording: Recording, registry: Registry, slug: str, report: PublishReport, drained: DrainReport) -> None:
    with registry.read() as connection:
        counts = count_objects(connection, slug)
    states = {
        state: sum(n for (_, _, doi_state, _), n in counts.items() if doi_state == state)
        for state in ("registered", "pending", "failed")
    }
    recording.count(
        specimens=report.specimens,
        doi_only=report.doi_only,
        held=report.held,
        ended=report.ended,
        alike=report.alike,
        waiting_quota=report.waiting_quota,
        media=report.media,
        versions_new=report.new,
        versions_changed=report.changed,
        versions_unchanged=report.unchanged,
        versions_missing=report.missing,
        versions_tombstoned=report.tombstoned,
        dois_registered=states["registered"],
        dois_pending=states["pending"],
        dois_failed=states["failed"],
        dois_written=drained.written,
    )
    recording.metadata["media_versions"] = dg.MetadataValue.json(report.media_versions)
    apart = report.held + report.ended + report.waiting_quota
    recording.check(
        "specimens_accounted_for",
        report.records
        == report.specimens + report.doi_only + apart
        == report.new + report.changed + report.unchanged + apart,
        f"{report.records} = {report.specimens} full + {report.doi_only} DOI only + {report.held} held + "
        f"{report.ended} withdrawn or merged + {report.waiting_quota} waiting",
        specimens=report.records,
    )
    recording.check(
        "identifiers_of_one_dataset",
        report.alike == 0,
        f"{report.alike} new specimens have a local identifier that another dataset of the organisation has as well: "
        f"`dissco dataset duplicates {slug}`"
        if report.alike
        else "no new local identifier is another dataset's of the organisation",
        severity=dg.AssetCheckSeverity.WARN,
        alike=report.alike,
    )
    recording.check(
        "disappearances_believed",
        report.unconfirmed == 0,
        f"{report.unconfirmed} specimens are missing at once: `dissco dataset confirm {slug}` if they are gone"
        if report.unconfirmed
        else f"{report.missing} specimens are missing",
        severity=dg.AssetCheckSeverity.WARN,
        missing=report.missing,
        unconfirmed=report.unconfirmed,
    )
    recording.check(
        "dois_registered",
        states["pending"] == states["failed"] == 0,
        f"{states['registered']} registered, {states['pending']} pending, {states['failed']} failed",
        severity=dg.AssetCheckSeverity.WARN,
        pending=states["pending"],
        failed=states["failed"],
    )
