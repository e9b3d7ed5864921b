"""Every setting, in one place: nothing else reads the environment.

Each field is set by `DISSCO_<NAME>` or in a `.env` file beside the process; `docs/settings.md` lists them all (a test
keeps it true). Paths that are not given lie under `home`.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dissco_platform.errors import SettingsError

CHECKOUT = Path(__file__).resolve().parents[1]

DEFAULT_YEARLY_QUOTA = 20_000_000

# Writes per five minutes: protocols of DataCite's REST service (production: what it recommends for 100,000 and more
# writes a day; test system: 750 is its policy). The sandbox has no limit of its own.
_RATE_BY_HOST = {"api.datacite.org": 500, "api.test.datacite.org": 500}


DEMO_SERVER = Path("demo") / "server"
"""File in home in which a demonstration keeps the address of its file server."""
_LOOPBACK = re.compile(r"127\.0\.0\.1:[1-9][0-9]{0,4}")


class Settings(BaseSettings):
    """All settings of the platform; see each field's description."""

    model_config = SettingsConfigDict(env_prefix="DISSCO_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".dissco"), description="Folder that holds all state unless a setting below says otherwise")
    store: str | None = Field(
        None, description="Folder of the Parquet store (default: home/store), or object storage: s3://bucket/prefix"
    )
    store_endpoint: str | None = Field(
        None, description="Address of the S3-compatible service that holds the store, if it is not Amazon's"
    )
    store_working_copy: Path | None = Field(
        None, description="Folder on this machine for what is in use of an object store (default: home/working-copy)"
    )
    store_working_copy_bytes: int = Field(
        50 * 2**30, ge=2**30, description="Size that the working copy may grow to before what was not used lately goes"
    )
    registry: str | None = Field(None, description="SQLAlchemy URL of the registry (default: SQLite in home)")
    registry_migrates: bool = Field(
        True,
        description="Whether every process brings the registry's schema up to date; if not: `dissco registry migrate`",
    )
    dagster_home: Path | None = Field(None, description="Dagster's instance folder (default: home/dagster)")
    dagster_storage: str | None = Field(
        None,
        description="PostgreSQL URL of Dagster's storage, which deploy/production/dagster.yaml reads (default: in its folder)",
    )
    mappings: Path = Field(
        CHECKOUT / "mappings", description="Folder of mapping files, vocabularies and name overrides"
    )

    doi_prefix: str = Field(
        "10.5555", pattern=r"^10\.\d{4,5}$", description="DOI prefix that the repository account owns"
    )
    handle_prefix: str = Field("20.5000.1025", description="Handle prefix under which datasets get their permanent id")
    landing_page: str = Field("http://localhost:8000", description="Base address of the pages that DOIs lead to")

    datacite_url: str | None = Field(None, description="DataCite REST address; without it the sandbox is used")
    datacite_repository: str = Field("DISSCO.SANDBOX", description="Repository account, for example ABCD.EFGH")
    datacite_password: SecretStr = Field(SecretStr("sandbox"), description="Password of the repository account")
    datacite_rate_limit: int | None = Field(
        None, ge=1, description="Writes per five minutes (default: 500 for DataCite's own hosts, none for the sandbox)"
    )
    datacite_concurrency: int | None = Field(
        None, ge=1, le=64, description="Writes in flight at once (default: 8, 32 for a service on this machine)"
    )
    datacite_drain_seconds: float = Field(
        3600.0, ge=0, description="Longest time that one run spends on registering; the rest stays queued"
    )

    issued_for_agent: str = Field(
        "https://ror.org/02wddde16", description="ROR of the infrastructure that issues the DOIs"
    )
    issued_for_agent_name: str = Field(
        "Distributed System of Scientific Collections", description="Its name, the publisher in DataCite's metadata"
    )

    yearly_quota: int | None = Field(
        None,
        ge=0,
        description="DOIs that may be minted in one calendar year (default: 20 million; none for the sandbox)",
    )
    tombstone_after: int = Field(
        2, ge=1, description="Complete harvests without a specimen, after the first, until it becomes a tombstone"
    )
    mass_missing_share: float = Field(
        0.10,
        gt=0,
        le=1,
        description="Share of a dataset's specimens that may vanish at once without an operator's word",
    )
    mass_missing_count: int = Field(
        1000, ge=0, description="Number of specimens that may vanish at once without an operator's word"
    )
    download_max_bytes: int = Field(50 * 2**30, ge=1, description="Largest archive that is downloaded")
    download_timeout_seconds: float = Field(3600.0, gt=0, description="Longest time for one download")
    trusted_hosts: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Comma-separated host[:port] that may lie on a private network"
    )
    portal_name: str = Field("DiSSCo Specimens", min_length=1, max_length=60, description="Name of the portal")
    help_page: str | None = Field(None, pattern=r"^https?://\S+$", description="Address of the help that pages link to")
    contact: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail address that pages give for questions"
    )
    search: str | None = Field(
        None, description="SQLAlchemy URL of the search index (default: the registry's PostgreSQL, else SQLite in home)"
    )

    log_format: Literal["text", "json"] = Field(
        "text", description="`json`: daemon and services log lines of JSON; for runs see deploy/production/dagster.yaml"
    )
    keep_versions: int = Field(3, ge=1, description="How many versions of each intermediate table are kept")

    notify: SecretStr = Field(
        SecretStr(""),
        description="Comma-separated https:// web hooks and mailto: addresses that are told of failures and new releases",
    )
    mail_server: SecretStr = Field(
        SecretStr("smtp://localhost:25"), description="Mail server, smtp://[user:password@]host[:port]"
    )
    mail_sender: str = Field("dissco@localhost", description="Address that letters of the platform come from")
    dagster_url: str = Field("http://127.0.0.1:3000", description="Address of Dagster's web interface, for links")
    checklist_releases: str | None = Field(
        None, description="Where new releases of the checklist are listed: a ChecklistBank address, or a folder"
    )
    checklist_download: str = Field(
        "https://download.checklistbank.org/col/monthly/{issued}_coldp.zip",
        description="Address of a listed release's archive; {key}, {issued}, {version} and {alias} are filled in",
    )
    enrolment_mail: Literal["maildir", "smtp"] = Field(
        "maildir", description="Where letters to applicants go: into a maildir in home, or through the mail server"
    )
    support_address: str = Field("support@dissco.example", description="Where providers get help with their datasets")
    enquiries_address: str = Field("info@dissco.example", description="Where everybody else may ask")
    ror_dump: Path | None = Field(None, description="ROR's data release (JSON, or its zip) for looking up institutions")
    ror_api: str | None = Field(
        None, description="Address of ROR's API, asked where there is no dump: https://api.ror.org/v2"
    )
    secret: SecretStr | None = Field(
        None, description="Key of secret links and sessions, 32 characters or more (default: a file in home, made once)"
    )

    desk_registry: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL of the registry with the rights of applicants' pages alone (default: the registry)",
    )
    staff_registry: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL of the registry with the rights of staff's pages alone (default: the registry)",
    )
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect issuer that staff sign in with, instead of tokens"
    )
    oidc_client: str = Field("", description="Client id of the portal at that issuer")
    oidc_secret: SecretStr = Field(SecretStr(""), description="Client secret of the portal at that issuer")

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("home", mode="before")
    @classmethod
    def _no_empty_home(cls, value: object) -> object:
        # An empty path is the current folder: state would be strewn over whatever folder a command is called in.
        if isinstance(value, str) and not value.strip():
            raise ValueError("is empty; give a folder, or leave it unset for .dissco")
        return value

    @field_validator("secret", mode="before")
    @classmethod
    def _no_empty_secret(cls, value: object) -> object:
        return value or None

    @property
    def store_address(self) -> str:
        """Where the Parquet store is: an absolute folder, or object storage's address."""
        if self.store and "://" in self.store:
            return self.store
        return str((Path(self.store) if self.store else self.home / "store").absolute())

    @property
    def working_copy_path(self) -> Path:
        """Folder for what is in use of an object store."""
        return (self.store_working_copy or self.home / "working-copy").absolute()

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry."""
        return self.registry or f"sqlite:///{(self.home / 'registry.sqlite').absolute()}"

    @property
    def search_url(self) -> str:
        """SQLAlchemy URL of the search index."""
        if self.search:
            return self.search
        if not self.registry_url.startswith("sqlite"):
            return self.registry_url
        return f"sqlite:///{(self.home / 'search.sqlite').absolute()}"

    @property
    def dagster_path(self) -> Path:
        """Dagster's instance folder."""
        return (self.dagster_home or self.home / "dagster").absolute()

    @property
    def sandbox_path(self) -> Path:
        """The sandbox's own SQLite file."""
        return (self.home / "sandbox.sqlite").absolute()

    @property
    def uses_sandbox(self) -> bool:
        """Whether no DataCite is configured."""
        return self.datacite_url is None

    @property
    def quota(self) -> int | None:
        """DOIs that may be minted in one calendar year; None: no limit, as for any service on this machine."""
        if self.yearly_quota is not None:
            return self.yearly_quota
        return None if self.is_on_this_machine else DEFAULT_YEARLY_QUOTA

    @property
    def reachable_hosts(self) -> frozenset[str]:
        """Hosts that may lie on a private network: `trusted_hosts`, and the file server of this home's demonstration.

        The demonstration writes its server's `127.0.0.1:port` into its folder; anything else there is passed over.
        """
        try:
            written = (self.home / DEMO_SERVER).read_text("ascii").strip()
        except (OSError, UnicodeError):
            return self.trusted_hosts
        return self.trusted_hosts | {written} if _LOOPBACK.fullmatch(written) else self.trusted_hosts

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the DOI service is a sandbox: nothing that it registers counts."""
        return urlsplit(self.datacite_url or "//localhost").hostname in {"localhost", "127.0.0.1", "::1"}

    @property
    def concurrency(self) -> int:
        """Writes in flight at once towards the DOI service; the sandbox answers those that wait together."""
        return self.datacite_concurrency or (32 if self.is_on_this_machine else 8)

    @property
    def rate_limit(self) -> int | None:
        """Writes per five minutes towards the configured DOI service."""
        if self.datacite_rate_limit is not None:
            return self.datacite_rate_limit
        return _RATE_BY_HOST.get(urlsplit(self.datacite_url or "").hostname or "")


def load_settings(**values: object) -> Settings:
    """Read the settings, naming in one sentence each one that is wrong.

    Raises:
        SettingsError: a value does not fit its field.
    """
    try:
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(
            f"DISSCO_{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}" for fault in error.errors()
        )
        raise SettingsError(f"Settings are not usable: {faults}. See docs/settings.md.") from error
