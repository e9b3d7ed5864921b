"""Is a record whose identifier we do not know really new? Before anything is minted, four questions are asked of it.

1. Does it carry one of our DOIs (as its identifier or among its identifiers)? Then it is that specimen, and the DOI stays
   though its physical id changed.
2. Had one of our specimens this identifier before? Then it is that specimen again.
3. Is it another dataset's specimen that its dataset no longer publishes? Then it moves, within its organisation.
4. Does it say the same as a specimen that is missing, identifiers aside? Then it is likely renamed: held for a person.

Whatever cannot be answered is held, never minted twice and never overwritten. The records are gone through a page at a
time; the questions that need more than keys are `questions`, what becomes of a record that is known is `resolve`, and
carrying out a person's answer is `decisions`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from sqlalchemy import Connection

from dissco_platform.identity import minting
from dissco_platform.identity.incoming import ROW, Incoming
from dissco_platform.identity.questions import CARRIED, FORMER, OTHER_DATASET, RENAMED, Questions
from dissco_platform.identity.records import (
    CHANGED,
    DOI_ONLY,
    HELD,
    LEFT_OUT,
    LINKING,
    MISSING,
    NEW,
    NO_SUFFIX,
    PUBLISHED,
    RETURNED,
    SHARED,
    TYPE,
    UNKNOWN,
    Known,
    Numbers,
    Records,
    find,
)
from dissco_platform.identity.resolve import outcomes, state_fingerprints
from dissco_platform.identity.spool import Spool
from dissco_platform.provenance import ContentVersion
from dissco_platform.registry import decisions, objects
from dissco_platform.registry.datasets import Dataset, list_datasets
from dissco_platform.side_by_side import ahead
from dissco_platform.store import DatasetStore

_MOVED: Final[dict[str, Any]] = {"id": pl.Int64, "owner": pl.String}


@dataclass
class Recognised:
    """What became of every record of one kind, as far as it is known before anything is minted.

    `renamed`: objects that have another key from now on (`RENAMED`); `moved`: `id, owner` (the dataset that it leaves);
    `held`: records for a person (`questions.HELD_RECORDS`). `missing`: ids of the objects that did not come. `states`: of the
    dataset's objects as they were, see `objects.current_states`.
    """

    kind: str
    records: Records
    known: Known
    held: Spool
    states: ContentVersion
    missing: Numbers
    renamed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RENAMED))
    moved: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_MOVED))

    def forget_known(self) -> None:
        """Give back what is held of the objects: all that is asked of them is in the records."""
        self.known = Known.of(0, iter(()), 0)

    @property
    def back(self) -> Numbers:
        """Ids of the objects that were missing and are there again, unchanged."""
        records = self.records
        is_back = records.flagged(MISSING) & ~records.has(LEFT_OUT, *PUBLISHED, HELD)
        return records.id[is_back]

    @property
    def questioned(self) -> Numbers:
        """Objects that a held record may be: they do not end before a person has answered."""
        ids = [frame["object_id"].drop_nulls().to_numpy() for frame in self.held]
        return np.concatenate(ids) if ids else np.zeros(0, np.int64)


@dataclass(frozen=True)
class Circumstances:
    """What `recognise` needs to know beside the records.

    `ended`: ids of objects that a person ended; `documents` gives the folder of a build by its name; what waits for its
    turn lies on the disk of `folder`; `seed` is of the hashes of keys.
    """

    connection: Connection
    store: DatasetStore
    dataset: Dataset
    prefix: str
    documents: Callable[[str], Path]
    ended: Numbers
    folder: Path
    seed: int


def recognise(given: Circumstances, kind: str, incoming: Incoming, apart: Numbers | None = None) -> Recognised:
    """Return what is known of the records of a build; nothing is written.

    Args:
        given: dataset, registry and store.
        kind: `specimen` or `media`; only the third question is asked of media.
        incoming: the records; their identity keys are unique.
        apart: of media: hashes (ascending) of the keys of specimens that are held or ended; what these alone use is left
            out.
    """
    connection, slug = given.connection, given.dataset.slug
    states = ContentVersion()
    known = Known.of(
        objects.count_of(connection, slug, kind),
        added(states, kind, objects.current_states(connection, slug, kind)),
        given.seed,
    )
    found = Recognised(kind, Records.of(incoming.height), known, Spool(given.folder), states, np.zeros(0, np.int64))
    elsewhere = _Elsewhere(given, kind)
    unknown = _Unknown(given)
    for page in ahead(incoming.identified()):
        is_left_out = _left_out(incoming, page, apart)
        strangers = _own(found, page, is_left_out, given.ended)
        if strangers.height:
            strangers = elsewhere.sort_out(found, strangers)
        if strangers.height and kind == "specimen":
            unknown.note(found.records, strangers)
    if elsewhere.moved:
        found.moved = pl.concat(elsewhere.moved)
    if kind == "specimen" and unknown.any:
        _ask(given, found, incoming, unknown)
    found.missing = known.missing
    return found


def added(states: ContentVersion, kind: str, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield frames of `objects.current_states`, each added to a content version of the dataset."""
    for frame in frames:
        states.add(kind, state_fingerprints(frame))
        yield frame


