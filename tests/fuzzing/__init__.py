"""Parsers under made-up input, guided by coverage: `python -m tests.fuzzing --help`."""
