"""One ABCD unit → one record row and its child rows, as mappings of column to value.

This is what every element passes through, so paths are looked up in a tree of nodes that grows with the paths met, not
built as strings for each element. Events come from `abcd_parser.py`; Darwin Core columns that can be computed for whole
tables are added by `derive_columns`.
"""

import re
from dataclasses import dataclass, field

import polars as pl

from dissco_platform.archives.abcd_terms import (
    AGENT_ID,
    AGENT_REGISTERS,
    AREAS,
    AUTHORSHIP,
    CHILD_ROWS,
    CHILD_TERMS,
    CHRONOSTRATIGRAPHY,
    DIVISIONS,
    EFG_NAMESPACE,
    GENUS,
    HIGHER_TAXON,
    NAMED_AREA,
    RANKS,
    RECORD_TERMS,
)

Row = dict[str, str]
JOIN = " | "
_BREAKS = re.compile(r"\s*\n\s*")
_CONTROLS = dict.fromkeys(i for i in range(32) if i not in (9, 10, 13)) | {127: None}
_KEYED = (HIGHER_TAXON, NAMED_AREA, CHRONOSTRATIGRAPHY)


class Node:
    """A place in the unit's tree: the column its text goes to, and its children by name (`namespace}local`)."""

    __slots__ = ("attributes", "children", "column", "depth", "efg", "keyed", "pair", "row", "row_type", "special")

    def __init__(self, path: str, *, efg: bool, depth: int = 0) -> None:
        self.depth = depth
        self.efg = efg
        self.column = f"{'efg' if efg else 'abcd'}:{path}"
        self.children: dict[str, Node] = {}
        self.row, self.row_type = CHILD_ROWS.get(self.column, ("", ""))
        self.attributes = "abcd:@" if self.row else f"{self.column}/@"
        last = path.rsplit("/", 1)[-1]
        self.keyed = next((key for key in _KEYED if key[0] == last), None)
        self.pair: int | None = None
        self.special = bool(self.row) or self.keyed is not None

    def child(self, name: str) -> "Node":
        """Return the node below for an element; EFG paths begin anew at the first EFG element."""
        namespace, _, local = name.rpartition("}")
        efg = namespace == EFG_NAMESPACE
        own = "" if self.row else self.column.split(":", 1)[1]
        path = local if (efg and not self.efg) or not own else f"{own}/{local}"
        node = Node(path, efg=efg or self.efg, depth=self.depth + 1)
        if self.row:
            node.row, node.row_type = "", ""
            node.special = node.keyed is not None
            node.attributes = f"{node.column}/@"
        if self.keyed is not None and local in self.keyed[1:]:
            node.pair = self.keyed.index(local) - 1
        self.children[name] = node
        return node


@dataclass
class UnitRows:
    """A flattened unit: its record, its child rows (table, row type, row) and its identifier."""

    record: Row = field(default_factory=dict)
    children: list[tuple[str, str, Row]] = field(default_factory=list)
    identifier: str | None = None
    source: str = ""
    ordinal: int = 0
    dataset: dict[str, list[str]] = field(default_factory=dict)

    def add(self, node: Node, row: Row, keyed: list[tuple[str, str, str]]) -> None:
        """Add a child row; its higher taxa become columns."""
        if node.row == "identifications":
            for _, rank, name in keyed:
                term = RANKS.get(rank)
                if term is not None:
                    row.setdefault(term, name)
        self.children.append((node.row, node.row_type, row))


def put(row: Row, column: str, text: str) -> None:
    """Add a value to a row; a column that has one already gets both."""
    value = text.strip()
    if not value:
        return
    if not value.isprintable():
        # Line breaks with indentation are the writer's pretty-printing, not the value's.
        value = _BREAKS.sub(" ", value).translate(_CONTROLS).strip()
    old = row.get(column)
    row[column] = value if old is None else f"{old}{JOIN}{value}"


def first(row: Row, paths: tuple[str, ...]) -> str | None:
    """Return the first value that a row has under the given columns."""
    for path in paths:
        if path in row:
            return row[path]
    return None


