"""Rejections sent once more: foreseen as the service does it, published, and recorded."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from broker.settings import Settings
from service.core.lookup import Rulebook
from service.store.rulebooks import add_rulebook
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Sender
from tests.support.stored import NOON, Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, serving

REJECTIONS = "/api/v1/rejections"
RULES = '[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\nhigh = 5.25\n'
OTHER = {"machine_id": "M2"}


@pytest.fixture
def stored(store_url: str) -> Iterator[Stored]:
    store = Stored(store_url)
    with store.database.changing() as connection:
        add_rulebook(connection, RULES, author="t", reason="t", now=NOON)
    yield store
    store.close()


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on a database, with nobody at the broker's port."""
    settings = Settings.model_validate(
        {
            "broker": {"port": free_port(), "connect_timeout_s": 1},
            "database": {"url": stored.url},
        }
    )
    async with serving(settings) as web:
        yield web


def refuse(stored: Stored, *messages: dict[str, Any] | bytes, machine_id: str = "M1") -> list[int]:
    saved = stored.save(*messages, machine_id=machine_id, rules=Rulebook(1, ())).saved
    return [each.rejection_id for each in saved.rejections]


async def resubmit(web: Web, where: int | str, *, dry: bool = False, **body: Any) -> httpx.Response:  # noqa: ANN401
    path = f"{where}/resubmit" if isinstance(where, int) else where
    asked = {"dry_run": "true"} if dry else None
    return await web.client.post(f"{REJECTIONS}/{path}", json=body, params=asked, timeout=20)


# -- what would happen ---------------------------------------------------------------------------


async def test_a_dry_run_judges_a_corrected_copy_by_the_rulebook_in_force(
    stored: Stored, web: Web
) -> None:
    (number,) = refuse(stored, run_message("A", passes=False) | OTHER)
    as_it_is = (await resubmit(web, number, dry=True)).json()
    assert (as_it_is["fate"], as_it_is["parts"][0]["code"]) == ("rejected", "machine_mismatch")
    copy = orjson.dumps(run_message("A", passes=False)).decode()
    corrected = (await resubmit(web, number, dry=True, payload=copy)).json()
    assert (corrected["fate"], corrected["corrected"]) == ("accepted", True)
    (part,) = corrected["parts"]
    assert (part["outcome"], part["first_failure"], part["barcode"]) == ("FAIL", "vcc", "A")


async def test_a_dry_run_takes_another_topic(stored: Stored, web: Web) -> None:
    (number,) = refuse(stored, run_message("A") | OTHER)
    moved = (await resubmit(web, number, dry=True, topic="factory/v1/L1/M2/test")).json()
    assert (moved["fate"], moved["corrected"]) == ("accepted", False)
    assert moved["parts"][0]["outcome"] == "PASS"
    for topic in ("factory/v1/L1/M2/result", "$CONTROL/x", "factory/v1/+/M2/test"):
        refused = await resubmit(web, number, dry=True, topic=topic)
        assert refused.status_code == 422
        assert "is not a test topic" in refused.json()["detail"]


async def test_a_dry_run_knows_what_is_stored(stored: Stored, web: Web) -> None:
    message = run_message("A")
    stored.save(message)
    (conflict, wrong) = refuse(stored, message | {"operator": "x"}, message | OTHER)
    again = (await resubmit(web, conflict, dry=True)).json()
    assert again["parts"][0]["code"] == "conflicting_duplicate"
    copy = (await resubmit(web, wrong, dry=True, payload=orjson.dumps(message).decode())).json()
    assert (copy["fate"], copy["parts"][0]["run_id"]) == ("duplicate", 1)


async def test_a_group_is_taken_as_sent_one_after_the_other(stored: Stored, web: Web) -> None:
    first, other = run_message("A") | OTHER, run_message("B") | OTHER
    numbers = refuse(stored, first, orjson.dumps(first, option=orjson.OPT_INDENT_2), other, b"{")
    body = {"rejection_ids": numbers, "topic": "factory/v1/L1/M2/test"}
    tally = (await resubmit(web, "resubmit", dry=True, **body)).json()
    assert [each["fate"] for each in tally["items"]] == [
        "accepted",
        "duplicate",
        "accepted",
        "rejected",
    ]
    assert (tally["accepted"], tally["duplicates"], tally["rejected"]) == (2, 1, 1)
    assert tally["published"] == 0


async def test_an_array_is_foreseen_element_by_element(stored: Stored, web: Web) -> None:
    (number,) = refuse(stored, b"{")
    copy = orjson.dumps([run_message("A"), {"barcode": "B"}, run_message("A")]).decode()
    seen = (await resubmit(web, number, dry=True, payload=copy)).json()
    assert [(each["element"], each["fate"]) for each in seen["parts"]] == [
        (0, "accepted"),
        (1, "rejected"),
        (2, "duplicate"),
    ]
    assert seen["fate"] == "accepted"


