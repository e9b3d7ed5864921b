"""The desk's worker on one machine: does what was asked for on the web, follows runs up, sends letters."""

import os
import signal
import time
from collections.abc import Iterator

from dissco_platform.assets.desk_work import work_on_next
from dissco_platform.cli.house import House
from dissco_platform.cli.output import messages
from dissco_platform.cli.running import materialize, run_dataset
from dissco_platform.enrolment import desk
from dissco_platform.enrolment.follow_up import follow_up
from dissco_platform.enrolment.links import links_of
from dissco_platform.enrolment.notifications import mailer_of, send_all
from dissco_platform.errors import DisscoError
from dissco_platform.registry.datasets import list_datasets
from dissco_platform.registry.desk import Job

SECONDS = 1.0


def work_off(house: House, *, watch: bool, run: bool) -> Iterator[Job]:
    """Yield each request as it ended; with `watch`, wait for more until the process that started this one is gone.

    With `run`, datasets that were granted and never loaded are run, and their letters follow.
    """
    if watch:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # how the portal ends it: clean, wherever it is
    parent = os.getppid()
    tried: set[str] = set()
    while True:
        job = work_on_next(
            house.registry, {"check": lambda job: _check(house, job), "round": lambda job: _round(house, job)}
        )
        if job is not None:
            yield job
        if run:
            _run_granted(house, tried)
        follow_up(house.registry, house.settings.doi_prefix)
        _send(house)
        if job is not None:
            continue
        if not watch or os.getppid() != parent:
            return
        time.sleep(SECONDS)


def _check(house: House, job: Job) -> None:
    assert job.application is not None
    house.workshop().check(job.application, by=job.requested_by)


def _round(house: House, job: Job) -> None:
    config = {"again": bool(job.inputs.get("again")), "by": job.requested_by}
    materialize(
        house,
        None,
        ["waiting_list"],
        {"cause": "asked for at the desk"},
        None,
        {"ops": {"waiting_list": {"config": config}}},
    )


def _run_granted(house: House, tried: set[str]) -> None:
    """Run what was granted and has no DOI yet, or waits for DOIs that were granted since; what failed is for a person."""
    with house.registry.read() as connection:
        enrolled = {dataset.slug for dataset in list_datasets(connection) if dataset.state == "active"}
        granted = {
            f"{entry.slug}:{entry.granted}": entry.slug
            for entry in desk.list_all(connection)
            if entry.state == "granted" and entry.slug in enrolled
        }
    for grant, slug in granted.items():
        if grant in tried:
            continue
        tried.add(grant)  # done or not, it is not tried over and over
        try:
            run_dataset(house, slug)
        except DisscoError as error:
            messages.print(f"{slug}: {error}", soft_wrap=True)
        _send(house)  # the first DOI's letter does not wait for the other datasets


def _send(house: House) -> None:
    settings = house.settings
    mailer = mailer_of(settings.enrolment_mail, settings.home, settings.mail_server.get_secret_value())
    send_all(house.registry, mailer, settings.mail_sender, links_of(settings))
