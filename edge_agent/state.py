"""What the agent says of itself: the body of a machine's `state`, and of which release it is."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import orjson

from broker.messages import format_time
from edge_agent.spool import Spool


class Reading(Protocol):
    """What a sender asks of whoever reads the files."""

    def troubles(self, machine_id: str) -> list[str]:
        """Return what a person should know of a machine's files; often empty."""
        ...

    def lag_bytes(self, machine_id: str) -> int:
        """Return how many bytes of a machine's files are not read yet."""
        ...


def facts(
    spool: Spool, reading: Reading, machine_id: str, last_error: str | None
) -> dict[str, Any]:
    """Return the field `agent` of a machine's state.

    Args:
        spool: Its books are asked; a disk read.
        reading: Its troubles come before `last_error`: without reading there is nothing to send.
        machine_id: Whose state it is.
        last_error: Of sending; None when all is well.
    """
    books, troubles = spool.books(machine_id), reading.troubles(machine_id)
    return {
        **versions(),
        "spool_depth": books.depth,
        "spool_bytes": spool.payload_bytes,
        "lag_s": round(spool.lag_s(machine_id), 1),
        "lag_bytes": reading.lag_bytes(machine_id),
        "last_error": troubles[0] if troubles else last_error,
        "read": books.read,
        "refused": books.refused,
        "spooled": books.spooled,
        "receipted": books.receipted,
    }


def state_body(status: str, session: str, agent: Mapping[str, Any] | None = None) -> bytes:
    """Return the JSON of a state, said now.

    Args:
        status: `online` or `offline`.
        session: Another one for each start.
        agent: From `facts`; a last will has none.
    """
    body: dict[str, Any] = {
        "status": status,
        "at": format_time(datetime.now(UTC)),
        "session": session,
    }
    return orjson.dumps({**body, "agent": agent} if agent else body)


@cache
def versions() -> dict[str, str]:
    """Return the releases that matter when something is odd: `version` is the agent's own."""
    return {
        "version": _release("yieldline"),
        "python": platform.python_version(),
        "paho": _release("paho-mqtt"),
        "os": f"{platform.system()} {platform.release()}",
    }


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # it runs from a bare folder
        return "unknown"
