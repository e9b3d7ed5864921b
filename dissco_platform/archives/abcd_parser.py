"""Streaming an ABCD document: expat events → flattened units, and what the document says about itself.

No tree is built: each element costs a look-up in the tree of known paths (`abcd_rows.Node`). Document types and
entities end the reading; depth and the size of a value are bounded. What becomes of the units is `abcd.py`.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

from dissco_platform.archives.abcd_rows import Node, Row, UnitRows, derive_unit, put
from dissco_platform.archives.abcd_terms import CONTACTS, EFG_NAMESPACE
from dissco_platform.errors import ArchiveError

MAX_DEPTH = 200
MAX_TEXT = 10 << 20
CHUNK = 1 << 18
ERRORS = ("ERROR", "FATAL")


class Malformed(Exception):  # noqa: N818  it is what expat's error and our own bounds have in common
    """The document is not well-formed, or beyond the bounds, from here on."""


class UnitStream:
    """Reads one document; `units()` yields them, the attributes tell the rest once the end is reached.

    `dataset` holds the values of the current DataSet by path (`Metadata/…`), `contacts` its contacts.
    """

    def __init__(self, name: str, trees: dict[str, Node]) -> None:
        self.name = name
        self.trees = trees
        self.encoding = "UTF-8"
        self.namespaces: set[str] = set()
        self.dataset: dict[str, list[str]] = {}
        self.contacts: list[dict[str, str]] = []
        self.stated: int | None = None
        self.dropped = 0
        self.problem = ""
        self._ready: list[UnitRows] = []
        self._outer: list[str] = []
        self._text = ""
        self._severity = ""
        self._contact: dict[str, str] | None = None
        self._unit: UnitRows | None = None
        self._stack: list[Node] = []
        self._node: Node | None = None
        self._rows: list[tuple[Row, list[tuple[str, str, str]]]] = []
        self._row: Row = {}
        self._keyed: list[tuple[str, str, str]] = []
        self._pair = ["", ""]

    def units(self, stream: BinaryIO) -> Iterator[UnitRows]:
        """Yield the document's units in order.

        Raises:
            Malformed: with the position; units before it have been yielded.
            ArchiveError: `xml_doctype`.
        """
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartElementHandler = self._outer_start
        parser.EndElementHandler = self._outer_end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration
        parser.StartNamespaceDeclHandler = self._namespace
        self._parser = parser
        final = False
        while not final:
            chunk = stream.read(CHUNK)
            final = not chunk
            try:
                parser.Parse(chunk, final)
            except expat.ExpatError as error:
                yield from self._take()
                raise Malformed(str(error)) from error
            except (LookupError, ValueError) as error:  # an encoding that nobody knows
                raise Malformed(str(error)) from error
            except Malformed:
                yield from self._take()
                raise
            yield from self._take()

    def _take(self) -> list[UnitRows]:
        ready, self._ready = self._ready, []
        return ready

    def _doctype(self, *_: object) -> None:
        raise ArchiveError(f"{self.name} declares a document type, which is not accepted", reason="xml_doctype")

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = (encoding or "UTF-8").upper()

    def _namespace(self, _prefix: str | None, iri: str | None) -> None:
        self.namespaces.add(iri or "")

    def _data(self, text: str) -> None:
        if not self._text:
            self._text = text
            return
        self._text += text
        if len(self._text) > MAX_TEXT:
            raise Malformed(f"a value is longer than {MAX_TEXT:,} characters")

    def _outer_start(self, name: str, attributes: dict[str, str]) -> None:
        """An element outside units: response, content, diagnostics, data set, metadata."""
        outer = self._outer
        local = name.rpartition("}")[2]
        if local == "Unit" and outer and outer[-1] == "Units":
            self._start_unit(name, attributes)
            return
        outer.append(local)
        if len(outer) > MAX_DEPTH:
            raise Malformed(f"elements are nested more than {MAX_DEPTH} deep")
        self._text = ""
        if local == "DataSet":
            self.dataset, self.contacts = {}, []
        elif local == "content":
            self.stated = _integer(attributes.get("recordCount"))
            self.dropped += _integer(attributes.get("recordDropped")) or 0
        elif local == "diagnostic":
            self._severity = attributes.get("severity", "").upper()
        elif "DataSet" in outer and "/".join(outer[-2:]) in CONTACTS:
            self._contact = {"role": CONTACTS["/".join(outer[-2:])]}

    def _outer_end(self, name: str) -> None:
        local = self._outer.pop()
        text = " ".join(self._text.split())
        self._text = ""
        if text and "DataSet" in self._outer:
            below = self._outer[self._outer.index("DataSet") + 1 :]
            self.dataset.setdefault("/".join([*below, local]), []).append(text)
            if self._contact is not None and local in ("Name", "Email"):
                self._contact.setdefault(local.lower(), text)
        if self._contact is not None and f"{self._outer[-1] if self._outer else ''}/{local}" in CONTACTS:
            self.contacts.append(self._contact)
            self._contact = None
        if local == "diagnostic" and self._severity in ERRORS:
            self.problem = self.problem or text[:500]

    def _start_unit(self, name: str, attributes: dict[str, str]) -> None:
        namespace = name.rpartition("}")[0]
        root = self.trees.get(namespace)
        if root is None:
            root = self.trees[namespace] = Node("", efg=namespace == EFG_NAMESPACE)
        self._unit = UnitRows()
        self._node, self._row, self._keyed = root, self._unit.record, []
        self._text = ""
        for key, value in attributes.items():
            put(self._row, f"abcd:@{key.rpartition('}')[2]}", value)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._node
        assert parent is not None
        stack = self._stack
        stack.append(parent)
        if len(stack) > MAX_DEPTH:
            raise Malformed(f"a unit is nested more than {MAX_DEPTH} deep")
        node = parent.children.get(name)
        if node is None:
            node = parent.child(name)
        self._node = node
        self._text = ""
        if node.row:
            self._rows.append((self._row, self._keyed))
            self._row, self._keyed = {}, []
        elif node.keyed is not None:
            self._pair = ["", ""]
        if attributes:
            for key, value in attributes.items():
                put(self._row, f"{node.attributes}{key.rpartition('}')[2]}", value)

    def _end(self, _name: str) -> None:
        node = self._node
        assert node is not None
        text = self._text
        if text:
            self._text = ""
            text = text.strip()
            if text:
                put(self._row, node.column, text)
                if node.pair is not None:
                    self._pair[node.pair] = text
        if not self._stack:
            self._end_unit()
            return
        if node.row:
            row, keyed = self._row, self._keyed
            self._row, self._keyed = self._rows.pop()
            if row and self._unit is not None:
                self._unit.add(node, row, keyed)
        elif node.keyed is not None and all(self._pair):
            self._keyed.append((node.keyed[0], self._pair[1].lower(), self._pair[0]))
        self._node = self._stack.pop()

    def _end_unit(self) -> None:
        unit = self._unit
        assert unit is not None
        derive_unit(unit, self._keyed)
        unit.dataset = self.dataset
        self._ready.append(unit)
        self._unit = self._node = None
        self._parser.StartElementHandler = self._outer_start
        self._parser.EndElementHandler = self._outer_end


def _integer(text: Any) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
