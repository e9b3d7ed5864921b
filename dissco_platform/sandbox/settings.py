"""What a sandbox is started with."""

from dataclasses import dataclass, field
from pathlib import Path

from dissco_platform.sandbox.faults import FaultPlan


@dataclass(frozen=True)
class Repository:
    """An account that may register DOIs: its id, password, prefixes, and the domains its landing pages may have."""

    username: str
    password: str = field(repr=False)
    prefixes: tuple[str, ...]
    domains: tuple[str, ...] = ("*",)
    active: bool = True


@dataclass(frozen=True)
class SandboxSettings:
    """A sandbox: its file and its accounts (one for each repository that shall exist)."""

    database: Path
    repositories: tuple[Repository, ...]
    faults: FaultPlan = field(default_factory=FaultPlan)
