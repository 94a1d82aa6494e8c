"""Row 24 of the fault matrix: the spool's disk is full, while the agent runs and when it starts."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.edge import line
from tests.support.keeper import query
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON, Process
from tests.support.services import Service
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import eventually_sync

_BARCODES = "SELECT u.barcode FROM run r JOIN unit u ON u.id = r.unit_id"
_SETTINGS = """
[agent]
poll_s = 0.05
spool_file = "{disk}/spool.db"
[broker]
port = {port}
retry_delay_max_s = 0.3
[[source]]
machine_id = "FCT-12"
line = "L1"
format = "jsonl"
path = "a.log"
"""


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(8) as made:
        yield made


class Station:
    """A log on a disk with room, and an agent whose spool is on one without."""

    def __init__(self, folder: Path, disk: SmallDisk, port: int) -> None:
        self._config, self._log = folder / "agent.toml", folder / "a.log"
        self._config.write_text(_SETTINGS.format(disk=disk.folder, port=port), "utf-8")
        self.line_count = 0

    def write(self, count: int) -> None:
        with self._log.open("ab") as log:
            log.writelines(line(self.line_count + each) for each in range(count))
        self.line_count += count

    def start(self, *options: str) -> Process:
        return Process([PYTHON, "-m", "edge_agent", "run", "--config", self._config, *options])


def test_an_agent_whose_disk_is_full_waits_and_goes_on_also_when_it_is_started_then(
    tmp_path: Path,
    disk: SmallDisk,
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    sqlite_url: str,
) -> None:
    broker = mosquitto_factory()
    start_service(broker.port, sqlite_url).wait_until("connected")
    station = Station(tmp_path, disk, broker.port)

    def all_once() -> bool:
        wanted = {f"S{number}": 1 for number in range(station.line_count)}
        return Counter(barcode for (barcode,) in query(sqlite_url, _BARCODES)) == wanted

    def waits(agent: Process) -> None:
        agent.wait_for("reading_waits", 20)
        station.write(100)
        looked_at = time.monotonic()
        eventually_sync(lambda: time.monotonic() - looked_at > 1)
        assert agent.exit_code is None, agent.output
        assert not all_once(), "there is no room to remember what was read"

    station.write(100)
    with station.start() as agent:
        eventually_sync(all_once, 30, saw=lambda: agent.output)
        disk.fill()
        station.write(100)
        waits(agent)
        disk.make_room()
        eventually_sync(all_once, 30, saw=lambda: agent.output)
        assert agent.stop() == 0
    disk.fill()
    with station.start("--once") as agent:
        assert agent.wait(20) == 1
        assert "Free some space" in agent.output
    with station.start() as agent:
        waits(agent)
        disk.make_room()
        eventually_sync(all_once, 30, saw=lambda: agent.output)
        assert agent.stop() == 0
