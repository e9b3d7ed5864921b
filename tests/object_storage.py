"""A real S3 service on this machine (moto's server), for tests of what goes over HTTP."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@dataclass
class ObjectStorage:
    """Where it answers."""

    endpoint: str
    environment: dict[str, str] = field(default_factory=lambda: dict(CREDENTIALS))

    def bucket(self) -> str:
        """Make a bucket; return its address."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint}/{name}").raise_for_status()
        return f"s3://{name}"


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """Yield a service that ends with the block."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield ObjectStorage(f"http://127.0.0.1:{port}")
    finally:
        server.stop()
