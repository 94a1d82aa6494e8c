"""The edge agent: a log line reaches the service once, or is still on this disk."""
