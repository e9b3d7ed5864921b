"""`next_checklist`: a new release built beside the one in use, and what adopting it would change, dataset by dataset.

Nothing here is in use: adopting is a person's act (`dissco col adopt`, or `catalogue_of_life` with the release's key).
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dissco_platform.assets.catalogue_of_life import chosen_release, names_in_use
from dissco_platform.assets.inputs import name_overrides
from dissco_platform.assets.partitions import GROUPS, OWNERS
from dissco_platform.assets.pinned import CHECKLIST
from dissco_platform.assets.recording import Materialized, Progress, Recording, latest, named, told_plainly
from dissco_platform.errors import UsageError
from dissco_platform.names.backbone import build_backbone
from dissco_platform.names.gate import examine_release
from dissco_platform.names.index import open_backbone
from dissco_platform.names.releases import release_effect, used_ids
from dissco_platform.registry.datasets import list_datasets
from dissco_platform.registry.pins import all_pins
from dissco_platform.registry.releases import built_from, save_preview
from dissco_platform.resources import DatasetStoreResource, HttpClientResource, MappingFiles, RegistryResource
from dissco_platform.store import DatasetStore

EXAMPLES_SHOWN = 10


class PreviewConfig(dg.Config):
    """Which release to look at."""

    release: str = Field("", description="Key of a noticed release (`dissco col list`); empty: the newest")


@dg.asset(
    group_name=GROUPS["catalogue_of_life"],
    deps=["catalogue_of_life"],
    kinds={"parquet", "polars"},
    owners=OWNERS,
    code_version="1",
    description="The release that was noticed last, built beside the one in use, with a **preview**: how many accepted names "
    "it would change in each dataset, whether it passes the gate, and the ten changes that concern the most records. "
    "Nothing is changed by it. To take it into use: `dissco col adopt RELEASE`, or the job `adopt_release`.",
)
def next_checklist(
    context: dg.AssetExecutionContext,
    config: PreviewConfig,
    store: DatasetStoreResource,
    registry: RegistryResource,
    http_client: HttpClientResource,
    mapping_files: MappingFiles,
) -> Materialized:
    """Build a release's index and compare every dataset's names with it."""
    with told_plainly(context), registry.opened() as known:
        progress = Progress(context, "next_checklist")
        present = latest(context.instance, "catalogue_of_life", None)
        if present is None:
            raise UsageError("No checklist is in use yet, so there is nothing to compare with: `dissco checklist use`.")
        with known.read() as connection:
            release = chosen_release(connection, config.release)
            listed = [dataset.slug for dataset in list_datasets(connection) if dataset.state == "active"]
            pinned = {slug for slug, pins in all_pins(connection).items() if pins.checklist is not None}
        files = store.store()
        fetched = http_client.client().fetch(release.source, files.blobs, trusted=True, progress=progress)
        files.keep_blob(fetched.sha256)
        with known.read() as connection:
            version = built_from(connection, fetched.sha256)
        if version is None or not files.has("catalogue_of_life", CHECKLIST, version):
            with files.building("catalogue_of_life", CHECKLIST) as build, named(fetched.path, release.source):
                version = build_backbone(fetched.path, build.path, progress=progress).data_version
                build.publish(version)
        index = open_backbone(files.path("catalogue_of_life", CHECKLIST, version))
        in_use = names_in_use(context.instance, files, listed)
        effects = {}
        for done, (slug, (parsed, names)) in enumerate(sorted(in_use.items()), start=1):
            with tempfile.TemporaryDirectory(prefix="dissco-preview-") as scratch:
                effect = release_effect(
                    parsed,
                    names,
                    index,
                    Path(scratch),
                    overrides=name_overrides(mapping_files.path(), slug),
                    cache=files.root / "name_parses",
                )
            effects[slug] = {**asdict(effect), "pinned": slug in pinned}
            progress("datasets compared", done)
        gate = examine_release(index, _present(files, present.data_version), used_ids(n for _, n in in_use.values()))
        result = {
            "release": index.info.release,
            "present": present.text("release"),
            "gate": gate.problems,
            "datasets": effects,
        }
        with known.write() as connection:
            save_preview(connection, release.key, version=version, archive=fetched.sha256, effect=result)
        recording = Recording({"archive": fetched.sha256, "catalogue_of_life": present.data_version, "code": "1"})
        moved = {slug: effect for slug, effect in effects.items() if not effect["pinned"]}
        recording.count(
            names=index.info.usages,
            datasets=len(effects),
            accepted_names_changed=sum(effect["accepted_changed"] for effect in moved.values()),
            records_changed=sum(effect["records_changed"] for effect in moved.values()),
            gate_problems=len(gate.problems),
        )
        recording.metadata.update(
            {
                "release": index.info.release,
                "replaces": present.text("release") or "",
                "source": release.source,
                "summary": dg.MetadataValue.md(preview_text(release.key, result)),
                "dagster/row_count": index.info.usages,
            }
        )
        return recording.result(version)


def preview_text(key: str, result: Mapping[str, Any]) -> str:
    """Return a preview as Markdown: the gate, one row a dataset, the largest changes."""
    effects: Mapping[str, Mapping[str, Any]] = result["datasets"]
    gate = "passes its gate" if not result["gate"] else f"**does not pass its gate**: {'; '.join(result['gate'])}"
    lines = [f"{result['release']} in the place of {result['present']}: {gate}.", ""]
    lines += ["| dataset | names | accepted names changed | records concerned | newly found | lost | |"]
    lines += ["|---|--:|--:|--:|--:|--:|---|"]
    for slug, effect in sorted(effects.items(), key=lambda item: -item[1]["records_changed"]):
        numbers = (effect[name] for name in ("names", "accepted_changed", "records_changed", "found", "lost"))
        note = "pinned: stays as it is" if effect["pinned"] else ""
        lines.append(f"| {slug} | {' | '.join(f'{number:,}' for number in numbers)} | {note} |")
    lines += ["", "| name | dataset | records | accepted now | accepted then |", "|---|---|--:|---|---|"]
    lines += [
        f"| {name['scientificName']} | {slug} | {name['records']:,} | {name['before'] or '–'} | {name['after'] or '–'} |"
        for slug, name in largest_changes(effects)
    ]
    return "\n".join([*lines, "", f"To take it into use: `dissco col adopt {key}`"])


def largest_changes(effects: Mapping[str, Mapping[str, Any]]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Return (dataset, change) of the changes that concern the most records."""
    changes = [
        (slug, change) for slug, effect in effects.items() if not effect["pinned"] for change in effect["examples"]
    ]
    return sorted(changes, key=lambda item: (-item[1]["records"], item[0]))[:EXAMPLES_SHOWN]


def _present(files: DatasetStore, version: str) -> Any:
    if not files.has("catalogue_of_life", CHECKLIST, version):
        return None
    return open_backbone(files.path("catalogue_of_life", CHECKLIST, version))
