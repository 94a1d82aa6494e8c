"""What is logged of a trouble that lasts, and that every line has one form."""

import json
import subprocess
import sys

from structlog.testing import capture_logs

from broker.outage import Outage, Refusals, Repeats

_SAYS_ALL = """
import logging, structlog
from broker.logs import configure_logging
from broker.sections import LogSettings
configure_logging(LogSettings(json_lines=True))
structlog.get_logger().info("started")
logging.getLogger("library").info("of no use to anybody")
logging.getLogger("library").warning("pool %s is slow", 3)
try:
    raise ValueError("a bug")
except ValueError:
    logging.getLogger("asyncio").exception("a task failed")
"""


def test_an_outage_is_said_ever_more_rarely_and_once_when_it_is_over() -> None:
    away = Outage("broker_lost", "broker_back")
    with capture_logs() as lines:
        away.over()
        for _ in range(1_000):
            away.note("connection refused", retry_in_s=1.0)
        away.over(held=3)
        away.over()
    attempts = [line["attempt"] for line in lines if line["event"] == "broker_lost"]
    assert attempts == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert [line["event"] for line in lines[10:]] == ["broker_back"]
    assert (lines[-1]["attempts"], lines[-1]["held"], lines[-1]["log_level"]) == (1_000, 3, "info")


def test_a_reason_that_is_new_is_said_at_once_and_those_that_take_turns_are_not() -> None:
    away = Outage("broker_lost", "broker_back")
    with capture_logs() as lines:
        for reason in ("refused", "refused", "refused", "timed out", "refused", "timed out"):
            away.note(reason)
        away.over()
        away.note("timed out")
    said = [(line["attempt"], line["reason"]) for line in lines if line["event"] == "broker_lost"]
    assert said == [(1, "refused"), (2, "refused"), (4, "timed out"), (1, "timed out")]


def test_reasons_that_differ_each_time_do_not_fill_the_log() -> None:
    repeats = Repeats()
    lines = sum(repeats.is_worth_a_line(f"port {number} refused") for number in range(1_000))
    assert lines == 8 + len([16, 32, 64, 128, 256, 512])


def test_what_the_broker_denies_is_an_error_with_its_count_and_what_to_do() -> None:
    refusals = Refusals("answers_refused")
    with capture_logs() as lines:
        for _ in range(100):
            refusals.note([])
            refusals.note(["Not authorized", "Not authorized"])
    assert [line["count"] for line in lines] == [2, 4, 8, 16, 32, 64, 128]
    assert {(line["event"], line["log_level"]) for line in lines} == {("answers_refused", "error")}
    assert "grant the service" in lines[0]["remedy"]


def test_every_line_is_one_object_also_of_libraries_and_bugs() -> None:
    command = [sys.executable, "-c", _SAYS_ALL]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("started", "info"),
        ("pool 3 is slow", "warning"),
        ("a task failed", "error"),
    ]
    assert lines[2]["exception"].endswith("ValueError: a bug")
    assert all("timestamp" in line for line in lines)
