"""Tables, writer and queries: the only place with SQL."""
