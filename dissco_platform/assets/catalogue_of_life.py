"""`catalogue_of_life`: the checklist that names are harmonised with, as an index."""

from pathlib import Path

import dagster as dg
from pydantic import Field

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
from dissco_platform.names.gate import require_fit
from dissco_platform.names.index import open_backbone
from dissco_platform.registry.datasets import get_setting, set_setting
from dissco_platform.resources import DatasetStoreResource, HttpClientResource, RegistryResource
from dissco_platform.store import DatasetStore

SOURCE_SETTING = "checklist_source"


class ChecklistConfig(dg.Config):
    """Which checklist to take."""

    source: str = Field(
        "", description="Path or address of a ColDP release or a Darwin Core checklist; empty: the one in use"
    )
    accept: bool = Field(False, description="Take a release that does not pass its gate")


def _judge(new: Path, store: DatasetStore, before: str) -> None:
    """Refuse a release of the checklist in use that cannot be right; another checklist is an operator's choice.

    Raises:
        ChecklistError: the release does not pass its gate.
    """
    if not store.has("catalogue_of_life", CHECKLIST, before):
        return
    release, present = open_backbone(new), open_backbone(store.path("catalogue_of_life", CHECKLIST, before))
    if release.info.title == present.info.title:
        require_fit(release, present)


@dg.asset(
    group_name=GROUPS["catalogue_of_life"],
    kinds={"parquet", "polars"},
    owners=OWNERS,
    code_version=CODE_VERSIONS["catalogue_of_life"],
    description="A release of the Catalogue of Life (or any ColDP checklist) as a name index in Parquet. A new release "
    "replaces the one in use only when it is complete.",
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
            source = config.source or get_setting(connection, SOURCE_SETTING)
        if not source:
            raise UsageError("No checklist is in use yet: name one with `dissco checklist use PATH|URL`.")
        files = store.store()
        fetched = http_client.client().fetch(
            source, files.blobs, trusted=True, progress=Progress(context, "catalogue_of_life")
        )
        inputs = {"archive": fetched.sha256, **made_from("catalogue_of_life", {})}
        found = reusable(context, "catalogue_of_life", inputs)
        if found and files.has("catalogue_of_life", CHECKLIST, found.data_version):
            with known.write() as connection:
                set_setting(connection, SOURCE_SETTING, source)
            return result_again(context, found)
        recording = Recording(inputs)
        before = latest(context.instance, "catalogue_of_life", None)
        with files.building("catalogue_of_life", CHECKLIST) as build, named(fetched.path, source):
            info = build_backbone(fetched.path, build.path, progress=Progress(context, "catalogue_of_life"))
            if before is not None and not config.accept:
                _judge(build.path, files, before.data_version)
            build.publish(info.data_version)
        with known.write() as connection:
            set_setting(connection, SOURCE_SETTING, source)
        recording.count(names=info.usages)
        recording.metadata.update(
            {
                "source": source,
                "release": info.release,
                "title": info.title,
                "doi": info.doi,
                "licence": info.licence,
                "by_status": dg.MetadataValue.json(dict(info.by_status)),
                "by_rank": dg.MetadataValue.json(dict(info.by_rank)),
                "warnings": dg.MetadataValue.json(list(info.warnings)),
                "replaces": before.data_version if before else "",
                "dagster/uri": files.address("catalogue_of_life", CHECKLIST, info.data_version),
                "dagster/row_count": info.usages,
            }
        )
        return recording.result(info.data_version)
