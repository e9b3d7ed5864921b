"""Streaming an ABCD document: expat events → flattened units, and what the document says about itself.

No tree is built: each element costs a look-up in the tree of known paths (`abcd_rows.Node`). Document types and
entities end the reading; depth and the size of a value are bounded. What becomes of the units is `abcd.py`.
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

from dissco_platform.archives.abcd_rows import Node, Row, UnitRows, derive_unit, put
from dissco_platform.archives.abcd_terms import CONTACTS, EFG_NAMESPACE
from dissco_platform.errors import ArchiveError

MAX_DEPTH = 200
MAX_TEXT = 10 << 20
CHUNK = 1 << 18
ERRORS = ("ERROR", "FATAL")


Keyed = list[tuple[str, str, str]]
Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Data = Callable[[str], None]


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
        unit = UnitRows()
        for key, value in attributes.items():
            put(unit.record, f"abcd:@{key.rpartition('}')[2]}", value)
        parser = self._parser
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self._inside(root, unit)

    def _end_unit(self, unit: UnitRows, keyed: Keyed) -> None:
        derive_unit(unit, keyed)
        unit.dataset = self.dataset
        self._ready.append(unit)
        self._text = ""
        self._parser.StartElementHandler = self._outer_start
        self._parser.EndElementHandler = self._outer_end
        self._parser.CharacterDataHandler = self._data

    def _inside(self, root: Node, unit: UnitRows) -> tuple[Start, End, Data]:
        """Return the handlers for one unit. Every element passes here: local variables, no attributes of ours."""
        node, row = root, unit.record
        keyed: Keyed = []
        text = ""
        pair = ["", ""]
        stack: list[Node] = []
        rows: list[tuple[Row, Keyed]] = []

        def data(more: str) -> None:
            nonlocal text
            if not text:
                text = more
                return
            text += more
            if len(text) > MAX_TEXT:
                raise Malformed(f"a value is longer than {MAX_TEXT:,} characters")

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal node, row, keyed, text, pair
            stack.append(node)
            below = node.children.get(name)
            if below is None:
                if node.depth >= MAX_DEPTH:
                    raise Malformed(f"a unit is nested more than {MAX_DEPTH} deep")
                below = node.child(name)
            node = below
            text = ""
            if node.special:
                if node.row:
                    rows.append((row, keyed))
                    row, keyed = {}, []
                else:
                    pair = ["", ""]
            if attributes:
                for key, value in attributes.items():
                    put(row, f"{node.attributes}{key.rpartition('}')[2]}", value)

        def end(_name: str) -> None:
            nonlocal node, row, keyed, text
            if text:
                value = text.strip()
                text = ""
                if value:
                    if value.isprintable() and node.column not in row:
                        row[node.column] = value
                    else:
                        put(row, node.column, value)
                    if node.pair is not None:
                        pair[node.pair] = value
            if not stack:
                self._end_unit(unit, keyed)
                return
            if node.special:
                if node.row:
                    done, done_keyed = row, keyed
                    row, keyed = rows.pop()
                    if done:
                        unit.add(node, done, done_keyed)
                elif node.keyed is not None and all(pair):
                    keyed.append((node.keyed[0], pair[1].lower(), pair[0]))
            node = stack.pop()

        return start, end, data


def _integer(text: Any) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
