"""What a dataset is held to: an earlier mapping or release of the checklist takes the place of the newest.

Pins are made on the command line (`dissco dataset pin`) and lie in the registry. A pinned mapping is read from the store,
where every resolved mapping lies with the vocabularies that it was resolved with; a pinned release is an index there.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import dagster as dg

from dissco_platform.assets.inputs import pinned_kinds, resolve_mappings
from dissco_platform.assets.recording import Recorded, recorded
from dissco_platform.errors import UsageError
from dissco_platform.opends.mapping import Mapping as TermMapping
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.registry.pins import Pin
from dissco_platform.store import DatasetStore

CHECKLIST = "checklist"
_EVENTS_READ = 1000


def mappings_in_force(
    store: DatasetStore, folder: Path, slug: str, kind: str | None, pin: Pin | None
) -> dict[str, TermMapping]:
    """Return the dataset's mapping by kind of archive: the pinned one, or the files' as they are now.

    Raises:
        MappingError: a file is wrong, or the pinned mapping has no rules for this kind of archive.
        UsageError: the pinned version is not in the store.
    """
    if pin is None:
        return resolve_mappings(folder, slug, kind)
    path = store.path("mapping", slug, pin.version)
    return {
        name: replace(load_mapping(path / f"{name}.json"), version=version)
        for name, version in pinned_kinds(slug, kind, pin).items()
    }


def mapping_as_made(store: DatasetStore, made: Recorded, folder: Path, slug: str, kind: str) -> TermMapping:
    """Return the mapping that `mapping` resolved, not what the files say by now: an edit meanwhile is the next run's.

    Raises:
        MappingError: it was resolved for other kinds of archive, and the files have no rules for this one either.
    """
    version = made.json("versions").get(kind)
    if version is None or not store.has("mapping", slug, made.data_version):
        return resolve_mappings(folder, slug, kind)[kind]
    return replace(load_mapping(store.path("mapping", slug, made.data_version) / f"{kind}.json"), version=version)


def pinned_checklist(pin: Pin) -> Recorded:
    """Return a pinned release as a materialisation of `catalogue_of_life` that harmonisation may use."""
    return Recorded(pin.version, {}, {"release": dg.MetadataValue.text(pin.label)}, 0, 0.0, "")


def mapping_history(instance: dg.DagsterInstance, store: DatasetStore, slug: str) -> list[Recorded]:
    """Return the mappings that the dataset had and that are still in the store, one for each content, newest first."""
    return _history(
        instance,
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("mapping"), asset_partitions=[slug]),
        lambda made: store.has("mapping", slug, made.data_version),
    )


def checklist_history(instance: dg.DagsterInstance, store: DatasetStore) -> list[Recorded]:
    """Return the releases that were in use and whose index is still in the store, the newest use first."""
    return _history(
        instance,
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("catalogue_of_life")),
        lambda made: store.has("catalogue_of_life", CHECKLIST, made.data_version),
    )


def mapping_label(made: Recorded, kind: str | None) -> str:
    """Return the version that causes and people speak of: that of the dataset's kind of archive, else of all kinds."""
    return str(made.json("versions").get(kind or "", made.data_version))


def find_version(found: list[Recorded], wanted: str, labels: Mapping[str, str], what: str) -> Recorded:
    """Return the version that a person means: `current`, `previous`, the beginning of its version, or its label.

    Args:
        found: what there is, newest first.
        wanted: what the person wrote.
        labels: label by data version.
        what: what it is a version of, for messages.

    Raises:
        UsageError: none or several fit.
    """
    listed = ", ".join(labels[made.data_version][:12] for made in found[:8]) or "none"
    if wanted == "current" and found:
        return found[0]
    if wanted == "previous":
        if len(found) < 2:
            raise UsageError(f"There is no earlier {what} in the store; there is {listed}.")
        return found[1]
    fits = [
        made
        for made in found
        if made.data_version.startswith(wanted) or labels[made.data_version].startswith(wanted)
        or labels[made.data_version].endswith(f" {wanted}")
    ]  # fmt: skip
    if len(fits) != 1:
        how = "fits several" if fits else "is none"
        raise UsageError(f"'{wanted}' {how} of the {what}s in the store: {listed}.")
    return fits[0]


def _history(
    instance: dg.DagsterInstance, wanted: dg.AssetRecordsFilter, is_stored: Callable[[Recorded], bool]
) -> list[Recorded]:
    found: dict[str, Recorded] = {}
    for record in instance.fetch_materializations(wanted, limit=_EVENTS_READ).records:
        made = recorded(record)
        # A version's content decides: the first resolution of a new dataset holds all kinds of archive, later ones its own.
        found.setdefault(made.data_version, made)
    return [made for made in found.values() if is_stored(made)]
