"""The BioCASe protocol (1.3): what is asked of an access point, and what its answers say. No network here.

An access point is an address like `https://museum.example/biocase/pywrapper.cgi?dsa=herbarium`; a fragment names one of
several datasets by its title, which is the only key that BioCASe has (`…?dsa=herbarium#Herbarium Berolinense`). Fetching
pages is `harvest.py`, reading the units in them `abcd.py`. Sources: protocol schema 1.3, inventory schema dsi 1.0,
pywrapper's behaviour as read in GBIF's crawler.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from lxml import etree

from dissco_platform.archives.xmlsafe import attribute, local, parse_xml, text_of
from dissco_platform.errors import ArchiveError

PROTOCOL = "http://www.biocase.org/schemas/protocol/1.3"
ABCD_206 = "http://www.tdwg.org/schemas/abcd/2.06"
SCHEMAS = (ABCD_206, "http://www.tdwg.org/schemas/abcd/2.1", "http://www.synthesys.info/ABCDEFG/1.0")
"""Schemas that are read, the preferred one first."""
TITLE = "/DataSets/DataSet/Metadata/Description/Representation/Title"
UNIT_ID = "/DataSets/DataSet/Units/Unit/UnitID"
ERRORS = frozenset({"ERROR", "FATAL"})


@dataclass(frozen=True)
class AccessPoint:
    """A provider's address and, where a fragment gives it, the title of one dataset."""

    address: str
    title: str | None = None

    def request(self, xml: str) -> str:
        """Return the address that sends a request."""
        return f"{self.address}{'&' if urlsplit(self.address).query else '?'}request={quote(xml, safe='')}"

    @property
    def inventory(self) -> str:
        """The address of the list of datasets and their archives."""
        return f"{self.address}{'&' if urlsplit(self.address).query else '?'}inventory=1"


def access_point(source: str) -> AccessPoint | None:
    """Return the access point that a source is, None where it is something else."""
    parts = urlsplit(source)
    named = any(key == "dsa" for key, _ in parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in ("http", "https") or not (named or parts.path.endswith("pywrapper.cgi")):
        return None
    return AccessPoint(parts._replace(fragment="").geturl(), unquote(parts.fragment) or None)


@dataclass(frozen=True)
class Offer:
    """An archive that a provider offers for download; `rows` is what it says it holds."""

    address: str
    modified: str | None
    rows: int | None
    kind: str
    """The namespace of ABCD archives, `dwca` for Darwin Core Archives."""


@dataclass(frozen=True)
class Listed:
    """A dataset of an inventory."""

    title: str
    offers: list[Offer] = field(default_factory=list)

    @property
    def best(self) -> Offer | None:
        """The archive to take: ABCD before Darwin Core, since it says more."""
        order = [*SCHEMAS, "dwca"]
        known = [offer for offer in self.offers if offer.kind in order]
        return min(known, key=lambda offer: order.index(offer.kind), default=None)


def read_inventory(name: str, content: bytes) -> list[Listed]:
    """Read the answer to an inventory request; an empty list where it is none (older software).

    Raises:
        ArchiveError: `malformed_xml`, `xml_doctype`.
    """
    root = parse_xml(name, content)
    if local(root).lower() != "inventory":
        return []
    found = []
    for dataset in _below(root, "dataset"):
        titles = [text_of(one) for one in dataset if local(one) == "title"]
        offers = [_offer(one) for one in _below(dataset, "archive") if text_of(one)]
        if titles and titles[0]:
            found.append(Listed(titles[0], offers))
    return found


def _offer(element: Any) -> Offer:
    kind = attribute(element, "namespace")
    if kind is None:
        row_type = attribute(element, "rowType") or ""
        kind = "dwca" if not row_type or "dwc" in row_type.lower() or "darwincore" in row_type.lower() else row_type
    return Offer(text_of(element), attribute(element, "modified"), _integer(attribute(element, "rcount")), kind)


def _below(element: Any, name: str) -> list[Any]:
    return [one for one in element.iter() if local(one).lower() == name]


def read_capabilities(name: str, content: bytes) -> str | None:
    """Return the preferred schema of those that a provider says it answers in; None where it names none of ours.

    Raises:
        ArchiveError: `malformed_xml`, `xml_doctype`.
    """
    supported = {
        attribute(one, "namespace")
        for one in _below(parse_xml(name, content), "supportedschemas")
        if (attribute(one, "response") or "true").lower() != "false"
    }
    return next((schema for schema in SCHEMAS if schema in supported), None)


def search_request(schema: str, start: int, limit: int, title: str | None) -> str:
    """Return a search for units `start` … `start + limit - 1`, of one dataset or of all."""
    condition = (
        f'<equals path="{TITLE}">{escape(title)}</equals>' if title is not None else f'<like path="{UNIT_ID}">*</like>'
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><request xmlns="{PROTOCOL}"><header><type>search</type></header>'
        f"<search><requestFormat>{schema}</requestFormat>"
        f'<responseFormat start="{start}" limit="{limit}">{schema}</responseFormat>'
        f"<filter>{condition}</filter><count>false</count></search></request>"
    )


@dataclass(frozen=True)
class Page:
    """One answer to a search: `document` holds its units as a response without what changes from call to call."""

    document: bytes
    count: int
    dropped: int
    total: int | None
    """The number of units that match; some providers give a lower bound, some nothing."""
    problem: str | None
    """The provider's own error message, which may come with HTTP status 200 and with units."""

    @property
    def taken(self) -> int:
        """How far the next page begins behind this one: what was sent and what was left out."""
        return self.count + self.dropped


def read_page(name: str, content: bytes) -> Page:
    """Read an answer.

    Raises:
        ArchiveError: `malformed_xml`, `xml_doctype`, `not_abcd` where it is no response at all.
    """
    root = parse_xml(name, content)
    if local(root).lower() != "response":
        raise ArchiveError(f"{name} is no BioCASe response but <{local(root)}>", reason="not_abcd")
    problem = None
    for diagnostic in _below(root, "diagnostic"):
        if (attribute(diagnostic, "severity") or "").upper() in ERRORS and problem is None:
            problem = text_of(diagnostic)[:500] or "unnamed error"
    held = next((one for one in root if local(one) == "content"), None)
    if held is None:
        return Page(b"", 0, 0, None, problem or "the response has no content")
    units = sum(1 for one in held.iter("{*}Unit") if local(one.getparent()) == "Units")
    stated = _integer(attribute(held, "recordCount"))
    dropped = _integer(attribute(held, "recordDropped")) or 0
    return Page(_document(held, units, dropped), units if stated is None else stated, dropped, _total(held), problem)


def _total(held: Any) -> int | None:
    return _integer(attribute(held, "totalSearchHits"))


def _document(held: Any, units: int, dropped: int) -> bytes:
    """Return content that is the same for the same units: no send time, no diagnostics, no addresses of ours."""
    inner = b"".join(etree.tostring(child, with_tail=False) for child in held)
    head = f'<biocase:response xmlns:biocase="{PROTOCOL}"><biocase:content recordCount="{units}" recordDropped="{dropped}">'
    return b"".join(
        (b'<?xml version="1.0" encoding="UTF-8"?>\n', head.encode(), inner, b"</biocase:content></biocase:response>\n")
    )


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
