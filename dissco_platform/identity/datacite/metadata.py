"""What DataCite is told about a specimen or a medium: columns in, JSON text of the `attributes` object out.

DiSSCo's mapping with its errors mended (DataCite Metadata Schema 4.6, kernel-4). Names and lists are `tables.py`, the
making of JSON text `jsontext.py`, FDO records `fdo.py`; `doi` and `event` are added where it is sent, `client.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl

from dissco_platform.identity.datacite import tables
from dissco_platform.identity.datacite.jsontext import (
    constant,
    entries,
    entry,
    escaped,
    filled,
    joined,
    listed,
    needs_care,
    optional,
    quoted,
)
from dissco_platform.opends.licences import parse_licence
from dissco_platform.provenance import fingerprint

# The version is sent along but is no reason to send: most new versions change nothing that DataCite shows.
_VERSION: Final = r'(,"version":"[^"]*"\})$'
_LINKS: Final = {"specimen": "media_dois", "media": "specimen_dois"}
# Columns whose values are put into records as they stand.
_TEXTS: Final = (
    "normalisedPhysicalSpecimenID", "physicalSpecimenID", "catalogNumber", "specimen_name", "accessURI", "media_type",
    "format", "rights_holder", *tables.SUBJECTS["specimen"], *tables.SUBJECTS["media"],
)  # fmt: skip
_CARE: Final = re.compile(r"""["\\\x00-\x09\x0b-\x1f\ufffe\uffff]|^\s|\s$""")
_VERSION_AT_MOST: Final = 40  # characters that it takes: a pattern is slow on the kilobytes before it


@dataclass(frozen=True)
class DataCiteContext:
    """What is the same for a whole publication.

    `landing_page` is the base address of the pages that DOIs lead to; the publisher issues the DOIs (ROR); the host is
    the organisation that holds the specimens (ROR or Wikidata address), whose name may be unknown. `prefix` makes DOIs
    of a frame's `suffix` column.
    """

    landing_page: str
    publisher_id: str | None
    publisher_name: str
    host_id: str = ""
    host_name: str | None = None
    prefix: str = ""

    @property
    def host(self) -> str:
        """The host's name, its identifier where that is all that is known."""
        return self.host_name or self.host_id or "an unnamed organisation"


def payloads(kind: str, frame: pl.DataFrame, context: DataCiteContext) -> pl.Series:
    """Return the `attributes` objects as JSON text: `specimen_payloads` or `media_payloads` by `kind`."""
    return rendered(kind, frame, context)["payload"]


def rendered(kind: str, frame: pl.DataFrame, context: DataCiteContext) -> pl.DataFrame:
    """Return `payload`, and `visible_hash` as `visible_hashes` makes it of the payload, one row each, in order."""
    links = _LINKS[kind]
    is_given = {"doi", "issued", links} & set(frame.columns)
    whole = prepared(frame, context, links)
    texts = [name for name in (*_TEXTS, *(is_given - {links})) if name in whole.columns]
    if links in is_given or not texts or _CARE.search("\n".join((context.host, context.publisher_name))):
        return _rendered(kind, whole, context, plain=False)
    cared = whole.select(pl.any_horizontal(needs_care(pl.col(name)) for name in texts).alias("cared"))["cared"]
    if not cared.any():
        return _rendered(kind, whole, context, plain=True)
    parts = [
        _rendered(kind, whole.filter(chosen), context, plain=plain).with_columns(
            pl.int_range(whole.height, eager=True).filter(chosen).alias("place")
        )
        for chosen, plain in ((~cared, True), (cared, False))
        if chosen.any()
    ]
    return pl.concat(parts).sort("place").drop("place")


def specimen_payloads(frame: pl.DataFrame, context: DataCiteContext) -> pl.Series:
    """Return what DataCite is told about each specimen (String `payload`, one row each, in order).

    Args:
        frame: `doi` (or `suffix`), `version`, `issued` (or `created`; ISO 8601, when the DOI was first given),
            `media_dois` List[String] (or `links`, suffixes), and the columns of specimens.parquet; of those, absent
            ones count as null.
        context: publisher, host and landing page.
    """
    return payloads("specimen", frame, context)


def media_payloads(frame: pl.DataFrame, context: DataCiteContext) -> pl.Series:
    """Return what DataCite is told about each medium (String `payload`, one row each, in order).

    Args:
        frame: as for specimens, with `specimen_dois` List[String] (or `links`) and the columns of media.parquet.
        context: publisher, host and landing page.
    """
    return payloads("media", frame, context)


