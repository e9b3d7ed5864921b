"""`dissco specimen …` and `dissco export`: what is published."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import messages, print_json, print_table, replacing
from dissco_platform.errors import UsageError
from dissco_platform.identity.doi_list import doi_list
from dissco_platform.identity.parts import iterate_current
from dissco_platform.registry.datasets import get_dataset
from dissco_platform.registry.objects import count_objects, current_batches

app = typer.Typer(help="Published specimens: documents and their history.", no_args_is_help=True)

Doi = Annotated[str, typer.Argument(help="DOI (10.x/ABC-DEF-GHJ, with or without https://doi.org/) or its suffix.")]


class Format(StrEnum):
    """What can be exported."""

    NDJSON = "ndjson"
    DOI_LIST = "doi-list"
    PARQUET = "parquet"


class Record(StrEnum):
    """In which form the record of a DOI is printed."""

    FDO = "fdo"
    DATACITE = "datacite"
    DATACITE_XML = "datacite-xml"
    CSL = "csl"


Version = Annotated[int | None, typer.Option(min=1, help="Version (default: the current one).")]


@app.command("show")
def show(doi: Doi, version: Version = None) -> None:
    """Print the document of a specimen or medium, in any version it ever had."""
    with House() as house:
        published = house.publications
        found = published.get(doi)
        document = published.document(found, version)
        if document is None:
            messages.print("DOI only: no document is published; this is what the DOI's metadata says.")
        elif version is None and (why := _why_no_higher(house, found.dataset.slug, document)):
            messages.print(why, soft_wrap=True)
        print_json(document or published.datacite_json(found, version))


def _why_no_higher(house: House, slug: str, document: dict[str, Any]) -> str | None:
    """Return a sentence on what a specimen lacks for its next MIDS level."""
    from dissco_platform.assets.recording import latest
    from dissco_platform.opends.lacking import BY_NAME, lacks_of, terms_of

    key, built = document.get("ods:normalisedPhysicalSpecimenID"), latest(house.instance, "digital_specimens", slug)
    if key is None or built is None or not house.store.has("digital_specimens", slug, built.data_version):
        return None
    path = house.store.path("digital_specimens", slug, built.data_version) / "specimens.parquet"
    found = lacks_of(path, key)
    if found is None or not found[1]:
        return None
    lacks = [f"{name} ({', '.join(term for _, term in terms_of(BY_NAME[name])[:3])})" for name in found[1]]
    return f"MIDS level {found[0]}; for level {found[0] + 1} it lacks {'; '.join(lacks)}."


@app.command("history")
def history(doi: Doi, as_json: AsJson = False) -> None:
    """List the versions of a specimen or medium: when, why, and from what each was made."""
    with House() as house:
        versions = house.publications.get(doi).versions
    if as_json:
        print_json(
            [
                {
                    "version": version.number,
                    "created": version.created,
                    "cause": ",".join(version.causes),
                    "content_hash": version.content_hash,
                    "made_from": version.made_from,
                }
                for version in versions
            ]
        )
        return
    rows = [
        [
            version.number,
            version.created,
            ",".join(version.causes),
            version.made_from.get("archive", "")[:12],
            version.made_from.get("release_name") or version.made_from.get("release", "")[:12],
            version.made_from.get("mapping", "")[:12],
        ]
        for version in versions
    ]
    print_table(["version", "created", "cause", "archive", "checklist", "mapping"], rows)


@app.command("diff")
def diff(
    doi: Doi,
    before: Annotated[int, typer.Argument(min=1, help="The earlier version.")],
    after: Annotated[int, typer.Argument(min=1, help="The later version.")],
) -> None:
    """Print what changed between two versions, as a JSON Patch (RFC 6902) from the first to the second."""
    with House() as house:
        published = house.publications
        print_json(published.difference(published.get(doi), before, after))


@app.command("event")
def event(doi: Doi, version: Version = None) -> None:
    """Print the provenance event of a version: Create, Update or Tombstone, with its cause and its change."""
    with House() as house:
        published = house.publications
        print_json(published.event(published.get(doi), version))


@app.command("record")
def record(
    doi: Doi,
    form: Annotated[Record, typer.Option("--format", help="FDO record, DataCite JSON or XML, or a citation.")] = (
        Record.FDO
    ),
    version: Version = None,
) -> None:
    """Print the record that goes with a DOI."""
    with House() as house:
        published = house.publications
        found = published.get(doi)
        if form is Record.DATACITE_XML:
            sys.stdout.write(published.datacite_xml(found, version).decode() + "\n")
            return
        made = {
            Record.FDO: published.fdo_record,
            Record.DATACITE: published.datacite_json,
            Record.CSL: published.csl_json,
        }
        print_json(made[form](found, version))


def export(
    slug: Annotated[str, typer.Argument(help="Name of the dataset.")],
    form: Annotated[
        Format,
        typer.Option(
            "--format", help="ndjson: documents; parquet: documents as tables; doi-list: CSV for the institution."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write (default: standard output); a folder for parquet."),
    ] = None,
) -> None:
    """Export what is published of a dataset.

    ndjson: the current specimen and media documents, one a line. parquet: the same as specimens.parquet and media.parquet,
    one typed column a term. doi-list: catalogNumber, occurrenceID, DOI of each specimen, to be written back into the
    collection system.
    """
    with House() as house:
        with house.registry.read() as connection:
            get_dataset(connection, slug)
        if form is Format.PARQUET:
            _typed(house, slug, output)
            return
        listed = doi_list(house.registry, house.store, house.settings.doi_prefix, slug)
        lines = listed if form is Format.DOI_LIST else _documents(house, slug)
        with _writing(output) as (file, written):
            count = -1 if form is Format.DOI_LIST else 0
            for line in lines:
                file.write(line)
                count += 1
            written(count)
        if form is Format.NDJSON and (closed := _doi_only(house, slug)):
            messages.print(f"{closed:,} specimens and media are DOI only and have no document.", soft_wrap=True)


def _doi_only(house: House, slug: str) -> int:
    with house.registry.read() as connection:
        counted = count_objects(connection, slug)
    return sum(count for (_, _, _, doi_only), count in counted.items() if doi_only)


def _documents(house: House, slug: str) -> Iterator[str]:
    for kind in ("specimen", "media"):
        for document in _current(house, slug, kind):
            yield document + "\n"


def _current(house: House, slug: str, kind: str) -> Iterator[str]:
    with house.registry.read() as connection:
        current = current_batches(connection, slug, kind)
    yield from iterate_current(house.store, slug, current)


def _typed(house: House, slug: str, folder: Path | None) -> None:
    from dissco_platform.opends.typed import write_typed

    if folder is None or folder.is_file():
        raise UsageError("Parquet goes to a folder: name one with -o FOLDER.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made ({error.strerror}).") from error
    kinds = (("specimen", "ods:DigitalSpecimen", "specimens"), ("media", "ods:DigitalMedia", "media"))
    for kind, owner, name in kinds:
        target = folder / f"{name}.parquet"
        with replacing(target) as path:
            count = write_typed(_current(house, slug, kind), owner, path)
        messages.print(f"Wrote {count:,} to {target}.", soft_wrap=True)
    if closed := _doi_only(house, slug):
        messages.print(f"{closed:,} specimens and media are DOI only and have no document.", soft_wrap=True)


@contextmanager
def _writing(output: Path | None) -> Iterator[tuple[IO[str], Any]]:
    """Yield where to write: a file appears under its name only when it is complete."""
    if output is None:
        yield sys.stdout, lambda _: None
        return
    with replacing(output) as path, path.open("w", encoding="utf-8", newline="") as file:
        yield file, lambda count: messages.print(f"Wrote {count:,} to {output}.", soft_wrap=True)
