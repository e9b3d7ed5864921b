"""`dissco mapping …`: what a mapping fix will do before it is done. Nothing here writes to the registry or the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, counts, print_json, print_pairs, print_table
from dissco_platform.cli.progress import running
from dissco_platform.errors import UsageError

if TYPE_CHECKING:
    from dissco_platform.opends.preview import Preview

app = typer.Typer(help="Mappings: check, preview and explain them.", no_args_is_help=True)

MIDS = "ods:midsLevel"
LONGEST = 200  # letters of a value in a table
Slug = Annotated[str, typer.Argument(help="Name of the dataset.")]


@app.command("check")
def check(
    slug: Annotated[str | None, typer.Argument(help="Name of a dataset (default: the base mappings).")] = None,
    as_json: AsJson = False,
) -> None:
    """Check mapping files: unknown terms, columns, transforms and types are named with file and line.

    For a dataset, also list the columns of its archive that nothing reads.
    """
    from dissco_platform.assets.inputs import BASES, resolve_mappings
    from dissco_platform.opends.explaining import check as check_mapping
    from dissco_platform.opends.mapping import load_mapping

    with House() as house:
        if slug is None:
            folder = house.settings.mappings
            results = [
                check_mapping(load_mapping(folder / base)) for base in BASES.values() if (folder / base).is_file()
            ]
        else:
            with _made(house, slug) as made:
                mapping = resolve_mappings(house.settings.mappings, slug, made["kind"])[made["kind"]]
                results = [check_mapping(mapping, made["parsed"])]
    if as_json:
        print_json(results)
        return
    for result in results:
        console.print(f"{result['mapping']}: {result['rules']} rules, version {result['version'][:12]}: nothing wrong.")
        for one in result["absent"]:
            console.print(
                f"  {one['where']}: {one['term']} is read from {one['column']}, which {one['table']} has not",
                soft_wrap=True,
            )
        for table, columns in result["unread"].items():
            console.print(f"  not read in {table}: {', '.join(columns)}", soft_wrap=True)


@app.command("preview")
def preview(
    slug: Slug,
    records: Annotated[
        int | None,
        typer.Option(min=1, help="Look at so many records, spread over the dataset (default: all, up to 100,000)."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Look at every record, however many there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the mapping files as they stand would change: specimens, terms, examples, MIDS levels, rejects.

    Builds the records twice, with the mapping in force and with the files, and throws both away: nothing is written.
    """
    from dissco_platform.assets.digital_specimens import dataset_context
    from dissco_platform.assets.inputs import resolve_mappings
    from dissco_platform.opends.mapping import load_mapping
    from dissco_platform.opends.preview import LOOKED_AT
    from dissco_platform.opends.preview import preview as preview_mapping
    from dissco_platform.registry.datasets import get_dataset

    with House() as house, _made(house, slug) as made:
        with house.registry.read() as connection:
            dataset = get_dataset(connection, slug)
        after = resolve_mappings(house.settings.mappings, slug, made["kind"])[made["kind"]]
        before = load_mapping(made["mapping"] / f"{made['kind']}.json")
        context = dataset_context(dataset, made["metadata"])
        looked_at = None if every else records or LOOKED_AT
        with running(f"preview {slug}") as told:

            def progress(what: str, done: int) -> None:
                told(f"{what} {done:,}")

            result = preview_mapping(
                made["parsed"], made["names"], before, after, context, records=looked_at, progress=progress
            )
    if as_json:
        print_json(result.to_dict())
        return
    _print_preview(result)


def _print_preview(result: "Preview") -> None:
    some = result.looked_at < result.records
    levels = [{f"level {level}:": n for level, n in own.items()} for own in (result.mids_before, result.mids_after)]
    shifts = {
        "MIDS levels": levels,
        "rejects": [result.rejects_before, result.rejects_after],
        "values the model refuses": [result.invalid_before, result.invalid_after],
        "values no vocabulary knows": [result.unmatched_before, result.unmatched_after],
        "DOI only": [{"specimens": result.doi_only_before}, {"specimens": result.doi_only_after}],
    }
    print_pairs(
        {
            "records": result.records,
            "looked at": f"{result.looked_at:,}, spread over all (--all for every one)" if some else None,
            "specimens that change": result.changed,
            "unchanged": result.unchanged,
            "that appear": result.appearing or None,
            "that vanish": result.vanishing or None,
            "media that change": result.media_changed or None,
        }
    )
    for name, (old, new) in shifts.items():
        same = old == new
        console.print(
            f"{name}: {counts(new)}" + (", as before" if same else f" (before: {counts(old)})"), soft_wrap=True
        )
    if not result.changed and not result.media_changed:
        return
    share = "" if result.compared == result.changed else f" of {result.compared:,} that were compared, spread over all"
    console.print(f"\n[bold]Terms that change[/], by specimens{share}:")
    print_table(["term", "specimens"], list(result.terms.items()))
    console.print("\n[bold]Examples[/], of as many kinds of change as there are:")
    print_table(
        ["specimen or medium", "term", "before", "after"],
        [
            [
                (example.get("specimen") or example["medium"]) if at == 0 else "",
                change["term"],
                _short(change["before"]),
                _short(change["after"]),
            ]
            for example in result.examples
            for at, change in enumerate(example["changes"])
        ],
    )


def _short(value: Any) -> str:
    """Return a value of a document for a cell of a table."""
    text = "–" if value is None else " | ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


