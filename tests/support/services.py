"""`yieldline broker`, `service` and `ui` as processes of their own: what they log and answer."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.ports import free_port, listens
from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync


class OwnBroker:
    """Mosquitto as `yieldline broker` sets it up, started at once, on `port` until `close`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it on the same port and folder as ever, and wait until it listens."""
        words = ["--broker", "mosquitto", "--port", str(self.port), "--data-dir", "broker"]
        self.process = Process([YIELDLINE, "broker", *words], directory=self._folder)
        eventually_sync(lambda: listens(self.port), 20, saw=lambda: self.process.output)

    def kill(self) -> None:
        """End it as a power cut would: the command has become Mosquitto itself."""
        self.process.kill()

    def close(self) -> None:
        """End it in good order."""
        self.process.stop()


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


class WebApp:
    """One web app on a free port, on a broker and a database."""

    def __init__(self, folder: Path, broker_port: int, database_url: str) -> None:
        self.port = free_port()
        environment = {
            "YIELDLINE_BROKER__PORT": str(broker_port),
            "YIELDLINE_BROKER__RETRY_DELAY_MAX_S": "0.5",
            "YIELDLINE_DATABASE__URL": database_url,
            "YIELDLINE_HTTP__PORT": str(self.port),
        }
        self.process = Process([YIELDLINE, "ui"], environment=environment, directory=folder)

    def stream(self, path: str) -> Any:  # noqa: ANN401 - what urllib returns
        """Return an answer that goes on: a context, and an iterable of lines."""
        return _opener().open(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and body."""
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            with _opener().open(url, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def becomes(self, status: int, timeout_s: float) -> dict[str, Any]:
        """Wait until /readyz says so; return its body."""

        def said() -> dict[str, Any]:
            try:
                found, body = self.ask("/readyz")
            except OSError as error:
                raise AssertionError(str(error)) from error
            assert found == status, body
            return body

        return eventually_sync(said, timeout_s, saw=lambda: self.process.output)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
