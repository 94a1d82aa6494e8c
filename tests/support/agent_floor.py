"""A folder with logs, a spool, and readers over both: the agent without its connection."""

import json
import threading
from pathlib import Path
from typing import Any

from edge_agent.config import Config, SourceSettings
from edge_agent.reader import Reader
from edge_agent.spool import Spool


class Floor:
    """A folder with logs, a spool, and readers over both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "a.log"
        self.spool = Spool(folder / "spool.db", 10**9)
        self.stop = threading.Event()

    def config(self, **source: Any) -> Config:  # noqa: ANN401
        fields = {"machine_id": "M1", "format": "jsonl", "path": str(self.folder / "*.log*")}
        return Config(source=(SourceSettings(**{**fields, **source}),))

    def reader(self, **source: Any) -> Reader:  # noqa: ANN401
        return Reader(self.config(**source), self.spool, self.stop)

    def bodies(self) -> list[dict[str, Any]]:
        found = self.spool.messages_after("M1", 0, 10_000, 10**9)
        return [json.loads(each.payload) for each in found]

    def refused(self) -> list[tuple[str, bytes]]:
        """Reason and bytes of what was refused, in order."""
        rows = self.spool._file._connection.execute(
            "SELECT reason, content FROM refused ORDER BY id"
        )
        return rows.fetchall()

    def barcodes(self) -> list[str]:
        return [body["barcode"] for body in self.bodies()]

    def again(self, name: str = "spool.db", bytes_max: int = 10**9) -> None:
        """Start anew, as after a crash; with another name the old spool is lost."""
        self.spool.close()
        self.spool = Spool(self.folder / name, bytes_max)
