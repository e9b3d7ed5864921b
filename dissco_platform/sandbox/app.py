"""The sandbox's HTTP face: which request gets which answer, as DataCite's REST service gives it.

Plain ASGI, since a framework's routing would cost more than the work. What a write makes of a record is `records.py`,
what is stored `writing.py`, lists `listing.py`, the wording of errors `answers.py`, faults `faults.py`.
"""

import asyncio
import base64
import binascii
import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from dissco_platform.identity.datacite.xml import encoded_xml
from dissco_platform.sandbox import answers
from dissco_platform.sandbox.answers import Answer, json_answer
from dissco_platform.sandbox.asgi import Receive, Scope, Send, abort, is_local, query, read_body, send_answer
from dissco_platform.sandbox.faults import AFTER_WRITE, KINDS, FaultPlan, Faults
from dissco_platform.sandbox.listing import ListingError, Query, list_dois
from dissco_platform.sandbox.records import Attributes, Record, resource
from dissco_platform.sandbox.settings import Repository, SandboxSettings
from dissco_platform.sandbox.storage import Storage
from dissco_platform.sandbox.writing import delete, owns, random_suffix, stamp, validate, write

_GONE: Final = ("/works", "/members", "/data-centers")
_ADMIN: Final = "/sandbox/"


def create_app(settings: SandboxSettings) -> "Sandbox":
    """Return the ASGI application over the settings' database, which it holds until its lifespan ends."""
    return Sandbox(settings)


