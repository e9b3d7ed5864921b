"""Who may act at the desk: people with a role, known by a random token (its hash is kept) or by an OIDC subject.

`reader` sees everything of the desk; `officer` also decides on applications; `manager` also grants rounds, confirms
disappearances and has refused DOIs sent again. Every action is audited by the pages that offer it.
"""

import hashlib
import re
import secrets

from sqlalchemy import Connection

from dissco_platform.errors import UsageError
from dissco_platform.registry import desk as statements
from dissco_platform.registry.desk import Person
from dissco_platform.registry.engine import now

ROLES = ("reader", "officer", "manager")
"""From the least to the most."""
TOKEN_PREFIX = "dissco_"  # noqa: S105  secret scanners know a token by its beginning
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


def may(role: str, needed: str) -> bool:
    """Say whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(needed)


def add(connection: Connection, name: str, role: str, *, subject: str | None = None, by: str) -> str | None:
    """Add a member of staff, or give them a new token or role; return the token, which is shown this once.

    With an OIDC subject (`issuer subject`) there is no token: they sign in there.

    Raises:
        UsageError: the name or role cannot be one, or the subject is another's.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' cannot name a person here: use lower-case letters, digits, dots and hyphens.")
    if role not in ROLES:
        raise UsageError(f"'{role}' is no role; there are {', '.join(ROLES)}.")
    other = statements.find_person(connection, subject=subject) if subject else None
    if other is not None and other.name != name:
        raise UsageError(f"That subject belongs to {other.name} already.")
    token = None if subject else TOKEN_PREFIX + secrets.token_urlsafe(32)
    hashed = hash_token(token) if token else None
    statements.save_person(connection, name, role=role, token_hash=hashed, subject=subject, revoked=None)
    statements.add_audit(connection, actor=by, action="staff.add", subject=name, details={"role": role})
    return token


def revoke(connection: Connection, name: str, *, by: str) -> None:
    """End a person's access at once, sessions included.

    Raises:
        UsageError: there is no such person.
    """
    if statements.find_person(connection, name=name) is None:
        known = ", ".join(person.name for person in statements.list_people(connection)) or "nobody yet"
        raise UsageError(f"There is no '{name}' among the staff: {known}.")
    statements.save_person(connection, name, revoked=now(), token_hash=None, subject=None)
    statements.add_audit(connection, actor=by, action="staff.revoke", subject=name)


def by_token(connection: Connection, token: str) -> Person | None:
    """Return whom a token belongs to. Tokens are long and random, so a plain hash is enough and looks it up at once."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > 200:
        return None
    return _present(statements.find_person(connection, token_hash=hash_token(token)))


def by_subject(connection: Connection, subject: str) -> Person | None:
    """Return whom an OIDC subject (`issuer subject`) belongs to."""
    return _present(statements.find_person(connection, subject=subject))


def by_session(connection: Connection, name: str, mark: str) -> Person | None:
    """Return the person of a session; a session ends when the token it began with does."""
    person = _present(statements.find_person(connection, name=name))
    return person if person is not None and secrets.compare_digest(session_mark(person), mark) else None


def session_mark(person: Person) -> str:
    """Return what ties a session to the credentials that it began with."""
    return hashlib.sha256(f"{person.token_hash}\0{person.subject}\0{person.created}".encode()).hexdigest()[:24]


def hash_token(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _present(person: Person | None) -> Person | None:
    return person if person is not None and person.revoked is None else None
