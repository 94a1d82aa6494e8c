"""A spool without room for a while: what happens to the logs meanwhile is not forgotten."""

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from broker.errors import SpoolFull
from broker.sections import TopicsSettings
from edge_agent import intake, search, watch
from edge_agent.reader import Reader
from edge_agent.sender import Sender
from edge_agent.spool import Spool
from tests.support.agent_floor import Floor
from tests.support.edge import Agent, TinyService, line
from tests.support.processes import PYTHON, Process
from tests.support.rotated_logs import append, lines, names, rotated, watching
from tests.support.waiting import eventually

NOTE = "x" * 600


def full_spool(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that has room for one message of `noted`, and takes them one by one."""
    monkeypatch.setattr(intake, "BATCH_RECORDS_MAX", 1)
    floor.again("small.db", bytes_max=1_000)


def noted(*numbers: int) -> bytes:
    return b"".join(line(number, note=NOTE) for number in numbers)


def drained(floor: Floor) -> list[str]:
    """Give receipts for what the spool holds; return its barcodes."""
    bodies = floor.bodies()
    floor.spool.receipted("M1", [body["message_id"] for body in bodies])
    return [body["barcode"] for body in bodies]


def while_waiting(
    monkeypatch: pytest.MonkeyPatch, floor: Floor, happenings: list[Callable[[], Any]]
) -> list[str]:
    """Let these happen, one each time a reader has waited for room, then make room each time."""
    seen: list[str] = []

    def wait(self: Reader, machine_id: str, error: SpoolFull) -> None:
        del self, machine_id, error
        if happenings:
            happenings.pop(0)()
        else:
            seen.extend(drained(floor))

    monkeypatch.setattr(Reader, "_wait_for_room", wait)
    return seen


@pytest.mark.parametrize("is_known", [True, False], ids=["read before", "at its first look"])
def test_a_log_that_is_renamed_while_the_spool_is_full_is_read_to_its_end(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    full_spool(floor, monkeypatch)

    def rotate() -> None:
        floor.log.rename(rotated(floor))
        floor.log.write_bytes(noted(4))

    happenings: list[Callable[[], Any]] = [rotate, lambda: None]
    seen = while_waiting(monkeypatch, floor, happenings)
    own = watching(floor)
    if is_known:
        floor.log.write_bytes(noted(1))
        own.read_all()
    append(floor.log, noted(2, 3) if is_known else noted(1, 2, 3))
    own.read_all()
    own.read_all()
    assert not happenings
    assert sorted(seen + drained(floor)) == names(1, 2, 3, 4)


def test_a_log_that_is_renamed_at_its_first_look_while_the_spool_is_full_is_found(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_spool(floor, monkeypatch)
    happenings: list[Callable[[], Any]] = [lambda: floor.log.rename(rotated(floor))]
    seen = while_waiting(monkeypatch, floor, happenings)
    floor.log.write_bytes(noted(1, 2))
    own = watching(floor)
    own.read_all()
    own.read_all()
    assert not happenings
    assert sorted(seen + drained(floor)) == names(1, 2)


def test_a_log_whose_successor_cannot_be_read_at_once_is_read_to_its_end(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(lines(1))
    own = watching(floor)
    own.read_all()
    append(floor.log, lines(2))
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(lines(3))
    keep, errors = own._keep, [OSError("the share went away")]

    def failing(*args: Any) -> int:  # noqa: ANN401
        if errors:
            raise errors.pop()
        return keep(*args)

    monkeypatch.setattr(own, "_keep", failing)
    own.read_all()
    own.read_all()
    assert sorted(floor.barcodes()) == names(1, 2, 3)


def let_nobody_write(floor: Floor, *, so: bool) -> None:
    floor.spool._file._connection.execute(f"PRAGMA query_only = {'ON' if so else 'OFF'}")


def test_a_log_that_is_deleted_while_the_disk_is_full_is_searched_for_until_there_is_room(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_PATIENCE", 0)
    floor.log.write_bytes(lines(1))
    other = rotated(floor, "other.log")
    other.write_bytes(lines(2))
    own = watching(floor, "*.log")
    own.read_all()
    let_nobody_write(floor, so=True)
    floor.log.unlink()
    for _ in range(4):
        own.read_all()
    assert own._watch.lost
    assert "Free some space" in str(own.troubles("M1"))
    let_nobody_write(floor, so=False)
    own.read_all()
    assert not own._watch.lost
    assert own.troubles("M1") == []
    append(other, lines(3))
    own.read_all()
    assert sorted(floor.barcodes()) == names(1, 2, 3)


def test_a_log_that_was_followed_for_long_enough_is_let_go_when_there_is_room(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(lines(1))
    own = watching(floor)
    own.read_all()
    floor.log.rename(rotated(floor))
    own.read_all()
    key = ("M1", os.fspath(rotated(floor)))
    seen = own._watch.seen
    monkeypatch.setattr(watch, "FOLLOWED_S", 0)
    let_nobody_write(floor, so=True)
    own.read_all()
    assert not seen[key].is_ended
    let_nobody_write(floor, so=False)
    own.read_all()
    assert seen[key].is_ended


async def test_a_sender_whose_spool_cannot_be_asked_stays_connected_and_sends_later(
    floor: Floor, service: TinyService, topic_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(lines(1))
    own = watching(floor)
    own.read_all()
    template = f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}"
    config = floor.config(line="L1").model_copy(
        update={"broker": service.settings, "topics": TopicsSettings(template=template)}
    )
    failures = {"books": 1, "messages_after": 1}

    def failing(name: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(Spool, name)

        def ask(self: Spool, *args: Any) -> Any:  # noqa: ANN401
            if failures[name]:
                failures[name] -= 1
                raise SpoolFull("the spool cannot be written (disk I/O error).")
            return real(self, *args)

        return ask

    for name in failures:
        monkeypatch.setattr(Spool, name, failing(name))
    sender = Sender(config, config.source[0], floor.spool, own)
    sending = asyncio.create_task(sender.run())
    try:
        await eventually(lambda: not floor.spool.payload_bytes or sending.done(), 20)
    finally:
        sender.stop()
        await sending
    assert sender.connection_count == 1
    assert list(service.arrived.values()) == [1]


async def test_once_with_a_full_spool_says_so_exits_1_and_the_next_start_goes_on(
    agent: Agent, service: TinyService
) -> None:
    agent.configure(extra="spool_bytes_max = 65536")
    agent.log.write_bytes(noted(*range(400)))
    service.answers = False
    process = await agent.once("--timeout", "0.5")
    assert process.exit_code == 1, process.output
    said = process.output.splitlines()[-1]
    assert "not all was read" in said
    assert "of 65536 bytes without receipt" in said
    service.answers = True
    assert (await agent.once()).exit_code == 0
    assert {json.loads(payload)["barcode"] for payload in service.payloads} == set(
        names(*range(400))
    )
    assert agent.books() == (400, 0, 400, 400)


_ASKED_IN_VAIN = """
import time
from broker.errors import SpoolFull
from edge_agent.__main__ import main
from edge_agent.spool import Spool
real, until = Spool.books, time.monotonic() + {seconds}
def books(self, *args):
    if time.monotonic() < until:
        raise SpoolFull("the spool cannot be written (disk I/O error). Free some space.")
    return real(self, *args)
Spool.books = books
main()
"""


@pytest.mark.parametrize(("seconds", "code"), [(1, 0), (600, 1)], ids=["a while", "on and on"])
async def test_once_waits_for_a_spool_that_cannot_be_asked_and_calls_it_no_wrong_setting(
    agent: Agent, service: TinyService, seconds: float, code: int
) -> None:
    agent.log.write_bytes(line(1))
    options = ["run", "--config", agent.config, "--once", "--timeout", "20" if code == 0 else "0.5"]
    process = Process([PYTHON, "-c", _ASKED_IN_VAIN.format(seconds=seconds), *options])
    agent.processes.append(process)
    await eventually(lambda: process.exit_code is not None, 30, saw=lambda: process.output)
    assert process.exit_code == code, process.output
    assert "Traceback" not in process.output
    assert list(service.arrived.values()) == [1]
    assert ("Free some space" in process.output.splitlines()[-1]) == (code == 1)