class Sandbox:
    """ASGI application. One event loop, one process per database file."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.storage = Storage(settings.database)
        self.faults = Faults(settings.faults)
        self._accounts = {account.username.lower(): account for account in settings.repositories}
        self._known: dict[bytes, Repository | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the sandbox speaks HTTP only, not {scope['type']}")
        path = scope["path"]
        if path.startswith(_ADMIN):
            await send_answer(send, await self._admin(scope, receive))
            return
        method = scope["method"]
        fault = None if path == "/heartbeat" else self.faults.draw(method, time.monotonic())
        if self.faults.plan.latency_seconds:
            await asyncio.sleep(self.faults.plan.latency_seconds)
        if fault is not None and await self._fault_before(fault, scope, send):
            return
        account = self._account(scope)
        body = await read_body(receive) if method in {"PUT", "POST", "PATCH"} else b""
        if body is None:
            answer = answers.page("413 Request Entity Too Large")
        else:
            answer = await self._route(scope, method, path, body, account, resolvable=fault != "unregistered")
        name = (
            (b"x-anonymous-consumer", b"true")
            if account is None
            else (b"x-credential-username", account.username.lower().encode())
        )
        if fault in AFTER_WRITE and await self._fault_after(fault, scope, send, answer):
            return
        self.faults.statuses[answer.status] += 1
        await send_answer(send, answer, name, head=method == "HEAD")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.storage.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    # Who asks

    def _account(self, scope: Scope) -> Repository | None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                if value not in self._known:
                    if len(self._known) > 1000:
                        self._known.clear()
                    self._known[value] = self._credentials(value)
                return self._known[value]
        return None

    def _credentials(self, header: bytes) -> Repository | None:
        scheme, _, encoded = header.partition(b" ")
        if scheme.lower() != b"basic":
            return None
        try:
            username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self._accounts.get(username.lower())
        if account is None or not hmac.compare_digest(password.encode(), account.password.encode()):
            return None
        return account

    # Faults

    async def _fault_before(self, fault: str, scope: Scope, send: Send) -> bool:
        if fault in AFTER_WRITE or fault == "unregistered":
            return False
        if answer := answers.FAULT_ANSWERS.get(fault):
            self.faults.statuses[answer.status] += 1
            await send_answer(send, answer)
        else:
            if fault == "timeout":
                await asyncio.sleep(self.faults.plan.hang_seconds)
            await abort(scope)
        return True

    async def _fault_after(self, fault: str, scope: Scope, send: Send, answer: Answer) -> bool:
        if replaced := answers.FAULT_ANSWERS.get(fault):
            self.faults.statuses[replaced.status] += 1
            await send_answer(send, replaced)
            return True
        if fault == "timeout_after_write":
            await asyncio.sleep(self.faults.plan.hang_seconds)
        elif fault == "truncated":
            headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        await abort(scope)
        return True

    # Routes

    async def _route(
        self, scope: Scope, method: str, path: str, body: bytes, account: Repository | None, *, resolvable: bool
    ) -> Answer:
        reading = method in {"GET", "HEAD"}
        shown = b"publisher=true" in scope.get("query_string", b"")
        if path.startswith("/dois/") and len(path) > 6:
            name = path[6:].strip("/")
            if name == "validate" and method == "POST":
                return validate(body, account)
            if name == "random" and reading:
                return self._random(Query(query(scope)), account)
            if name == "status" and method == "POST":
                return answers.error(501)
            doi = name.replace("\u200b", "").lower()
            if reading:
                return self._read(doi, scope, account)
            if method in {"PUT", "PATCH"}:
                return await write(
                    self.storage, doi, body, account, upsert=True, resolvable=resolvable, publisher_object=shown
                )
            if method == "DELETE":
                return await delete(self.storage, doi, account)
        elif path.rstrip("/") == "/dois":
            if reading:
                return self._list(scope, account)
            if method == "POST":
                return await write(
                    self.storage, None, body, account, upsert=False, resolvable=resolvable, publisher_object=shown
                )
        elif path == "/heartbeat":
            return answers.text(200, "OK")
        elif reading and path.startswith(("/prefixes", "/repositories/", "/clients/")):
            return self._accounts_route(path)
        elif path.startswith(_GONE):
            return answers.error(410)
        else:
            return answers.error(404)
        return answers.error(405, None, (b"allow", answers.WRITES))

    def _read(self, doi: str, scope: Scope, account: Repository | None) -> Answer:
        part = ""
        for known in ("/activities", "/get-url"):
            if doi.endswith(known):
                doi, part = doi.removesuffix(known), known
        record = self.storage.get(doi)
        if record is None or not (record.is_public or owns(account, record)):
            return answers.error(404)
        if part == "/activities":
            return json_answer(200, self._activities(record))
        if part == "/get-url":
            if not owns(account, record):
                return answers.error(403)
            return json_answer(200, {"url": record.attributes.get("url")}) if record.registered else Answer(204)
        xml = encoded_xml(record.doi, record.attributes)
        publisher = query(scope).get("publisher") == "true"
        return json_answer(200, {"data": resource(record, xml=xml, publisher_object=publisher)})

    def _activities(self, record: Record) -> dict[str, Any]:
        attributes, items = dict(record.attributes), []
        for version, at, changes in [*self.storage.activities(record.doi), (1, record.created, Attributes())]:
            base = f"https://doi.org/{record.doi}"
            items.append(
                {
                    "id": f"{record.doi}/{version}",
                    "type": "activities",
                    "attributes": {
                        "prov:wasGeneratedBy": f"{base}#{version}",
                        "prov:generatedAtTime": at,
                        "prov:wasDerivedFrom": base,
                        "prov:wasAttributedTo": record.client,
                        "action": "create" if version == 1 else "update",
                        "version": version,
                        "changes": changes if version > 1 else dict(attributes),
                    },
                }
            )
            for name, (old, _) in changes.items():
                if name != "aasm_state":
                    attributes[name] = old
        return {"data": items, "meta": {"total": len(items), "totalPages": 1, "page": 1}}

    def _list(self, scope: Scope, account: Repository | None) -> Answer:
        lag, newest = self.faults.plan.index_lag_seconds, None
        if lag:
            newest = stamp(datetime.now(UTC) - timedelta(seconds=lag))
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
        client = None if account is None else account.username.lower()
        try:
            base = f"{scope.get('scheme', 'http')}://{host}/dois"
            return json_answer(200, list_dois(self.storage, Query(query(scope)), client, base, newest))
        except ListingError as error:
            return answers.error(400, str(error))

    def _random(self, query: Query, account: Repository | None) -> Answer:
        prefix = query.get("prefix") or (account.prefixes[0] if account else "10.5072")
        size = min(max(query.number("size", 1), 1), 100)
        return json_answer(200, {"dois": [f"{prefix}/{random_suffix()}" for _ in range(size)]})

    def _accounts_route(self, path: str) -> Answer:
        kind, _, name = path.strip("/").partition("/")
        owners = {prefix: account for account in self.settings.repositories for prefix in account.prefixes}
        if kind == "prefixes":
            if name:
                return json_answer(200, {"data": _prefix(name, owners[name])}) if name in owners else answers.error(404)
            return json_answer(200, {"data": [_prefix(prefix, owner) for prefix, owner in owners.items()]})
        account = self._accounts.get(name.lower())
        return answers.error(404) if account is None else json_answer(200, {"data": _repository(account)})

    # The sandbox's own routes, for tests and demonstrations on the same machine

    async def _admin(self, scope: Scope, receive: Receive) -> Answer:
        if not is_local(scope):
            return answers.error(404)
        path, method = scope["path"], scope["method"]
        body = await read_body(receive)
        if path == "/sandbox/faults":
            if method in {"PUT", "POST"}:
                try:
                    self.faults.set(FaultPlan.parse(orjson.loads(body or b"")))
                except ValueError as error:
                    return answers.error(400, str(error))
            elif method == "DELETE":
                self.faults.set(FaultPlan())
            return json_answer(200, {"plan": self.faults.plan.to_json(), "kinds": KINDS})
        if path == "/sandbox/counters":
            counters = {"stored": self.storage.counts(), **self.faults.to_json()}
            if method == "DELETE":
                self.faults.reset()
            return json_answer(200, counters)
        return answers.error(404)


def _prefix(prefix: str, account: Repository) -> dict[str, Any]:
    client = {"id": account.username.lower(), "type": "clients"}
    return {
        "id": prefix,
        "type": "prefixes",
        "attributes": {"registrationAgency": "DataCite"},
        "relationships": {"clients": {"data": [client]}},
    }


def _repository(account: Repository) -> dict[str, Any]:
    return {
        "id": account.username.lower(),
        "type": "repositories",
        "attributes": {
            "name": account.username,
            "symbol": account.username.upper(),
            "clientType": "repository",
            "domains": ",".join(account.domains),
            "isActive": account.active,
        },
        "relationships": {"prefixes": {"data": [{"id": prefix, "type": "prefixes"} for prefix in account.prefixes]}},
    }
