"""The questions of `recognition` that need more than keys: DOIs that records carry, former identifiers, likely renames.

Each answers with frames: `RENAMED`, records that are one of our specimens, and `HELD_RECORDS`, those that a person has to
look at. What is compared of many records at once is a hash each, and waits on disk where there are many.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import polars as pl
from sqlalchemy import Connection

from dissco_platform.identity.contents import texts
from dissco_platform.identity.incoming import ROW, Incoming
from dissco_platform.identity.records import Known, Numbers
from dissco_platform.identity.spool import Spool
from dissco_platform.provenance import text_version
from dissco_platform.registry import objects
from dissco_platform.registry.datasets import Dataset, list_datasets
from dissco_platform.store import DatasetStore

# Reasons for which a record is held; only a likely rename and an unknown DOI may turn out to be new specimens.
OTHER_DATASET = "identifier_of_another_dataset"
OTHER_SPECIMEN = "doi_of_another_specimen"
CLAIMED_TWICE = "doi_claimed_twice"
UNKNOWN_DOI = "unknown_doi"
FORMER_IDENTIFIER = "former_identifier"
LIKELY_RENAME = "likely_rename"
MAY_BE_NEW = frozenset({LIKELY_RENAME, UNKNOWN_DOI, FORMER_IDENTIFIER})

RENAMED: Final[dict[str, Any]] = {ROW: pl.Int64, "id": pl.Int64, "old_key": pl.String, "identity_key": pl.String}
HELD_RECORDS: Final[dict[str, Any]] = {
    ROW: pl.Int64,
    "identity_key": pl.String,
    "reason": pl.String,
    "message": pl.String,
    "object_id": pl.Int64,
}
CARRIED: Final[dict[str, Any]] = {ROW: pl.Int64, "identity_key": pl.String, "suffix": pl.String}
FORMER: Final[dict[str, Any]] = {ROW: pl.Int64, "identity_key": pl.String, "former_id": pl.Int64}

# Terms that say which specimen it is, when, and in what version: all else is what it says.
_NAMING = frozenset(
    {
        "@id", "@type", "dcterms:identifier", "dcterms:created", "dcterms:modified", "ods:version", "ods:status",
        "ods:physicalSpecimenID", "ods:physicalSpecimenIDType", "ods:normalisedPhysicalSpecimenID",
        "ods:hasIdentifiers", "ods:hasEntityRelationships", "ods:sourceSystemID", "ods:sourceSystemName",
    }
)  # fmt: skip
_CATALOG_NUMBER = "catalogNumber"
_SIGNED: dict[str, Any] = {"ref": pl.Int64, "signature": pl.String, "number": pl.UInt64}
_PARTITIONS = "0123456789abcdef"  # of signatures, by their first digit: two that are alike are in the same
_SIGNED_AT_ONCE = 20_000


class Questions:
    """Asked once of the unknown records of a publication's specimens."""

    def __init__(
        self,
        connection: Connection,
        store: DatasetStore,
        dataset: Dataset,
        prefix: str,
        documents: Callable[[str], Path],
        incoming: Incoming,
        known: Known,
    ) -> None:
        """Read from a registry and store; `documents` gives the folder of a build by its name, the rest is of the run."""
        self.connection, self.store, self.dataset, self.prefix = connection, store, dataset, prefix
        self.documents, self.incoming, self.known = documents, incoming, known

    @staticmethod
    def pattern(prefix: str) -> str:
        """Return the pattern of a DOI of ours in a text; its group is the suffix."""
        return rf"(?i){prefix.replace('.', '[.]')}/([A-Z0-9]{{3}}-[A-Z0-9]{{3}}-[A-Z0-9]{{3}})\b"

    def claims(self, carried: pl.DataFrame, rest: Numbers) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return (renamed, held) of the records that carry a DOI of ours.

        Args:
            carried: the DOIs (`CARRIED`) in the identifiers of records.
            rest: numbers of the other records that have a document, which may carry one among their identifiers.
        """
        if rest.size and self._organisation_has_objects():
            carried = pl.concat([carried, self._in_documents(rest)])
        if carried.is_empty():
            return pl.DataFrame(schema=RENAMED), pl.DataFrame(schema=HELD_RECORDS)
        carried = carried.with_columns(pl.col("suffix").str.to_uppercase())
        found = objects.objects_by_suffix(self.connection, carried["suffix"])
        judged = carried.join(found.select("suffix", "id", "owner", old_key="identity_key"), on="suffix", how="left")
        judged = judged.with_columns(
            reason=pl.when(pl.col("id").is_null())
            .then(pl.lit(UNKNOWN_DOI))
            .when(pl.col("suffix").is_duplicated())
            .then(pl.lit(CLAIMED_TWICE))
            .when(self._is_absent(judged["id"]))
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
        return judged.filter(pl.col("reason").is_null()).select(list(RENAMED)), held.select(list(HELD_RECORDS))

    def former(self, found: pl.DataFrame, taken: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return (renamed, held) of the records whose identifier one of our specimens had before.

        Args:
            found: those records (`FORMER`).
            taken: ids of the specimens that other records are already.
        """
        if found.is_empty():
            return pl.DataFrame(schema=RENAMED), pl.DataFrame(schema=HELD_RECORDS)
        own = pl.concat(list(objects.objects_with_ids(self.connection, found["former_id"].unique())))
        own = own.filter(pl.col("owner") == self.dataset.slug)
        known = found.join(
            own.select(pl.col("id").alias("former_id"), pl.col("identity_key").alias("old_key"), "suffix"),
            on="former_id",
        )
        is_free = ~pl.col("former_id").is_in(taken.implode()) & ~pl.col("former_id").is_duplicated()
        known = known.with_columns(back=pl.Series(self._is_absent(known["former_id"])) & is_free)
        message = pl.concat_str(
            "identity_key", pl.lit(" was the identifier of "), "old_key",
            pl.lit(f", which is published beside it (https://doi.org/{self.prefix}/"), "suffix", pl.lit(")."),
        )  # fmt: skip
        held = known.filter(~pl.col("back")).with_columns(
            message=message, reason=pl.lit(FORMER_IDENTIFIER), object_id=pl.col("former_id")
        )
        renamed = known.filter("back").rename({"former_id": "id"})
        return renamed.select(list(RENAMED)), held.select(list(HELD_RECORDS))

    def renames(self, unknown: Numbers, gone: Numbers, folder: Path) -> Iterator[pl.DataFrame]:
        """Yield the records (as held) that say what a missing specimen said.

        The two must be the only ones that say it, or have the same catalogue number besides: ten bottles of one haul
        say the same and are ten specimens.

        Args:
            unknown: numbers of the records of which nothing is known (ascending).
            gone: ids of the missing specimens.
            folder: what waits lies on its disk.
        """
        if not unknown.size or not gone.size:
            return
        names: set[str] = set()
        before = _partitioned(self._published(gone, names), folder)
        after = _partitioned(self._incoming(unknown, names), folder)
        for one, other in zip(after, before, strict=True):
            new, old = one.collected(), other.collected()
            one.close()
            other.close()
            if new is not None and old is not None:
                yield from self._alike(new, old)

    def _alike(self, new: pl.DataFrame, old: pl.DataFrame) -> Iterator[pl.DataFrame]:
        pairs = new.join(old, on="signature", suffix="_before")
        exact = pairs.filter((pl.col("number") == pl.col("number_before")) & (pl.col("number") != 0))
        rest = pairs.join(exact, on="ref", how="anti").join(exact, on="ref_before", how="anti")
        alone = ~pl.col("ref").is_duplicated() & ~pl.col("ref_before").is_duplicated()
        found = pl.concat([exact.filter(alone), rest.filter(alone)]).select(
            pl.col("ref").alias(ROW), pl.col("ref_before").alias("object_id")
        )
        if found.is_empty():
            return
        rows = found[ROW].sort().to_numpy()
        keys = pl.concat(list(self.incoming.keys(rows)))
        them = pl.concat(list(objects.objects_with_ids(self.connection, found["object_id"])))
        told = found.join(keys, on=ROW).join(
            them.select(pl.col("id").alias("object_id"), "suffix", key_before="identity_key"), on="object_id"
        )
        message = pl.concat_str(
            "identity_key", pl.lit(" says what "), "key_before",
            pl.lit(f" said, which is missing (https://doi.org/{self.prefix}/"), "suffix", pl.lit(")."),
        )  # fmt: skip
        yield told.with_columns(reason=pl.lit(LIKELY_RENAME), message=message).select(list(HELD_RECORDS))

    def _is_absent(self, ids: pl.Series) -> pl.Series:
        absent = self.known.id[self.known.absent]
        return pl.Series(np.isin(ids.fill_null(0).to_numpy(), absent))

    def _organisation_has_objects(self) -> bool:
        if self.known.id.size:
            return True
        siblings = [d.slug for d in list_datasets(self.connection) if d.organisation_id == self.dataset.organisation_id]
        return objects.any_published(self.connection, siblings)

    def _in_documents(self, rows: Numbers) -> pl.DataFrame:
        """Return the DOIs of ours (`CARRIED`) among the identifiers that documents name."""
        found = []
        for frame in texts("specimen", self.incoming.addresses, rows, self.documents):
            near = frame.filter(pl.col("content").str.contains(f"{self.prefix}/", literal=True))
            for row, content in near.select(ROW, "content").iter_rows():
                named = orjson.loads(content).get("ods:hasIdentifiers", [])
                text = " ".join(str(entry.get("dcterms:identifier", "")) for entry in named)
                found.append((row, text))
        frame = pl.DataFrame(found, schema={ROW: pl.Int64, "text": pl.String}, orient="row")
        carried = frame.select(
            ROW, pl.col("text").str.extract(self.pattern(self.prefix), 1).alias("suffix")
        ).drop_nulls()
        if carried.is_empty():
            return pl.DataFrame(schema=CARRIED)
        keys = pl.concat(list(self.incoming.keys(carried[ROW].sort().to_numpy())))
        return carried.join(keys, on=ROW).select(list(CARRIED))

    def _published(self, gone: Numbers, names: set[str]) -> Iterator[tuple[int, str, str | None]]:
        """Yield (id, signature, catalogue number) of the last versions of missing specimens; adds to `names`."""
        for wanted in objects.current_parts_of(self.connection, pl.Series(gone)):
            for (folder, path), members in wanted.group_by("folder", "path"):
                part = pl.scan_parquet(self.store.part(str(folder), str(path))).select("suffix", "document", "payload")
                frame = members.join(
                    part.filter(pl.col("suffix").is_in(members["suffix"].implode())).collect(), on="suffix"
                )
                for ref, document, payload in frame.select("id", "document", "payload").iter_rows():
                    told = orjson.loads(payload)
                    numbers = [
                        entry["alternateIdentifier"]
                        for entry in told.get("alternateIdentifiers", [])
                        if entry["alternateIdentifierType"] == _CATALOG_NUMBER
                    ]
                    name, number = told["titles"][0]["title"], numbers[0] if numbers else None
                    names.add(name)
                    signature = _signature(document, name, number)
                    if signature is not None:
                        yield ref, signature, number

    def _incoming(self, rows: Numbers, names: set[str]) -> Iterator[tuple[int, str, str | None]]:
        """Yield the same of records of the build: of those that are called as a missing one is, the rest is not read."""
        alike = pl.Series(list(names), dtype=pl.String).implode()
        numbers: dict[int, str] = {}
        with_document: list[Numbers] = []
        for page in self.incoming.columns(rows, ("specimen_name", _CATALOG_NUMBER, "doi_only")):
            called = page.filter(pl.col("specimen_name").is_in(alike))
            closed = called.filter("doi_only")
            for row, name, number in closed.select(ROW, "specimen_name", _CATALOG_NUMBER).iter_rows():
                signature = _signature(None, name, number)
                if signature is not None:
                    yield row, signature, number
            open_rows = called.filter(~pl.col("doi_only"))
            with_document.append(open_rows[ROW].to_numpy())
            numbers |= dict(open_rows.select(ROW, _CATALOG_NUMBER).drop_nulls().iter_rows())
        wanted = np.concatenate(with_document) if with_document else np.zeros(0, np.int64)
        for frame in texts("specimen", self.incoming.addresses, wanted, self.documents) if wanted.size else ():
            for row, content in frame.iter_rows():
                signature = _signature(content, None, None)
                if signature is not None:
                    yield row, signature, numbers.get(row)


