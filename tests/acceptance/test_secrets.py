"""The product at a plant's broker, each part with its secrets: no log and no argument shows one.

Service, web app and an agent with its certificate, over TLS, from a log line to the row.
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pydantic import SecretStr

from broker.sections import DatabaseSettings
from service.commands.roles import Role, Scope
from service.commands.tokens import create_token
from service.commands.users import add_user
from service.store.database import Database
from service.store.schema import upgrade
from tests.support.edge import line
from tests.support.mosquitto import EXECUTABLE
from tests.support.plant_broker import MACHINE, Plant
from tests.support.ports import free_port
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.product import measurement
from tests.support.waiting import eventually_sync

pytestmark = [
    pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed"),
    pytest.mark.postgres,
    pytest.mark.slow,
]

DATABASE_WORD, ANNS_WORD, HOOK_WORD = "d4tabase-s3cret", "anns-l0ng-s3cret", "h00k-s3cret"
WRONG_WORD, WRONG_TOKEN = "a-wr0ng-s3cret", "yl_wr0ngwr0ngwr0ngwr0ngwr0ngwr0ngwr0ngwr0ng"


class Product:
    """Service, web app and agent, each given its secrets in another way."""

    def __init__(self, folder: Path, plant: Plant, database_url: str) -> None:
        self.folder, self.plant = folder, plant
        self.database_url = database_url.replace("postgres@", f"postgres:{DATABASE_WORD}@")
        assert DATABASE_WORD in self.database_url
        (folder / "database_url").write_text(self.database_url, "utf-8")
        self.started: list[Process] = []
        self.said: list[str] = []
        """What commands printed on stderr, and answers of the web app: none may hold a secret."""
        self.common = {
            "YIELDLINE_BROKER__TLS": "true",
            "YIELDLINE_BROKER__CA_FILE": str(plant.secrets / "ca.crt"),
            "YIELDLINE_LOG__LEVEL": "debug",
            "YIELDLINE_DATABASE__URL": self.database_url,
        }
        self.token = self._let_in_ann()
        self.http_port = free_port()

    def _let_in_ann(self) -> str:
        """Make a user and a token; returns the token."""
        database = Database(DatabaseSettings(url=SecretStr(self.database_url)))
        upgrade(database)
        by: dict[str, Any] = {"actor": "test", "now": datetime.now(UTC)}
        add_user(database, "ann", Role.ADMIN, ANNS_WORD, **by)
        token, _ = create_token(database, "all", Scope.ADMIN, days=1, **by)
        database.dispose()
        return token

    def yieldline(self, *words: str, **environment: str) -> str:
        ended = subprocess.run(
            [YIELDLINE, *words],
            check=False,
            cwd=self.folder,
            env={**_bare(), **self.common, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.said.append(ended.stderr)
        return ended.stdout

    def start(self) -> None:
        broker, plant = "YIELDLINE_BROKER__", self.plant
        self._start(
            [YIELDLINE, "service"],
            {
                f"{broker}PORT": str(plant.by_password),
                f"{broker}USERNAME": "yieldline-service",
                f"{broker}PASSWORD_FILE": str(plant.password_file("yieldline-service")),
                "YIELDLINE_ALERTS__NOTIFY_URLS": f'["json://ann:{HOOK_WORD}@127.0.0.1:9/"]',
            },
        )
        self._start(
            [YIELDLINE, "ui", "--port", str(self.http_port)],
            {
                f"{broker}PORT": str(plant.by_password),
                f"{broker}USERNAME": "yieldline-ingest",
                f"{broker}PASSWORD": plant.password_of("yieldline-ingest"),
                "YIELDLINE_DATABASE__URL": None,
                "YIELDLINE_DATABASE__URL_FILE": "database_url",
            },
        )
        papers = plant.secrets / MACHINE
        (self.folder / "a.log").write_bytes(line(1))
        (self.folder / "agent.toml").write_text(
            f"[broker]\nport = {plant.by_certificate}\ntls = true\n"
            f'ca_file = "{plant.secrets}/ca.crt"\n'
            f'cert_file = "{papers}.crt"\nkey_file = "{papers}.key"\n[[source]]\n'
            f'machine_id = "{MACHINE}"\nline = "L1"\nformat = "jsonl"\npath = "*.log"\n',
            "utf-8",
        )
        self._start([PYTHON, "-m", "edge_agent", "run", "--config", "agent.toml"], {})

    def _start(self, command: list[str], environment: dict[str, str | None]) -> None:
        variables = {**self.common, **environment}
        self.started.append(Process(command, environment=variables, directory=self.folder))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        url = f"http://127.0.0.1:{self.http_port}{path}"
        answer = httpx.request(method, url, trust_env=False, timeout=20, **more)
        self.said.append(answer.text)
        return answer

    def by_token(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        return self.ask(method, path, headers={"Authorization": f"Bearer {self.token}"}, **more)

    def command_lines(self) -> str:
        found = [psutil.Process(each.pid) for each in self.started]
        found += [child for each in found for child in each.children(recursive=True)]
        return "\n".join(" ".join(each.cmdline()) for each in found)

    def secrets(self) -> dict[str, str]:
        plant = self.plant
        return {
            "password of the database": DATABASE_WORD,
            "password of a user": ANNS_WORD,
            "token": self.token,
            "web hook": HOOK_WORD,
            "wrong password": WRONG_WORD,
            "wrong token": WRONG_TOKEN,
            "key of logins": (self.folder / "data/session.key").read_bytes().hex(),
            **{name: plant.password_of(name) for name in ("yieldline-service", "yieldline-ingest")},
        }


def _bare() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def product(
    tmp_path: Path, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    plant = Plant(tmp_path_factory.mktemp("plant"))
    product = Product(tmp_path, plant, postgres_url)
    yield product
    for process in (*product.started, plant.process):
        process.kill()


def test_secrets_are_in_no_log_no_answer_and_no_argument(product: Product) -> None:
    product.start()
    eventually_sync(lambda: is_ready(product), 40, saw=lambda: product.said[-1])

    assert product.by_token("POST", "/ingest", json=measurement("S-2", "PLC-7")).status_code == 202
    eventually_sync(lambda: stored(product) == {MACHINE, "PLC-7"}, 20, saw=lambda: product.said[-1])

    wrong = {"Authorization": f"Bearer {WRONG_TOKEN}"}
    assert product.ask("GET", "/api/v1/results", headers=wrong).status_code == 401
    page = {"Origin": f"http://127.0.0.1:{product.http_port}"}
    for word in (WRONG_WORD, ANNS_WORD):
        answer = product.ask("POST", "/login", data={"user": "ann", "password": word}, headers=page)
    assert "set-cookie" in answer.headers
    settings = product.by_token("GET", "/api/v1/system").text
    assert "password_file" in settings

    for mistake in (
        {
            "YIELDLINE_BROKER__PORT": str(product.plant.by_password),
            "YIELDLINE_BROKER__USERNAME": "yieldline-service",
            "YIELDLINE_BROKER__PASSWORD": WRONG_WORD,
        },
        {"YIELDLINE_DATABASE__URL": f"{product.database_url}-that-is-not-there"},
    ):
        product.yieldline("service", **mistake)
        assert "refuse" in product.said[-1]

    everything = {process.command[1]: process.output for process in product.started}
    everything["answers and sentences"] = "\n".join(product.said)
    everything["arguments"] = product.command_lines()
    assert everything["arguments"].count("yieldline") >= 2
    for what, secret in product.secrets().items():
        assert len(secret) > 8, what
        for where, text in everything.items():
            assert secret not in text, f"the {what} is in: {where}"


def is_ready(product: Product) -> bool:
    assert all(each.exit_code is None for each in product.started), product.started[0].output
    try:
        return product.ask("GET", "/readyz").status_code == 200
    except httpx.HTTPError as error:
        product.said.append(str(error))
        return False


def stored(product: Product) -> set[str]:
    items = json.loads(product.by_token("GET", "/api/v1/results").text)["items"]
    return {each["machine_id"] for each in items}
