"""Checklists (ColDP NameUsage, ColDP Name/Taxon/Synonym, Darwin Core Taxon) read as one table of usages.

A usage: `id, parent_id, status, scientificName, authorship, rank, code, extinct` and, where the source has one, a flat
classification. Building the index from it is in `backbone.py`. Source: ColDP 1.2 (2025-10-30), read by header;
Darwin Core Text Guide.
"""

import csv
import shutil
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml

from dissco_platform.errors import ChecklistError
from dissco_platform.names.ranks import (
    CLASSIFICATION,
    CODES,
    RANK_ALIASES,
    RANK_NUMBER,
    STATUS_ALIASES,
    STATUSES,
)

MAX_UNPACKED: Final = 64 * 2**30
"""Bytes: a checklist that unpacks to more is refused (the extended Catalogue of Life is about 5 GiB)."""

USAGE_TEXT: Final = ("id", "parent_id", "scientificName", "authorship")

NAME_USAGE_ORDER: Final = [
    "ID",
    "alternativeID",
    "nameAlternativeID",
    "sourceID",
    "parentID",
    "basionymID",
    "status",
    "scientificName",
    "authorship",
    "rank",
    "notho",
    "originalSpelling",
    "uninomial",
    "genericName",
    "infragenericEpithet",
    "specificEpithet",
    "infraspecificEpithet",
    "cultivarEpithet",
]
"""First columns of NameUsage, for a file without a header (ColDP: then every column in this order)."""


@dataclass(frozen=True)
class Checklist:
    """A checklist's usages (LazyFrame over files in a scratch folder) with its metadata and what was odd about it."""

    usages: pl.LazyFrame
    metadata: dict[str, Any]
    kind: str
    warnings: list[str] = field(default_factory=list)


def read_checklist(source: Path, scratch: Path) -> Checklist:
    """Return the usages of `source` (zip, folder or a single table); unpacked files go into `scratch`.

    Columns: id, parent_id, scientificName, authorship (String), status, rank, code (String, ColDP's words), extinct
    (Boolean) and the flat classification columns that the source has. ChecklistError where nothing can be read.
    """
    folder = _unpack(source, scratch)
    files = {_table_name(path): path for path in sorted(folder.rglob("*")) if path.is_file()}
    metadata = _metadata(folder)
    defaults = _yaml(files["defaultyaml"]) if "defaultyaml" in files else {}
    meta = next((path for path in folder.rglob("meta.xml")), None)
    if "nameusage" in files:
        frame, kind = _name_usage(files["nameusage"], defaults), "coldp-nameusage"
    elif "name" in files and "taxon" in files:
        frame, kind = _split(files, defaults), "coldp-split"
    elif meta is not None:
        frame, kind = _darwin_core(meta), "dwca"
    elif source.is_file() and source.suffix.lower() in {".tsv", ".csv", ".txt", ".tab"}:
        frame, kind = _single_table(source), "table"
    elif (taxon := files.get("taxon") or files.get("taxa")) is not None:
        frame, kind = _dwc_terms(_scan(taxon)), "dwca"
    else:
        raise ChecklistError(
            f"{source.name}: no NameUsage table, no Name and Taxon tables and no meta.xml inside;"
            " give a ColDP or Darwin Core checklist (zip or folder)"
        )
    return Checklist(frame, metadata, kind)


def _unpack(source: Path, scratch: Path) -> Path:
    if not source.exists():
        raise ChecklistError(f"{source}: there is no such checklist; give a ColDP or Darwin Core zip or folder")
    if source.is_dir():
        return source
    if not zipfile.is_zipfile(source):
        if source.suffix.lower() == ".zip":
            raise ChecklistError(f"{source.name}: the zip file is damaged or incomplete; fetch it again")
        return _single_folder(source, scratch)
    wanted = {"nameusage", "name", "taxon", "synonym", "taxa", "taxatxt", "defaultyaml", "metadatayaml", "meta.xml"}
    try:
        with zipfile.ZipFile(source) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if sum(m.file_size for m in members) > MAX_UNPACKED:
                raise ChecklistError(f"{source.name}: unpacks to more than {MAX_UNPACKED // 2**30} GiB; refused")
            has_meta = any(Path(m.filename).name == "meta.xml" for m in members)
            for member in members:
                name = Path(member.filename)
                if not has_meta and _table_name(name) not in wanted and name.suffix not in {".yaml", ".yml"}:
                    continue
                if name.suffix == ".yaml" and "source" in name.parts:
                    continue
                # only the last part of the path is used: a member can never be written outside the scratch folder
                target = scratch / name.name
                with archive.open(member) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file, 2**20)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ChecklistError(f"{source.name}: the zip file cannot be read ({error}); fetch it again") from error
    return scratch


