"""Columns and where they come from, as Dagster shows them: which source term fed which openDS term."""

from collections.abc import Mapping as Mapped

import dagster as dg

from dissco_platform.opends.explaining import lineage
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.terms import model

_SOURCES_SHOWN = 6
_TYPES = {"string": "string", "integer": "int", "number": "float", "boolean": "bool"}

# Result of harmonisation → term of the taxon identification that it becomes (opends.taxa).
TAXON_TERMS = {
    "dwc:taxonID": "acceptedUsageID",
    "dwc:scientificName": "acceptedName",
    "dwc:scientificNameAuthorship": "acceptedAuthorship",
    "dwc:taxonRank": "acceptedRank",
    "dwc:nomenclaturalCode": "nomenclaturalCode",
    "dwc:kingdom": "kingdom",
    "dwc:phylum": "phylum",
    "dwc:class": "class",
    "dwc:order": "order",
    "dwc:family": "family",
    "dwc:genus": "genus",
}


def parsed_schema(columns: Mapped[str, list[str]]) -> dg.TableSchema:
    """Return the columns of all parsed tables, named `table.term`."""
    return dg.TableSchema(
        columns=[dg.TableColumn(f"{table}.{column}", "string") for table, names in columns.items() for column in names]
    )


def document_schema(mapping: Mapping) -> dg.TableSchema:
    """Return the openDS terms that a mapping fills, named `class term`."""
    filled = _filled(mapping)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                f"{owner} {name}",
                type=_TYPES.get(term.range, term.range) + ("[]" if term.many else ""),
                description=_fed_by(filled[(owner, name)]),
                constraints=dg.TableColumnConstraints(nullable=not term.required),
            )
            for owner, terms in model().classes.items()
            for name, term in terms.items()
            if (owner, name) in filled
        ]
    )


def document_lineage(mapping: Mapping, columns: Mapped[str, list[str]]) -> dg.TableColumnLineage:
    """Return which columns of this dataset's parsed tables and harmonised names feed each openDS term.

    Args:
        mapping: the dataset's resolved mapping.
        columns: columns of each parsed table that the dataset has.
    """
    present = {(table, column) for table, names in columns.items() for column in names}
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for (owner, name), sources in _filled(mapping).items():
        found = [
            dg.TableColumnDep(dg.AssetKey("parsed_records"), f"{table}.{column}")
            for table, column in sources
            if (table, column) in present
        ]
        if owner == "ods:TaxonIdentification" and name in TAXON_TERMS:
            found.append(dg.TableColumnDep(dg.AssetKey("taxon_harmonised"), TAXON_TERMS[name]))
        if found:
            deps[f"{owner} {name}"] = found
    return dg.TableColumnLineage(deps_by_column=deps)


def _fed_by(sources: list[tuple[str, str]]) -> str | None:
    """Return which columns feed a term, the first that has a value counts; None where none does (a constant)."""
    shown = [f"{table}.{column}" for table, column in sources[:_SOURCES_SHOWN]]
    more = f" and {len(sources) - _SOURCES_SHOWN} more" if len(sources) > _SOURCES_SHOWN else ""
    return f"from {', '.join(shown)}{more}" if shown else None


def _filled(mapping: Mapping) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return (class, term) → (table, column) pairs, as the mapping says."""
    filled: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in lineage(mapping):
        known = filled.setdefault((row["class"], row["term"]), [])
        if (row["table"], row["column"]) not in known:
            known.append((row["table"], row["column"]))
    return filled
