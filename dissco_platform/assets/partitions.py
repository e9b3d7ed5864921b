"""Datasets as Dagster's partitions, and the names of the chain's assets in their order."""

import dagster as dg

datasets = dg.DynamicPartitionsDefinition(name="datasets")

OWNERS = ["team:data-engineering"]
REPOSITORY = "https://github.com/DiSSCo/dissco-platform"
DOCS = f"{REPOSITORY}/blob/main/docs"

# Asset → group in the graph.
GROUPS = {
    "raw_archive": "1_harvest",
    "parsed_records": "2_parse",
    "catalogue_of_life": "3_names",
    "taxon_harmonised": "3_names",
    "mapping": "4_opends",
    "digital_specimens": "4_opends",
    "registered_dois": "5_identity",
    "search_index": "6_portal",
}

# The chain: asset → the assets it is made from.
DEPENDENCIES: dict[str, tuple[str, ...]] = {
    "raw_archive": (),
    "catalogue_of_life": (),
    "mapping": (),
    "parsed_records": ("raw_archive",),
    "taxon_harmonised": ("parsed_records", "catalogue_of_life"),
    "digital_specimens": ("parsed_records", "taxon_harmonised", "mapping"),
    "registered_dois": ("digital_specimens",),
    "search_index": ("registered_dois",),
}
UNPARTITIONED = frozenset({"catalogue_of_life"})

# Raised when an asset's code gives another result for the same input: everything it made is then out of date.
CODE_VERSIONS: dict[str, str] = dict.fromkeys(DEPENDENCIES, "1") | {
    "digital_specimens": "4",
    "parsed_records": "3",
    "taxon_harmonised": "2",
}


def below(assets: set[str]) -> set[str]:
    """Return the given assets and all that is made from them, directly or not."""
    found = set(assets)
    while True:
        more = {asset for asset, made_from in DEPENDENCIES.items() if found & set(made_from)} - found
        if not more:
            return found
        found |= more
