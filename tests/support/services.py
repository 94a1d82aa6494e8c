"""`yieldline service` as its own process, whose log lines are read."""

import json
from pathlib import Path
from typing import Any

from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync


class Service:
    """One service in a folder of its own; it waits half a second at most for what is away.

    Args:
        folder: Where it runs.
        broker_port: Of the broker, or of a proxy in front of it.
        database_url: Where it stores.
        environment: More settings, as variables.
    """

    def __init__(
        self, folder: Path, broker_port: int, database_url: str, **environment: str
    ) -> None:
        self.process = Process(
            [YIELDLINE, "service"],
            environment={
                "YIELDLINE_BROKER__PORT": str(broker_port),
                "YIELDLINE_BROKER__RETRY_DELAY_MAX_S": "0.5",
                "YIELDLINE_DATABASE__URL": database_url,
                "YIELDLINE_SERVICE__RETRY_DELAY_MAX_S": "0.5",
                "YIELDLINE_LOG__JSON_LINES": "true",
                **environment,
            },
            directory=folder,
        )

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what it has logged under a name."""
        lines = [line for line in self.process.output.splitlines() if line.startswith("{")]
        return [each for each in map(json.loads, lines) if each["event"] == name]

    def wait_until(self, event: str, count: int = 1, timeout_s: float = 20) -> dict[str, Any]:
        """Wait until it has logged an event so often; return the last."""

        def logged() -> bool:
            assert len(self.events(event)) >= count, f"ended ({self.process.exit_code})"
            return True

        eventually_sync(logged, timeout_s, saw=lambda: self.process.output)
        return self.events(event)[-1]

    def sentence(self) -> str:
        """Return what it says last when it ends with 2; fail if it is more than one line."""
        assert self.process.wait(20) == 2, self.process.output
        lines = [line for line in self.process.output.splitlines() if not line.startswith("{")]
        assert len(lines) == 1, lines
        return lines[0]
