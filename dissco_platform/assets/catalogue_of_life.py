"""`catalogue_of_life`: the checklist that names are harmonised with, as an index. A new release waits for a person's word."""

from collections.abc import Iterable
from pathlib import Path

import dagster as dg
from pydantic import Field
from sqlalchemy import Connection

from dissco_platform.assets.inputs import made_from
from dissco_platform.assets.partitions import CODE_VERSIONS, GROUPS, OWNERS
from dissco_platform.assets.pinned import CHECKLIST
from dissco_platform.assets.recording import (
    Materialized,
    Progress,
    Recording,
    latest,
    named,
    result_again,
    reusable,
    told_plainly,
)
from dissco_platform.errors import UsageError
from dissco_platform.names.backbone import build_backbone
from dissco_platform.names.gate import require_fit, same_checklist
from dissco_platform.names.index import BackboneInfo, open_backbone
from dissco_platform.names.releases import used_ids
from dissco_platform.registry import Registry
from dissco_platform.registry.datasets import get_setting, list_datasets, set_setting
from dissco_platform.registry.engine import now
from dissco_platform.registry.releases import NoticedRelease, built_from, noticed_releases, set_release
from dissco_platform.resources import DatasetStoreResource, HttpClientResource, RegistryResource
from dissco_platform.store import DatasetStore

SOURCE_SETTING = "checklist_source"


class ChecklistConfig(dg.Config):
    """Which checklist to take."""

    source: str = Field(
        "", description="Path or address of a ColDP release or a Darwin Core checklist; empty: the one in use"
    )
    release: str = Field("", description="Key of a noticed release (`dissco col list`), instead of a source")
    accept: bool = Field(False, description="Take a release that does not pass its gate")
    adopted_by: str = Field("", description="Who decided, for the record")


def chosen_release(connection: Connection, wanted: str) -> NoticedRelease:
    """Return the noticed release that a person means by its key or its label; the newest where nothing is said.

    Raises:
        UsageError: there is none, or several.
    """
    known = noticed_releases(connection)
    if not wanted and known:
        return known[0]
    exact = [release for release in known if wanted in (release.key, release.label)]
    fits = exact or [r for r in known if r.key.startswith(wanted) or r.label.endswith(f" {wanted}")]
    if len(fits) != 1:
        listed = (
            ", ".join(release.key for release in known[:12]) or "none was noticed yet (`dissco col check` looks now)"
        )
        raise UsageError(f"'{wanted}' {'fits several' if fits else 'is none'} of the known releases: {listed}.")
    return fits[0]


def names_in_use(
    instance: dg.DagsterInstance, store: DatasetStore, slugs: Iterable[str]
) -> dict[str, tuple[Path, Path]]:
    """Return for each dataset that has harmonised names the folder of its parsed tables and its `names.parquet`."""
    found = {}
    for slug in slugs:
        parsed, names = latest(instance, "parsed_records", slug), latest(instance, "taxon_harmonised", slug)
        if parsed is None or names is None:
            continue
        if store.has("parsed_records", slug, parsed.data_version) and store.has(
            "taxon_harmonised", slug, names.data_version
        ):
            found[slug] = (
                store.path("parsed_records", slug, parsed.data_version),
                store.path("taxon_harmonised", slug, names.data_version) / "names.parquet",
            )
    return found


def _judge(new: Path, store: DatasetStore, before: str, used: list[str], *, same: bool) -> None:
    """Refuse a release of the checklist in use that cannot be right; another checklist is an operator's choice.

    `same`: it is known to be the checklist in use (the same address, or a noticed release); else the two are compared.

    Raises:
        ChecklistError: the release does not pass its gate.
    """
    if not store.has("catalogue_of_life", CHECKLIST, before):
        return
    release, present = open_backbone(new), open_backbone(store.path("catalogue_of_life", CHECKLIST, before))
    if same or same_checklist(release, present):
        require_fit(release, present, used)


