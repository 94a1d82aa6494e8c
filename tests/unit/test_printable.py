"""What others wrote, shown on a terminal: it is seen, and steers nothing."""

import subprocess
import sys

import pytest

from broker.printable import printable

_LOGS = r"""
import structlog
from broker.logs import configure_logging
from broker.sections import LogSettings
configure_logging(LogSettings())
structlog.get_logger().warning("login_refused", user="\x1b[2Jann\x9b1m\rroot", n=["\x1b"], e=None)
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SN-1 \u00e9\u4e2d\tx\ny", "SN-1 \u00e9\u4e2d\tx\ny"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\rb\x7f\x9b0m", r"a\rb\x7f\x9b0m"),
        ("user\u202enimda\u2066", r"user\u202enimda\u2066"),
    ],
)
def test_what_steers_a_terminal_is_shown_instead(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_line_of_the_log_steers_the_terminal_of_who_reads_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LOGS], capture_output=True, check=True, timeout=60
    )
    line = ended.stderr.decode()
    assert r"\x1b[2Jann\x9b1m\rroot" in line
    assert not {"\x1b", "\x9b", "\r"} & set(line)
