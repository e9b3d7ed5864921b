"""Is a record whose identifier we do not know really new? Before anything is minted, four questions are asked of it.

1. Does it carry one of our DOIs (as its identifier or among its identifiers)? Then it is that specimen, and the DOI stays
   though its physical id changed.
2. Had one of our specimens this identifier before? Then it is that specimen again.
3. Is it another dataset's specimen that its dataset no longer publishes? Then it moves, within its organisation.
4. Does it say the same as a specimen that is missing, identifiers aside? Then it is likely renamed: held for a person.

Whatever cannot be answered is held, never minted twice and never overwritten. Carrying out a person's answer is
`decisions`; what became of every record is `resolve`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from sqlalchemy import Connection

from dissco_platform.identity.parts import documents_of
from dissco_platform.provenance import text_version
from dissco_platform.registry import decisions, objects
from dissco_platform.registry.datasets import Dataset, list_datasets
from dissco_platform.registry.tables import digital_object
from dissco_platform.store import DatasetStore

# Reasons for which a record is held; only a likely rename and an unknown DOI may turn out to be new specimens.
OTHER_DATASET = "identifier_of_another_dataset"
OTHER_SPECIMEN = "doi_of_another_specimen"
CLAIMED_TWICE = "doi_claimed_twice"
UNKNOWN_DOI = "unknown_doi"
FORMER_IDENTIFIER = "former_identifier"
LIKELY_RENAME = "likely_rename"
MAY_BE_NEW = frozenset({LIKELY_RENAME, UNKNOWN_DOI, FORMER_IDENTIFIER})

# Terms that say which specimen it is, when, and in what version: all else is what it says.
_NAMING = frozenset(
    {
        "@id", "@type", "dcterms:identifier", "dcterms:created", "dcterms:modified", "ods:version", "ods:status",
        "ods:physicalSpecimenID", "ods:physicalSpecimenIDType", "ods:normalisedPhysicalSpecimenID",
        "ods:hasIdentifiers", "ods:hasEntityRelationships", "ods:sourceSystemID", "ods:sourceSystemName",
    }
)  # fmt: skip
_CATALOG_NUMBER = "catalogNumber"
_HELD: dict[str, Any] = {"identity_key": pl.String, "reason": pl.String, "message": pl.String, "object_id": pl.Int64}
_RENAMED: dict[str, Any] = {"id": pl.Int64, "old_key": pl.String, "identity_key": pl.String}


@dataclass(frozen=True)
class Recognised:
    """What is known of the incoming keys. `own` has the keys that its objects have from now on.

    `renamed`: `id, old_key, identity_key`; `moved`: `id, owner` (the dataset that it leaves); `held`: `identity_key,
    reason, message, object_id`.
    """

    own: pl.DataFrame
    foreign: pl.DataFrame
    renamed: pl.DataFrame
    moved: pl.DataFrame
    held: pl.DataFrame

    @property
    def questioned(self) -> pl.Series:
        """Objects that a held record may be: they do not end before a person has answered."""
        return self.held["object_id"].drop_nulls()


def recognise(
    connection: Connection,
    store: DatasetStore,
    dataset: Dataset,
    kind: str,
    incoming: pl.DataFrame,
    prefix: str,
    documents: Callable[[str], Path],
) -> Recognised:
    """Return what is known of the incoming keys, see `Recognised`.

    Args:
        connection: to the registry; nothing is written.
        store: holds published parts.
        dataset: the dataset that publishes.
        kind: `specimen` or `media`; only the third question is asked of media.
        incoming: the records, as `incoming.Incoming.rows` gives them; their `identity_key` is unique.
        prefix: the DOI prefix.
        documents: gives the folder of a build by the name in the `batch` column.
    """
    own = objects.current_objects(connection, dataset.slug, kind)
    strangers = incoming.join(own.select("identity_key"), on="identity_key", how="anti")
    foreign = objects.objects_by_key(connection, kind, strangers["identity_key"])
    moved = _moving(connection, dataset, foreign)
    taken_over = foreign.filter(pl.col("id").is_in(moved["id"].implode()))
    # Without the old hash it is a change in any case: the specimen's dataset is part of what it says.
    own = pl.concat([own, taken_over.with_columns(old_hash=pl.lit(""))])
    foreign = foreign.filter(~pl.col("id").is_in(moved["id"].implode()))
    empty = Recognised(own, foreign, pl.DataFrame(schema=_RENAMED), moved, pl.DataFrame(schema=_HELD))
    if kind == "media" or strangers.is_empty():
        return empty
    unknown = strangers.join(pl.concat([foreign, taken_over]).select("identity_key"), on="identity_key", how="anti")
    answered = decisions.decided_new(connection, dataset.slug)
    unknown = unknown.filter(~pl.col("identity_key").is_in(answered.implode()))
    absent = own.filter(pl.col("version") > 0).join(incoming.select("identity_key"), on="identity_key", how="anti")
    if unknown.is_empty():
        return empty
    searcher = _Search(connection, store, dataset, prefix, documents, own, absent)
    claimed, held = searcher.claims(unknown)
    unknown = unknown.join(
        pl.concat([claimed.select("identity_key"), held.select("identity_key")]), on="identity_key", how="anti"
    )
    former, held_former = searcher.former(unknown)
    unknown = unknown.join(
        pl.concat([former.select("identity_key"), held_former.select("identity_key")]), on="identity_key", how="anti"
    )
    renamed = pl.concat([claimed, former])
    searcher.absent = absent.join(renamed.select("id"), on="id", how="anti")
    held = pl.concat([held, held_former, searcher.renames(unknown)])
    new_keys = own.join(renamed.select("id", new_key="identity_key"), on="id", how="left", maintain_order="left")
    own = new_keys.with_columns(identity_key=pl.coalesce("new_key", "identity_key")).drop("new_key")
    return Recognised(own, foreign, renamed, moved, held)


def alike(connection: Connection, dataset: Dataset, fresh: pl.DataFrame) -> pl.DataFrame:
    """Return pairs `object_id, other_id` of new local identifiers that other datasets of the organisation have as well.

    Args:
        connection: to the registry.
        dataset: the dataset that publishes.
        fresh: `id, identity_key` of its new specimens.
    """
    scope = ":" + dataset.source_system_id.rsplit("/", 1)[-1]
    local = fresh.filter(pl.col("identity_key").str.ends_with(scope)).select(
        pl.col("id").alias("object_id"), pl.col("identity_key").str.strip_suffix(scope).alias("local")
    )
    pairs = [pl.DataFrame(schema={"object_id": pl.Int64, "other_id": pl.Int64})]
    for other in list_datasets(connection) if local.height else []:
        if other.organisation_id != dataset.organisation_id or other.slug == dataset.slug:
            continue
        theirs = ":" + other.source_system_id.rsplit("/", 1)[-1]
        wanted = local.with_columns(identity_key=pl.concat_str("local", pl.lit(theirs)))
        found = objects.objects_by_key(connection, "specimen", wanted["identity_key"])
        pairs.append(
            wanted.join(found.select("identity_key", other_id="id"), on="identity_key").select("object_id", "other_id")
        )
    return pl.concat(pairs)


def _moving(connection: Connection, dataset: Dataset, foreign: pl.DataFrame) -> pl.DataFrame:
    """Return which objects of other datasets come into this one: `id, owner`."""
    gone = foreign.filter(pl.col("version") > 0)
    if gone.is_empty():
        return gone.select("id", "owner")
    same = {
        other.slug: other for other in list_datasets(connection) if other.organisation_id == dataset.organisation_id
    }
    removed = [slug for slug, other in same.items() if other.state == "removed"]
    left = pl.col("state").is_in(["missing", "tombstoned"]) | pl.col("owner").is_in(removed)
    gone = gone.filter(left & pl.col("owner").is_in(list(same)))
    kept = [decisions.ended(connection, owner)["id"] for owner in gone["owner"].unique()]
    ended = pl.concat(kept) if kept else pl.Series("id", [], dtype=pl.Int64)
    return gone.filter(~pl.col("id").is_in(ended.implode())).select("id", "owner")


class _Search:
    """The questions that need more than keys."""

    def __init__(
        self,
        connection: Connection,
        store: DatasetStore,
        dataset: Dataset,
        prefix: str,
        documents: Callable[[str], Path],
        own: pl.DataFrame,
        absent: pl.DataFrame,
    ) -> None:
        self.connection, self.store, self.dataset, self.prefix = connection, store, dataset, prefix
        self.documents, self.own, self.absent = documents, own, absent
        self.pattern = rf"(?i){prefix.replace('.', '[.]')}/([A-Z0-9]{{3}}-[A-Z0-9]{{3}}-[A-Z0-9]{{3}})\b"

    def claims(self, unknown: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return (renamed, held) of the records that carry a DOI of ours."""
        suffix = pl.col("claims").str.extract(self.pattern, 1).alias("suffix")
        carried = unknown.select("identity_key", suffix).drop_nulls("suffix")
        rest = unknown.join(carried, on="identity_key", how="anti").filter(~pl.col("doi_only"))
        if self._organisation_has_objects():
            carried = pl.concat([carried, self._in_documents(rest)])
        if carried.is_empty():
            return pl.DataFrame(schema=_RENAMED), pl.DataFrame(schema=_HELD)
        carried = carried.with_columns(pl.col("suffix").str.to_uppercase())
        found = objects.objects_by_suffix(self.connection, carried["suffix"])
        judged = carried.join(found.select("suffix", "id", "owner", old_key="identity_key"), on="suffix", how="left")
        absent = pl.col("id").is_in(self.absent["id"].implode())
        judged = judged.with_columns(
            reason=pl.when(pl.col("id").is_null())
            .then(pl.lit(UNKNOWN_DOI))
            .when(pl.col("suffix").is_duplicated())
            .then(pl.lit(CLAIMED_TWICE))
            .when(absent.fill_null(False))
            .then(pl.lit(None, pl.String))
            .otherwise(pl.lit(OTHER_SPECIMEN)),
            doi=pl.concat_str(pl.lit(f"https://doi.org/{self.prefix}/"), "suffix"),
        )
        message = (
            pl.when(pl.col("reason") == UNKNOWN_DOI)
            .then(pl.concat_str("identity_key", pl.lit(" carries "), "doi", pl.lit(", which was never given.")))
            .when(pl.col("reason") == CLAIMED_TWICE)
            .then(pl.concat_str("identity_key", pl.lit(" carries "), "doi", pl.lit(", and so does another record.")))
            .otherwise(
                pl.concat_str(
                    "identity_key", pl.lit(" carries "), "doi", pl.lit(", the DOI of "), "old_key",
                    pl.lit(" in the dataset "), "owner", pl.lit(", which is published still."),
                )
            )
        )  # fmt: skip
        held = judged.filter(pl.col("reason").is_not_null()).with_columns(message=message, object_id=pl.col("id"))
        return judged.filter(pl.col("reason").is_null()).select(list(_RENAMED)), held.select(list(_HELD))

    def former(self, unknown: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return (renamed, held) of the records whose identifier one of our specimens had before."""
        known = decisions.former_objects(self.connection, "specimen", unknown["identity_key"]).join(
            self.own.select(pl.col("id").alias("former_id"), pl.col("identity_key").alias("old_key"), "suffix"),
            on="former_id",
        )
        back = pl.col("former_id").is_in(self.absent["id"].implode())
        message = pl.concat_str(
            "identity_key", pl.lit(" was the identifier of "), "old_key",
            pl.lit(f", which is published beside it (https://doi.org/{self.prefix}/"), "suffix", pl.lit(")."),
        )  # fmt: skip
        held = known.filter(~back).with_columns(
            message=message, reason=pl.lit(FORMER_IDENTIFIER), object_id=pl.col("former_id")
        )
        return known.filter(back).rename({"former_id": "id"}).select(list(_RENAMED)), held.select(list(_HELD))

    def renames(self, unknown: pl.DataFrame) -> pl.DataFrame:
        """Return the records (as held) that say what a missing specimen said.

        The two must be the only ones that say it, or have the same catalogue number besides: ten bottles of one haul
        say the same and are ten specimens.
        """
        gone = self.absent.filter(pl.col("state").is_in(["active", "missing"]))
        if gone.is_empty() or unknown.is_empty():
            return pl.DataFrame(schema=_HELD)
        before = _signatures(self._published(gone)).join(gone.select("id", "suffix", "identity_key"), on="identity_key")
        if before.is_empty():
            return pl.DataFrame(schema=_HELD)
        # The name is a column of the build: only documents of records that are called alike are read.
        alike_named = unknown.filter(pl.col("specimen_name").is_in(before["name"].implode()))
        after = _signatures(self._incoming(alike_named))
        pairs = after.join(before, on="signature", suffix="_before")
        exact = pairs.filter(pl.col("number") == pl.col("number_before"))
        rest = pairs.join(exact, on="identity_key", how="anti").join(exact, on="id", how="anti")
        alone = ~pl.col("identity_key").is_duplicated() & ~pl.col("id").is_duplicated()
        found = pl.concat([exact.filter(alone), rest.filter(alone)])
        message = pl.concat_str(
            "identity_key", pl.lit(" says what "), "identity_key_before",
            pl.lit(f" said, which is missing (https://doi.org/{self.prefix}/"), "suffix", pl.lit(")."),
        )  # fmt: skip
        return found.select("identity_key", reason=pl.lit(LIKELY_RENAME), message=message, object_id=pl.col("id"))

    def _organisation_has_objects(self) -> bool:
        if self.own.height:
            return True
        siblings = [d.slug for d in list_datasets(self.connection) if d.organisation_id == self.dataset.organisation_id]
        return objects.any_published(self.connection, siblings)

    def _in_documents(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return `identity_key, suffix` of the documents that carry a DOI of ours among their identifiers."""
        found = []
        for frame in documents_of("specimen", rows.select("identity_key", "document_hash", "batch"), self.documents):
            near = frame.filter(pl.col("content").str.contains(f"{self.prefix}/", literal=True))
            for key, content in near.select("identity_key", "content").iter_rows():
                named = orjson.loads(content).get("ods:hasIdentifiers", [])
                text = " ".join(str(entry.get("dcterms:identifier", "")) for entry in named)
                found.append((key, text))
        frame = pl.DataFrame(found, schema={"identity_key": pl.String, "text": pl.String}, orient="row")
        return frame.select("identity_key", pl.col("text").str.extract(self.pattern, 1).alias("suffix")).drop_nulls()

    def _published(self, gone: pl.DataFrame) -> Iterator[tuple[str, str | None, str | None, str | None]]:
        """Yield (key, document, name, catalogue number) of the last version of missing specimens."""
        parts = objects.where_current(self.connection, digital_object.c.dataset == self.dataset.slug).select(
            "suffix", "folder", "path"
        )
        wanted = gone.select("identity_key", "suffix").join(parts, on="suffix")
        for (folder, path), members in wanted.group_by("folder", "path"):
            part = pl.scan_parquet(self.store.part(str(folder), str(path))).select("suffix", "document", "payload")
            frame = members.join(
                part.filter(pl.col("suffix").is_in(members["suffix"].implode())).collect(), on="suffix"
            )
            for key, document, payload in frame.select("identity_key", "document", "payload").iter_rows():
                told = orjson.loads(payload)
                numbers = [
                    entry["alternateIdentifier"]
                    for entry in told.get("alternateIdentifiers", [])
                    if entry["alternateIdentifierType"] == _CATALOG_NUMBER
                ]
                yield key, document, told["titles"][0]["title"], numbers[0] if numbers else None

    def _incoming(self, rows: pl.DataFrame) -> Iterator[tuple[str, str | None, str | None, str | None]]:
        """Yield the same of records of the build."""
        wanted = rows.select("identity_key", "document_hash", "batch", "specimen_name", _CATALOG_NUMBER, "doi_only")
        for frame in documents_of("specimen", wanted.filter(~pl.col("doi_only")), self.documents):
            columns = ["identity_key", "content", "specimen_name", _CATALOG_NUMBER]
            yield from frame.select(columns).iter_rows()
        for key, name, number in (
            wanted.filter("doi_only").select("identity_key", "specimen_name", _CATALOG_NUMBER).iter_rows()
        ):
            yield key, None, name, number


def _signatures(said: Iterator[tuple[str, str | None, str | None, str | None]]) -> pl.DataFrame:
    """Return `identity_key, signature, name, number`; what is DOI only says its name and needs a catalogue number."""
    rows = []
    for key, document, name, number in said:  # one record at a time: each is a document that is looked into
        if document is None:
            if number is None:
                continue
            signature = text_version("doi only", name or "", number)
        else:
            value = orjson.loads(document)
            own = {str(value.get("ods:physicalSpecimenID")), str(value.get("ods:normalisedPhysicalSpecimenID"))}
            said_of_it = {name: part for name, part in value.items() if name not in _NAMING}
            signature = text_version(orjson.dumps(_without(said_of_it, own), option=orjson.OPT_SORT_KEYS))
        rows.append((key, signature, name, number))
    schema = dict.fromkeys(("identity_key", "signature", "name", "number"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _without(value: Any, texts: set[str]) -> Any:
    """Return a JSON value in which the given texts are blank: a specimen repeats its identifier in its parts."""
    if isinstance(value, dict):
        return {key: _without(part, texts) for key, part in value.items()}
    if isinstance(value, list):
        return [_without(part, texts) for part in value]
    return "" if isinstance(value, str) and value in texts else value
