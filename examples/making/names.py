"""What a label calls its taxon: the accepted name, a synonym, or something that needs a matcher's wits."""

from making.checklist import Usage, synonyms_of, taxa_of
from making.facts import Draw, table

EPITHETS = ("genus", "specificEpithet", "infraspecificEpithet")


def taxon_cells(usage: Usage, draw: Draw, *, author_in_name: bool) -> dict[str, str]:
    """Return the name columns for a usage: whole classification mostly, the family only at times."""
    classification = usage.classification
    given = classification if draw.chance(80) else {"family": classification["family"]}
    words = usage.words
    return {
        "scientificName": usage.label if author_in_name else usage.name,
        "scientificNameAuthorship": usage.authorship,
        "taxonRank": usage.rank,
        "nomenclaturalCode": usage.code,
        **{rank: given.get(rank, "") for rank in ("kingdom", "phylum", "class", "order", "family")},
        **dict(zip(EPITHETS, [*words, "", ""][:3], strict=True)),
    }


def as_labelled(usage: Usage, draw: Draw) -> Usage:
    """Return the accepted usage, or (one time in four, where there is one) a synonym that is still on the label."""
    older = synonyms_of(usage)
    return draw.one(older) if older and draw.chance(25) else usage


def verbatim_rows(collection: str) -> list[dict[str, str]]:
    """Return the labels that are no plain name, each with what a matcher should answer."""
    return [row for row in table("verbatim_names") if row["collection"] == collection]


def verbatim_cells(row: dict[str, str]) -> dict[str, str]:
    """Return the name columns of such a label: only what it says, nothing worked out."""
    columns = ("scientificName", "scientificNameAuthorship", "taxonRank", "kingdom", "class", "family")
    return {column: row[column] for column in (*columns, "identificationQualifier")}


def taxon_meant(row: dict[str, str], otherwise: Usage) -> Usage:
    """Return a taxon of the genus or group that such a label means, so that place and preparation fit it."""
    first = row["accepted"].split(" ")[0]
    for taxon in taxa_of(row["collection"]):
        if first and first in (taxon.words[0], *taxon.classification.values()):
            return taxon
    return otherwise
