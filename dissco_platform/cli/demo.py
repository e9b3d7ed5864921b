"""`dissco demo`: three museums, two weeks, one command. Everything it starts ends with it; what it made stays."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, counts, messages, print_json, print_table
from dissco_platform.cli.progress import running
from dissco_platform.errors import UsageError
from dissco_platform.identity.minting import handle_suffix
from dissco_platform.identity.organisations import organisation_id
from dissco_platform.names.match_types import MATCH_TYPES
from dissco_platform.registry.datasets import add_dataset, list_datasets, update_dataset
from dissco_platform.sandbox import running_sandbox
from dissco_platform.settings import CHECKOUT, DEMO_SERVER, Settings, load_settings

EXAMPLES = CHECKOUT / "examples"
FILES_PORT = 8631
WEEK_SECONDS = 7 * 24 * 3600


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the last demonstration's state.")] = False,
    as_json: AsJson = False,
) -> None:
    """Three invented museums: archives in, DOIs out; then the following week's edition and what changed.

    Starts a DOI sandbox and a file server on this machine, enrols the sample datasets, runs the chain, publishes their
    next edition, runs again. The state stays in DISSCO_HOME: look at it with `dissco ui` and `dissco specimen show`.
    """
    began = time.monotonic()
    settings = load_settings()
    museums = _museums()
    if not keep:
        _start_afresh(settings, {museum["slug"] for museum in museums})
    results: dict[str, list[dict[str, Any]]] = {}
    with (
        running_sandbox(
            settings.sandbox_path,
            username=settings.datacite_repository,
            password=settings.datacite_password.get_secret_value(),
            prefix=settings.doi_prefix,
        ) as sandbox,
        file_server(settings.home) as address,
        House(settings.model_copy(update={"datacite_url": sandbox.url})) as house,
    ):
        _say(f"DOI sandbox at {sandbox.url}, museums' files at {address}.", as_json)
        # So that the desk takes the museums' address, too, when somebody tries a pre-registration here.
        (settings.home / DEMO_SERVER).write_text(address.removeprefix("http://") + "\n", "ascii")
        _enrol(house, museums, address)
        from dissco_platform.cli.running import make_checklist, run_dataset

        with running("checklist") as told:
            made = make_checklist(house, str(EXAMPLES / "checklist.zip"), told=told)
        _say(f"Checklist in use: {made['title']} ({made['names']} names).", as_json)
        for week in ("week1", "week2"):
            _publish(settings.home, week, museums)
            _say("" if week == "week1" else "A week later, the museums publish their next edition.", as_json)
            results[week] = []
            for museum in museums:
                with running(museum["slug"]) as told:
                    results[week].append(run_dataset(house, museum["slug"], told=told))
                done = results[week][-1]
                _say(f"  {museum['slug']}: {done['records']} records in {done['seconds']} s", as_json)
            if not as_json:
                _print_week(week, results[week])
        example = _an_example(house, museums[0]["slug"])
    if as_json:
        print_json(results)
        return
    console.print(f"\nDone in {time.monotonic() - began:.0f} s. What to look at next:")
    console.print("  make ui                          the same in Dagster's web interface")
    console.print("  make portal                      the pages that the DOIs lead to")
    if example:
        page = f"{settings.landing_page.rstrip('/')}/{example}"
        console.print(f"  {page}    a specimen with two versions, while the portal runs", soft_wrap=True)
        if shutil.which("dissco") is None:
            console.print("  source .venv/bin/activate        so that the shell knows dissco")
        console.print(f"  dissco specimen show {example}")
        console.print(f"  dissco specimen history {example}")
    console.print(f"  dissco export {museums[0]['slug']} --format doi-list", soft_wrap=True)


@contextlib.contextmanager
def file_server(home: Path, port: int = FILES_PORT) -> Iterator[str]:
    """Serve the museums' files with Last-Modified; yield the address. Another port is taken where this one is in use."""
    folder = home / "demo" / "published"
    folder.mkdir(parents=True, exist_ok=True)
    handler = partial(_Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def museums_files(home: Path) -> Iterator[None]:
    """Serve the museums' files where the demonstration was run in this home: its datasets have their source there."""
    if not (home / "demo").is_dir():
        yield
        return
    with file_server(home):
        yield


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: requests of the demonstration itself are of no interest."""


def _museums() -> list[dict[str, str]]:
    import json

    path = EXAMPLES / "editions.json"
    if not path.exists():
        raise UsageError(f"The sample datasets are not in {EXAMPLES}; run the demonstration from a checkout.")
    return [
        {"slug": slug, "organisation": about["organisation"]}
        for slug, about in json.loads(path.read_text())["datasets"].items()
    ]


def _start_afresh(settings: Settings, ours: set[str]) -> None:
    """Remove the last demonstration's state; never that of other datasets."""
    if not settings.home.exists():
        return
    with House(settings) as house, house.registry.read() as connection:
        others = {dataset.slug for dataset in list_datasets(connection)} - ours
    if others:
        raise UsageError(
            f"{settings.home} holds other datasets ({', '.join(sorted(others))}), which a demonstration must not touch; "
            "set DISSCO_HOME to another folder, or go on with `dissco demo --keep`."
        )
    if settings.registry or settings.store or settings.dagster_home:
        return  # state lives elsewhere: go on with it
    for name in ("store", "dagster", "demo"):
        shutil.rmtree(settings.home / name, ignore_errors=True)
    for name in ("registry", "sandbox", "search"):
        for file in settings.home.glob(f"{name}.sqlite*"):
            file.unlink()


def _enrol(house: House, museums: list[dict[str, str]], address: str) -> None:
    with house.registry.write() as connection:
        known = {dataset.slug for dataset in list_datasets(connection)}
        for museum in museums:
            source = f"{address}/{museum['slug']}.zip"
            if museum["slug"] in known:
                update_dataset(connection, museum["slug"], source=source)
                continue
            add_dataset(
                connection,
                slug=museum["slug"],
                source=source,
                organisation_id=organisation_id(museum["organisation"]),
                organisation_name=None,
                source_system_id=f"https://hdl.handle.net/{house.settings.handle_prefix}/{handle_suffix()}",
                doi_only=False,
            )


def _publish(home: Path, week: str, museums: list[dict[str, str]]) -> None:
    """Put an edition where the file server finds it; the first one is dated a week back, so that Last-Modified moves."""
    moment = time.time() - (WEEK_SECONDS if week == "week1" else 0)
    for museum in museums:
        target = home / "demo" / "published" / f"{museum['slug']}.zip"
        shutil.copyfile(EXAMPLES / week / f"{museum['slug']}.zip", target)
        os.utime(target, (moment, moment))


def _print_week(week: str, results: list[dict[str, Any]]) -> None:
    if week == "week1":
        rows = [
            ["records", *(r["records"] for r in results)],
            ["set aside", *(counts(r["rejects"]) for r in results)],
            ["extension rows set aside", *(counts(r["extension_rejects"]) for r in results)],
            *(
                [f"names: {label}", *(r["matches"].get(match, 0) for r in results)]
                for match, label in MATCH_TYPES.items()
            ),
            ["digital specimens", *(r["specimens"] for r in results)],
            ["DOI only", *(r["doi_only"] for r in results)],
            ["media", *(r["media"] for r in results)],
            *([f"MIDS level {level}", *(r["mids"].get(str(level), 0) for r in results)] for level in range(4)),
        ]
    else:
        rows = [
            *(
                [label, *(r["versions"][name] for r in results)]
                for name, label in (
                    ("new", "new specimens"),
                    ("changed", "new versions"),
                    ("unchanged", "unchanged"),
                    ("missing", "missing upstream (tombstoned later, by rule)"),
                )
            ),
        ]
    rows += [
        ["DOIs registered", *(r["dois"]["registered"] for r in results)],
        ["writes to the DOI service", *(r["dois"]["written"] for r in results)],
        ["seconds", *(r["seconds"] for r in results)],
    ]
    console.print()
    print_table(["", *(r["dataset"] for r in results)], [[str(cell) for cell in row] for row in rows])


def _an_example(house: House, slug: str) -> str | None:
    """Return the DOI of a specimen that has more than one version, if there is one: rather one whose own values changed."""
    from dissco_platform.identity.publications import open_publications
    from dissco_platform.registry.objects import current_batches

    with house.registry.read() as connection:
        found = current_batches(connection, slug, "specimen").sort("version", "suffix", descending=[True, False])
    publications = open_publications(house.settings, house.registry, house.store)
    again = found.filter(found["version"] > 1)["suffix"].head(40)
    dois = [f"{house.settings.doi_prefix}/{suffix}" for suffix in again]
    for doi in dois:
        paths = [change["path"] for change in publications.difference(publications.get(doi), 1, 2)]
        if not any("Relationships" in path or "Media" in path for path in paths):
            return doi
    return dois[0] if dois else None


def _say(text: str, quiet: bool) -> None:
    if text and not quiet:
        messages.print(text, soft_wrap=True)
