"""The names: one usage a name with its parent or accepted name, and the ColDP NameUsage table made of them.

What specimens call their taxa is in herbarium, zoology and fossils; this module only knows what is true.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from making.facts import digest, table

# The characters that the Catalogue of Life writes its identifiers with.
LATIN29 = "23456789BCDFGHJKLMNPQRSTVWXYZ"
BOTANICAL = {"Plantae", "Fungi", "Chromista"}
MARKERS = {"subsp.", "var.", "f."}
MAIN_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
COLUMNS = (
    *("ID", "parentID", "status", "rank", "scientificName", "authorship", "notho", "uninomial", "genericName"),
    *("infragenericEpithet", "specificEpithet", "infraspecificEpithet", "code", "extinct", "remarks"),
)

METADATA = """\
title: Example checklist for the sample collections
alias: ExampleList
version: "2026-10"
issued: 2026-10-01
license: cc0
description: >-
  The names of the sample collections with their higher taxa: real names, authors and classification, gathered by
  hand for demonstrations and tests. It is no authority, it is far from complete, and its identifiers exist nowhere
  else: do not cite it.
contact: {organisation: Example Checklist Desk (invented), email: checklist@example.org}
creator:
  - {organisation: Example Checklist Desk (invented), email: checklist@example.org}
geographicScope: what the sample collections hold
taxonomicScope: a few plants, fungi, lichens, algae, animals and fossils
"""


@dataclass(frozen=True, eq=False)
class Usage:
    """One name in use: accepted (its `parent` is the taxon above) or a synonym (its `parent` is the accepted name)."""

    name: str
    authorship: str
    rank: str
    parent: "Usage | None"
    status: str = "accepted"
    extinct: bool = False
    collection: str = ""
    environment: str = ""
    remarks: str = ""

    @cached_property
    def id(self) -> str:
        number = digest(self.name, self.authorship, self.rank, self.accepted.kingdom)
        return "".join(LATIN29[number // 29**place % 29] for place in range(5))

    @property
    def accepted(self) -> "Usage":
        return self.parent if self.status == "synonym" and self.parent else self

    @cached_property
    def classification(self) -> dict[str, str]:
        """Names by rank from kingdom to genus (Linnean ranks only), the accepted name's own for a synonym."""
        taxon: Usage | None = self.accepted
        found = {}
        while taxon:
            found[taxon.rank] = taxon.name
            taxon = taxon.parent
        return {rank: found.get(rank, "") for rank in MAIN_RANKS}

    @property
    def kingdom(self) -> str:
        return self.classification["kingdom"]

    @cached_property
    def code(self) -> str:
        return "ICN" if self.kingdom in BOTANICAL - {"Chromista"} or self._alga else "ICZN"

    @property
    def _alga(self) -> bool:
        return self.classification["phylum"] == "Ochrophyta"

    @property
    def label(self) -> str:
        return f"{self.name} {self.authorship}".strip()

    @property
    def words(self) -> list[str]:
        """The name's words without hybrid and rank marks."""
        return [word for word in self.name.split() if word != "×" and word not in MARKERS]


@cache
def usages() -> tuple[Usage, ...]:
    """Return every usage of the checklist, parents first."""
    taxa: dict[str, Usage] = {}
    for row in table("higher_taxa"):
        taxa[row["name"]] = Usage(row["name"], row["authorship"], row["rank"], taxa.get(row["parent"]))
    genera: dict[tuple[str, str], Usage] = {}
    for row in table("genera"):
        genera[row["name"], row["authorship"]] = Usage(
            row["name"], row["authorship"], "genus", taxa[row["family"]], extinct=row["extinct"] == "yes"
        )
    species: dict[tuple[str, str], Usage] = {}
    for row in table("species"):
        word = row["name"].split()[0]
        same = [genus for (name, _), genus in genera.items() if name == word]
        genus = genera[word, row["genus_authorship"]] if len(same) > 1 else same[0]
        species[row["name"], row["authorship"]] = Usage(
            row["name"],
            row["authorship"],
            "species",
            genus,
            extinct=genus.extinct or row["name"] in RECENTLY_EXTINCT,
            collection=row["collection"],
            environment=row["environment"],
        )
    accepted = [*taxa.values(), *genera.values(), *species.values()]
    for row in table("infraspecies"):
        parent = next(taxon for taxon in accepted if taxon.name == " ".join(row["name"].split()[:2]))
        accepted.append(
            Usage(
                row["name"],
                row["authorship"],
                row["rank"],
                parent,
                collection=row["collection"],
                environment=row["environment"],
            )
        )
    return (*accepted, *synonyms(accepted))


# Species that died out though their genus lives on.
RECENTLY_EXTINCT = {"Ursus spelaeus", "Campanile giganteum", "Nummulites laevigatus"}


def synonyms(accepted: list[Usage]) -> list[Usage]:
    """Return the synonyms, each with its accepted name as parent."""
    found = []
    for row in table("synonyms"):
        matches = [
            taxon
            for taxon in accepted
            if taxon.name == row["accepted"] and row["accepted_authorship"] in ("", taxon.authorship)
        ]
        if len(matches) != 1:
            raise ValueError(f"synonyms.tsv: {row['name']}: {len(matches)} accepted names {row['accepted']}")
        found.append(
            Usage(
                row["name"],
                row["authorship"],
                row["rank"],
                matches[0],
                status="synonym",
                extinct=matches[0].extinct,
                collection=matches[0].collection,
                environment=matches[0].environment,
                remarks=row["remarks"],
            )
        )
    return found


def parts(usage: Usage) -> dict[str, str]:
    """Return the words of a name under ColDP's column names."""
    words = usage.words
    if len(words) == 1:
        return {"uninomial": words[0]}
    names = ("genericName", "specificEpithet", "infraspecificEpithet")
    return dict(zip(names, words, strict=False)) | ({"notho": "specific"} if "×" in usage.name else {})


def name_usage_table() -> str:
    """Return NameUsage.tsv: header with the col: prefix, no quoting, one usage a line."""
    lines = ["\t".join(f"col:{column}" for column in COLUMNS)]
    for usage in usages():
        row = {
            "ID": usage.id,
            "parentID": usage.parent.id if usage.parent else "",
            "status": usage.status,
            "rank": usage.rank,
            "scientificName": usage.name,
            "authorship": usage.authorship,
            "code": {"ICN": "botanical", "ICZN": "zoological"}[usage.code] if usage.parent else "",
            "extinct": "true" if usage.extinct else "",
            "remarks": usage.remarks,
        } | parts(usage)
        lines.append("\t".join(row.get(column, "") for column in COLUMNS))
    return "\n".join(lines) + "\n"


@cache
def taxa_of(collection: str) -> list[Usage]:
    """Return the accepted species and infraspecific taxa that a collection holds."""
    return [usage for usage in usages() if usage.collection == collection and usage.status == "accepted"]


@cache
def synonyms_of(usage: Usage) -> list[Usage]:
    """Return the synonyms of an accepted taxon, those of its own rank or below."""
    return [other for other in usages() if other.parent == usage and other.status == "synonym"]


@cache
def sisters_of(usage: Usage) -> list[Usage]:
    """Return the other species of the same genus."""
    return [other for other in usages() if other.parent == usage.parent and other != usage and other.rank == usage.rank]
