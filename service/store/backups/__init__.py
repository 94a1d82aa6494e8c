"""A whole database as one file: taken while services write, put back all or nothing."""
