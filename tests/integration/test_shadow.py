"""A shadow rulebook beside the active one: it decides nothing, and what differs is kept."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.errors import RulebookError
from service.commands.rulebooks import Draft
from service.commands.shadows import start_shadow, stop_shadow
from service.core.lookup import Rulebook
from service.core.shadow import Shadow, shadow_runs
from service.rulebook import parse_rulebook
from service.store.batches import Arrival
from service.store.queries.changes import list_changes
from service.store.queries.shadow_runs import differing_runs
from service.store.shadows import StoredShadow, list_shadows, running_shadow
from tests.support.core import TOPIC, judge_content
from tests.support.mosquitto import Mosquitto
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.stored import NOON, Stored, run_message
from tests.support.waiting import eventually_sync

ACTIVE = '[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\n'
DRAFT = ACTIVE.replace("4.75", "4.9")
SEAL = '[[rule]]\nid = "seal"\ntest_step = "seal"\ncomparator = "LOG"\nrequired = true\n'


def start(stored: Stored, body: str = DRAFT) -> StoredShadow:
    return start_shadow(stored.database, Draft(body), actor="ann", reason="a trial", now=NOON)


def save(stored: Stored, shadow: StoredShadow, *messages: dict[str, Any]) -> None:
    """Store messages of one machine with what the shadow says of them, as a service does."""
    judged = [judge_content(each) for each in messages]
    arrivals = [
        Arrival(TOPIC, "line-1", orjson.dumps(message), [each])
        for message, each in zip(messages, judged, strict=True)
    ]
    rules = Rulebook(0, parse_rulebook(shadow.body, "shadow"))
    stored.writer.save(arrivals, NOON, shadow_runs(Shadow(shadow.shadow_id, rules), judged))


def values(*measured: float) -> list[dict[str, Any]]:
    return [
        run_message(
            f"U{at}", minutes=at, steps=[{"test_step": "vcc", "measured_value": each, "low": 4.0}]
        )
        for at, each in enumerate(measured)
    ]


def test_one_shadow_runs_at_a_time_and_each_change_is_in_the_trail(stored: Stored) -> None:
    assert running_shadow(stored.database) is None
    assert [start(stored).shadow_id, start(stored, SEAL).shadow_id] == [1, 2]
    running = running_shadow(stored.database)
    assert running
    assert (running.shadow_id, running.body) == (2, SEAL)
    assert stop_shadow(stored.database, actor="bob", now=NOON).shadow_id == 2
    assert running_shadow(stored.database) is None
    with pytest.raises(RulebookError, match="no shadow rulebook runs"):
        stop_shadow(stored.database, actor="bob", now=NOON)
    trail = list_changes(stored.database)[0]
    assert [(each["actor"], each["action"], each["subject"]) for each in trail] == [
        ("bob", "stop", "shadow 2"),
        ("ann", "start", "shadow 2"),
        ("ann", "start", "shadow 1"),
    ]


def test_a_faulty_draft_does_not_stop_the_one_that_runs(stored: Stored) -> None:
    start(stored)
    with pytest.raises(RulebookError, match="id is missing"):
        start(stored, "[[rule]]\n")
    running = running_shadow(stored.database)
    assert running
    assert running.shadow_id == 1


def test_runs_on_which_it_differs_are_kept_and_all_are_counted(stored: Stored) -> None:
    shadow = start(stored)
    save(stored, shadow, *values(5.0, 4.8, 4.7, 5.1))
    save(stored, shadow, *values(5.0, 4.8))  # repeats: judged before
    (after,) = list_shadows(stored.database)
    assert (after.judged, after.differed) == (4, 2)
    items, cursor = differing_runs(stored.database, 1)
    found = [
        (each["barcode"], each["outcome"], each["shadow_outcome"], each["shadow_first_failure"])
        for each in items
    ]
    assert found == [("U2", "PASS", "FAIL", "vcc"), ("U1", "PASS", "FAIL", "vcc")]
    assert cursor is None
    first, cursor = differing_runs(stored.database, 1, limit=1)
    rest, _ = differing_runs(stored.database, 1, 1, cursor)
    assert [first[0]["barcode"], rest[0]["barcode"]] == ["U2", "U1"]


def test_a_step_that_only_the_shadow_knows_has_its_name(stored: Stored) -> None:
    save(stored, start(stored, SEAL), *values(5.0))
    (one,) = differing_runs(stored.database, 1)[0]
    assert (one["shadow_outcome"], one["shadow_first_failure"]) == ("FAIL", "seal")


def test_a_running_service_follows_a_shadow_and_publishes_nothing_of_it(
    tmp_path: Path, mosquitto_factory: type[Mosquitto]
) -> None:
    broker = mosquitto_factory()
    (tmp_path / "rules.toml").write_text(ACTIVE, "utf-8")
    (tmp_path / "draft.toml").write_text(DRAFT, "utf-8")
    environment = {"YIELDLINE_BROKER__PORT": str(broker.port), "YIELDLINE_LOG__JSON_LINES": "true"}
    with Process([YIELDLINE, "service"], environment=environment, directory=tmp_path) as service:
        service.wait_for('"connected"', 30)
        said = rules(tmp_path, "start", "draft.toml", "--reason", "trial")
        assert said.startswith("Shadow 1 judges live runs.")
        service.wait_for('"shadow_runs"', 5)
        with Listener(broker.port, "ear", "factory/v1/+/+/result") as ear:
            with Sender(broker.port, "machine") as sender:
                sender.send([("factory/v1/L1/M1/test", orjson.dumps(each)) for each in live()])
            eventually_sync(lambda: len(ear.heard) == 2, 10)
        assert [orjson.loads(each.payload)["outcome"] for each in ear.heard] == ["PASS", "PASS"]
        assert "It judged 2 runs and differs on 1.\n" in rules(tmp_path, "show")
        assert "LOW  vcc at M1" in rules(tmp_path, "show")
        assert rules(tmp_path, "stop") == "Shadow 1 is stopped.\n"


def live() -> Iterator[dict[str, Any]]:
    for barcode, value in (("GOOD", 5.0), ("LOW", 4.8)):
        yield {
            "message_id": barcode,
            "barcode": barcode,
            "product_id": "P",
            "test_step": "vcc",
            "measured_value": value,
            "timestamp": datetime.now(UTC).isoformat(),
        }


def rules(folder: Path, *arguments: str) -> str:
    command = [YIELDLINE, "rules", "shadow", *arguments]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout
