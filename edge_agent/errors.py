"""The agent's own error beside those of `broker.errors`. Pure: no I/O."""

from broker.errors import YieldlineError


class NotDone(YieldlineError):  # noqa: N818 - the name states the fact
    """The work ended before all of it was done; nothing is lost. Exit 1."""
