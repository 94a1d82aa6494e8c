"""`yieldline health` in words: what is wrong, and what to do."""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from broker.authority import Authority
from broker.errors import StoreUnavailable
from broker.link import Connection
from broker.live import COUNTERS, DROPPED
from broker.messages import Severity
from broker.settings import Settings
from service import health
from service.__main__ import app
from service.core.alerts import AlertKind, Finding, Subject
from service.pulse import Pulse
from service.store.alerts import open_alert
from service.store.audit import Change, record
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.raw_mqtt import Sender
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui.meter import AgentWord, FeedFacts

HANGS = "the database has not answered for "


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


@asynccontextmanager
async def web_of(
    url: str, broker_port: int, *, no_login: bool = False, **broker: object
) -> AsyncIterator[Web]:
    settings = {
        "broker": {
            "port": broker_port,
            "retry_delay_max_s": 0.2,
            "connect_timeout_s": 1,
            **broker,
        },
        "database": {"url": url},
        "http": {"no_login": no_login},
    }
    async with serving(Settings.model_validate(settings)) as web:
        yield web


async def said_of(web: Web) -> tuple[bool, list[str]]:
    return await asyncio.to_thread(health.ask, f"http://127.0.0.1:{web.port}/")


def report(stored: Stored, *, looked_s_ago: float | None = 1.0) -> None:
    """Let a service say that it is well; and when it last looked for alerts."""
    now = datetime.now(UTC)
    pulse = Pulse()
    if looked_s_ago is not None:
        pulse.looked_at = now - timedelta(seconds=looked_s_ago)
    facts: dict[str, Any] = {"connected": True, **pulse.facts()}
    stored.writer.report(orjson.dumps(facts).decode(), now)


def test_the_port_of_the_settings_is_asked_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, other = free_port(), free_port()
    file = tmp_path / "yieldline.toml"
    file.write_text(f'[http]\nhost = "0.0.0.0"\nport = {port}\nno_login = true\n', "utf-8")
    monkeypatch.setenv("YIELDLINE_CONFIG", str(file))
    for words, url in {
        ("health",): f"http://127.0.0.1:{port}",
        ("health", "--url", f"http://localhost:{other}"): f"http://localhost:{other}",
    }.items():
        done = CliRunner().invoke(app, words)
        assert (done.exit_code, done.output.partition(" ")[0]) == (1, url)


