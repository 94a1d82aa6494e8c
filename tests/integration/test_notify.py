"""What people are told of alerts: mail through Apprise, to a server on this machine."""

import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_string

import pytest

from broker.messages import AlertState, Severity
from broker.settings import Settings
from service.core.alerts import AlertKind, AlertRecord, Subject
from service.notify import Notifier, wording

_ANSWERS = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}
ALERT = AlertRecord(
    1,
    "key",
    AlertKind.STEP_REPEATS,
    Severity.CRITICAL,
    Subject("M1"),
    "L1",
    "factory/v1/L1/M1/alert",
    "<a href='http://evil.example'>log in</a> failed first\nwarning: nothing at all\x1b[2J.",
    (),
    AlertState.OPEN,
    datetime(2026, 11, 25, tzinfo=UTC),
)


class Post(socketserver.ThreadingTCPServer):
    """A mail server that takes everything, one word of SMTP at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.letters: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Talk(socketserver.StreamRequestHandler):
    server: Post

    def handle(self) -> None:
        self._say(b"220 here")
        for line in self.rfile:
            word = line[:4].upper()
            self._say(_ANSWERS.get(word, b"250 fine"))
            if word == b"QUIT":
                return
            if word == b"DATA":
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.letters.append(b"".join(lines).decode())
                self._say(b"250 taken")

    def _say(self, words: bytes) -> None:
        self.wfile.write(words + b"\r\n")


@pytest.fixture
def post() -> Iterator[Post]:
    with Post() as post:
        yield post
        post.shutdown()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise's import of it
async def test_what_a_machine_calls_a_step_is_no_markup_in_a_mail(post: Post) -> None:
    port = post.server_address[1]
    url = f"mailto://127.0.0.1:{port}?from=line@plant.example&to=ann@plant.example&mode=insecure"
    notifier = Notifier(Settings.model_validate({"alerts": {"notify_urls": [url]}}))
    assert await notifier.tell([ALERT])
    (letter,) = post.letters
    mail = message_from_string(letter)
    assert mail.get_content_type() == "text/plain"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert b"<a href='http://evil.example'>log in</a> failed first warning: " in body


def test_an_alert_is_one_line_and_steers_no_terminal() -> None:
    _, body = wording("Plant 7", [ALERT])
    assert body.count("\n") == 0
    assert body.endswith(r"failed first warning: nothing at all\x1b[2J.")