def visible_hashes(payload: pl.Series) -> pl.Series:
    """Return 32 hexadecimal digits over what DataCite shows of each payload, its version left out."""
    version = pl.col("payload").str.tail(_VERSION_AT_MOST).str.extract(_VERSION, 1)
    told = pl.concat_str(pl.col("payload").str.strip_suffix(version), pl.lit("}"))
    text = pl.when(version.is_null()).then("payload").otherwise(told)
    return payload.alias("payload").to_frame().select(fingerprint([text]).alias("visible_hash")).to_series()


def tombstone_payloads(
    previous: pl.Series, *, date: str, reason: str, replaced_by: Sequence[str | None] | None = None
) -> pl.Series:
    """Return the payloads of tombstones, made from the last ones sent (or to be sent).

    A whole record again, since a DOI may be tombstoned before it was ever sent. `date` is ISO 8601, `reason` one
    sentence for readers, `replaced_by` the DOI of the object that remains, for each payload. The event that goes with
    it is `tables.TOMBSTONE_EVENTS`. A later ordinary payload takes all of it back.
    """
    others = replaced_by or [None] * previous.len()
    # A loop: tombstones are few, and they change what was sent rather than what is known.
    made = [_tombstone(text, date[:10], reason, other) for text, other in zip(previous.to_list(), others, strict=True)]
    return pl.Series("payload", made, dtype=pl.String)


def rights_entry(licence: str | None) -> str | None:
    """Return a licence (SPDX identifier or the source's own words) as a JSON entry of `rightsList`, null for none."""
    text = (licence or "").strip()
    if not text:
        return None
    known = parse_licence(text)
    if known is None:
        value = {"rights": text}
        if text.startswith(("http://", "https://")) and " " not in text:
            value["rightsUri"] = text
        return constant(value)
    return constant(
        {
            "rights": licence_name(known.spdx),
            "rightsUri": known.url,
            "rightsIdentifier": known.spdx,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": tables.SPDX_SCHEME,
        }
    )


def licence_name(spdx: str) -> str:
    """Return the full name of a licence by its SPDX identifier, the identifier itself where it has no name here."""
    if spdx in tables.LICENCE_NAMES:
        return tables.LICENCE_NAMES[spdx]
    first, *parts = spdx.split("-")
    if first != "CC" or not parts or any(part not in tables.CREATIVE_COMMONS_PARTS for part in parts[:-1]):
        return spdx
    version = parts[-1]
    named = " ".join(tables.CREATIVE_COMMONS_PARTS[part] for part in parts[:-1])
    return f"Creative Commons {named} {version} {tables.CREATIVE_COMMONS_REACH.get(version, 'International')}"


def name_identifier(identifier: str) -> dict[str, str]:
    """Return an organisation's identifier as DataCite writes it."""
    scheme, uri = next(
        (found for start, found in tables.NAME_SCHEMES.items() if identifier.startswith(start)), tables.OTHER_SCHEME
    )
    value = {"nameIdentifier": identifier, "nameIdentifierScheme": scheme}
    return value if uri is None else {**value, "schemeUri": uri}


