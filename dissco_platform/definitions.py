"""Dagster's entry: the house, furnished from settings. Tests build the same house with other furniture."""

import dagster as dg

from dissco_platform.assets.catalogue_of_life import catalogue_of_life
from dissco_platform.assets.descriptions import with_code
from dissco_platform.assets.digital_specimens import digital_specimens
from dissco_platform.assets.mapping import mapping
from dissco_platform.assets.next_checklist import next_checklist
from dissco_platform.assets.parsed_records import parsed_records
from dissco_platform.assets.raw_archive import raw_archive
from dissco_platform.assets.registered_dois import registered_dois
from dissco_platform.assets.search_index import search_index
from dissco_platform.assets.taxon_harmonised import taxon_harmonised
from dissco_platform.assets.waiting_list import EnrolmentDesk, allocation_round, monthly_round, waiting_list
from dissco_platform.resources import build_resources
from dissco_platform.resources.tools import secret
from dissco_platform.sensors.enrolment import (
    TrialLoads,
    correspondence,
    desk_requests,
    desk_rounds,
    desk_work,
    enrolment_follow_up,
)
from dissco_platform.sensors.incidents import incidents
from dissco_platform.sensors.jobs import JOBS
from dissco_platform.sensors.notifying import Notifier
from dissco_platform.sensors.overview import dataset_overview
from dissco_platform.sensors.reconciler import reconciler
from dissco_platform.sensors.releases import ReleaseListing, checklist_releases
from dissco_platform.sensors.retention import Retention
from dissco_platform.sensors.upstream import upstream
from dissco_platform.sensors.weekly import weekly
from dissco_platform.settings import Settings, load_settings

CHAIN = [
    raw_archive,
    parsed_records,
    catalogue_of_life,
    taxon_harmonised,
    mapping,
    digital_specimens,
    registered_dois,
    search_index,
]


def build_definitions(settings: Settings) -> dg.Definitions:
    """Return assets, resources and jobs for the given settings."""
    return dg.Definitions(
        assets=[*map(with_code, (*CHAIN, next_checklist, waiting_list)), dataset_overview],
        jobs=[*JOBS, desk_work, allocation_round],
        schedules=[weekly, monthly_round],
        sensors=[upstream, reconciler, incidents, checklist_releases, enrolment_follow_up, desk_requests, desk_rounds],
        resources={
            **build_resources(settings),
            "enrolment_desk": EnrolmentDesk(handle_prefix=settings.handle_prefix),
            "letters": correspondence(settings),
            "trial_loads": TrialLoads(
                home=str(settings.home.absolute()),
                ror_dump=str(settings.ror_dump.absolute()) if settings.ror_dump else "",
                ror_api=settings.ror_api or "",
            ),
            "retention": Retention(keep_versions=settings.keep_versions),
            "notifier": notifier(settings),
            "release_listing": ReleaseListing(
                address=settings.checklist_releases or "", download=settings.checklist_download
            ),
        },
        # One process a run: a process for each step costs about three seconds a step.
        executor=dg.in_process_executor,
    )


def notifier(settings: Settings) -> Notifier:
    """Return what tells people; addresses of web hooks and passwords are shown by name only."""
    targets, server = settings.notify.get_secret_value(), settings.mail_server.get_secret_value()
    return Notifier(
        path=str((settings.home / "incidents.ndjson").absolute()),
        targets=secret("DISSCO_NOTIFY", targets) if targets else "",
        mail_server=secret("DISSCO_MAIL_SERVER", server),
        sender=settings.mail_sender,
        dagster_url=settings.dagster_url,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Load the definitions that Dagster's processes use."""
    return build_definitions(load_settings())
