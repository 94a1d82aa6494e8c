"""Alerts that are sent to people, through a real service and a web hook on loopback."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.raw_mqtt import Sender
from tests.support.waiting import eventually_sync
from tests.support.watching import (
    Brokers,
    Ear,
    Service,
    rows,
    run,
    send,
    watchers_in,
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with watchers_in(tmp_path) as make:
        yield make


class Receiver:
    """A web hook on loopback; answers 500 as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.calls = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls += 1
                is_ok = receiver.calls > failures
                if is_ok:
                    receiver.bodies.append(orjson.loads(body))
                self.send_response(200 if is_ok else 500)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def failing_receiver() -> Iterator[Receiver]:
    made = Receiver(failures=1)
    yield made
    made.close()


def hooks(*ports: int) -> str:
    return orjson.dumps([f"json://hook:secret@127.0.0.1:{port}/" for port in ports]).decode()


def test_a_new_alert_is_notified_once_and_the_password_is_nowhere(
    mosquitto_factory: Brokers,
    start: Callable[..., Service],
    sqlite_url: str,
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    broker = mosquitto_factory()
    (tmp_path / "notify_urls").write_text("\n".join(orjson.loads(hooks(receiver.port, 9))))
    from_file = {"YIELDLINE_ALERTS__NOTIFY_URLS_FILE": "notify_urls"}
    service = start(broker, sqlite_url, YIELDLINE_PLANT__NAME="Plant 7", **from_file)
    service.wait_for("watching")
    send(broker, 4.0, 4.0, 4.0)
    service.wait_for("notification_failed")
    eventually_sync(lambda: len(receiver.bodies) == 1)
    (told,) = receiver.bodies
    assert told["title"] == "Plant 7: critical alert"
    assert told["message"].startswith("critical: vcc failed first in 3 runs in a row at M1.")
    eventually_sync(
        lambda: (
            rows(sqlite_url, "SELECT action FROM alert_event ORDER BY id")
            == [("opened",), ("notified",)]
        )
    )
    assert service.process.stop() == 0
    assert len(receiver.bodies) == 1
    assert "secret" not in service.process.output


def test_a_notification_that_fails_is_tried_again_and_holds_nothing_up(
    mosquitto_factory: Brokers,
    start: Callable[..., Service],
    sqlite_url: str,
    failing_receiver: Receiver,
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url, YIELDLINE_ALERTS__NOTIFY_URLS=hooks(failing_receiver.port))
    with Ear(broker) as ear:
        send(broker, 4.0, 4.0, 4.0)
        service.wait_for("notification_failed")
        ear.wait_for("open")
        eventually_sync(lambda: len(failing_receiver.bodies) == 1, 20)


def test_what_is_less_bad_than_the_settings_say_is_not_notified(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, receiver: Receiver
) -> None:
    broker = mosquitto_factory()
    urls = hooks(receiver.port)
    start(broker, sqlite_url, YIELDLINE_ALERTS__NOTIFY_URLS=urls)
    with Ear(broker) as ear, Sender(broker.port, "machine") as sender:
        sender.send([run(each, 5.0, "SN-1") for each in range(4)])
        (again,) = ear.wait_for("open")
        assert again
        assert (again["kind"], again["severity"]) == ("retests", "minor")
        send(broker, 4.0, 4.0, 4.0)
        eventually_sync(lambda: len(receiver.bodies) == 1, saw=lambda: receiver.bodies)
    assert receiver.bodies[0]["title"] == "Plant: critical alert"
