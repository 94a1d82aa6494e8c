"""`yieldline ui` as a process: quick to start, quiet to end, and one sentence for a mistake."""

import re
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.handles import few_handles, handles_of, needs_limits
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync

_KEPT = "public, max-age=31536000, immutable, stale-while-revalidate=31536000"


class WebApp:
    """One process, with nobody at the broker's port and no tables in its database."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        environment = {
            "YIELDLINE_DATABASE__URL": f"sqlite:///{directory / 'yieldline.db'}",
            "YIELDLINE_BROKER__PORT": str(free_port()),
        }
        self.process = Process(
            [YIELDLINE, "ui", "--port", str(self.port)],
            environment=environment,
            directory=directory,
        )

    def status(self, path: str, method: str = "GET") -> int:
        """Return the HTTP status, 0 while nobody answers."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(asked, timeout=5) as found:
                return int(found.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


@pytest.fixture
def web_app(tmp_path: Path) -> Iterator[WebApp]:
    web_app = WebApp(tmp_path)
    yield web_app
    web_app.process.stop()


def test_pages_answer_without_a_broker_and_without_tables(web_app: WebApp) -> None:
    eventually_sync(
        lambda: web_app.status("/healthz") == 200, 20, saw=lambda: web_app.process.output
    )
    assert web_app.status("/") == web_app.status("/", "HEAD") == 200
    assert web_app.status("/docs") == web_app.status("/docs", "HEAD") == 200
    assert web_app.status("/readyz") == 503
    assert "Traceback" not in web_app.process.output


def test_browsers_that_go_away_in_the_middle_of_an_answer_are_no_bug(web_app: WebApp) -> None:
    eventually_sync(lambda: web_app.status("/") == 200, 20, saw=lambda: web_app.process.output)
    with urllib.request.urlopen(f"http://127.0.0.1:{web_app.port}/") as page:
        script = re.search(r'src="(/_nicegui/\S+/nicegui.js)"', page.read().decode())
    assert script
    request = f"GET {script[1]} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
    leaving = [socket.create_connection(("127.0.0.1", web_app.port)) for _ in range(10)]
    for browser in leaving:
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        browser.sendall(request.encode())
    assert web_app.status("/healthz") == 200  # by then theirs are being compressed
    for browser in leaving:
        browser.close()  # with a reset, as a tab that is closed does
    with urllib.request.urlopen(f"http://127.0.0.1:{web_app.port}{script[1]}") as answer:
        assert answer.headers.get_all("cache-control") == [_KEPT]
    assert web_app.process.stop() == 0
    assert "Traceback" not in web_app.process.output


@needs_limits
def test_it_may_open_more_files_than_the_shell_that_started_it(tmp_path: Path) -> None:
    with few_handles() as allowed:
        web_app = WebApp(tmp_path)
    with web_app.process as process:
        process.wait_for("web_app_starting", 30)
        assert handles_of(process.pid) == allowed


@pytest.mark.parametrize("way", ["interrupt", "stop"])
def test_a_signal_ends_it_quickly_and_quietly(web_app: WebApp, way: str) -> None:
    eventually_sync(lambda: web_app.status("/") == 200, 20, saw=lambda: web_app.process.output)
    begun_s = time.monotonic()
    getattr(web_app.process, way)()
    assert web_app.process.wait() == 0
    assert time.monotonic() - begun_s < 6  # what is open is given 3 s
    assert "Traceback" not in web_app.process.output


def test_a_taken_port_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = Process([YIELDLINE, "ui", "--port", port], directory=tmp_path)
        assert process.wait() == 2
    assert process.output.strip() == (
        f"port {port} on 127.0.0.1 cannot be used (Address already in use)."
        " Choose another with --port or YIELDLINE_HTTP__PORT."
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "yieldline users add NAME --role admin"),
        (["--host", "192.0.2.1", "--no-login"], "cannot be used"),
        (["--host", "no.such.name.invalid", "--no-login"], "is no address of this machine"),
        (["--port", "99999"], "http.port"),
        (["--config", "missing.toml"], "missing.toml does not exist"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    process = Process([YIELDLINE, "ui", *arguments], directory=tmp_path)
    assert process.wait(20) == 2
    assert said in process.output
    assert len(process.output.strip().splitlines()) == 1