async def test_a_dry_run_changes_nothing(stored: Stored, web: Web) -> None:
    (number,) = refuse(stored, b"{")
    await resubmit(web, number, dry=True, payload=orjson.dumps(run_message("A")).decode())
    assert (await web.get("/api/v1/audit")).json()["items"] == []
    assert (await web.get(f"{REJECTIONS}/{number}/bytes")).content == b"{"
    assert (await web.get("/api/v1/results")).json()["items"] == []


# -- what is refused -----------------------------------------------------------------------------


async def test_what_would_change_nothing_is_a_409_that_says_why(stored: Stored, web: Web) -> None:
    (number,) = refuse(stored, run_message("A") | OTHER)
    one = await resubmit(web, number)
    assert one.status_code == 409
    assert "machine_mismatch" in one.json()["detail"]
    many = await resubmit(web, "resubmit", rejection_ids=[number])
    assert many.status_code == 409
    assert "none of the 1 would be accepted" in many.json()["detail"]
    assert (await web.get("/api/v1/audit")).json()["items"] == []


async def test_a_rejection_that_is_not_there_is_a_404_and_a_wrong_field_a_422(
    stored: Stored, web: Web
) -> None:
    assert (await resubmit(web, 12345)).status_code == 404
    (number,) = refuse(stored, b"{")
    assert (await resubmit(web, number, bytes="x")).status_code == 422
    for ids in ([], [number, 12345], list(range(1, 502))):
        assert (await resubmit(web, "resubmit", rejection_ids=ids)).status_code == 422


async def test_without_a_broker_it_is_a_503_and_the_rejection_stays_open(
    stored: Stored, web: Web
) -> None:
    (number,) = refuse(stored, b"{")
    copy = orjson.dumps(run_message("A")).decode()
    assert (await resubmit(web, number, payload=copy)).status_code == 503
    assert (await web.get("/api/v1/audit")).json()["items"] == []
    assert (await web.get(f"{REJECTIONS}/{number}")).json()["settled"] is None


# -- lists, groups, closing ----------------------------------------------------------------------


async def test_rejections_are_grouped_by_code_and_machine(stored: Stored, web: Web) -> None:
    numbers = refuse(stored, run_message("A") | OTHER, run_message("B") | OTHER, b"{")
    refuse(stored, b"{{", machine_id="M3")
    groups = (await web.get(f"{REJECTIONS}/groups")).json()["items"]
    found = {(each["code"], each["machine_id"]): each for each in groups}
    assert {key: (each["total"], each["open"]) for key, each in found.items()} == {
        ("machine_mismatch", "M1"): (2, 2),
        ("not_json", "M1"): (1, 1),
        ("not_json", "M3"): (1, 1),
    }
    mismatch = found["machine_mismatch", "M1"]
    assert mismatch["rejection_id"] == numbers[1]
    assert mismatch["reason"].startswith("the topic is of machine 'M1'")
    assert (await web.get(f"{REJECTIONS}/groups", code="schema")).json()["items"] == []


async def test_closing_needs_a_reason_and_takes_it_off_the_open_ones(
    stored: Stored, web: Web
) -> None:
    first, second = refuse(stored, b"{", b"}")
    path = f"{REJECTIONS}/close"
    nobody = await web.client.post(path, json={"rejection_ids": [first]})
    assert nobody.status_code == 422
    body = {"rejection_ids": [first], "reason": "sent by hand", "author": "ann"}
    assert (await web.client.post(path, json=body)).status_code == 200
    waiting = (await web.get(REJECTIONS, open="true")).json()["items"]
    assert [each["rejection_id"] for each in waiting] == [second]
    (done,) = (await web.get(REJECTIONS, open="false")).json()["items"]
    assert (done["settled"]["action"], done["settled"]["reason"]) == ("close", "sent by hand")
    (group,) = (await web.get(f"{REJECTIONS}/groups")).json()["items"]
    assert (group["total"], group["open"]) == (2, 1)
    (change,) = (await web.get("/api/v1/audit")).json()["items"]
    assert (change["actor"], change["subject"]) == ("ann", f"rejection {first}")


async def test_one_rejection_says_where_its_trouble_stands(stored: Stored, web: Web) -> None:
    (number,) = refuse(stored, b'{"a": nope}')
    one = (await web.get(f"{REJECTIONS}/{number}")).json()
    assert (one["error_start"], one["error_end"]) == (7, 8)


# -- with a broker and a service -----------------------------------------------------------------


