"""A DOI service that answers as DataCite's REST service does, over its own SQLite file, and registers nothing anywhere.

`create_app` gives the ASGI application, `serve` runs it, `running_sandbox` runs it in a process of its own for the
length of a block. The client that talks to it, exactly as it talks to DataCite, is `identity.datacite.client`.
"""

from dissco_platform.sandbox.app import create_app
from dissco_platform.sandbox.faults import FaultPlan
from dissco_platform.sandbox.launch import RunningSandbox, running_sandbox
from dissco_platform.sandbox.server import serve
from dissco_platform.sandbox.settings import Repository, SandboxSettings

__all__ = [
    "FaultPlan",
    "Repository",
    "RunningSandbox",
    "SandboxSettings",
    "create_app",
    "running_sandbox",
    "serve",
]
