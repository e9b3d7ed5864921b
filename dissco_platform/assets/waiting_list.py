"""`waiting_list`: each materialisation is one allocation round, with what it was made from and what it granted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from dissco_platform.assets.partitions import OWNERS, datasets
from dissco_platform.assets.recording import Materialized, Recording, told_plainly
from dissco_platform.enrolment import rounds
from dissco_platform.enrolment.follow_up import follow_up
from dissco_platform.registry.desk import finish_job
from dissco_platform.resources import DoiService, RegistryResource
from dissco_platform.settings import DEFAULT_YEARLY_QUOTA


class EnrolmentDesk(dg.ConfigurableResource[str]):
    """What a new dataset gets its permanent handle from."""

    handle_prefix: str = Field(description="Handle prefix of source systems")


class RoundConfig(dg.Config):
    """What the round is."""

    quota: int | None = Field(None, ge=0, description="DOIs of the round (default: the month's part of the year)")
    again: bool = Field(False, description="Grant although this month has had its round")
    by: str = Field("waiting_list", description="Who grants; kept with the round")
    request: int | None = Field(None, description="Number of the desk's request that this round answers")


@dg.asset(
    group_name="0_enrolment",
    kinds={"sqlite"},
    owners=OWNERS,
    code_version="1",
    description="Allocation round of the enrolment programme: points first, a bounded share for what is "
    "under-represented. What is granted becomes a dataset and a partition; the reconciler runs it.",
)
def waiting_list(
    context: dg.AssetExecutionContext,
    config: RoundConfig,
    registry: RegistryResource,
    doi_service: DoiService,
    enrolment_desk: EnrolmentDesk,
) -> Materialized:
    """Take note of what runs have done, then grant the month's round."""
    with answering(registry, config.request):
        return _round(context, config, registry, doi_service, enrolment_desk)


@contextmanager
def answering(registry: RegistryResource, request: int | None) -> Iterator[None]:
    """Let the desk's request, where there is one, end as the block does."""
    error: str | None = "The round failed; the reason is with its run in Dagster."
    try:
        yield
        error = None
    except dg.Failure as failure:
        error = failure.description or error
        raise
    finally:
        if request is not None:
            with registry.opened() as known, known.write() as connection:
                finish_job(connection, request, error)


def _round(
    context: dg.AssetExecutionContext,
    config: RoundConfig,
    registry: RegistryResource,
    doi_service: DoiService,
    enrolment_desk: EnrolmentDesk,
) -> Materialized:
    today = datetime.now(UTC)
    with told_plainly(context), registry.opened() as known:
        follow_up(known, doi_service.prefix)
        with known.write() as connection:
            quota = doi_service.yearly_quota
            inputs = rounds.gather(
                connection,
                yearly_quota=DEFAULT_YEARLY_QUOTA if quota is None else quota,
                year=today.year,
                month=today.month,
                quota=config.quota,
            )
            rounds.refuse_second(connection, inputs, again=config.again)
            made = rounds.grant_round(connection, inputs, actor=config.by, handle_prefix=enrolment_desk.handle_prefix)
        if made.added:
            context.instance.add_dynamic_partitions(str(datasets.name), list(made.added))
        recording = Recording({"list": made.inputs_hash, "code": "1"})
        totals = made.result.totals()
        recording.count(
            round=made.number,
            quota=inputs.quota,
            granted=sum(totals.values()),
            datasets_served=len(totals),
            datasets_added=len(made.added),
            waiting=len(inputs.candidates),
        )
        recording.metadata["inputs"] = dg.MetadataValue.json(inputs.to_json())
        recording.metadata["result"] = dg.MetadataValue.json(made.to_json())
        recording.metadata["grants"] = dg.MetadataValue.md(
            "\n".join(
                ["| application | DOIs | lane | why |", "|---|---|---|---|"]
                + [f"| {grant.id} | {grant.count:,} | {grant.lane} | {grant.reason} |" for grant in made.result.grants]
            )
        )
        return recording.result(made.inputs_hash)


allocation_round = dg.define_asset_job("allocation_round", selection=["waiting_list"])

# Off until an operator switches it on: granting DOIs is a decision of people.
monthly_round = dg.ScheduleDefinition(
    name="monthly_round",
    job=allocation_round,
    tags={"cause": "the month's round"},
    cron_schedule="0 6 1 * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="The allocation round of the month, on its first day.",
)
