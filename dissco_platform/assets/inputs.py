"""What each asset is made from: the one definition that assets record and `sensors.reconcile` compares.

An asset's inputs are the data versions of the assets above it, its code version, and the facts below that come from
outside the graph (the dataset's enrolment, the mapping files).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dissco_platform.assets.partitions import CODE_VERSIONS, DEPENDENCIES
from dissco_platform.errors import MappingError
from dissco_platform.names.overrides import Overrides, load_overrides
from dissco_platform.opends.mapping import Mapping as TermMapping
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.provenance import json_version
from dissco_platform.registry.datasets import Dataset
from dissco_platform.registry.pins import NO_PINS, Pin, Pins

# Kind of archive (archives.ParsedArchive.kind) → base mapping.
BASES = {"dwca": "dwc.yaml", "abcd": "abcd.yaml", "dwc-dp": "dwc-dp.yaml"}


@dataclass(frozen=True)
class Facts:
    """What a dataset's assets depend on besides each other.

    `mapping` has a version for each kind of archive, `overrides` is that of the curators' decisions on names.
    """

    source: str = ""
    enrolment: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    overrides: str = ""
    pinned: frozenset[str] = frozenset()  # what of it a person holds to an earlier version, for causes alone


def facts(dataset: Dataset, mappings: Path, kind: str | None, pins: Pins = NO_PINS) -> Facts:
    """Return the present facts of a dataset whose archive is of a kind (None: not known before it was parsed).

    Raises:
        MappingError: a mapping file of the dataset is wrong, or the pinned one has no rules for this kind.
    """
    if pins.mapping is not None:
        versions = dict(pinned_kinds(dataset.slug, kind, pins.mapping))
    else:
        resolved = resolve_mappings(mappings, dataset.slug, kind)
        versions = {name: found.version for name, found in resolved.items()}
    return Facts(
        dataset.source,
        enrolment_version(dataset),
        versions,
        name_overrides(mappings, dataset.slug).version,
        pinned_of(pins),
    )


def pinned_of(pins: Pins) -> frozenset[str]:
    """Return what is pinned, by name."""
    return frozenset(what for what, pin in vars(pins).items() if pin is not None)


def pinned_kinds(slug: str, kind: str | None, pin: Pin) -> Mapping[str, str]:
    """Return the versions of a pinned mapping, of one kind of archive if it is known.

    Raises:
        MappingError: it has no rules for this kind.
    """
    if kind is None:
        return pin.facts
    if kind not in pin.facts:
        raise MappingError(
            f"The mapping that {slug} is pinned to ({pin.label[:8]}) has no rules for {kind} archives: "
            f"`dissco dataset unpin {slug} --mapping`."
        )
    return {kind: pin.facts[kind]}


def enrolment_version(dataset: Dataset) -> str:
    """Return the version of what the enrolment says of every specimen of the dataset."""
    return json_version(
        {
            "organisation_id": dataset.organisation_id,
            "organisation_name": dataset.organisation_name,
            "source_system_id": dataset.source_system_id,
            "doi_only": dataset.doi_only,
        }
    )


def made_from(asset: str, versions: Mapping[str, str], known: Facts | None = None) -> dict[str, str]:
    """Return the inputs of an asset.

    Args:
        asset: its name.
        versions: data versions of the assets above it.
        known: facts of the dataset; `parsed_records` and `registered_dois` need none.
    """
    inputs = {name: versions[name] for name in DEPENDENCIES[asset]}
    if known is not None:
        if asset == "raw_archive":
            inputs["source"] = known.source
        elif asset == "mapping":
            inputs.update(known.mapping)
        elif asset == "taxon_harmonised":
            inputs["overrides"] = known.overrides
        elif asset == "digital_specimens":
            inputs["enrolment"] = known.enrolment
    return {**inputs, "code": CODE_VERSIONS[asset]}


def name_overrides(folder: Path, slug: str) -> Overrides:
    """Return the curators' decisions on names that hold for a dataset (`mappings/names/*.tsv`).

    Raises:
        MappingError: a file of decisions is wrong.
    """
    return load_overrides((folder / "names").glob("*.tsv")).of(slug)


def resolve_mappings(folder: Path, slug: str, kind: str | None = None) -> dict[str, TermMapping]:
    """Return the dataset's mapping for its kind of archive, or for each kind whose base is there.

    Raises:
        MappingError: a file is wrong, or there is no base for the kind.
    """
    overrides = folder / "datasets" / f"{slug}.yaml"
    kinds = BASES if kind is None else {kind: BASES.get(kind, f"{kind}.yaml")}
    found = {
        name: load_mapping(folder / base, overrides if overrides.is_file() else None)
        for name, base in kinds.items()
        if (folder / base).is_file()
    }
    if not found:
        raise MappingError(f"There is no base mapping for {kind or 'any'} archives in {folder}; see DISSCO_MAPPINGS.")
    return found
