"""Publishers' feeds: which version of which archive an IPT has published, one request for all its datasets.

Source: gbif/ipt `rss.ftl`. An item of `{base}/rss.do` has the title "… - Version 1.42", `ipt:dwca` = `{base}/archive.do?r=NAME`
(only when records were published) and a `pubDate`; data packages have `ipt:archive`.
"""

import re
from urllib.parse import parse_qs, urlsplit

from dissco_platform.archives.xmlsafe import parse_xml

_IPT = "{http://ipt.gbif.org/}"
_VERSION = re.compile(r"Version (\d+(?:\.\d+)*)\s*$")


def feed_of(source: str) -> str | None:
    """Return the address of the feed that lists an archive, or None: its address is not an IPT's."""
    parts = urlsplit(source)
    if parts.scheme not in {"http", "https"} or not parts.path.endswith("/archive.do"):
        return None
    if not resource_of(source):
        return None
    return parts._replace(path=parts.path.removesuffix("archive.do") + "rss.do", query="", fragment="").geturl()


def resource_of(source: str) -> str | None:
    """Return the short name of the resource in an archive's address; None too where one version is asked for."""
    query = parse_qs(urlsplit(source).query)
    return query["r"][0] if query.get("r") and "v" not in query else None


def read_feed(address: str, content: bytes) -> dict[str, str]:
    """Return the published version of every resource of a feed: `1.42 of Mon, 02 Nov 2026 10:00:00 +0000`.

    Raises:
        ArchiveError: it is not well-formed XML, or declares entities.
    """
    versions = {}
    for item in parse_xml(address, content).iter("item"):
        archive = item.findtext(f"{_IPT}dwca") or item.findtext(f"{_IPT}archive")
        name = resource_of(archive.strip()) if archive else None
        version = _VERSION.search((item.findtext("title") or "").strip())
        published = (item.findtext("pubDate") or "").strip()
        if name and (version or published):
            versions[name] = " of ".join(part for part in (version.group(1) if version else "", published) if part)
    return versions
