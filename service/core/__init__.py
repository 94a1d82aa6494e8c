"""Decode, judge and describe results. Pure: no I/O, no clock, no await, no logging."""
