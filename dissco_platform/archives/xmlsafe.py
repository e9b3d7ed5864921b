"""Reading XML from strangers: no entities, no network, no document type with its own declarations, bounded depth.

Used by `descriptor.py`, `eml.py` and `abcd.py`. Behaviour measured with lxml 6 / libxml2 2.14: depth over 256 and
single text nodes over 10 MB are errors as long as `huge_tree` stays off.
"""

import re
from typing import Any

from lxml import etree

from dissco_platform.errors import ArchiveError

PARSER_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")


def refuse_doctype(name: str, head: bytes) -> None:
    """Refuse a document that declares a type or entities; no honest publisher of ours does.

    Raises:
        ArchiveError: `xml_doctype`.
    """
    plain = head.replace(b"\x00", b"")  # UTF-16 too
    if _DOCTYPE.search(plain):
        raise ArchiveError(f"{name} declares a document type or entities, which is not accepted", reason="xml_doctype")


def parse_xml(name: str, content: bytes) -> Any:
    """Return the root element of a small document (descriptor, metadata).

    A byte that is not valid in the declared encoding is read as Windows-1252, as such documents usually are.

    Raises:
        ArchiveError: `xml_doctype`, or `malformed_xml` with the parser's message.
    """
    refuse_doctype(name, content)
    body = content.lstrip(b" \t\r\n") if content[:1] in b" \t\r\n" else content
    try:
        return _parse(body)
    except etree.XMLSyntaxError as error:
        if "encod" in str(error).lower() or "utf-8" in str(error).lower() or "multi-byte" in str(error).lower():
            text = _DECLARATION.sub(b"", body.removeprefix(b"\xef\xbb\xbf")).decode("cp1252", errors="replace")
            try:
                return _parse(text.encode())
            except etree.XMLSyntaxError as second:
                error = second
        raise ArchiveError(f"{name} is not well-formed XML: {error}", reason="malformed_xml") from error


def _parse(body: bytes) -> Any:
    return etree.fromstring(body, etree.XMLParser(**PARSER_OPTIONS))


def local(element: Any) -> str:
    """Return an element's name without its namespace."""
    tag = element.tag
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def attribute(element: Any, name: str) -> str | None:
    """Return an attribute by local name, whatever its namespace or case; None where it is absent."""
    value = element.get(name)
    if value is not None:
        return str(value)
    for key, other in element.attrib.items():
        if key.rsplit("}", 1)[-1].lower() == name.lower():
            return str(other)
    return None


def text_of(element: Any) -> str:
    """Return all text below an element, blanks collapsed."""
    return " ".join(" ".join(str(part) for part in element.itertext()).split())
