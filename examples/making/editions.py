"""The two editions of a collection: which records change, come and vanish in the second week, and the counts."""

from collections import Counter
from types import ModuleType
from typing import Any

from making import fossils, herbarium, zoology
from making.archive import Edition, members
from making.checklist import usages
from making.facts import Record, digest, institution
from making.names import verbatim_rows

COLLECTIONS: tuple[ModuleType, ...] = (herbarium, zoology, fossils)
PUBLISHED = {1: "2026-11-02", 2: "2026-11-09"}
IDENTIFIER_TYPES = {"herbarium": "Resolvable", "zoology": "Local", "fossils": "Global"}


def week_one(collection: ModuleType) -> list[Record]:
    return [collection.make(number) for number in range(1, collection.COUNT + 1)]


def fates(collection: ModuleType, records: list[Record]) -> dict[int, str]:
    """Return what becomes of the records that do not stay as they are: number → "vanished" or kind of change."""
    ordinary = [record for record in records if not record.watch]
    ordinary.sort(key=lambda record: digest(collection.SLUG, record.number, "fate"))
    vanished = [record.number for record in ordinary if collection.may_vanish(record)][: collection.VANISHED]
    staying = [record.number for record in ordinary if record.number not in vanished]
    kinds = [kind for kind, count in collection.CHANGES.items() for _ in range(count)]
    return dict.fromkeys(vanished, "vanished") | dict(zip(staying, kinds, strict=False))


def week_two(collection: ModuleType, first: list[Record]) -> list[Record]:
    """Return the second week's records in another order; rows with the same identifier keep theirs."""
    fate = fates(collection, first)
    records = []
    for record in first:
        kind = fate.get(record.number, "unchanged")
        if kind == "vanished":
            continue
        after = record if kind == "unchanged" else collection.change(record, kind)
        if kind != "unchanged" and (after.cells, after.extensions) == (record.cells, record.extensions):
            raise ValueError(f"{collection.SLUG} {record.number}: {kind} changes nothing")
        records.append(after)
    for number in range(collection.COUNT + 1, collection.COUNT + collection.NEW + 1):
        new = collection.make(number)
        if collection is zoology:
            new.extensions.clear()  # the file of measurements stays what it was
        records.append(new)
    identifier = collection.CORE.columns[0]
    return sorted(records, key=lambda record: digest(record.cells[identifier], "week 2"))


def edition(collection: ModuleType, week: int) -> Edition:
    """Return the edition of a week (1 or 2), ready to be written."""
    first = week_one(collection)
    return Edition(
        collection=collection.SLUG,
        title=collection.TITLE,
        abstract=collection.ABSTRACT,
        licence=collection.LICENCE,
        dialect=collection.DIALECT,
        core=collection.CORE,
        extensions=collection.EXTENSIONS,
        records=first if week == 1 else week_two(collection, first),
        orphans=collection.orphans(),
        week=week,
        published=PUBLISHED[week],
    )


def _week_counts(collection: ModuleType, made: Edition) -> dict[str, Any]:
    bad = Counter(
        zoology.BAD_ROWS[record.number]
        for record in made.records
        if collection is zoology and record.number in zoology.BAD_ROWS
    )
    doi_only = sum(record.watch == "non_commercial" for record in made.records)
    rows = {
        file.name: sum(len(record.extensions.get(file.name, [])) for record in made.records)
        + len(made.orphans.get(file.name, []))
        for file in made.extensions
    }
    rejected = sum(bad.values())
    return {
        "archive": f"week{made.week}/{made.collection}.zip",
        "published": made.published,
        "core_rows": len(made.records),
        "rejects": dict(sorted(bad.items())),
        "rejected": rejected,
        "accepted": len(made.records) - rejected,
        "doi_only": doi_only,
        "full": len(made.records) - rejected - doi_only,
        "extension_rows": rows,
        "orphan_extension_rows": {name: len(found) for name, found in made.orphans.items() if found},
        **_media(made),
    }


def _media(made: Edition) -> dict[str, int]:
    """Count images of accepted records: links to them, and distinct addresses."""
    links = []
    for record in made.records:
        if made.collection == "zoology" and record.number in zoology.BAD_ROWS:
            continue
        links += [row["dcterms:identifier"] for row in record.extensions.get("multimedia.txt", [])]
        links += filter(None, record.cells.get("dwc:associatedMedia", "").split(" | "))
    return {"media_links": len(links), "media": len(set(links))}


def summary() -> dict[str, Any]:
    """Return what editions.json says: counts of each edition, what changes between them, what each odd row is for."""
    datasets = {}
    for collection in COLLECTIONS:
        one, two = edition(collection, 1), edition(collection, 2)
        first = {record.number: record for record in one.records}
        fate = fates(collection, list(one.records))
        vanished = sorted(number for number, kind in fate.items() if kind == "vanished")
        changed = sorted(number for number, kind in fate.items() if kind != "vanished")
        new = sorted(record.number for record in two.records if record.number not in first)
        counts = [_week_counts(collection, made) for made in (one, two)]

        def numbers(chosen: list[int], made: Edition) -> list[str]:
            held = {record.number: record.cells["dwc:catalogNumber"] for record in made.records}
            return [held[number] for number in chosen]

        same = [name for name, content in members(one).items() if content == members(two)[name]]
        datasets[collection.SLUG] = {
            "title": collection.TITLE,
            "organisation": institution(collection.SLUG)["id"],
            "licence": collection.LICENCE,
            "physicalSpecimenIDType": IDENTIFIER_TYPES[collection.SLUG],
            "week1": counts[0],
            "week2": counts[1],
            "from_week1_to_week2": {
                "changed": len(changed),
                "changed_by_kind": dict(sorted(collection.CHANGES.items())),
                "new": len(new),
                "vanished": len(vanished),
                "unchanged": counts[0]["accepted"] - len(changed) - len(vanished),
                "bad_rows_as_before": counts[0]["rejected"],
                "members_with_the_same_content": same,
                "catalogue_numbers": {
                    "changed": numbers(changed, two),
                    "new": numbers(new, two),
                    "vanished": numbers(vanished, one),
                },
            },
            "rows_to_watch": [
                {"catalogNumber": record.cells["dwc:catalogNumber"], "shows": record.watch}
                for record in one.records
                if record.watch not in ("", "name")
            ],
            "labels": labels(collection, one),
        }
    status = Counter(usage.status for usage in usages())
    return {
        "comment": "Made by make_examples.py; what the archives hold and what a correct reading of them finds.",
        "checklist": {"archive": "checklist.zip", "usages": len(usages()), **dict(sorted(status.items()))},
        "datasets": datasets,
    }


def labels(collection: ModuleType, made: Edition) -> list[dict[str, str]]:
    """Return the odd labels with the match that a careful matcher finds in the checklist."""
    rows = zip(made.records, verbatim_rows(collection.SLUG), strict=False)
    return [
        {
            "catalogNumber": record.cells["dwc:catalogNumber"],
            **{key: row[key] for key in ("scientificName", "match", "accepted", "also", "shows")},
        }
        for record, row in rows
    ]
