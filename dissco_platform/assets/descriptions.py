"""What each asset is, as the web interface shows it: what it holds, when it is made again, what to do when it fails."""

import warnings
from pathlib import Path

import dagster as dg

from dissco_platform.assets.partitions import DOCS, REPOSITORY

_ROOT = Path(__file__).resolve().parents[2]

_STALE = f"What is out of date and why: `dataset_overview`. [How automation decides]({DOCS}/automation.md)"

DESCRIPTIONS: dict[str, str] = {
    "raw_archive": f"""
**The archive as its institution publishes it**, fetched once per change and named by the SHA-256 of its bytes.

*Made again* when a look at the source finds it changed (sensor `upstream`; every look is an observation here), when the
source's address is edited, or by the job `harvest`.
*When it fails*, the source is out of reach or refused: nothing is lost or deleted by that, it is tried again by itself.
Mend an address with `dissco dataset edit`.

{_STALE}""",
    "parsed_records": f"""
**Records, identifications, media, measurements … and rejects**, one Parquet table each, terms as columns.
For every file, rows read = rows parsed + rows rejected, each reject with its line and reason. The content version does not
depend on row order or compression: an archive published again with the same content stops here.

*When it fails*, the archive cannot be read: `dissco archive inspect SOURCE` says why, and is what to send to its publisher.

{_STALE}""",
    "taxon_harmonised": f"""
**The dataset's distinct names with their place in the Catalogue of Life**: match type, confidence, matched and accepted
usage, classification, alternatives. What the archive says stays beside it untouched.

*Made again* when names change, when a curator decides on a name (`mappings/names/*.tsv`), or when a new release is adopted;
a dataset can be pinned to a release (`dissco dataset pin`). [How names are matched, and how well]({DOCS}/names.md)

{_STALE}""",
    "mapping": f"""
**Which source column feeds which openDS term**, by which transform: the base mapping with the dataset's own overrides
(`mappings/datasets/SLUG.yaml`) laid over it, resolved and checked.

*Made again* when one of the files changes; an edit for one dataset touches that dataset alone. See first what an edit would do:
`dissco mapping preview SLUG`. Roll back with `dissco dataset pin SLUG --mapping previous`. [The files]({DOCS}/opends.md)

{_STALE}""",
    "digital_specimens": f"""
**DigitalSpecimen and DigitalMedia content** (openDS), MIDS levels, checked against the model. Identifiers, versions and links
between specimen and media are stamped later, at publication. Only records whose source, name, mapping or code changed are
rendered (`rendered`); all others are carried over.

*Checks*: every record is accounted for; identifiers are there and unique; licences decide between a full specimen and a DOI
only; every document fits the model. A warning leaves single records aside, an error stops the dataset.
[The model]({DOCS}/opends.md)

{_STALE}""",
    "registered_dois": f"""
**Every specimen and medium has its DOI, every change its version**; DataCite knows all that the platform shows. DOIs are derived
from the specimen's identity: running again gives the same ones. A run that is killed loses and doubles nothing.

*Made again* when content changed, while DOIs wait to be registered, or when tombstones are due.
*Held records* (`dissco dataset held`), *refused DOIs* (`dissco doi dead-letters`) and *mass disappearances*
(`dissco dataset confirm`) wait for a person. [Decisions]({DOCS}/architecture.md)

{_STALE}""",
}

# Asset → where its rules are, beside the asset's own module.
RULES: dict[str, tuple[str, ...]] = {
    "raw_archive": ("dissco_platform/http.py", "dissco_platform/sensors/looking.py"),
    "parsed_records": ("dissco_platform/archives/__init__.py", "dissco_platform/archives/tables.py"),
    "taxon_harmonised": ("dissco_platform/names/match.py", "dissco_platform/names/score.py"),
    "catalogue_of_life": ("dissco_platform/names/backbone.py", "dissco_platform/names/gate.py"),
    "next_checklist": ("dissco_platform/names/releases.py", "dissco_platform/names/gate.py"),
    "mapping": ("mappings/dwc.yaml", "dissco_platform/opends/mapping.py"),
    "digital_specimens": ("dissco_platform/opends/build.py", "dissco_platform/opends/mids.py"),
    "registered_dois": ("dissco_platform/identity/publish.py", "dissco_platform/identity/resolve.py"),
    "waiting_list": ("dissco_platform/enrolment/waiting_list.py", "dissco_platform/enrolment/scoring.py"),
}


def with_code(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Return the asset with links to its code: its own module, and the modules (or files) that hold its rules."""
    name = asset.key.to_user_string()
    places = (f"dissco_platform/assets/{name}.py", *RULES.get(name, ()))
    there = [place for place in places if (_ROOT / place).is_file()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
            dg.UrlCodeReference(url=f"{REPOSITORY}/blob/main/{place}", label=place) for place in there
        ]
        code = dg.CodeReferencesMetadataValue(code_references=references)
    return asset.map_asset_specs(lambda spec: spec.merge_attributes(metadata={"dagster/code_references": code}))
