"""Writing to the sandbox: who may, what is refused, what is stored.

The order of refusals is the service's: credentials, body, ownership, metadata. What a write makes of a record is
`records.py`, what metadata must hold `validation.py`; routes are `app.py`.
"""

import secrets
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from dissco_platform.errors import DoiServiceError
from dissco_platform.sandbox import answers
from dissco_platform.sandbox.answers import Answer, json_answer
from dissco_platform.sandbox.records import Attributes, Record, changed, resource, written
from dissco_platform.sandbox.settings import Repository
from dissco_platform.sandbox.storage import Storage
from dissco_platform.sandbox.validation import doi_errors, metadata_errors, url_errors

_SUFFIX_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


async def write(
    storage: Storage,
    doi: str | None,
    body: bytes,
    account: Repository | None,
    *,
    upsert: bool,
    resolvable: bool,
    publisher_object: bool,
) -> Answer:
    """Create or update a DOI (None: the body names it, or a prefix); POST creates only, PUT and PATCH do both."""
    if account is None:
        return answers.bad_credentials()
    sent = _payload(body)
    if isinstance(sent, Answer):
        return sent
    attributes, owner = sent
    client = account.username.lower()
    if doi is None:
        doi = _named(attributes, account)
        if doi is None:
            return _refused([{"source": "doi", "title": "Can't be blank"}])
    before = storage.get(doi)
    if not account.active or (owner and owner.lower() != client):
        return answers.error(403)
    if before is not None:
        if before.client != client:
            # POST never says whose a taken name is
            return answers.error(403) if upsert else _taken(doi)
        if not upsert:
            return _taken(doi)
    else:
        if errors := doi_errors(doi):
            return _refused(errors)
        if doi.partition("/")[0] not in account.prefixes:
            return answers.error(403)
    after = written(before, doi, client, attributes, _now(), resolvable=resolvable)
    if after.state != "draft" and after is not before:
        errors = url_errors(doi, after.attributes.get("url"), account.domains)
        errors += metadata_errors(doi, after.attributes)
        if errors:
            return _refused(errors)
    try:
        if after is before:
            await storage.count("unchanged")
        else:
            await storage.save(after, changed(before, after), "updated" if before else "created")
    except DoiServiceError as error:
        return answers.error(500, str(error))
    value = {"data": resource(after, publisher_object=publisher_object)}
    if before is not None:
        return json_answer(200, value)
    return json_answer(201, value, (b"location", f"/dois/{doi}".encode()))


async def delete(storage: Storage, doi: str, account: Repository | None) -> Answer:
    """Forget a draft."""
    if account is None:
        return answers.bad_credentials()
    record = storage.get(doi)
    if record is None or not (record.is_public or owns(account, record)):
        return answers.error(404)
    if not owns(account, record) or not account.active:
        return answers.error(403)
    if record.state != "draft":
        return answers.error(405, None, (b"allow", answers.WRITES))
    await storage.delete(doi)
    return Answer(204)


def validate(body: bytes, account: Repository | None) -> Answer:
    """Answer a dry run: 200 with the record or with what would be refused."""
    if account is None:
        return answers.bad_credentials()
    sent = _payload(body)
    if isinstance(sent, Answer):
        return sent
    attributes, _ = sent
    name = attributes.get("doi")
    doi = name.lower() if isinstance(name, str) else f"{account.prefixes[0]}/{random_suffix()}"
    record = written(None, doi, account.username.lower(), attributes, _now(), resolvable=False)
    errors = doi_errors(doi) + url_errors(doi, record.attributes.get("url"), account.domains)
    errors += metadata_errors(doi, record.attributes)
    return json_answer(200, {"errors": errors} if errors else {"data": resource(record)})


def owns(account: Repository | None, record: Record) -> bool:
    """Return whether a record is the account's."""
    return account is not None and record.client == account.username.lower()


def stamp(time: datetime) -> str:
    """Return a time as the service writes it."""
    return time.isoformat(timespec="milliseconds")[:23] + "Z"


def random_suffix() -> str:
    """Return a made-up suffix, `xxxx-xxxx`."""
    letters = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _now() -> str:
    return stamp(datetime.now(UTC))


def _payload(body: bytes) -> tuple[Attributes, str | None] | Answer:
    """Return the attributes and the client named in a request body, or the answer that refuses it."""
    if not body.strip():
        return answers.error(400, answers.NO_PAYLOAD)
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return answers.error(400, str(error))
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(data, dict) or not data:
        return answers.error(400, answers.NO_PAYLOAD)
    attributes = data.get("attributes")
    owner: Any = data.get("relationships")
    for name in ("client", "data", "id"):
        owner = owner.get(name) if isinstance(owner, dict) else None
    return (attributes if isinstance(attributes, dict) else {}, owner if isinstance(owner, str) else None)


def _named(attributes: Attributes, account: Repository) -> str | None:
    """Return the name that a POST asks for: its doi, or a made-up suffix under its prefix."""
    doi, prefix = attributes.get("doi"), attributes.get("prefix")
    if isinstance(doi, str) and doi.strip():
        return doi.strip().replace("\u200b", "").lower()
    if isinstance(prefix, str) and prefix.strip():
        return f"{prefix.strip()}/{random_suffix()}"
    return None


def _refused(errors: list[dict[str, str]]) -> Answer:
    return json_answer(422, {"errors": errors})


def _taken(doi: str) -> Answer:
    return _refused([{"source": "doi", "title": "This DOI has already been taken", "uid": doi}])
