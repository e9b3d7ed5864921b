"""One ABCD unit → one record row and its child rows, as mappings of column to value.

This is the loop that every unit passes through, so paths are looked up in a tree of nodes that grows with the paths
met, not built as strings for each element. Streaming and tables are `abcd.py`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from dissco_platform.archives.abcd_terms import (
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


class Node:
    """A place in the unit's tree: the column its text goes to, and its children by tag."""

    __slots__ = ("children", "column", "efg", "keyed", "row", "row_type")

    def __init__(self, path: str, *, efg: bool) -> None:
        self.efg = efg
        self.column = f"{'efg' if efg else 'abcd'}:{path}"
        self.children: dict[str, Node] = {}
        self.row, self.row_type = CHILD_ROWS.get(self.column, ("", ""))
        last = path.rsplit("/", 1)[-1]
        self.keyed = next((key for key in (HIGHER_TAXON, NAMED_AREA, CHRONOSTRATIGRAPHY) if key[0] == last), None)

    def child(self, tag: str) -> "Node":
        """Return the node below for an element's tag; EFG paths begin anew at the first EFG element."""
        namespace, _, name = tag.rpartition("}")
        efg = namespace == "{" + EFG_NAMESPACE
        own = "" if self.row else self.column.split(":", 1)[1]
        path = name if (efg and not self.efg) or not own else f"{own}/{name}"
        node = Node(path, efg=efg or self.efg)
        if self.row:
            node.row, node.row_type = "", ""
        self.children[tag] = node
        return node


@dataclass
class UnitRows:
    """A flattened unit: its record, its child rows (table, row type, row) and its identifier."""

    record: Row = field(default_factory=dict)
    children: list[tuple[str, str, Row]] = field(default_factory=list)
    identifier: str | None = None
    ordinal: int = 0


def read_unit(element: Any, root: Node) -> UnitRows:
    """Flatten a Unit element."""
    unit = UnitRows()
    keyed: list[tuple[str, str, str]] = []
    _walk(element, root, unit.record, unit, keyed)
    for key, value in element.attrib.items():
        _put(unit.record, f"abcd:@{key.rsplit('}', 1)[-1]}", value)
    _derive_record(unit, keyed)
    unit.identifier = unit.record.get("abcd:UnitGUID") or unit.record.get("abcd:UnitID")
    return unit


def _put(row: Row, column: str, text: str) -> None:
    value = text.strip()
    if not value:
        return
    if not value.isprintable():
        # Line breaks with indentation are the writer's pretty-printing, not the value's.
        value = _BREAKS.sub(" ", value).translate(_CONTROLS).strip()
    old = row.get(column)
    row[column] = value if old is None else f"{old}{JOIN}{value}"


def _walk(element: Any, node: Node, row: Row, unit: UnitRows, keyed: list[tuple[str, str, str]]) -> None:
    children = node.children
    for child in element:
        tag = child.tag
        below = children.get(tag)
        if below is None:
            below = node.child(tag)
        if below.row:
            _child_row(child, below, unit)
            continue
        if child.attrib:
            for key, value in child.attrib.items():
                _put(row, f"{below.column}/@{key.rsplit('}', 1)[-1]}", value)
        text = child.text
        if text is not None and (text := text.strip()):
            _put(row, below.column, text)
        if len(child):
            _walk(child, below, row, unit, keyed)
            if below.keyed is not None:
                _keyed(child, below.keyed, keyed)


def _keyed(element: Any, names: tuple[str, str, str], keyed: list[tuple[str, str, str]]) -> None:
    """Note a (name, class) pair such as a named area and its class."""
    value = kind = ""
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name == names[1]:
            value = (child.text or "").strip()
        elif name == names[2]:
            kind = (child.text or "").strip().lower()
    if value and kind:
        keyed.append((names[0], kind, value))


def _child_row(element: Any, node: Node, unit: UnitRows) -> None:
    row: Row = {}
    keyed: list[tuple[str, str, str]] = []
    for key, value in element.attrib.items():
        _put(row, f"abcd:@{key.rsplit('}', 1)[-1]}", value)
    _walk(element, node, row, unit, keyed)
    if not row:
        return
    for term, paths in CHILD_TERMS.get(node.row, {}).items():
        for path in paths:
            found = row.get(path)
            if found is not None:
                row[term] = found
                break
    if node.row == "identifications":
        _derive_name(row, keyed)
    unit.children.append((node.row, node.row_type, row))


def _derive_name(row: Row, keyed: list[tuple[str, str, str]]) -> None:
    """Add authorship, genus and classification to an identification."""
    for parenthesis, authors in AUTHORSHIP:
        first = row.get(parenthesis) if parenthesis else None
        second = row.get(authors)
        if first or second:
            first = f"({first.strip('()')})" if first else ""
            row["dwc:scientificNameAuthorship"] = " ".join(part for part in (first, second) if part)
            break
    for _, rank, name in keyed:
        term = RANKS.get(rank)
        if term is not None:
            row.setdefault(term, name)
    # A monomial is a genus only where an epithet follows; alone it may be a family.
    genus = next((row[path] for path in GENUS if path in row), None)
    if genus is not None and ("dwc:specificEpithet" in row or row.get("dwc:taxonRank", "").lower() == "genus"):
        row.setdefault("dwc:genus", genus)
    if genus is not None and "dwc:scientificName" not in row:
        parts = (genus, row.get("dwc:specificEpithet"), row.get("dwc:taxonRank"), row.get("dwc:infraspecificEpithet"))
        row["dwc:scientificName"] = " ".join(part for part in parts if part)


def _derive_record(unit: UnitRows, keyed: list[tuple[str, str, str]]) -> None:
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
        for path in paths:
            if path in record:
                record[term] = record[path]
                break
    types = [row for table, _, row in unit.children if table == "types" and "dwc:typeStatus" in row]
    for table, _, row in unit.children:
        if table == "agents":
            for term in ("dwc:recordedBy", "dwc:recordedByID"):
                if term in row:
                    _put(record, term, row[term])
    if "dwc:recordedBy" not in record and "abcd:Gathering/Agents/GatheringAgentsText" in record:
        record["dwc:recordedBy"] = record["abcd:Gathering/Agents/GatheringAgentsText"]
    if types:
        _attach_types(unit, types)


def _attach_types(unit: UnitRows, types: list[Row]) -> None:
    """Give a type designation to the identification it speaks of: the only one, or that of the typified name."""
    for one in types:
        _put(unit.record, "dwc:typeStatus", one["dwc:typeStatus"])
    identifications = [row for table, _, row in unit.children if table == "identifications"]
    if len(types) == 1 and len(identifications) == 1:
        identifications[0]["dwc:typeStatus"] = types[0]["dwc:typeStatus"]
        return
    for one in types:
        for row in identifications:
            if one.get("dwc:typifiedName") and row.get("dwc:scientificName") == one["dwc:typifiedName"]:
                row["dwc:typeStatus"] = one["dwc:typeStatus"]