def alike(connection: Connection, dataset: Dataset, pages: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield pairs `object_id, other_id` of new local identifiers that other datasets of the organisation have as well.

    Args:
        connection: to the registry.
        dataset: the dataset that publishes.
        pages: `id, identity_key` of its new specimens.
    """
    scope = ":" + dataset.source_system_id.rsplit("/", 1)[-1]
    others = [
        other
        for other in list_datasets(connection)
        if other.organisation_id == dataset.organisation_id and other.slug != dataset.slug
    ]
    for fresh in pages if others else ():
        local = fresh.filter(pl.col("identity_key").str.ends_with(scope)).select(
            pl.col("id").alias("object_id"), pl.col("identity_key").str.strip_suffix(scope).alias("local")
        )
        for other in others if local.height else []:
            theirs = ":" + other.source_system_id.rsplit("/", 1)[-1]
            wanted = local.with_columns(identity_key=pl.concat_str("local", pl.lit(theirs)))
            found = objects.objects_by_key(connection, "specimen", wanted["identity_key"])
            yield wanted.join(found.select("identity_key", other_id="id"), on="identity_key").select(
                "object_id", "other_id"
            )


def _left_out(incoming: Incoming, page: pl.DataFrame, apart: Numbers | None) -> Numbers:
    """Return whether each record of a page is used by held or ended specimens alone."""
    rows = page[ROW].to_numpy()
    if apart is None or not apart.size:
        return np.zeros(rows.size, np.bool_)
    used: set[int] = set()
    for links in incoming.targets(rows):
        used.update(links.filter(pl.Series(find(apart, links["target"].to_numpy()) < 0))[ROW].unique().to_list())
    return ~np.isin(rows, np.fromiter(used, np.int64, len(used)))


def _own(found: Recognised, page: pl.DataFrame, is_left_out: Numbers, ended: Numbers) -> pl.DataFrame:
    """Note the records of a page that are objects of the dataset; return the others."""
    records, known = found.records, found.known
    start = int(page[ROW][0])
    rows = slice(start, start + page.height)
    key, doi_only = page["key"].to_numpy(), page["doi_only"].to_numpy()
    records.key[rows] = key
    records.flags[rows] = (
        doi_only * DOI_ONLY
        + page["is_marked_as_type"].to_numpy().astype(np.uint8) * TYPE
        + page["linking"].to_numpy().astype(np.uint8) * LINKING
    )
    places = known.find(key)
    places[is_left_out] = -1
    mine = np.flatnonzero(places >= 0)
    _take(found, mine + start, places[mine], page["content"].to_numpy()[mine], ended)
    return page.filter(pl.Series((places < 0) & ~is_left_out))


def _take(found: Recognised, rows: Numbers, places: Numbers, content: Numbers, ended: Numbers) -> None:
    """Note that records are known objects of the dataset."""
    records, known = found.records, found.known
    known.came[places] = True
    records.id[rows] = known.id[places]
    records.suffix[rows] = known.suffix[places]
    records.flags[rows] |= known.flags[places] & MISSING
    records.outcome[rows] = outcomes(known, places, content, (records.flags[rows] & DOI_ONLY) != 0, ended)


class _Elsewhere:
    """The third question: objects of other datasets."""

    def __init__(self, given: Circumstances, kind: str) -> None:
        self.given, self.kind = given, kind
        self.moved: list[pl.DataFrame] = []
        connection, dataset = given.connection, given.dataset
        self.any = objects.any_elsewhere(connection, dataset.slug, kind)
        if self.any:
            same = [one for one in list_datasets(connection) if one.organisation_id == dataset.organisation_id]
            self.same = [one.slug for one in same]
            self.removed = [one.slug for one in same if one.state == "removed"]
            self.ended: dict[str, pl.Series] = {}  # by dataset, as it is met

    def sort_out(self, found: Recognised, strangers: pl.DataFrame) -> pl.DataFrame:
        """Note the records that are objects of other datasets; return those that nobody has."""
        records = found.records
        rows = strangers[ROW].to_numpy()
        records.outcome[rows] = NEW
        if not self.any:
            return strangers
        foreign = objects.objects_by_key(self.given.connection, self.kind, strangers["identity_key"])
        if foreign.is_empty():
            return strangers
        theirs = strangers.select(ROW, "identity_key").join(foreign, on="identity_key", maintain_order="left")
        moves = theirs["id"].is_in(self._moving(theirs)["id"].implode())
        at = theirs[ROW].to_numpy()
        records.id[at] = theirs["id"].to_numpy()
        suffix = theirs.select(minting.number_of(pl.col("suffix")).fill_null(NO_SUFFIX).alias("number"))["number"]
        records.suffix[at] = suffix.to_numpy()
        records.flags[at] |= (theirs["state"] == "missing").to_numpy() * np.uint8(MISSING)
        # Without a hash to compare it is a change in any case: the specimen's dataset is part of what it says.
        comes = np.where((theirs["state"] == "tombstoned").to_numpy(), RETURNED, CHANGED)
        stays = SHARED if self.kind == "media" else HELD
        records.outcome[at] = np.where(moves.to_numpy(), comes, stays)
        self.moved.append(theirs.filter(moves).select("id", "owner"))
        if self.kind == "specimen":
            found.held.append(
                theirs.filter(~moves).select(
                    ROW,
                    "identity_key",
                    pl.lit(OTHER_DATASET).alias("reason"),
                    pl.concat_str(
                        "identity_key", pl.lit(" is a specimen of the dataset "), "owner", pl.lit(" already.")
                    ).alias("message"),
                    pl.col("id").alias("object_id"),
                )
            )
        return strangers.join(theirs, on=ROW, how="anti", maintain_order="left")

    def _moving(self, foreign: pl.DataFrame) -> pl.DataFrame:
        """Return which objects of other datasets come into this one."""
        left = pl.col("state").is_in(["missing", "tombstoned"]) | pl.col("owner").is_in(self.removed)
        gone = foreign.filter((pl.col("version") > 0) & left & pl.col("owner").is_in(self.same))
        for owner in gone["owner"].unique():
            if owner not in self.ended:
                self.ended[owner] = decisions.ended(self.given.connection, owner)["id"]
        ended = pl.concat(list(self.ended.values())) if self.ended else pl.Series("id", [], dtype=pl.Int64)
        return gone.filter(~pl.col("id").is_in(ended.implode()))


class _Unknown:
    """What is noted of the specimens of which nothing is known, while the records are gone through."""

    def __init__(self, given: Circumstances) -> None:
        self.given = given
        self.any = False
        self.carried: list[pl.DataFrame] = [pl.DataFrame(schema=CARRIED)]
        self.former: list[pl.DataFrame] = [pl.DataFrame(schema=FORMER)]
        self._pattern = Questions.pattern(given.prefix)
        self._answered = decisions.decided_new(given.connection, given.dataset.slug)

    def note(self, records: Records, strangers: pl.DataFrame) -> None:
        """Note records, unless a person said that they are new."""
        if self._answered.len():
            strangers = strangers.filter(~pl.col("identity_key").is_in(self._answered.implode()))
        if strangers.is_empty():
            return
        self.any = True
        records.flags[strangers[ROW].to_numpy()] |= UNKNOWN
        claiming = strangers.filter(pl.col("claims").is_not_null())
        suffix = pl.col("claims").str.extract(self._pattern, 1).alias("suffix")
        self.carried.append(claiming.select(ROW, "identity_key", suffix).drop_nulls("suffix"))
        former = decisions.former_objects(self.given.connection, "specimen", strangers["identity_key"])
        if former.height:
            self.former.append(
                strangers.select(ROW, "identity_key").join(former, on="identity_key").select(list(FORMER))
            )


def _ask(given: Circumstances, found: Recognised, incoming: Incoming, unknown: _Unknown) -> None:
    """Ask the other questions of the records of which nothing is known."""
    records, known = found.records, found.known
    asked = Questions(given.connection, given.store, given.dataset, given.prefix, given.documents, incoming, known)
    is_open = records.flagged(UNKNOWN)

    def placed(*frames: pl.DataFrame) -> None:
        for frame in frames:
            is_open[frame[ROW].to_numpy()] = False

    carried = pl.concat(unknown.carried)
    may_carry = is_open & ~records.flagged(DOI_ONLY)
    may_carry[carried[ROW].to_numpy()] = False
    claimed, held = asked.claims(carried, np.flatnonzero(may_carry))
    placed(claimed, held)
    former = pl.concat(unknown.former)
    former = former.filter(pl.Series(is_open[former[ROW].to_numpy()], dtype=pl.Boolean))
    back, held_former = asked.former(former, claimed["id"])
    placed(back, held_former)
    found.renamed = pl.concat([claimed, back])
    gone = known.missing
    if found.renamed.height:
        gone = gone[~np.isin(gone, found.renamed["id"].to_numpy())]
    for frame in (held, held_former):
        _hold(found, frame)
    for frame in asked.renames(np.flatnonzero(is_open), gone, given.folder):
        _hold(found, frame)
    if found.renamed.height:
        _rename(given, found, incoming)


def _hold(found: Recognised, frame: pl.DataFrame) -> None:
    found.records.outcome[frame[ROW].to_numpy()] = HELD
    found.held.append(frame)


def _rename(given: Circumstances, found: Recognised, incoming: Incoming) -> None:
    """Note that records are objects of the dataset that had another key so far."""
    renamed = found.renamed.sort(ROW)
    rows, ids = renamed[ROW].to_numpy(), renamed["id"].to_numpy()
    places = found.known.places(ids)
    by_id = np.argsort(found.known.id[places])
    places = places[by_id][np.searchsorted(found.known.id[places][by_id], ids)]
    pages = incoming.whole(rows)
    content = pl.concat([page.select(pl.col("content_hash").hash(given.seed)) for page in pages])["content_hash"]
    _take(found, rows, places, content.to_numpy(), given.ended)
