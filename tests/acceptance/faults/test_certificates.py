"""A certificate has expired: the date is said, and a renewed one needs no restart (row 42)."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.authority import Authority
from tests.acceptance.faults.conftest import StartService
from tests.support.edge import line
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON, Process
from tests.support.waiting import eventually_sync

MACHINE_ID = "FCT-12"
ACL = Path(__file__).parents[3] / "docs/deploy/mosquitto.acl"


def broker_lines(papers: Path) -> list[str]:
    return [
        f"cafile {papers}/ca.crt",
        f"certfile {papers}/broker.crt",
        f"keyfile {papers}/broker.key",
        "require_certificate true",
        "use_identity_as_username true",
    ]


def tls(papers: Path, name: str) -> dict[str, str]:
    return {
        "YIELDLINE_BROKER__TLS": "true",
        "YIELDLINE_BROKER__CA_FILE": f"{papers}/ca.crt",
        "YIELDLINE_BROKER__CERT_FILE": f"{papers}/{name}.crt",
        "YIELDLINE_BROKER__KEY_FILE": f"{papers}/{name}.key",
    }


class Station:
    """An agent beside one log file, that shows its certificate."""

    def __init__(self, folder: Path, port: int, papers: Path) -> None:
        self._config, self._environment = folder / "agent.toml", tls(papers, MACHINE_ID)
        (folder / "a.log").write_bytes(line(1))
        self._config.write_text(
            f"[agent]\npoll_s = 0.05\n[broker]\nport = {port}\nretry_delay_max_s = 0.3\n"
            "[[source]]\n"
            f'machine_id = "{MACHINE_ID}"\nline = "L1"\nformat = "jsonl"\npath = "*.log"\n',
            "utf-8",
        )

    def start(self, command: str) -> Process:
        words = [PYTHON, "-m", "edge_agent", command, "--config", self._config]
        return Process(words, environment=self._environment)

    def check(self) -> str:
        with self.start("check") as process:
            process.wait(60)
            return process.output


def stored(folder: Path) -> int:
    """Count rows, past all of our queries."""
    with sqlite3.connect(folder / "yieldline.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM run").fetchone()
    connection.close()
    return int(count)


@pytest.mark.slow
def test_an_expired_certificate_is_said_with_its_date_and_a_renewed_one_needs_no_restart(
    tmp_path: Path,
    sqlite_url: str,
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: StartService,
) -> None:
    papers = tmp_path / "papers"
    authority = Authority(papers)
    authority.create(["127.0.0.1"], days=30, ca_days=30)
    authority.issue([MACHINE_ID], days=-1)
    authority.renew(["broker"], days=-1)
    expired = f"expired on {datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    broker = mosquitto_factory(acl=ACL.read_text("utf-8"), extra=broker_lines(papers))

    service = start_service(broker.port, sqlite_url, **tls(papers, "yieldline-service"))
    reason = str(service.wait_until("broker_lost")["reason"])
    assert f"the certificate of broker 127.0.0.1:{broker.port} is not trusted" in reason
    assert expired in reason
    station = Station(tmp_path, broker.port, papers)
    said = station.check()
    assert f"FAIL  our certificate {papers}/{MACHINE_ID}.crt {expired}" in said

    authority.renew(["broker"], days=20)
    broker.reload()
    service.wait_until("connected")
    with station.start("run") as agent:
        agent.wait_for(expired, 30)
        authority.renew([MACHINE_ID], days=20)
        eventually_sync(lambda: stored(tmp_path) == 1, 30, saw=lambda: agent.output)
    said = station.check()
    assert "FAIL" not in said
    assert f"warn  certificate {papers}/{MACHINE_ID}.crt: valid until" in said
    assert "19 days from now. Put a renewed one in its place." in said
