"""Runs and measurements as files, written while they are read: memory does not grow with them."""