async def test_what_is_wrong_is_said_with_what_to_do(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory()
    stored.save(run_message("A"))
    async with web_of(stored.url, broker.port) as web:
        await eventually(lambda: web.state.live.connected)
        report(stored)
        is_well, (said,) = await said_of(web)
        assert (is_well, said.endswith(": everything works.")) == (True, True)

        report(stored, looked_s_ago=100)  # the watcher is dead
        ready = await web.get("/readyz")
        assert ready.status_code == 200, "results flow all the same"
        assert not ready.json()["checks"]["watcher"]["ok"]
        is_well, (said,) = await said_of(web)
        assert not is_well
        assert said.startswith("nobody has looked for alerts for 10")
        assert "look at its log for what holds it up, and restart it." in said

        report(stored)  # the books do not balance
        counts = {"read": 5, "refused": 1, "spooled": 3, "receipted": 1}
        web.state.agent_of = lambda _: counts
        is_well, (said,) = await said_of(web)
        assert not is_well
        assert said.startswith(
            "the books of M1 do not balance: 1 record is missing between the log"
        )
        assert (await web.get("/readyz")).json()["warnings"] == [said]
        assert "yieldline_books_difference 1.0" in (await web.get("/metrics")).text

        broker.kill()  # the broker is away, and the books are as they were
        await eventually(lambda: not web.state.live.connected)
        is_well, sentences = await said_of(web)
        assert not is_well
        assert sentences[0].startswith(f"broker 127.0.0.1:{broker.port} is away since ")
        assert "Is it running? Check YIELDLINE_BROKER__HOST" in sentences[0]
        assert sentences[1:] == [said]


def test_an_address_without_its_scheme_is_http() -> None:
    place = f"127.0.0.1:{free_port()}"
    is_well, (said,) = health.ask(place)
    assert not is_well
    assert said.startswith(f"http://{place} does not answer (")
    assert "refused" in said


async def test_a_database_that_is_away_is_said(mosquitto: Mosquitto) -> None:
    port = free_port()
    async with web_of(f"postgresql://yl:secret@127.0.0.1:{port}/yl", mosquitto.port) as web:
        await eventually(lambda: web.state.live.connected)
        is_well, (said,) = await said_of(web)
        assert not is_well
        assert said.startswith(f"database postgresql://yl:***@127.0.0.1:{port}/yl is away: ")
        assert said.endswith("Check YIELDLINE_DATABASE__URL.")
        assert "secret" not in said


async def test_a_database_that_hangs_is_said_before_whoever_asks_gives_up(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.access.access._FIRST_READ_S", 0.2)
    monkeypatch.setattr("ui.asking.WAIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nobody ever answers there
        url = f"postgresql://yl@127.0.0.1:{silent.getsockname()[1]}/yl"
        async with web_of(url, mosquitto.port, no_login=True) as web:
            await eventually(lambda: web.state.live.connected)
            assert "yieldline_database_up 0.0" in (await web.get("/metrics")).text
            is_well, (said,) = await said_of(web)
            assert not is_well
            assert said.startswith(HANGS)
            assert said.endswith(" s. Is it overloaded?")


async def test_a_database_that_hangs_holds_one_thread_however_often_probes_ask(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, web: Web
) -> None:
    monkeypatch.setattr("ui.asking.WAIT_S", 0.1)
    asked, may_answer = [], threading.Event()

    def hang(name: str) -> None:
        asked.append(name)
        assert may_answer.wait(30)
        raise StoreUnavailable("the database is away.")

    monkeypatch.setattr("ui.api.health.is_current", lambda _: hang("/readyz"))
    monkeypatch.setattr("ui.api.prometheus.services", lambda *_: hang("/metrics"))
    try:
        for _ in range(4):
            said = (await web.get("/readyz")).json()["reasons"]
            assert said[-1].startswith(HANGS)
            assert "yieldline_database_up 0.0" in (await web.get("/metrics")).text
    finally:
        may_answer.set()
    assert asked == ["/readyz", "/metrics"]
    monkeypatch.undo()
    report(stored)

    async def is_well() -> bool:
        checks = (await web.get("/readyz")).json()["checks"]
        return checks["database"]["ok"] and checks["service"]["ok"]

    await eventually(is_well)
    assert "yieldline_database_up 1.0" in (await web.get("/metrics")).text


async def test_a_certificate_that_ends_soon_is_said_while_it_is_good(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    papers = tmp_path / "papers"
    Authority(papers).create(["127.0.0.1"], days=20, ca_days=40)
    names = {"cafile": "ca.crt", "certfile": "broker.crt", "keyfile": "broker.key"}
    lines = [f"{name} {papers / file}" for name, file in names.items()]
    broker = mosquitto_factory(extra=[*lines, "require_certificate true"])
    report(stored)
    own = {"cert_file": papers / "yieldline-ui.crt", "key_file": papers / "yieldline-ui.key"}
    tls = {"tls": True, "ca_file": papers / "ca.crt", **own}
    async with web_of(stored.url, broker.port, **tls) as web:
        await eventually(lambda: web.state.live.connected and web.state.certificates.ends)
        is_well, (said,) = await said_of(web)
        assert not is_well
        assert said.startswith("the certificate of the broker is valid for 19 more days, until 20")
        text = (await web.get("/metrics")).text
    for whose in ("broker", "client"):
        assert f'yieldline_certificate_end_timestamp_seconds{{whose="{whose}"}} 1.' in text


async def test_messages_that_the_broker_gives_up_are_said_while_it_does(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory(extra=["max_queued_messages 2", "max_inflight_messages 1"])
    report(stored)
    async with web_of(stored.url, broker.port) as web:
        await eventually(lambda: web.state.counters.counters.get(DROPPED) == "0")
        away = Connection(web.state.settings.broker, "away", clean_session=False)
        await away.open()
        await away.subscribe("factory/#")
        await away.close()  # its session stays, and its queue fills
        with Sender(broker.port, "plc") as plc:
            plc.send([("factory/v1/L1/M1/test", b"{}")] * 9)
        await eventually(lambda: web.state.counters.dropped_at is not None)
        report(stored)
        is_well, (said,) = await said_of(web)
        assert not is_well
        assert said.startswith("The broker gave up messages ")
        assert "raise max_queued_messages" in said


async def test_nobody_at_the_url_is_said() -> None:
    is_well, (said,) = await asyncio.to_thread(health.ask, f"http://127.0.0.1:{free_port()}")
    assert not is_well
    assert said.endswith("Is `yieldline up` running there?")


# -- the dashboard ---------------------------------------------------------------------------------

DEPLOY = Path(__file__).parents[2] / "docs/deploy"
DASHBOARD = DEPLOY / "grafana-yieldline.json"
ALERTS = DEPLOY / "yieldline-alerts.yml"
_NAME = re.compile(r"\b(?:yieldline|process|python)_\w+")
_LABELS = re.compile(r"(?:by|on) \(([^)]*)\)|\{\{ *\$?(?:labels\.)?(\w+) *\}\}|[{,] *(\w+)=")
_OF_PROMETHEUS = {"instance", "job", "le"}


def queries() -> list[tuple[str, str]]:
    """Return every query of the dashboard and of the alert rules, and the words beside it."""
    panels = orjson.loads(DASHBOARD.read_bytes())["panels"]
    targets = [target for panel in panels for target in panel["targets"]]
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [(each["expr"], each["legendFormat"]) for each in targets] + [
        (each["expr"], each["annotations"]["summary"]) for each in group["rules"]
    ]


async def test_dashboard_and_alert_rules_ask_only_for_metrics_that_are_there(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory()  # one that has run for a minute says what stays the same no more
    stored.save(run_message("A"))
    report(stored)
    finding = Finding(AlertKind.SILENT, "silent/M1", Subject("M1"), "L1", Severity.MAJOR, "M1.")
    now = datetime.now(UTC)
    with stored.database.changing() as connection:
        open_alert(connection, finding, "factory/v1/L1/M1/alert", now, notify=False)
        record(connection, Change("ann", "backup", "a.db", "", {"ok": True}), now)
    async with web_of(stored.url, broker.port) as web:
        await eventually(lambda: len(web.state.counters.counters) == len(COUNTERS), 30)
        word = AgentWord(
            "M1", "L1", "live", {"spool_depth": 3, "lag_s": 0.5}, now.timestamp(), is_offline=False
        )
        web.state.feed_facts = lambda: FeedFacts(agents=[word])
        web.state.certificates.ends = {"broker": now + timedelta(days=90)}
        text = (await web.get("/metrics")).text
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    names = {each.name for each in samples}
    labels = {label for each in samples for label in each.labels} | _OF_PROMETHEUS
    for expression, words in queries():
        asked = set(_NAME.findall(expression))
        assert asked or expression.startswith('up{job="yieldline"}')
        assert asked <= names, expression
        said = f"{expression} {words}"
        used = {
            each.strip() for found in _LABELS.findall(said) for each in ",".join(found).split(",")
        }
        assert used - {"", "value"} <= labels, said
    ours = {
        each for each in names if each.startswith("yieldline_") and not each.endswith("_bucket")
    }
    shown = {each for expression, _ in queries() for each in _NAME.findall(expression)}
    left_out = {re.sub(r"_(sum|count)$", "_bucket", each) for each in ours} - shown
    assert not left_out, "is it worth a panel?"


def test_alert_rules_say_what_is_wrong_and_what_to_do_and_each_is_tried() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    tries = (DEPLOY / "yieldline-alerts.test.yml").read_text("utf-8")
    guide = (DEPLOY / "README.md").read_text("utf-8")
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert all(each.endswith(".") for each in rule["annotations"].values()), rule["alert"]
        assert re.search(rf"\b{rule['alert']}\b", tries), rule["alert"]
    assert {f"({each.name})" for each in (DASHBOARD, ALERTS)} <= set(re.findall(r"\(\S+\)", guide))


def test_the_panels_of_the_dashboard_are_as_grafana_wants_them_and_do_not_overlap() -> None:
    board = orjson.loads(DASHBOARD.read_bytes())
    panels, (source,) = board["panels"], board["templating"]["list"]
    assert (source["type"], source["name"], source["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert board["schemaVersion"] >= 36, "from then on a data source is an object"
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        parts = [panel, *panel["targets"]]
        assert {each["datasource"]["uid"] for each in parts} == {"${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"] in {"short", "none", "s", "cps", "bytes"}
        letters = [each["refId"] for each in panel["targets"]]
        assert letters == list("ABCDEF"[: len(letters)])
    for expression, _ in queries():
        for name in re.findall(r"(\w+_bucket)", expression):
            assert re.search(rf"by \([^)]*\ble\b[^)]*\) \(rate\({name}\[", expression)
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