@dg.asset(
    group_name=GROUPS["catalogue_of_life"],
    kinds={"parquet", "polars"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["catalogue_of_life"],
    description="The **checklist in use**: a release of the Catalogue of Life (or any ColDP checklist) as a name index in "
    "Parquet. A new release is noticed and previewed (`next_checklist`) and taken into use only by a person: "
    "`dissco col adopt RELEASE`, or this asset with `release` in its configuration. It then makes `taxon_harmonised` of "
    "every dataset out of date, but for those pinned to an earlier release; only records whose accepted name differs are "
    "rendered again.",
)
def catalogue_of_life(
    context: dg.AssetExecutionContext,
    config: ChecklistConfig,
    store: DatasetStoreResource,
    registry: RegistryResource,
    http_client: HttpClientResource,
) -> Materialized:
    """Build the name index of a checklist and put it into use."""
    with told_plainly(context), registry.opened() as known:
        with known.read() as connection:
            adopted = chosen_release(connection, config.release) if config.release else None
            in_use = get_setting(connection, SOURCE_SETTING)
            source = adopted.source if adopted else config.source or in_use
            slugs = [dataset.slug for dataset in list_datasets(connection)]
        if not source:
            raise UsageError("No checklist is in use yet: name one with `dissco checklist use PATH|URL`.")
        files = store.store()
        progress = Progress(context, "catalogue_of_life")
        fetched = http_client.client().fetch(source, files.blobs, trusted=True, progress=progress)
        inputs = {"archive": fetched.sha256, **made_from("catalogue_of_life", {})}
        found = reusable(context, "catalogue_of_life", inputs)
        if found and files.has("catalogue_of_life", CHECKLIST, found.data_version):
            _note(known, source, adopted, config.adopted_by)
            return result_again(context, found, source=source)
        recording = Recording(inputs)
        before = latest(context.instance, "catalogue_of_life", None)
        # an address that is in use serves the same checklist; a file may be replaced by any other
        same = adopted is not None or (source == in_use and "://" in source)
        judged = before.data_version if before is not None and not config.accept else None
        used = used_ids(names for _, names in names_in_use(context.instance, files, slugs).values()) if judged else []
        with known.read() as connection:
            built = built_from(connection, fetched.sha256)
        if built is not None and files.has("catalogue_of_life", CHECKLIST, built):  # its preview built it
            path = files.path("catalogue_of_life", CHECKLIST, built)
            if judged is not None:
                _judge(path, files, judged, used, same=same)
            info = open_backbone(path).info
        else:
            with files.building("catalogue_of_life", CHECKLIST) as build, named(fetched.path, source):
                info = build_backbone(fetched.path, build.path, progress=progress)
                if judged is not None:
                    _judge(build.path, files, judged, used, same=same)
                build.publish(info.data_version)
        _note(known, source, adopted, config.adopted_by)
        recording.count(names=info.usages)
        recording.metadata.update(_about(info, source, before.text("release") if before else None))
        if fetched.validators.etag:
            recording.metadata["etag"] = fetched.validators.etag
        if fetched.validators.last_modified:
            recording.metadata["last_modified"] = fetched.validators.last_modified
        recording.metadata["dagster/uri"] = files.address("catalogue_of_life", CHECKLIST, info.data_version)
        return recording.result(info.data_version)


def _note(known: Registry, source: str, adopted: NoticedRelease | None, by: str) -> None:
    with known.write() as connection:
        set_setting(connection, SOURCE_SETTING, source)
        if adopted is not None:
            set_release(connection, adopted.key, adopted=now(), adopted_by=by[:128] or None)


def _about(info: BackboneInfo, source: str, before: str | None) -> dict[str, object]:
    return {
        "source": source,
        "release": info.release,
        "issued": info.issued,
        "title": info.title,
        "doi": info.doi,
        **({"doi_page": dg.MetadataValue.url(f"https://doi.org/{info.doi}")} if info.doi else {}),
        "licence": info.licence,
        "by_status": dg.MetadataValue.json(dict(info.by_status)),
        "by_rank": dg.MetadataValue.json(dict(info.by_rank)),
        "warnings": dg.MetadataValue.json(list(info.warnings)),
        "replaces": before or "",
        "dagster/row_count": info.usages,
    }
