"""What the enrolment desk has done in the background: trial loads and rounds that were asked for on the web.

A request is a row of the registry, so it survives whoever was to work on it. A worker of the command line takes one after
the other (`dissco enrol work`, which `dissco portal` starts); under Dagster the sensor `desk_requests` makes runs of them.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dissco_platform.assets.inputs import resolve_mappings
from dissco_platform.assets.pinned import CHECKLIST
from dissco_platform.assets.recording import latest
from dissco_platform.enrolment import desk
from dissco_platform.enrolment.requirements import CheckReport, check_requirements
from dissco_platform.enrolment.ror import Directory
from dissco_platform.enrolment.trial import Wanted
from dissco_platform.errors import DisscoError
from dissco_platform.http import HttpClient
from dissco_platform.registry import Registry
from dissco_platform.registry import desk as jobs
from dissco_platform.registry.desk import Job
from dissco_platform.store import DatasetStore


@dataclass(frozen=True)
class Workshop:
    """What trial loads need. `folder`: where throw-away folders are made."""

    instance: dg.DagsterInstance
    registry: Registry
    store: DatasetStore
    http: HttpClient
    mappings: Path
    folder: Path
    institutions: Directory | None

    def check(self, slug: str, *, by: str) -> tuple[CheckReport, desk.Application]:
        """Load an application's dataset for trial; its report, and the application as it stands then."""
        with self.registry.read() as connection:
            application = desk.get(connection, slug)
        checklist = latest(self.instance, "catalogue_of_life", None)
        backbone = self.store.path("catalogue_of_life", CHECKLIST, checklist.data_version) if checklist else None
        form = application.form
        wanted = Wanted(
            slug, form["source"], form["organisation"], form.get("organisation_name"), bool(form.get("doi_only"))
        )
        with tempfile.TemporaryDirectory(prefix="trial-", dir=self.folder) as folder:
            made = check_requirements(
                wanted,
                Path(folder),
                http=self.http,
                mapping_of=lambda kind: resolve_mappings(self.mappings, slug, kind)[kind],
                backbone=backbone,
                institutions=self.institutions,
            )
        with self.registry.write() as connection:
            found = desk.act(connection, slug, "check", actor=by, inputs=made.inputs())
        return made, found


def work_on_next(registry: Registry, doings: dict[str, Callable[[Job], None]]) -> Job | None:
    """Do the oldest request that one of the doings (by kind) is for; return it as it ended, or None: there is none.

    A request that fails for a reason which people can mend says so; a defect ends it as well and is raised.
    """
    with registry.write() as connection:
        job = jobs.claim_job(connection, tuple(doings))
    if job is None:
        return None
    error: str | None = "The work was broken off by a defect of this software; our staff look into it."
    try:
        doings[job.kind](job)
        error = None
    except DisscoError as failure:
        error = str(failure)
    finally:
        with registry.write() as connection:
            jobs.finish_job(connection, job.id, error)
            job = jobs.get_job(connection, job.id) or job
    return job