def _partitioned(signed: Iterator[tuple[int, str, str | None]], folder: Path) -> list[Spool]:
    """Return `ref, signature, number` (hash of the catalogue number, 0 for none), apart by the signature's first digit."""
    spools = [Spool(folder) for _ in _PARTITIONS]
    rows: list[tuple[int, str, str | None]] = []

    def put() -> None:
        frame = pl.DataFrame(rows, schema={"ref": pl.Int64, "signature": pl.String, "number": pl.String}, orient="row")
        frame = frame.with_columns(pl.when(pl.col("number").is_not_null()).then(pl.col("number").hash()).otherwise(0))
        for digit, spool in zip(_PARTITIONS, spools, strict=True):
            spool.append(frame.filter(pl.col("signature").str.starts_with(digit)).cast(_SIGNED))  # type: ignore[arg-type]
        rows.clear()

    for row in signed:  # one record at a time: each is a document that is looked into
        rows.append(row)
        if len(rows) == _SIGNED_AT_ONCE:
            put()
    if rows:
        put()
    return spools


def _signature(document: str | None, name: str | None, number: str | None) -> str | None:
    """Return a hash of what a record says; what is DOI only says its name and needs a catalogue number."""
    if document is None:
        return None if number is None else text_version("doi only", name or "", number)
    value = orjson.loads(document)
    own = {str(value.get("ods:physicalSpecimenID")), str(value.get("ods:normalisedPhysicalSpecimenID"))}
    said = {name: part for name, part in value.items() if name not in _NAMING}
    return text_version(orjson.dumps(_without(said, own), option=orjson.OPT_SORT_KEYS))


def _without(value: Any, texts: set[str]) -> Any:
    """Return a JSON value in which the given texts are blank: a specimen repeats its identifier in its parts."""
    if isinstance(value, dict):
        return {key: _without(part, texts) for key, part in value.items()}
    if isinstance(value, list):
        return [_without(part, texts) for part in value]
    return "" if isinstance(value, str) and value in texts else value