class Plant:
    """A service process on a real broker, and the API beside it."""

    def __init__(self, web: Web, sender: Sender, root: str) -> None:
        self.web, self.sender, self.root = web, sender, root

    async def refused(self, payload: bytes, machine_id: str = "M1") -> int:
        """Send what the service refuses; return the rejection's number once it is stored."""
        before = {each["rejection_id"] for each in await self.rejections()}
        self.sender.send([(f"{self.root}/L1/{machine_id}/test", payload)])

        async def new() -> list[int]:
            return [
                each["rejection_id"]
                for each in await self.rejections()
                if each["rejection_id"] not in before
            ]

        (number,) = await eventually(new, 20)
        return int(number)

    async def rejections(self) -> list[dict[str, Any]]:
        answer = await self.web.get(REJECTIONS)
        found: list[dict[str, Any]] = answer.json().get("items", [])
        return found

    async def result(self, barcode: str) -> dict[str, Any]:
        """Wait for the one result of a unit."""

        async def found() -> list[dict[str, Any]]:
            answer = await self.web.get("/api/v1/results", barcode=barcode)
            items: list[dict[str, Any]] = answer.json()["items"]
            return items

        (only,) = await eventually(found, 20)
        return only


@pytest.fixture
async def plant(
    tmp_path: Path, mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> AsyncIterator[Plant]:
    url = f"sqlite:///{tmp_path / 'yieldline.db'}"
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    template = f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}"
    environment = {
        "YIELDLINE_DATABASE__URL": url,
        "YIELDLINE_BROKER__PORT": str(mosquitto.port),
        "YIELDLINE_TOPICS__TEMPLATE": template,
        "YIELDLINE_RULES__FILE": str(tmp_path / "rules.toml"),
    }
    settings = Settings.model_validate(
        {
            "broker": {"port": mosquitto.port},
            "database": {"url": url},
            "topics": {"template": template},
        }
    )
    with Process([YIELDLINE, "service"], environment=environment, directory=tmp_path) as service:
        await eventually(lambda: "connected" in service.output, 30)
        with Sender(mosquitto.port, f"sender-{unique_id}") as sender:
            async with serving(settings) as web:
                yield Plant(web, sender, topic_root)


async def test_the_very_bytes_sent_to_the_right_topic_become_a_result(plant: Plant) -> None:
    payload = orjson.dumps(run_message("UNIT-1") | OTHER, option=orjson.OPT_INDENT_2)
    number = await plant.refused(payload)
    body = {"topic": f"{plant.root}/L1/M2/test", "reason": "wrong  file", "author": "ann"}
    sent = await resubmit(plant.web, number, **body)
    assert sent.status_code == 202
    assert (sent.json()["published"], sent.json()["corrected"]) == (True, False)
    result = await plant.result("UNIT-1")
    assert (result["machine_id"], result["outcome"]) == ("M2", "PASS")
    assert result["message_id"] == sent.json()["parts"][0]["message_id"]
    message = await plant.web.get(f"/api/v1/results/{result['run_id']}/message")
    assert message.content == payload
    one = (await plant.web.get(f"{REJECTIONS}/{number}")).json()
    assert (one["settled"]["action"], one["settled"]["actor"]) == ("resubmit", "ann")
    assert one["settled"]["reason"] == "wrong file"
    again = await resubmit(plant.web, number, **body)
    assert again.status_code == 409
    assert f"as run {result['run_id']}" in again.json()["detail"]


async def test_a_corrected_copy_becomes_a_result_and_the_stored_bytes_stay(plant: Plant) -> None:
    number = await plant.refused(b'{"barcode": "UNIT-2",')
    copy = orjson.dumps(run_message("UNIT-2", passes=False)).decode()
    sent = await resubmit(plant.web, number, payload=copy, reason="cut off by the PLC")
    assert sent.status_code == 202
    assert (await plant.result("UNIT-2"))["outcome"] == "FAIL"
    kept = await plant.web.get(f"{REJECTIONS}/{number}/bytes")
    assert kept.content == b'{"barcode": "UNIT-2",'
    (change,) = [
        each
        for each in (await plant.web.get("/api/v1/audit")).json()["items"]
        if each["action"] == "resubmit"
    ]
    assert change["details"]["corrected"] is True
    assert change["details"]["message_ids"] == ["UNIT-2-FCT-0"]


async def test_of_a_group_those_that_would_be_accepted_are_sent(plant: Plant) -> None:
    good = await plant.refused(orjson.dumps(run_message("UNIT-3") | OTHER))
    bad = await plant.refused(b"{")
    topic = f"{plant.root}/L1/M2/test"
    sent = await resubmit(plant.web, "resubmit", rejection_ids=[good, bad], topic=topic)
    assert sent.status_code == 202
    tally = sent.json()
    assert (tally["accepted"], tally["rejected"], tally["published"]) == (1, 1, 1)
    assert await plant.result("UNIT-3")
    waiting = (await plant.web.get(REJECTIONS, open="true")).json()["items"]
    assert [each["rejection_id"] for each in waiting] == [bad]


async def test_by_force_it_is_sent_and_counts_as_a_repeat(plant: Plant) -> None:
    number = await plant.refused(b"{")
    assert (await resubmit(plant.web, number, force=True)).status_code == 202

    async def repeats() -> bool:
        return bool((await plant.web.get(f"{REJECTIONS}/{number}")).json()["repeats"] == 1)

    assert await eventually(repeats, 20)
    (only,) = await plant.rejections()
    assert only["received_at"] <= datetime.now(UTC).isoformat()
