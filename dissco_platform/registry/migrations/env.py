"""Alembic's entry: runs on the connection that `engine.upgrade` opened and locked."""

from alembic import context

from dissco_platform.registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
