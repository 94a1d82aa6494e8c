"""Rulebooks from outside: the command line, the HTTP API, and a service that follows."""

import json
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from broker.settings import Settings
from service.core.lookup import NO_RULES
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually, eventually_sync
from tests.support.web import Web, serving

ONE = '# ours\n[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\nhigh = 5.25\n'
TWO = ONE.replace("4.75", "4.9")
BAD = ONE.replace("4.75", "9")
FOLLOW_S = 2.0


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run `yieldline rules …` on the folder's database; return what it says."""
    ended = subprocess.run(
        [YIELDLINE, "rules", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code, ended
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A folder with a database and a rulebook that nobody has activated yet."""
    Stored(f"sqlite:///{tmp_path / 'data/yieldline.db'}").close()
    (tmp_path / "rules.toml").write_text(ONE, "utf-8")
    return tmp_path


def test_a_rulebook_is_activated_shown_compared_and_exported(plant: Path) -> None:
    assert "no rulebook is in force yet" in run(plant, "show", code=2)
    said = run(plant, "activate", "rules.toml", "--reason", "the first", "--author", "ann")
    assert said == "Rulebook 1 is in force.\n"
    assert run(plant, "show") == ONE
    (plant / "draft.toml").write_text(TWO, "utf-8")
    assert run(plant, "diff", "draft.toml") == "rule 'vcc' changed: low 4.75 → 4.9\n"
    assert run(plant, "diff", "rules.toml") == "No rule differs.\n"
    run(plant, "activate", "draft.toml", "--reason", "tighter")
    assert run(plant, "diff", "2", "1") == "rule 'vcc' changed: low 4.9 → 4.75\n"
    assert run(plant, "show", "1") == ONE
    listed = run(plant, "list").splitlines()
    assert [line.split()[0] for line in listed] == ["2", "1"]
    assert listed[1].endswith("ann: the first")
    assert run(plant, "export", "1", "--output", "out.toml") == "Rulebook 1 is in out.toml.\n"
    assert (plant / "out.toml").read_bytes() == ONE.encode()


def test_a_draft_is_tried_on_history_before_it_is_activated(plant: Path) -> None:
    store = Stored(f"sqlite:///{plant / 'data/yieldline.db'}")
    store.save(
        run_message("GOOD", minutes=1),
        run_message("LOW", minutes=2, steps=[{"test_step": "vcc", "measured_value": 4.8}]),
        rules=NO_RULES,
    )
    store.close()
    (plant / "draft.toml").write_text(TWO, "utf-8")
    said = run(plant, "backtest", "draft.toml")
    assert said.startswith("2 runs of 2 units judged again: 1 would have another outcome.")
    assert "Newly failing" not in said, "without limit or rule it was UNJUDGED, not PASS"
    (plant / "draft.toml").write_text(TWO.replace("4.9", "5.1"), "utf-8")
    said = run(plant, "backtest", "draft.toml", "--since", "2026-11-23")
    assert "first pass yield           50.00 % → 0.00 %" in said
    assert "Newly failing: 1 run\n  GOOD  FCT at M1 2026-11-23T12:01:00Z  PASS → FAIL  vcc" in said
    report = json.loads(run(plant, "backtest", "draft.toml", "--json", "--barcode", "GOOD"))
    assert (report["units"], report["newly_failing_count"]) == (1, 1)
    assert report["newly_failing"][0]["steps"][0]["reason"] == "5 is below 5.1"
    wrong = run(plant, "backtest", "draft.toml", "--until", "yesterday", code=2)
    assert wrong.startswith("--until 'yesterday' is not a time. Write it like 2026-11-23")


def test_a_mistake_is_one_sentence_and_changes_nothing(plant: Path) -> None:
    (plant / "bad.toml").write_text(BAD, "utf-8")
    said = run(plant, "activate", "bad.toml", "--reason", "x", code=2)
    assert said.startswith("bad.toml, rule 'vcc': low 9 is above high 5.25. Swap them")
    assert "none.toml does not exist" in run(
        plant, "activate", "none.toml", "--reason", "x", code=2
    )
    assert "There is none yet." in run(plant, "show", "7", code=2)
    run(plant, "activate", "rules.toml", "--reason", "x")
    assert "'7' is no version of the rulebook. There are 1 to 1." in run(
        plant, "export", "7", code=2
    )
    assert "rules.toml exists." in run(plant, "export", "--output", "rules.toml", code=2)
    assert len(run(plant, "list").splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["check", "list", "show", "diff", "backtest", "activate", "export"]
)
def test_every_command_has_an_example(plant: Path, command: str) -> None:
    assert "Example" in run(plant, command, "--help")


# -- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture
async def web(plant: Path) -> AsyncIterator[Web]:
    settings = Settings.model_validate(
        {
            "broker": {"port": free_port(), "retry_delay_max_s": 0.2, "connect_timeout_s": 1},
            "database": {"url": f"sqlite:///{plant / 'data/yieldline.db'}"},
        }
    )
    async with serving(settings) as web:
        yield web


async def post(web: Web, path: str, status: int, **body: object) -> httpx.Response:
    response = await web.client.post(f"/api/v1/rulebooks{path}", json=body)
    assert response.status_code == status, response.text
    return response


async def test_over_http_a_draft_is_checked_activated_read_and_compared(web: Web) -> None:
    assert (await web.get("/api/v1/rulebooks")).json() == {"items": []}
    checked = (await post(web, "/check", 200, toml=ONE)).json()
    assert (checked["valid"], checked["based_on"], checked["rule_count"]) == (True, 0, 1)
    made = (await post(web, "", 201, toml=ONE, reason="first", author="ann", based_on=0)).json()
    assert (made["version"], made["is_active"], made["author"]) == (1, True, "ann")
    await post(web, "", 201, toml=TWO, reason="tighter")
    first = (await web.get("/api/v1/rulebooks/1")).json()
    assert (first["toml"], first["is_active"]) == (ONE, False)
    (rule,) = first["rules"]
    assert (rule["id"], rule["test_step"], rule["low"], rule["comparator"]) == (
        "vcc",
        "vcc",
        4.75,
        "GELE",
    )
    compared = (await web.get("/api/v1/rulebooks/1/diff/2")).json()
    assert compared["changes"][0]["sentence"] == "rule 'vcc' changed: low 4.75 → 4.9"
    trail = (await web.get("/api/v1/audit")).json()["items"]
    assert [(each["subject"], each["actor"]) for each in trail] == [
        ("rulebook 2", "api"),
        ("rulebook 1", "ann"),
    ]


async def test_over_http_what_is_wrong_is_said_and_changes_nothing(web: Web) -> None:
    await post(web, "", 201, toml=ONE, reason="first")
    assert (await post(web, "/check", 200, toml=BAD)).json()["valid"] is False
    problem = (await post(web, "", 422, toml=BAD, reason="x")).json()
    assert problem["detail"].startswith("the draft, rule 'vcc': low 9 is above high 5.25.")
    assert "409" not in problem["detail"]
    conflict = (await post(web, "", 409, toml=TWO, reason="x", based_on=0)).json()
    assert "made from rulebook 0, but 1 is in force" in conflict["detail"]
    await post(web, "", 422, toml=TWO, reason=" ")
    assert (await web.get("/api/v1/rulebooks/9")).status_code == 404
    assert (await web.get("/api/v1/rulebooks/1/diff/9")).status_code == 404
    assert [each["version"] for each in (await web.get("/api/v1/rulebooks")).json()["items"]] == [1]


async def finished(web: Web, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def is_over() -> bool:
        found.update((await web.get(f"/api/v1/jobs/{job_id}")).json())
        return bool(found["state"] != "running")

    await eventually(is_over, 30, saw=lambda: found)
    return found


async def test_over_http_a_draft_is_tried_on_history_by_a_job(web: Web, plant: Path) -> None:
    store = Stored(f"sqlite:///{plant / 'data/yieldline.db'}")
    store.save(*(run_message(f"U{at}", minutes=at) for at in range(3)), rules=NO_RULES)
    store.close()
    draft = TWO.replace("4.9", "5.1")
    started = await post(web, "/backtest", 202, toml=draft, until="2026-11-23T12:02:00Z")
    job = started.json()
    assert started.headers["location"] == f"/api/v1/jobs/{job['job_id']}"
    job = await finished(web, job["job_id"])
    assert (job["state"], job["done"], job["total"], job["error"]) == ("done", 2, 2, None)
    assert [each["barcode"] for each in job["result"]["newly_failing"]] == ["U0", "U1"]
    assert job["result"]["after"]["first_pass_yield_high"] == 0.0


async def test_over_http_a_back_test_is_cancelled_and_a_third_has_to_wait(web: Web) -> None:
    jobs = [(await post(web, "/backtest", 202, toml=TWO)).json()["job_id"] for _ in range(2)]
    refused = (await post(web, "/backtest", 429, toml=TWO)).json()
    assert refused["detail"] == "2 back-tests are at work. Wait for one, or cancel it."
    for job_id in jobs:
        cancelled = (await web.client.delete(f"/api/v1/jobs/{job_id}")).json()
        assert cancelled["state"] in {"cancelled", "done"}
        assert cancelled["ended_at"]
    assert (await finished(web, (await post(web, "/backtest", 202, toml=TWO)).json()["job_id"]))[
        "state"
    ] == "done"
    assert (await web.get("/api/v1/jobs/none")).status_code == 404
    assert (await post(web, "/backtest", 422, toml=BAD)).json()["detail"].startswith("the draft,")


async def test_a_back_test_that_cannot_read_the_database_says_so(web: Web, plant: Path) -> None:
    with sqlite3.connect(plant / "data/yieldline.db") as connection:
        connection.execute("ALTER TABLE unit_state RENAME TO elsewhere")
    connection.close()
    job = await finished(web, (await post(web, "/backtest", 202, toml=TWO)).json()["job_id"])
    assert job["state"] == "failed"
    assert "has no tables yet (no such table: unit_state)" in job["error"]


# -- a running service -----------------------------------------------------------------------------


def test_a_running_service_judges_by_a_new_version_within_two_seconds(
    plant: Path, mosquitto_factory: type[Mosquitto]
) -> None:
    broker = mosquitto_factory()
    environment = {
        "YIELDLINE_BROKER__PORT": str(broker.port),
        "YIELDLINE_LOG__JSON_LINES": "true",
    }
    with Process([YIELDLINE, "service"], environment=environment, directory=plant) as service:
        service.wait_for('"connected"', 30)
        with Listener(broker.port, "ear", "factory/v1/+/+/result") as ear:
            assert judged(broker, ear, "before") == ("PASS", 1)
            (plant / "draft.toml").write_text(TWO, "utf-8")
            run(plant, "activate", "draft.toml", "--reason", "tighter")
            time.sleep(FOLLOW_S)  # the promise is a time
            assert judged(broker, ear, "after") == ("FAIL", 2)
        assert '"rulebook_in_force"' in service.output


def judged(broker: Mosquitto, ear: Listener, message_id: str) -> tuple[str, int]:
    """Publish 4.8 V and return the outcome and the version that judged it."""
    message = {
        "message_id": message_id,
        "barcode": "SN-1",
        "product_id": "P",
        "test_step": "vcc",
        "measured_value": 4.8,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    with Sender(broker.port, "machine") as sender:
        sender.send([("factory/v1/L1/M1/test", orjson.dumps(message))])

    def found() -> list[dict[str, object]]:
        bodies = [orjson.loads(each.payload) for each in ear.heard]
        return [each for each in bodies if each["message_id"] == message_id]

    eventually_sync(lambda: bool(found()), 10)
    result = found()[0]
    return str(result["outcome"]), int(str(result["rulebook_version"]))
