"""What runs and weekly looks have done for granted datasets: first DOI, finished, grown, problems; each is told once.

Level-triggered: the present state is compared with the application, so a look that was missed loses nothing and one made
twice does nothing twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from dissco_platform.enrolment import desk
from dissco_platform.enrolment.desk import RUNNING, Application
from dissco_platform.provenance import text_version
from dissco_platform.registry import Registry
from dissco_platform.registry import enrolment as statements
from dissco_platform.registry.datasets import Dataset, find_dataset
from dissco_platform.registry.engine import now
from dissco_platform.registry.vanished import waiting as vanished_at_once
from dissco_platform.registry.watch import get_watch

ACTOR = "runs"


@dataclass(frozen=True)
class Problem:
    """Something that a provider or the desk has to look at: when it was seen, a stable name, and a sentence."""

    seen: str
    name: str
    sentence: str


def follow_up(registry: Registry, doi_prefix: str) -> list[Application]:
    """Move every granted application on by what its dataset's runs have done; return those that moved or were told."""
    with registry.read() as connection:
        slugs = [entry.slug for entry in desk.list_all(connection) if entry.state in RUNNING]
    moved = []
    for slug in slugs:  # a transaction each: a fault in one keeps the others
        with registry.write() as connection:
            before = len(statements.events_of(connection, slug))
            found = observe(connection, slug, doi_prefix)
            if len(statements.events_of(connection, slug)) > before:
                moved.append(found)
    return moved


def observe(connection: Connection, slug: str, doi_prefix: str) -> Application:
    """Move one application on by what its dataset's runs have done; seen twice, nothing happens twice."""
    found = desk.get(connection, slug)
    dataset = find_dataset(connection, slug)
    if found.state not in RUNNING or dataset is None:
        return found
    minted, registered = statements.registered_objects(connection, slug)
    first = statements.first_suffixes(connection, slug, 1)
    waiting = dataset.waiting
    if found.state == "granted" and first:
        inputs: dict[str, object] = {"doi": f"{doi_prefix}/{first[0]}", "cause": "first"}
        found = desk.act(connection, slug, "load", actor=ACTOR, inputs=inputs)
    # A grant that was minted in whole, or that nothing is left to use: the publication says what waits.
    used = minted >= found.granted or waiting == 0
    if found.state == "loading" and registered == minted and dataset.latest is not None and used:
        inputs = {"registered": registered, "waiting": waiting, "cause": f"finished-{found.granted}"}
        found = desk.act(connection, slug, "activate", actor=ACTOR, inputs=inputs)
    needed = minted + waiting
    if found.state == "active" and waiting and needed > int(found.facts.get("dois_needed") or 0):
        inputs = {"dois_needed": needed, "waiting": waiting, "cause": f"grown-{needed}"}
        found = desk.act(connection, slug, "grow", actor=ACTOR, reason="new records wait for DOIs", inputs=inputs)
    told = {event.inputs.get("cause") for event in desk.history(connection, slug) if event.action == "problem"}
    for problem in problems(connection, dataset):
        # The same problem is told once a week.
        week = "-".join(str(part) for part in date.fromisoformat(problem.seen[:10]).isocalendar()[:2])
        cause = f"{week}:{problem.name}"
        if cause not in told:
            found = desk.act(connection, slug, "problem", actor=ACTOR, reason=problem.sentence, inputs={"cause": cause})
    return found


def problems(connection: Connection, dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with a dataset now: its source, its last run, specimens that vanished at once."""
    if dataset.failed is not None and dataset.failure is not None:
        yield Problem(dataset.failed, text_version(dataset.failure), dataset.failure)
    watch = get_watch(connection, dataset.slug)
    since = max(watch.cleared or "", str(dataset.summary.get("published") or ""))
    if watch.run_failure and watch.run_failed and watch.run_failed > since:
        yield Problem(watch.run_failed, text_version(watch.run_failure), watch.run_failure)
    missing = vanished_at_once(connection).get(dataset.slug, 0)
    if missing:
        yield Problem(
            now(),
            f"vanished-{missing}",
            f"{missing:,} specimens that have a DOI are not in the dataset any more. Nothing is ended before our staff "
            "have confirmed it: please tell us whether they are really gone, or were left out by mistake.",
        )
