"""Every way this platform fails on purpose.

An error's message is for the person who can mend it: what was wrong, where (dataset, file, line, term), what to do. The
command line prints it as one sentence and exits with `exit_code`; a Dagster run fails with the same sentence. Anything
that is not a `DisscoError` is a defect of ours.
"""


class DisscoError(Exception):
    """Root of the hierarchy."""

    exit_code = 2


class UsageError(DisscoError):
    """A command or setting names something that does not exist or does not fit."""


class SettingsError(DisscoError):
    """A setting is missing or contradicts another."""


class SourceError(DisscoError):
    """An upstream source could not be fetched: absent, refused, too large, unsafe address."""


class ArchiveError(DisscoError):
    """What was fetched is not an archive that can be read. `reason` is a stable code for machines."""

    def __init__(self, message: str, *, reason: str = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


class ChecklistError(DisscoError):
    """A checklist (ColDP or Darwin Core) cannot be read or does not pass its gate."""


class MappingError(DisscoError):
    """A mapping file names an unknown term, column, transform or type."""


class RegistryError(DisscoError):
    """The registry is unreachable, locked or not at this version of the schema."""


class StoreError(DisscoError):
    """The object store cannot be reached, refuses, or holds something else than it should."""


class DoiServiceError(DisscoError):
    """The DOI service refused (credentials, prefix) or cannot be reached."""


class RunFailedError(DisscoError):
    """A run of the chain failed; the message is the failing step's own."""

    exit_code = 1