class _Attributes:
    """The `attributes` object; `plain`: no value needs care, see `jsontext`."""

    def __init__(self, columns: set[str], context: DataCiteContext, plain: bool) -> None:
        """Make them of the columns that a frame has."""
        self._columns, self._context, self._plain = columns, context, plain

    def specimen(self) -> pl.Expr:
        """Return a specimen's object without its `version`."""
        host = self._context.host
        identifiers = [
            self._identifier(self._column("normalisedPhysicalSpecimenID"), tables.PRIMARY_IDENTIFIERS["specimen"]),
            self._identifier(self._column("catalogNumber"), "catalogNumber"),
        ]
        source = self._column("physicalSpecimenID")
        related = [
            self._related(pl.col("media_dois"), "HasPart", "DOI"),
            self._source(source, "IsDerivedFrom"),
        ]
        return self._members(
            kind="specimen",
            title=pl.coalesce(self._column("specimen_name"), pl.lit(f"Specimen from {host}")),
            resource_type=pl.lit("Dataset"),
            contributors=[],
            identifiers=identifiers,
            related=related,
            formats=None,
            description=f"Digital Specimen for the physical specimen hosted at {host}.",
        )

    def medium(self) -> pl.Expr:
        """Return the members of a medium's object but `version`."""
        host = self._context.host
        address, media_format = self._column("accessURI"), self._column("format")
        by_format: pl.Expr = pl.lit(tables.OTHER_TYPE)
        for start, general in reversed(tables.FORMAT_TYPES.items()):
            by_format = (
                pl.when(media_format.str.to_lowercase().str.starts_with(start))
                .then(pl.lit(general))
                .otherwise(by_format)
            )
        by_type = (
            self._column("media_type")
            .str.replace(r"^.*[/:]", "")
            .replace_strict(
                list(tables.MEDIA_TYPES), list(tables.MEDIA_TYPES.values()), default=None, return_dtype=pl.String
            )
        )
        holder = self._column("rights_holder")
        named = (
            pl.when(holder == host)
            .then(pl.lit(constant(_host(self._context, "RightsHolder"))))
            .otherwise(self._entry(holder, '{"name":', ',"contributorType":"RightsHolder"}'))
        )
        return self._members(
            kind="media",
            title=pl.coalesce(address, pl.lit(f"Media object from {host}")),
            resource_type=pl.coalesce(by_type, by_format),
            contributors=[named],
            identifiers=[self._identifier(address, tables.PRIMARY_IDENTIFIERS["media"])],
            related=[
                self._related(pl.col("specimen_dois"), "IsDerivedFrom", "DOI", ',"resourceTypeGeneral":"Dataset"'),
                self._source(address, "IsVariantFormOf"),
            ],
            formats=media_format,
            description=f"Media object hosted at {host}.",
        )

    def _members(
        self,
        *,
        kind: str,
        title: pl.Expr,
        resource_type: pl.Expr,
        contributors: list[pl.Expr],
        identifiers: list[pl.Expr],
        related: list[pl.Expr],
        formats: pl.Expr | None,
        description: str,
    ) -> pl.Expr:
        publisher: dict[str, str] = {"name": self._context.publisher_name}
        if self._context.publisher_id:
            named = name_identifier(self._context.publisher_id)
            publisher["publisherIdentifier"] = self._context.publisher_id
            publisher["publisherIdentifierScheme"] = named["nameIdentifierScheme"]
            if "schemeUri" in named:
                publisher["schemeUri"] = named["schemeUri"]
        subjects = [
            self._entry(
                pl.when(self._column(column) != tables.NO_SUBJECT).then(self._column(column)),
                '{"subject":',
                f',"subjectScheme":{constant(scheme)}}}',
            )
            for column, scheme in tables.SUBJECTS[kind].items()
        ]
        page = self._context.landing_page.rstrip("/") + "/"
        host = constant(_host(self._context, "HostingInstitution"))
        abstract = [{"description": description, "descriptionType": "Abstract"}]
        shown: list[str | pl.Expr] = [] if formats is None else ['"formats":[', listed([self._quoted(formats)]), "],"]
        # One level of concatenation: each further one would copy what is below it.
        return joined(
            "{",
            optional(f'"url":"{constant(page)[1:-1]}', self._escaped(pl.col("doi")), '",'),
            f'"creators":{constant([_host(self._context)])},"titles":[{{"title":"',
            self._escaped(title),
            f'"}}],"publisher":{constant(publisher)},',
            optional('"publicationYear":', pl.col("issued").str.head(4), ","),
            '"types":{"resourceTypeGeneral":"',
            resource_type,
            f'","resourceType":{constant(tables.RESOURCE_TYPES[kind])}}},"subjects":[',
            listed(subjects),
            f'],"contributors":[{host}',
            *(optional(",", contributor, "") for contributor in contributors),
            "],",
            optional('"dates":[{"date":"', self._escaped(pl.col("issued").str.head(10)), '","dateType":"Issued"}],'),
            '"alternateIdentifiers":[',
            listed(identifiers),
            '],"relatedIdentifiers":[',
            listed(related),
            "],",
            *shown,
            '"rightsList":[',
            pl.col("_rights").fill_null(""),
            f'],"descriptions":{constant(abstract)},"schemaVersion":{constant(tables.SCHEMA_VERSION)}}}',
        )

    def _column(self, name: str) -> pl.Expr:
        return filled(pl.col(name), plain=self._plain) if name in self._columns else pl.lit(None, pl.String)

    def _quoted(self, value: pl.Expr) -> pl.Expr:
        return quoted(value, plain=self._plain)

    def _escaped(self, value: pl.Expr) -> pl.Expr:
        return escaped(value, plain=self._plain)

    def _entry(self, value: pl.Expr, before: str, after: str) -> pl.Expr:
        return entry(value, before, after, plain=self._plain)

    def _identifier(self, value: pl.Expr, kind: str) -> pl.Expr:
        return self._entry(value, '{"alternateIdentifier":', f',"alternateIdentifierType":{constant(kind)}}}')

    def _related(self, values: pl.Expr, relation: str, kind: str, more: str = "") -> pl.Expr:
        after = f',"relatedIdentifierType":"{kind}","relationType":"{relation}"{more}}}'
        return entries(values, '{"relatedIdentifier":', after, plain=self._plain)

    def _source(self, value: pl.Expr, relation: str) -> pl.Expr:
        address = pl.when(value.str.contains(r"^https?://\S+$")).then(value)
        after = f',"relatedIdentifierType":"URL","relationType":"{relation}"}}'
        return self._entry(address, '{"relatedIdentifier":', after)


