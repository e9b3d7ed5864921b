"""What enrolment does by itself: runs are followed up and letters go out; the desk's queued work becomes runs.

What a run means for an application is `enrolment.follow_up`; the rounds are the asset `waiting_list`.
"""

from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from pydantic import Field

from dissco_platform.assets.desk_work import Workshop, work_on_next
from dissco_platform.assets.waiting_list import allocation_round
from dissco_platform.enrolment.follow_up import follow_up
from dissco_platform.enrolment.links import Links, secret_key
from dissco_platform.enrolment.notifications import mailer_of, send_all
from dissco_platform.enrolment.ror import Directory, find_directory
from dissco_platform.registry.desk import Job, open_jobs
from dissco_platform.resources import (
    DatasetStoreResource,
    DoiService,
    HttpClientResource,
    MappingFiles,
    RegistryResource,
)
from dissco_platform.resources.tools import secret
from dissco_platform.settings import Settings


class Correspondence(dg.ConfigurableResource[None]):
    """How letters to applicants go out."""

    kind: str = Field(description="maildir or smtp")
    home: str = Field(description="Folder that holds the maildir")
    server: str = Field(repr=False, description="Mail server")
    sender: str
    base: str = Field(description="Address of the portal")
    key: str = Field(repr=False, description="Key of secret links; empty: the file in home")

    def send(self, registry: RegistryResource) -> dict[str, int]:
        """Send what is queued."""
        links = Links(self.base, secret_key(self.key or None, Path(self.home)))
        with registry.opened() as known:
            return send_all(known, mailer_of(self.kind, Path(self.home), self.server), self.sender, links)


def correspondence(settings: Settings) -> Correspondence:
    """Return how letters go out, for the settings."""
    key = settings.secret.get_secret_value() if settings.secret is not None else ""
    return Correspondence(
        kind=settings.enrolment_mail,
        home=str(settings.home.absolute()),
        server=secret("DISSCO_MAIL_SERVER", settings.mail_server.get_secret_value()),
        sender=settings.mail_sender,
        base=settings.landing_page,
        key=secret("DISSCO_SECRET", key) if key else "",
    )


@dg.sensor(
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes note of what runs and weekly looks have done for granted datasets (first DOI, finished, grown, "
    "problems) and sends the letters that wait.",
)
def enrolment_follow_up(
    context: dg.SensorEvaluationContext,
    registry: RegistryResource,
    doi_service: DoiService,
    letters: Correspondence,
) -> dg.SkipReason:
    """Follow up, then send."""
    with registry.opened() as known:
        moved = follow_up(known, doi_service.prefix)
    done = letters.send(registry)
    for found in moved:
        context.log.info(f"{found.slug} is {found.state}")
    return dg.SkipReason(
        f"{len(moved)} applications moved on, {done['sent']} letters sent, {done['failed']} failed and kept"
    )


class TrialLoads(dg.ConfigurableResource[None]):
    """Where trial loads look institutions up and make their throw-away folders."""

    home: str
    ror_dump: str = ""
    ror_api: str = ""

    def institutions(self) -> Directory | None:
        """Return where institutions are looked up."""
        return find_directory(Path(self.ror_dump) if self.ror_dump else None, self.ror_api or None, Path(self.home))


@dg.op(description="Does the trial loads that were asked for at the desk, one after the other.")
def load_for_trial(
    context: dg.OpExecutionContext,
    registry: RegistryResource,
    store: DatasetStoreResource,
    http_client: HttpClientResource,
    mapping_files: MappingFiles,
    trial_loads: TrialLoads,
) -> None:
    """Do what waits."""
    with registry.opened() as known:
        shop = Workshop(
            context.instance,
            known,
            store.store(),
            http_client.client(),
            mapping_files.path(),
            Path(trial_loads.home),
            trial_loads.institutions(),
        )

        def check(job: Job) -> None:
            assert job.application is not None
            shop.check(job.application, by=job.requested_by)

        while (job := work_on_next(known, {"check": check})) is not None:
            context.log.info(f"{job.application}: {job.error or 'loaded for trial'}")


@dg.job(executor_def=dg.in_process_executor, description="Trial loads of pre-registered datasets; no DOIs are made.")
def desk_work() -> None:
    """Load for trial."""
    load_for_trial()


@dg.sensor(
    job_name="desk_work",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a run of the trial loads that were asked for at the desk.",
)
def desk_requests(context: dg.SensorEvaluationContext, registry: RegistryResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run while trial loads wait."""
    waiting = [job for job in _open(registry) if job.kind == "check"]
    in_flight = dg.RunsFilter(job_name=desk_work.name, statuses=list(NOT_FINISHED_STATUSES))
    if not waiting or context.instance.get_run_records(in_flight, limit=1):
        return dg.SkipReason(f"{len(waiting)} trial loads wait for the run that is under way")
    key = "-".join(str(part) for job in waiting for part in (job.id, job.attempts))
    return dg.RunRequest(run_key=f"trial-{key}"[:255])


@dg.sensor(
    job=allocation_round,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a run of each round that was asked for at the desk.",
)
def desk_rounds(registry: RegistryResource) -> dg.SensorResult | dg.SkipReason:
    """Ask for rounds."""
    requests = [
        dg.RunRequest(
            run_key=f"round-{job.id}",
            run_config={
                "ops": {
                    "waiting_list": {
                        "config": {"again": bool(job.inputs.get("again")), "by": job.requested_by, "request": job.id}
                    }
                }
            },
            tags={"cause": "asked for at the desk"},
        )
        for job in _open(registry)
        if job.kind == "round"
    ]
    return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("no round was asked for")


def _open(registry: RegistryResource) -> list[Job]:
    with registry.opened() as known, known.read() as connection:
        return open_jobs(connection)