@app.command("explain")
def explain(
    slug: Slug,
    term: Annotated[str, typer.Argument(help="openDS term, for example dwc:eventDate.")],
    as_json: AsJson = False,
) -> None:
    """Show which columns feed a term in a dataset, how often it is filled, its commonest and its unmatched values.

    For ods:midsLevel: which elements the specimens lack for their next level, and which columns would give them.
    """
    from dissco_platform.assets.inputs import resolve_mappings
    from dissco_platform.opends.explaining import explain as explain_term
    from dissco_platform.opends.terms import model

    with House() as house, _made(house, slug) as made:
        mapping = resolve_mappings(house.settings.mappings, slug, made["kind"])[made["kind"]]
        if term == MIDS:
            _explain_mids(house, slug, mapping, as_json)
            return
        found = explain_term(made["parsed"], mapping, term)
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    if not found:
        by = {terms[term].filled for terms in model().classes.values() if term in terms}
        if by & {"source", None}:
            console.print(f"No column of {slug} feeds {term}.")
        else:
            console.print(f"{term} is filled by the platform ({', '.join(sorted(map(str, by)))}), see docs/opends.md.")
    for one in found:
        console.print(f"\n[bold]{one.term}[/]: filled in {one.filled:,} of {one.records:,} records")
        if one.sources:
            print_table(list(one.sources[0]), [list(source.values()) for source in one.sources])
        if one.top:
            print_table(["commonest values", "records"], [[_short(value), n] for value, n in one.top.items()])
        if one.vocabulary:
            console.print(f"vocabulary {one.vocabulary}; not known to it: {counts(one.unmatched)}", soft_wrap=True)
        if one.placeholders:
            console.print(f"placeholders, no values: {counts(one.placeholders)}", soft_wrap=True)


@app.command("unmatched")
def unmatched(slug: Slug, as_json: AsJson = False) -> None:
    """List the values that no vocabulary knows, commonest first, and the file that would teach them to it."""
    from dissco_platform.assets.inputs import resolve_mappings
    from dissco_platform.assets.recording import latest
    from dissco_platform.opends.explaining import vocabulary_gaps

    with House() as house, _made(house, slug) as made:
        mapping = resolve_mappings(house.settings.mappings, slug, made["kind"])[made["kind"]]
        built = latest(house.instance, "digital_specimens", slug)
    gaps = vocabulary_gaps(built.json("unmatched_vocabulary_values") if built else {}, mapping)
    gaps.sort(key=lambda gap: (-gap["count"], gap["term"], gap["value"]))
    if as_json:
        print_json(gaps)
    elif not gaps:
        console.print(f"Every value of {slug} that a vocabulary was asked for is known.")
    else:
        print_table(["term", "value", "records", "file"], [list(gap.values()) for gap in gaps])


class Document(StrEnum):
    """Which kind of document."""

    SPECIMEN = "specimen"
    MEDIA = "media"


@app.command("schema")
def schema(
    of: Annotated[Document, typer.Argument(help="Which document.")] = Document.SPECIMEN,
    content: Annotated[
        bool, typer.Option("--content", help="Without what publication fills in (identifier, version, dates).")
    ] = False,
) -> None:
    """Print the JSON Schema of the documents, as the table of terms makes it."""
    from dissco_platform.opends.schema import json_schema

    print_json(json_schema("ods:DigitalMedia" if of is Document.MEDIA else "ods:DigitalSpecimen", content=content))


@app.command("context")
def context() -> None:
    """Print the JSON-LD context of the documents, as the table of terms makes it."""
    from dissco_platform.opends.schema import json_ld_context

    print_json({"@context": json_ld_context()})


def _explain_mids(house: House, slug: str, mapping: Any, as_json: bool) -> None:
    from dissco_platform.assets.recording import latest
    from dissco_platform.opends.lacking import lacking

    built = latest(house.instance, "digital_specimens", slug)
    if built is None:
        raise UsageError(f"{slug} has no specimens yet; run it with `dissco run {slug}`.")
    path = house.store.path("digital_specimens", slug, built.data_version) / "specimens.parquet"
    rows = lacking(path, mapping)
    if as_json:
        print_json({"levels": built.json("mids"), "lacking": rows})
        return
    print_pairs({f"MIDS level {level}": f"{count:,} specimens" for level, count in sorted(built.json("mids").items())})
    print_table(
        ["for level", "they lack", "specimens", "given by", "from columns"],
        [
            [row["level"], row["element"], row["specimens"], ", ".join(row["terms"][:6]), ", ".join(row["columns"][:6])]
            for row in rows
        ],
    )


@contextmanager
def _made(house: House, slug: str) -> Iterator[dict[str, Any]]:
    """Yield what the dataset's latest run made: kind of archive, folders of parsed tables, names and mapping."""
    import json

    from dissco_platform.assets.recording import latest
    from dissco_platform.registry.datasets import get_dataset

    with house.registry.read() as connection:
        get_dataset(connection, slug)
    found = {asset: latest(house.instance, asset, slug) for asset in ("parsed_records", "taxon_harmonised", "mapping")}
    parsed, names, mapping = found.values()
    if parsed is None or names is None or mapping is None:
        raise UsageError(f"{slug} was never run; run it once with `dissco run {slug}`.")
    folder = house.store.path("parsed_records", slug, parsed.data_version)
    metadata = folder / "dataset.json"
    paths: dict[str, Path] = {
        "parsed": folder,
        "names": house.store.path("taxon_harmonised", slug, names.data_version),
        "mapping": house.store.path("mapping", slug, mapping.data_version),
    }
    yield {
        **paths,
        "kind": parsed.text("kind") or "dwca",
        "metadata": json.loads(metadata.read_text()) if metadata.exists() else {},
    }
