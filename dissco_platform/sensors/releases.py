"""New releases of the checklist: noticed, announced, previewed, never applied. Taking one into use is a person's act.

Where they are looked for: the listing that `DISSCO_CHECKLIST_RELEASES` names (ChecklistBank, or a folder), and the source of
the checklist in use, which may hold another release than it did.
"""

import hashlib
import tempfile
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dissco_platform.assets.recording import Recorded, latest
from dissco_platform.errors import ChecklistError, SourceError
from dissco_platform.http import HttpClient, Signal, Validators
from dissco_platform.localfiles import local_path
from dissco_platform.names.releases import Release, read_listing, release_of, releases_in
from dissco_platform.registry import Registry
from dissco_platform.registry.engine import now
from dissco_platform.registry.releases import NoticedRelease, notice_release, noticed_releases, set_release
from dissco_platform.resources import HttpClientResource, RegistryResource
from dissco_platform.sensors.jobs import preview_release
from dissco_platform.sensors.notifying import Notice, Notifier
from dissco_platform.sensors.requesting import CAUSE_TAG, TRIGGER_TAG

EVERY_SECONDS = 6 * 3600
_LARGEST_LISTING, _LISTING_SECONDS = 2**24, 30.0


class ReleaseListing(dg.ConfigurableResource[Any]):
    """Where new releases of the checklist are listed."""

    address: str = Field("", description="ChecklistBank's listing, or a folder of archives; empty: none")
    download: str = Field("", description="Address of a listed release's archive, with blanks")


def list_releases(client: HttpClient, address: str, download: str) -> list[Release]:
    """Return the releases of a listing, the newest first; none where no listing is set.

    Raises:
        SourceError: it cannot be reached.
        ChecklistError: it is no such listing.
    """
    if not address:
        return []
    folder = local_path(address)
    if folder is not None and folder.is_dir():
        return releases_in(folder)
    small = HttpClient(
        max_bytes=_LARGEST_LISTING, timeout=_LISTING_SECONDS, trusted_hosts=client.trusted_hosts, patience=0.0
    )
    with tempfile.TemporaryDirectory() as scratch:
        fetched = small.fetch(address, Path(scratch), trusted=True)
        return read_listing(address, fetched.path.read_bytes(), download)


def release_at_source(client: HttpClient, in_use: Recorded) -> Release | None:
    """Return the release that the source of the checklist in use holds now, if it is another than the one in use.

    Raises:
        SourceError: it cannot be reached.
    """
    source = in_use.text("source") or ""
    validators = Validators(in_use.text("etag"), in_use.text("last_modified"))
    path = local_path(source)
    if path is not None and not path.is_file():
        return None  # a folder, or a file that is gone: nothing new
    if path is None and not validators:
        return None  # every look would be a download
    signal = client.look(source, validators, in_use.made_from.get("archive"), trusted=True)
    if not signal.changed:
        return None
    about = release_of(path) if path is not None else None
    return about or _at_address(source, signal, path)


def _at_address(source: str, signal: Signal, path: Path | None) -> Release:
    """Name a release by what its server says of it."""
    said = signal.validators
    moment = datetime.now(UTC)
    if path is not None:
        moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    elif said.last_modified:
        moment = parsedate_to_datetime(said.last_modified).astimezone(UTC)
    mark = hashlib.sha256(f"{source} {said.etag} {said.last_modified} {moment:%Y-%m-%d}".encode()).hexdigest()[:8]
    return Release(
        f"{moment:%Y-%m-%d}-{mark}", f"{source.rsplit('/', 1)[-1]} of {moment:%Y-%m-%d}", f"{moment:%Y-%m-%d}", source
    )


def notice_all(registry: Registry, found: list[Release], in_use: Recorded) -> list[NoticedRelease]:
    """Write down what was found; return what is newer than the release in use and was not announced, the newest first."""
    label, issued = in_use.text("release"), in_use.text("issued") or ""
    with registry.write() as connection:
        for release in found:
            notice_release(
                connection, key=release.key, label=release.label, source=release.source, issued=release.issued[:32]
            )
        keys = {release.key for release in found}
        return [
            release
            for release in noticed_releases(connection)
            if release.key in keys
            and release.announced is None
            and release.adopted is None
            and release.label != label
            and release.issued > issued
        ]


def look_for_releases(
    registry: Registry, client: HttpClient, in_use: Recorded, address: str, download: str
) -> list[NoticedRelease]:
    """Look for releases and return those to be announced, the newest first.

    Raises:
        SourceError: listing or source cannot be reached.
        ChecklistError: the listing is none.
    """
    found = list_releases(client, address, download)
    there = release_at_source(client, in_use)
    if there is not None and all(there.label != release.label for release in found):
        found.append(there)
    return notice_all(registry, found, in_use)


@dg.sensor(
    job=preview_release,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks for new releases of the checklist, four times a day. A new one is announced and previewed "
    "(`next_checklist`); it is taken into use by a person alone: `dissco col adopt RELEASE`.",
)
def checklist_releases(
    context: dg.SensorEvaluationContext,
    registry: RegistryResource,
    http_client: HttpClientResource,
    notifier: Notifier,
    release_listing: ReleaseListing,
) -> dg.SensorResult | dg.SkipReason:
    """Announce a new release."""
    in_use = latest(context.instance, "catalogue_of_life", None)
    if in_use is None:
        return dg.SkipReason("No checklist is in use yet: `dissco checklist use PATH|URL`.")
    with registry.opened() as known:
        try:
            fresh = look_for_releases(
                known, http_client.client(), in_use, release_listing.address, release_listing.download
            )
        except (SourceError, ChecklistError) as error:
            context.log.warning(str(error))
            return dg.SkipReason(f"releases could not be looked for: {error}")
        if not fresh:
            return dg.SkipReason(f"no release is newer than {in_use.text('release')}, which is in use")
        newest = fresh[0]
        with known.write() as connection:
            for release in fresh:
                set_release(connection, release.key, announced=now())
    said = (
        f"{newest.label} is there ({in_use.text('release')} is in use). Nothing changes until somebody adopts it: "
        f"`dissco col preview {newest.key}`, `dissco col adopt {newest.key}`."
    )
    base = notifier.dagster_url.rstrip("/")
    notice = Notice("new release", newest.label, now(), said, link=f"{base}/assets/next_checklist" if base else "")
    notifier.notify_all([notice], context.log.warning)
    request = dg.RunRequest(
        run_key=f"preview-{newest.key}",
        run_config={"ops": {"next_checklist": {"config": {"release": newest.key}}}},
        tags={CAUSE_TAG: f"new release {newest.label}", TRIGGER_TAG: "checklist_releases"},
    )
    return dg.SensorResult(run_requests=[request])
