"""FDO records: the small, typed description that goes with a DOI, as JSON of DiSSCo's profiles.

Sources: DiSSCo FDO profiles 1.0.0 (handle-kernel, doi-kernel, digital-specimen, digital-media, tombstone). DataCite keeps
only a landing page with a DOI, so these records are ours to publish. Columns in, JSON text out, as in `metadata.py`.
"""

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

import polars as pl

from dissco_platform.identity.datacite import tables
from dissco_platform.identity.datacite.jsontext import constant, filled, member, quoted, record
from dissco_platform.identity.datacite.metadata import DataCiteContext, licence_name, prepared
from dissco_platform.opends.licences import parse_licence

_RESOLVER: Final = "https://doi.org/"
_NO_LICENCE: Final = "No licence stated"


@dataclass(frozen=True)
class FdoContext:
    """What DataCite is told, and the agent for whom the DOI is issued (ROR and name)."""

    datacite: DataCiteContext
    issued_for_id: str
    issued_for_name: str


def fdo_records(kind: str, frame: pl.DataFrame, context: FdoContext, *, status: str = "ACTIVE") -> pl.Series:
    """Return the FDO records of specimens or media (String `fdo`, one JSON object each, in order).

    Args:
        kind: `specimen` or `media`.
        frame: as for `metadata.payloads`; a tombstone's frame also has `tombstoned` (ISO 8601), `tombstone_text` and,
            where there is one, `related_pid` (address of the object that remains).
        context: host, publisher and agent.
        status: `DRAFT`, `ACTIVE` or `TOMBSTONE`.
    """
    frame = prepared(frame, context.datacite, "media_dois" if kind == "specimen" else "specimen_dois")
    columns = set(frame.columns)
    handle, name = tables.FDO_TYPES[kind]
    host = context.datacite
    own = _specimen(columns, host) if kind == "specimen" else _medium(frame, columns, host)
    fallback = f"Specimen from {host.host}" if kind == "specimen" else f"Media object from {host.host}"
    referent = _column(columns, "specimen_name" if kind == "specimen" else "accessURI")
    pid = pl.concat_str([pl.lit(_RESOLVER), pl.col("doi")])
    members = [
        _fixed("fdoProfile", handle),
        _fixed("fdoRecordLicenseId", tables.FDO_LICENCE[0]),
        _fixed("fdoRecordLicenseName", tables.FDO_LICENCE[1]),
        _fixed("digitalObjectType", handle),
        _fixed("digitalObjectName", name),
        member("pid", quoted(pid)),
        _fixed("pidIssuer", tables.PID_ISSUER[0]),
        _fixed("pidIssuerName", tables.PID_ISSUER[1]),
        member("pidRecordIssueDate", quoted(pl.col("issued"))),
        member("pidRecordIssueNumber", pl.col("version").cast(pl.String)),
        _fixed("pidStatus", status),
        *(_tombstone(columns) if status == "TOMBSTONE" else []),
        _fixed("issuedForAgent", context.issued_for_id),
        _fixed("issuedForAgentName", context.issued_for_name),
        member("referentName", quoted(pl.coalesce(referent, pl.lit(fallback)))),
        member("10320/loc", quoted(_locations(kind, columns, host))),
        *own,
    ]
    return frame.rechunk().lazy().select(record(members).alias("fdo")).collect().to_series()


def _specimen(columns: set[str], host: DataCiteContext) -> list[pl.Expr]:
    is_type = (
        pl.col("is_marked_as_type").cast(pl.Boolean) if "is_marked_as_type" in columns else pl.lit(None, pl.Boolean)
    )
    others = _column(columns, "otherSpecimenIds")
    return [
        _fixed("specimenHost", host.host_id),
        _fixed("specimenHostName", host.host),
        *(member(name, quoted(_column(columns, column))) for name, column in tables.FDO_SPECIMEN.items()),
        member("otherSpecimenIds", pl.when(others != "[]").then(others)),
        member("markedAsType", pl.when(is_type).then(pl.lit("true")).when(~is_type).then(pl.lit("false"))),
    ]


def _medium(frame: pl.DataFrame, columns: set[str], host: DataCiteContext) -> list[pl.Expr]:
    licence = _column(columns, "licence")
    found = frame.select(licence.unique().alias("licence")).to_series().drop_nulls().to_list()
    known = {text: parse_licence(text) for text in found}
    names = {text: text if one is None else licence_name(one.spdx) for text, one in known.items()}
    urls = {text: f"{tables.SPDX_SCHEME}{one.spdx}" for text, one in known.items() if one is not None}
    holder = _column(columns, "rights_holder")
    return [
        _fixed("mediaHost", host.host_id),
        _fixed("mediaHostName", host.host),
        *(member(name, quoted(_column(columns, column))) for name, column in tables.FDO_MEDIA.items()),
        _fixed("primaryMediaIdType", "Resolvable"),
        _fixed("primaryMediaIdName", "ac:accessURI"),
        member("licenseName", quoted(pl.coalesce(_looked_up(licence, names), pl.lit(_NO_LICENCE)))),
        member("licenseUrl", quoted(_looked_up(licence, urls))),
        member("rightsHolder", quoted(pl.coalesce(holder, pl.lit(host.host_id or host.host)))),
        member("rightsHolderPid", quoted(pl.when(holder.is_null()).then(pl.lit(host.host_id or None, pl.String)))),
    ]


def _tombstone(columns: set[str]) -> list[pl.Expr]:
    related = quoted(_column(columns, "related_pid"))
    return [
        member("tombstoneText", quoted(_column(columns, "tombstone_text"))),
        pl.concat_str(
            [pl.lit('"hasRelatedPid":[{"pid":'), related, pl.lit(',"relationshipType":"ods:isDuplicateOf"}]')]
        ),
        member("tombstoneDate", quoted(_column(columns, "tombstoned"))),
    ]


def _locations(kind: str, columns: set[str], host: DataCiteContext) -> pl.Expr:
    """Return the 10320/loc document: the landing page first, then where the source itself can be seen."""
    page = quoteattr(host.landing_page.rstrip("/") + "/")[1:-1]
    source = _column(columns, "physicalSpecimenID" if kind == "specimen" else "accessURI")
    address = pl.when(source.str.contains(r"^https?://\S+$")).then(
        source.str.replace_many(["&", "<", ">", '"'], ["&amp;", "&lt;", "&gt;", "&quot;"])
    )
    view = "CATALOG" if kind == "specimen" else "MEDIA"
    return pl.concat_str(
        [
            pl.lit(f'<locations><location href="{page}'),
            pl.col("doi"),
            pl.lit('" id="0" view="HTML" weight="1"/>'),
            pl.concat_str(
                [pl.lit('<location href="'), address, pl.lit(f'" id="1" view="{view}" weight="0"/>')]
            ).fill_null(""),
            pl.lit("</locations>"),
        ]
    )


def _fixed(key: str, value: str) -> pl.Expr:
    return pl.lit(f"{constant(key)}:{constant(value)}")


def _looked_up(text: pl.Expr, table: dict[str, str]) -> pl.Expr:
    if not table:
        return pl.lit(None, pl.String)
    return text.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


def _column(columns: set[str], name: str) -> pl.Expr:
    return filled(pl.col(name)) if name in columns else pl.lit(None, pl.String)
