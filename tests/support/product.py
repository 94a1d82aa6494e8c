"""The whole product as a person starts it, and messages for it."""

import json
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.ports import free_port, listens
from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync

STALE_AFTER_S = 5
RULES = Path(__file__).parents[2] / "rules.toml"


class Product:
    """`yieldline up` on ports and in a folder of its own; machines are stale after 5 s."""

    def __init__(self, folder: Path) -> None:
        self.http_port, self.mqtt_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.database_url = f"sqlite:///{folder / 'data' / 'yieldline.db'}"
        ports = ("--http-port", str(self.http_port), "--mqtt-port", str(self.mqtt_port))
        environment = {
            "YIELDLINE_PLANT__STALE_AFTER_S": str(STALE_AFTER_S),
            "YIELDLINE_PLANT__TIME_ZONE": "Europe/Berlin",
            "YIELDLINE_RULES__FILE": str(RULES),
        }
        self.process = Process(
            [YIELDLINE, "up", "--no-demo", "--data-dir", folder / "data", *ports],
            environment=environment,
            directory=folder,
        )
        eventually_sync(self._is_ready, 40, saw=lambda: self.process.output)

    def _is_ready(self) -> bool:
        assert self.process.exit_code is None, self.process.output
        if not listens(self.http_port):
            return False
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                return True
        except OSError:
            return False

    def post(self, *messages: dict[str, Any], token: str = "") -> None:
        """POST /ingest; with a token, where there are users."""
        body = json.dumps(messages if len(messages) > 1 else messages[0]).encode()
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"{self.url}/ingest", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 202


def measurement(barcode: str, machine_id: str, **changes: object) -> dict[str, Any]:
    """Return a flat measurement of now, good by the rules, but for the changes."""
    return {
        "barcode": barcode,
        "machine_id": machine_id,
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": 85.5,
        "timestamp": datetime.now(UTC).isoformat(),
        **changes,
    }