def _single_folder(source: Path, scratch: Path) -> Path:
    if not source.name.lower().endswith((".tsv", ".csv", ".txt", ".tab")):
        raise ChecklistError(f"{source.name}: is no zip, folder or table of names")
    (scratch / source.name).symlink_to(source.resolve())
    return scratch


def _table_name(path: Path) -> str:
    """Return a file's table name as ColDP compares them: case, hyphens and underscores do not count."""
    if path.suffix.lower() in {".tsv", ".csv", ".txt", ".tab"}:
        return path.stem.lower().replace("-", "").replace("_", "").rsplit(".", 1)[-1]
    return path.name.lower().replace(".yml", ".yaml").replace(".yaml", "yaml")


def _yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _metadata(folder: Path) -> dict[str, Any]:
    for name in ("metadata.yaml", "metadata.yml"):
        path = next(iter(sorted(folder.rglob(name), key=lambda p: len(p.parts))), None)
        if path is not None:
            return _yaml(path)
    eml = next(folder.rglob("eml.xml"), None)
    return _eml(eml) if eml is not None else {}


def _eml(path: Path) -> dict[str, Any]:
    text = path.read_text("utf-8", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return {}
    try:
        root = ET.fromstring(text)  # noqa: S314  a document type, hence any entity, is refused above
    except ET.ParseError:
        return {}
    found: dict[str, Any] = {}
    for term, key in (("title", "title"), ("pubDate", "issued"), ("intellectualRights", "license")):
        element = next((e for e in root.iter() if e.tag.rsplit("}", 1)[-1] == term), None)
        if element is not None:
            value = " ".join("".join(element.itertext()).split())
            if value:
                found[key] = value
    return found


def _scan(path: Path, *, separator: str | None = None, quote: str | None = "?", header: bool = True) -> pl.LazyFrame:
    """Scan a delimited file as Strings with bare header names (`col:ID`, `dwc:taxonID` and IRIs lose their prefix)."""
    with path.open("rb") as file:
        first = file.readline(1_000_000).decode("utf-8-sig", errors="replace").rstrip("\r\n")
    if not first.strip():
        raise ChecklistError(f"{path.name}: the table is empty; there must be a header line and usages")
    if separator is None:
        separator = max("\t", ",", ";", "|", key=first.count) if first.count("\t") == 0 else "\t"
    if quote == "?":
        # ColDP: .csv is RFC 4180, tab-separated files have no quoting at all
        quote = None if separator == "\t" else '"'
    names = next(csv.reader([first], delimiter=separator, quotechar=quote or "\x01"))
    bare = [name.strip().rsplit("/", 1)[-1].rsplit(":", 1)[-1] for name in names]
    known = {name.lower() for name in bare}
    has_header = header and bool(known & {"id", "scientificname", "taxonid", "nameid"})
    if not has_header:
        bare = [*NAME_USAGE_ORDER, *(f"column {n}" for n in range(len(names)))][: len(names)]
    unique = [name if name not in bare[:place] else f"{name} {place}" for place, name in enumerate(bare)]
    frame = pl.scan_csv(
        path,
        separator=separator,
        quote_char=quote,
        has_header=has_header,
        new_columns=unique,
        infer_schema=False,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
    )
    blank = pl.all().str.strip_chars().replace({"": None, "\\N": None})
    return frame.select(blank)


def _pick(columns: list[str], *names: str) -> pl.Expr:
    """Return the first of `names` that is a column (case ignored), else null."""
    by_lower = {column.lower(): column for column in columns}
    for name in names:
        if name.lower() in by_lower:
            return pl.col(by_lower[name.lower()])
    return pl.lit(None, dtype=pl.String)


def vocabulary(text: pl.Expr, words: dict[str, str], default: str | None) -> pl.Expr:
    """Return `text` in lower case with `words` applied; what is no word of the vocabulary becomes `default`."""
    key = text.str.to_lowercase().str.replace_all("_", " ", literal=True)
    return key.replace_strict(words, default=default, return_dtype=pl.String)


RANK_WORDS: Final = {**RANK_ALIASES, **{rank: rank for rank in RANK_NUMBER}}
STATUS_WORDS: Final = {**STATUS_ALIASES, **{status: status for status in STATUSES}}


def _usage(
    columns: list[str],
    *,
    usage_id: pl.Expr,
    parent: pl.Expr,
    status: pl.Expr,
    defaults: dict[str, Any] | None = None,
) -> list[pl.Expr]:
    defaults = defaults or {}

    def filled(name: str, *also: str) -> pl.Expr:
        expr = _pick(columns, name, *also)
        default = defaults.get(name)
        return expr if default is None else expr.fill_null(pl.lit(str(default)))

    assembled = pl.concat_str(
        _pick(columns, "uninomial").fill_null(_pick(columns, "genericName")),
        pl.format("({})", _pick(columns, "infragenericEpithet")),
        _pick(columns, "specificEpithet"),
        _pick(columns, "infraspecificEpithet"),
        separator=" ",
        ignore_nulls=True,
    ).replace("", None)
    authorship = filled("authorship", "scientificNameAuthorship")
    # Darwin Core writes the authorship inside scientificName as well; ColDP does not
    bare = _pick(columns, "scientificName").str.strip_suffix(authorship.fill_null("\x00")).str.strip_chars_end(" ,")
    flat = [
        _pick(columns, rank).alias(f"flat_{rank}")
        for rank in CLASSIFICATION
        if rank.lower() in {column.lower() for column in columns}
    ]
    return [
        usage_id.alias("id"),
        parent.alias("parent_id"),
        vocabulary(status, STATUS_WORDS, "accepted").fill_null("accepted").alias("status"),
        bare.replace("", None).fill_null(assembled).alias("scientificName"),
        authorship.alias("authorship"),
        vocabulary(filled("rank", "taxonRank"), RANK_WORDS, "unranked").alias("rank"),
        vocabulary(filled("code", "nomenclaturalCode"), CODES, None).alias("code"),
        _pick(columns, "extinct").str.to_lowercase().is_in(["true", "1", "yes", "t"]).alias("extinct"),
        *flat,
    ]


def _name_usage(path: Path, defaults: dict[str, Any]) -> pl.LazyFrame:
    frame = _scan(path)
    columns = frame.collect_schema().names()
    _require(path, columns, "ID", "scientificName")
    return frame.select(
        _usage(
            columns,
            usage_id=_pick(columns, "ID"),
            parent=_pick(columns, "parentID"),
            status=_pick(columns, "status").str.to_lowercase(),
            defaults=defaults.get("NameUsage") if isinstance(defaults.get("NameUsage"), dict) else defaults,
        )
    )


def _split(files: dict[str, Path], defaults: dict[str, Any]) -> pl.LazyFrame:
    names = _scan(files["name"])
    columns = names.collect_schema().names()
    _require(files["name"], columns, "ID", "scientificName")
    # the flat classification belongs to the taxon; a name's "genus" is a part of the name there
    part = {"ID": "name ID", "status": "name status", "genus": "genericName"}
    names = names.rename({old: new for old, new in part.items() if old in columns and new not in columns})
    name_columns = ["name ID"] + [
        column
        for column in names.collect_schema().names()
        if column
        in {
            "scientificName",
            "authorship",
            "rank",
            "code",
            "uninomial",
            "genericName",
            "infragenericEpithet",
            "specificEpithet",
            "infraspecificEpithet",
        }
    ]
    names = names.select(name_columns)

    taxa = _scan(files["taxon"])
    taxon_columns = taxa.collect_schema().names()
    _require(files["taxon"], taxon_columns, "ID", "nameID")
    provisional = _pick(taxon_columns, "provisional").str.to_lowercase().is_in(["true", "1", "yes"])
    ranks = [c for c in taxon_columns if c.lower() in CLASSIFICATION]
    taxa = taxa.select(
        _pick(taxon_columns, "ID").alias("usage ID"),
        _pick(taxon_columns, "parentID").alias("usage parent"),
        pl.when(provisional).then(pl.lit("provisionally accepted")).otherwise(pl.lit("accepted")).alias("usage status"),
        _pick(taxon_columns, "nameID").alias("name ID"),
        _pick(taxon_columns, "extinct").alias("extinct"),
        *ranks,
    )
    parts = [taxa]
    if "synonym" in files:
        synonyms = _scan(files["synonym"])
        synonym_columns = synonyms.collect_schema().names()
        _require(files["synonym"], synonym_columns, "taxonID", "nameID")
        accepted, name = _pick(synonym_columns, "taxonID"), _pick(synonym_columns, "nameID")
        parts.append(
            synonyms.select(
                # a synonym has no id of its own before ColDP 1.2; taxon and name together are one
                _pick(synonym_columns, "ID").fill_null(pl.format("{}:{}", accepted, name)).alias("usage ID"),
                accepted.alias("usage parent"),
                _pick(synonym_columns, "status").fill_null("synonym").alias("usage status"),
                name.alias("name ID"),
                pl.lit(None, dtype=pl.String).alias("extinct"),
            )
        )
    joined = pl.concat(parts, how="diagonal").join(names, on="name ID", how="left", maintain_order="left")
    return joined.select(
        _usage(
            joined.collect_schema().names(),
            usage_id=pl.col("usage ID"),
            parent=pl.col("usage parent"),
            status=pl.col("usage status").str.to_lowercase(),
            defaults=defaults.get("Name") if isinstance(defaults.get("Name"), dict) else {},
        )
    )


def _darwin_core(meta: Path) -> pl.LazyFrame:
    text = meta.read_text("utf-8-sig", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ChecklistError("meta.xml: a document type declaration is not allowed there; remove it")
    try:
        root = ET.fromstring(text)  # noqa: S314  a document type, hence any entity, is refused above
    except ET.ParseError as error:
        raise ChecklistError(f"meta.xml: not well-formed XML ({error})") from error
    core = next((e for e in root if e.tag.rsplit("}", 1)[-1] == "core"), None)
    if core is None or not core.get("rowType", "").endswith("Taxon"):
        raise ChecklistError("meta.xml: the core of the archive is no Taxon table; a checklist is needed here")
    location = next((e.text for e in core.iter() if e.tag.rsplit("}", 1)[-1] == "location"), None) or ""
    path = meta.parent / Path(location.strip()).name
    if not path.is_file():
        raise ChecklistError(f"meta.xml: names the file {location!r}, which is not in the archive")
    fields = {
        int(e.get("index", "-1")): e.get("term", "").rsplit("/", 1)[-1]
        for e in core
        if e.tag.rsplit("}", 1)[-1] == "field" and e.get("index")
    }
    for e in core:
        if e.tag.rsplit("}", 1)[-1] == "id" and e.get("index"):
            fields[int(e.get("index", "0"))] = "taxonID"
    separator = core.get("fieldsTerminatedBy", ",").replace("\\t", "\t")
    quote = core.get("fieldsEnclosedBy", '"') or None
    skip = int(core.get("ignoreHeaderLines", "0") or 0)
    frame = pl.scan_csv(
        path,
        separator=separator if len(separator) == 1 else "\t",
        quote_char=quote,
        has_header=False,
        skip_rows=skip,
        infer_schema=False,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
    )
    present = frame.collect_schema().names()
    named = [
        pl.col(present[index]).str.strip_chars().replace({"": None, "\\N": None}).alias(term)
        for index, term in sorted(fields.items())
        if index < len(present)
    ]
    return _dwc_terms(frame.select(named))


def _dwc_terms(frame: pl.LazyFrame) -> pl.LazyFrame:
    columns = frame.collect_schema().names()
    usage_id = _pick(columns, "taxonID", "ID")
    accepted = _pick(columns, "acceptedNameUsageID", "acceptedTaxonID")
    is_synonym = accepted.is_not_null() & (accepted != usage_id)
    stated = vocabulary(_pick(columns, "taxonomicStatus", "status"), STATUS_WORDS, None)
    synonym = pl.when(stated.is_in(["accepted", "provisionally accepted"])).then(pl.lit("synonym")).otherwise(stated)
    status = pl.when(is_synonym).then(synonym.fill_null("synonym")).otherwise(stated.fill_null("accepted"))
    return frame.select(
        _usage(
            columns,
            usage_id=usage_id,
            parent=pl.when(is_synonym).then(accepted).otherwise(_pick(columns, "parentNameUsageID", "parentID")),
            status=status,
        )
    )


def _single_table(path: Path) -> pl.LazyFrame:
    frame = _scan(path)
    columns = {column.lower() for column in frame.collect_schema().names()}
    if "taxonid" in columns:
        return _dwc_terms(frame)
    return _name_usage(path, {})


def _require(path: Path, columns: list[str], *names: str) -> None:
    missing = [name for name in names if name.lower() not in {column.lower() for column in columns}]
    if missing:
        raise ChecklistError(f"{path.name}: the column {missing[0]} is missing; a ColDP table must have it")
