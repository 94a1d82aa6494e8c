"""What alembic runs: always on a connection that `service.store.schema` has opened and locked."""

from alembic import context

from service.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.METADATA,
    render_as_batch=True,
    transactional_ddl=True,  # on SQLite too: schema.py begins by hand, so a kill rolls back
)

with context.begin_transaction():
    context.run_migrations()
