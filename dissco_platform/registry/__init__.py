"""Identities, versions, states and the outbox, in SQLite (WAL) or PostgreSQL through SQLAlchemy Core.

`tables` is the definition, `migrations` how a database gets there, `engine` opens one; `datasets`, `objects` and
`outbox` are the statements. Rules of the field (when to mint, what is a version) are in `identity`, not here.
"""

from dissco_platform.registry.engine import Registry, open_registry

__all__ = ["Registry", "open_registry"]
