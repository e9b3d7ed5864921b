"""The tables of the README, made of the same summary as editions.json so that they cannot disagree with it."""

import re
from typing import Any

MARKED = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def readme(text: str, summary: dict[str, Any]) -> str:
    """Return the README with every part between `<!-- made: … -->` and `<!-- end -->` made anew."""
    parts = {"counts": counts, "changes": changes, "checklist": checklist, "labels": labels}
    return MARKED.sub(lambda found: f"{found[1]}\n{parts[found[2]](summary)}\n\n{found[3]}", text)


def _table(header: list[str], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def counts(summary: dict[str, Any]) -> str:
    header = [
        "edition",
        "core rows",
        "rejected",
        "DOI only",
        "full specimens",
        "extension rows (orphans)",
        "images (links)",
    ]
    rows: list[list[object]] = []
    for slug, dataset in summary["datasets"].items():
        for week in ("week1", "week2"):
            said = dataset[week]
            orphans = said["orphan_extension_rows"]
            extensions = [f"{name} {count} ({orphans.get(name, 0)})" for name, count in said["extension_rows"].items()]
            figures = [said[key] for key in ("core_rows", "rejected", "doi_only", "full")]
            media = f"{said['media']} ({said['media_links']})"
            rows.append([f"{slug}, {week}", *figures, ", ".join(extensions) or "none", media])
    return _table(header, rows)


def changes(summary: dict[str, Any]) -> str:
    header = ["", "changed", "of these", "new", "vanished", "unchanged", "bad rows as before"]
    rows: list[list[object]] = []
    for slug, dataset in summary["datasets"].items():
        said = dataset["from_week1_to_week2"]
        kinds = ", ".join(f"{kind} {count}" for kind, count in said["changed_by_kind"].items())
        figures = [said[key] for key in ("new", "vanished", "unchanged", "bad_rows_as_before")]
        rows.append([slug, said["changed"], kinds, *figures])
    return _table(header, rows)


def checklist(summary: dict[str, Any]) -> str:
    said = summary["checklist"]
    return (
        f"The checklist has {said['usages']} usages: {said['accepted']} accepted names and {said['synonym']} synonyms."
    )


def labels(summary: dict[str, Any]) -> str:
    header = ["specimen", "label", "answer", "accepted name or higher taxon", "as good", "what it shows"]
    keys = ("catalogNumber", "scientificName", "match", "accepted", "also", "shows")
    return _table(
        header,
        [[label[key] for key in keys] for dataset in summary["datasets"].values() for label in dataset["labels"]],
    )
