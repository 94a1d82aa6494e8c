"""The schema's history, as alembic versions; `service.store.schema` runs them."""
