"""A plant under random faults, and its books afterwards: `python -m tests.chaos --help`."""
