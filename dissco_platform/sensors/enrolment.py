"""What enrolment does by itself: runs are followed up and letters go out; the desk's queued work becomes runs.

What a run means for an application is `enrolment.follow_up`; the rounds are the asset `waiting_list`.
"""

from pathlib import Path

import dagster as dg
from pydantic import Field

from dissco_platform.enrolment.follow_up import follow_up
from dissco_platform.enrolment.links import Links, secret_key
from dissco_platform.enrolment.notifications import mailer_of, send_all
from dissco_platform.resources import DoiService, RegistryResource
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
