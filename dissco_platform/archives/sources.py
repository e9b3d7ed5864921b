"""Where a dataset's source leads: a plain address or path, or a BioCASe access point. The one place that tells them apart.

Callers (assets, sensors, the trial load, the command line) fetch and look through these two functions.
"""

from pathlib import Path

from dissco_platform.archives.biocase import access_point
from dissco_platform.archives.harvest import fetch_access_point, look_at_access_point
from dissco_platform.errors import ArchiveError, SourceError
from dissco_platform.http import Fetched, HttpClient, Progress, Signal, Validators


def fetch_source(
    client: HttpClient, source: str, blobs: Path, *, trusted: bool = False, progress: Progress | None = None
) -> Fetched:
    """Bring a source's archive into `blobs`, named by its SHA-256.

    Raises:
        SourceError: it cannot be fetched, with what to do.
    """
    point = access_point(source)
    if point is None:
        return client.fetch(source, blobs, trusted=trusted, progress=progress)
    return fetch_access_point(client, point, blobs, trusted=trusted, progress=progress)


def look_at_source(
    client: HttpClient, source: str, validators: Validators, sha256: str | None, *, trusted: bool = False
) -> Signal:
    """Say whether a source differs from what was fetched with these validators and SHA-256, at the least cost.

    Raises:
        SourceError: it cannot be reached.
    """
    point = access_point(source)
    if point is None:
        return client.look(source, validators, sha256, trusted=trusted)
    if sha256 is None:
        return Signal(True, "never fetched")
    try:
        return look_at_access_point(client, point, validators, trusted=trusted)
    except ArchiveError as error:
        raise SourceError(str(error)) from error