def derive_unit(unit: UnitRows, keyed: list[tuple[str, str, str]]) -> None:
    """Add the Darwin Core columns of a record that stand in lists: areas, ages, collectors, types, licence."""
    record = unit.record
    for element, kind, value in keyed:
        if element == NAMED_AREA[0]:
            term = AREAS.get(kind)
            if term is not None:
                record.setdefault(term, value)
        elif element == CHRONOSTRATIGRAPHY[0] and kind in DIVISIONS:
            earliest, latest = DIVISIONS[kind]
            record.setdefault(earliest, value)
            record[latest] = value
    for term, paths in RECORD_TERMS.items():
        found = first(record, paths)
        if found is not None:
            record[term] = found
    types: list[Row] = []
    identified: list[str] = []  # one place an agent: several of one agent's URIs, or none
    for table, _, row in unit.children:
        if table == "agents":
            for term, paths in CHILD_TERMS["agents"].items():
                found = first(row, paths)
                if term == AGENT_ID:
                    if found is not None:
                        found = row[term] = one_identifier(found)
                    identified.append(found or "")
                elif found is not None:
                    put(record, term, found)
        elif table == "types" and "abcd:TypeStatus" in row:
            types.append(row)
    if any(identified):
        record["dwc:recordedByID"] = JOIN.join(identified)
    if "dwc:recordedBy" not in record and "abcd:Gathering/Agents/GatheringAgentsText" in record:
        record["dwc:recordedBy"] = record["abcd:Gathering/Agents/GatheringAgentsText"]
    if types:
        _attach_types(unit, types)
    unit.identifier = record.get("abcd:UnitGUID") or record.get("abcd:UnitID")


def one_identifier(joined: str) -> str:
    """Return the identifier to know a person by where several are given: the first of the best-known register.

    All stay in the agent's own row. As a list they would read as several people (`dwc:recordedByID` is one a person).
    """
    found = joined.split(JOIN)
    for register in AGENT_REGISTERS:
        for one in found:
            if register in one.lower():
                return one
    return found[0]


def _attach_types(unit: UnitRows, types: list[Row]) -> None:
    """Give a type designation to the identification it speaks of: the only one, or that of the typified name."""
    for one in types:
        put(unit.record, "dwc:typeStatus", one["abcd:TypeStatus"])
        if name := first(one, CHILD_TERMS["types"]["dwc:typifiedName"]):
            put(unit.record, "dwc:typifiedName", name)
    identifications = [row for table, _, row in unit.children if table == "identifications"]
    if len(types) == 1 and len(identifications) == 1:
        identifications[0]["dwc:typeStatus"] = types[0]["abcd:TypeStatus"]
        return
    for one in types:
        name = first(one, CHILD_TERMS["types"]["dwc:typifiedName"])
        for row in identifications:
            if name is not None and first(row, CHILD_TERMS["identifications"]["dwc:scientificName"]) == name:
                row["dwc:typeStatus"] = one["abcd:TypeStatus"]


def derive_columns(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Add a child table's Darwin Core columns; only those with a value become columns."""
    have = set(frame.columns)
    added: list[pl.Expr] = []
    for term, paths in CHILD_TERMS.get(table, {}).items():
        present = [path for path in paths if path in have]
        if present and not (term == AGENT_ID and term in have):
            added.append(pl.coalesce(present).alias(term))
    frame = frame.with_columns(added)
    return _name_columns(frame) if table == "identifications" else frame


def _name_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Add authorship and genus, and the name itself where only its parts are given."""
    have = set(frame.columns)
    authors: list[pl.Expr] = []
    for parenthesis, team in AUTHORSHIP:
        parts = []
        if parenthesis in have:
            parts.append(pl.format("({})", pl.col(parenthesis).str.strip_chars("()")))
        if team in have:
            parts.append(pl.col(team))
        if parts:
            joined = pl.concat_str(parts, separator=" ", ignore_nulls=True)
            authors.append(pl.when(joined != "").then(joined))
    if authors:
        frame = frame.with_columns(pl.coalesce(authors).alias("dwc:scientificNameAuthorship"))
    monomials = [path for path in GENUS if path in have]
    if not monomials:
        return frame
    genus = pl.coalesce(monomials)
    none = pl.lit(None, dtype=pl.String)
    epithet = pl.col("dwc:specificEpithet") if "dwc:specificEpithet" in frame.columns else none
    rank = pl.col("dwc:taxonRank") if "dwc:taxonRank" in frame.columns else none
    below = pl.col("dwc:infraspecificEpithet") if "dwc:infraspecificEpithet" in frame.columns else none
    name = pl.col("dwc:scientificName") if "dwc:scientificName" in frame.columns else none
    old = pl.col("dwc:genus") if "dwc:genus" in frame.columns else none
    # A monomial is a genus only where an epithet follows; alone it may be a family.
    is_genus = epithet.is_not_null() | (rank.str.to_lowercase() == "genus").fill_null(value=False)
    composed = pl.concat_str([genus, epithet, rank, below], separator=" ", ignore_nulls=True)
    frame = frame.with_columns(
        pl.coalesce(old, pl.when(is_genus).then(genus)).alias("dwc:genus"),
        pl.coalesce(name, pl.when(genus.is_not_null()).then(composed)).alias("dwc:scientificName"),
    )
    empty = [column for column in ("dwc:genus",) if frame[column].null_count() == frame.height]
    return frame.drop(empty)
