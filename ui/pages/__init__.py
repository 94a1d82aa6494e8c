"""The pages, one module each: `register(feed)` adds it."""
