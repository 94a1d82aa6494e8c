"""The wire contract: topics, messages, settings and the connections to the broker."""