def _rendered(kind: str, frame: pl.DataFrame, context: DataCiteContext, *, plain: bool) -> pl.DataFrame:
    made = _Attributes(set(frame.columns), context, plain)
    told = made.specimen() if kind == "specimen" else made.medium()
    # One chunk, lazily: expressions that occur twice are then computed once (a tenth of the time).
    whole = frame.rechunk().lazy().select(told.alias("told"), "version")
    # Last, so that `visible_hashes` finds it. What comes before is a view of the text that is hashed.
    version = optional(',"version":"', pl.col("version").cast(pl.String), '"')
    payload = pl.concat_str([pl.col("told").str.head(-1), version, pl.lit("}")])
    return whole.select(payload.alias("payload"), fingerprint(["told"]).alias("visible_hash")).collect()


def prepared(frame: pl.DataFrame, context: DataCiteContext, links: str) -> pl.DataFrame:
    """Give a frame `doi`, `issued`, the list of linked DOIs and `_rights`, from the columns it has."""
    columns = set(frame.columns)
    start = pl.lit(f"{context.prefix}/")
    made: list[pl.Expr] = []
    if "doi" not in columns:
        made.append(pl.concat_str([start, pl.col("suffix")]).alias("doi"))
    if "issued" not in columns:
        made.append(pl.col("created").alias("issued"))
    if links not in columns:
        suffixes = (
            pl.col("links").fill_null([]).cast(pl.List(pl.String))
            if "links" in columns
            else pl.lit([], pl.List(pl.String))
        )
        made.append(suffixes.list.eval(pl.concat_str([start, pl.element()])).alias(links))
    licence = pl.col("licence").cast(pl.String) if "licence" in columns else pl.lit(None, pl.String)
    distinct = (
        frame.select(licence.unique().alias("raw")).with_columns(filled(pl.col("raw")).alias("text")).drop_nulls()
    )
    rights = {raw: rights_entry(text) for raw, text in distinct.iter_rows()}
    made.append(
        licence.replace_strict(list(rights), list(rights.values()), default=None, return_dtype=pl.String).alias(
            "_rights"
        )
        if rights
        else pl.lit(None, pl.String).alias("_rights")
    )
    return frame.with_columns(made)


def _host(context: DataCiteContext, contributor_type: str | None = None) -> dict[str, Any]:
    host: dict[str, Any] = {"name": context.host, "nameType": "Organizational"}
    if contributor_type:
        host["contributorType"] = contributor_type
    if context.host_id:
        host["nameIdentifiers"] = [name_identifier(context.host_id)]
    return host


def _tombstone(text: str, date: str, reason: str, replaced_by: str | None) -> str:
    value = orjson.loads(text)
    version = value.pop("version", None)
    withdrawn = {"date": date, "dateType": "Withdrawn", "dateInformation": reason}
    value["dates"] = [kept for kept in value.get("dates", []) if kept.get("dateType") != "Withdrawn"] + [withdrawn]
    said = {"description": f"This DOI has been tombstoned. {reason}", "descriptionType": "Other"}
    value["descriptions"] = [
        *(kept for kept in value.get("descriptions", []) if kept["descriptionType"] != "Other"),
        said,
    ]
    if replaced_by:
        other = {
            "relatedIdentifier": replaced_by,
            "relatedIdentifierType": "DOI",
            "relationType": "IsObsoletedBy",
        }
        kept = [
            related for related in value.get("relatedIdentifiers", []) if related["relationType"] != "IsObsoletedBy"
        ]
        value["relatedIdentifiers"] = [*kept, other]
    if version is not None:
        value["version"] = version
    return constant(value)
