"""POST /ingest: never 202 before the broker has it, and as strict as the service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from broker.envelopes import Delivery
from broker.identity import content_hash
from broker.link import Connection
from broker.settings import Settings
from tests.support.mosquitto import Mosquitto
from tests.support.stored import Stored, run_message
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually
from tests.support.web import Web, problem_of, serving

FLAT = {
    "barcode": "SN-1001",
    "machine_id": "MACH-01",
    "product_id": "PROD-A",
    "test_step": "voltage_test",
    "measured_value": 85.5,
    "timestamp": "2026-11-23T10:00:00Z",
}


def settings_of(url: str, port: int, root: str, **broker: Any) -> Settings:  # noqa: ANN401
    quick = {"retry_delay_max_s": 0.2, "connect_timeout_s": 1, "publish_timeout_s": 1}
    return Settings.model_validate(
        {
            "broker": {"port": port, **quick, **broker},
            "database": {"url": url},
            "topics": {"template": f"{root}/{{line}}/{{machine_id}}/{{channel}}"},
            "machines": {"PLC-9": {"line": "L9"}},
        }
    )


class Floor:
    """The web app on a broker, and somebody who has subscribed to the test topics."""

    def __init__(self, web: Web, service: Connection) -> None:
        self.web = web
        self.service = service

    async def post(self, body: bytes | object) -> Any:  # noqa: ANN401 - a response
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.web.client.post("/ingest", content=content)

    async def arrived(self) -> list[Delivery]:
        """Return what comes next at the subscriber."""
        async with asyncio.timeout(5):
            batch = await self.service.next_batch()
        self.service.ack(batch)
        return batch


@pytest.fixture(params=["5", "3.1.1"])
async def floor(
    request: pytest.FixtureRequest,
    stored: Stored,
    mosquitto: Mosquitto,
    topic_root: str,
) -> AsyncIterator[Floor]:
    settings = settings_of(stored.url, mosquitto.port, topic_root, ingest_protocol=request.param)
    service = Connection(settings.broker, f"{topic_root.rpartition('/')[2]}-service")
    await service.open()
    await service.subscribe(f"{topic_root}/+/+/test")
    async with serving(settings) as web:
        yield Floor(web, service)
    await service.close()


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


# -- what is taken -------------------------------------------------------------------------------


async def test_a_measurement_goes_to_its_machines_topic_byte_for_byte(floor: Floor) -> None:
    body = orjson.dumps(FLAT, option=orjson.OPT_INDENT_2) + b"\n"
    response = await floor.post(body)
    assert response.status_code == 202
    assert response.json() == {"message_ids": [content_hash(FLAT).hex()]}
    (delivery,) = await floor.arrived()
    assert delivery.payload == body
    assert delivery.topic.endswith("/unassigned/MACH-01/test")
    assert not delivery.retained


async def test_the_senders_own_id_is_the_answer(floor: Floor) -> None:
    response = await floor.post(run_message("A") | {"machine_id": "M1", "message_id": "mine-7"})
    assert response.json() == {"message_ids": ["mine-7"]}


async def test_the_elements_of_an_array_go_to_their_machines_in_one_message_each(
    floor: Floor,
) -> None:
    one = b'{ "x": [1, "]"],' + orjson.dumps(FLAT)[1:]
    two = orjson.dumps(run_message("B") | {"machine_id": "M2"})
    three = orjson.dumps(FLAT | {"barcode": "C"})
    response = await floor.post(b"[ " + one + b" ,\n" + two + b"," + three + b"]")
    assert response.status_code == 202
    assert response.json()["message_ids"][1] == "B-FCT-0"
    assert len(set(response.json()["message_ids"])) == 3
    found: dict[str, bytes] = {}
    while len(found) < 2:
        found |= {each.topic.split("/")[-2]: each.payload for each in await floor.arrived()}
    assert found == {"MACH-01": b"[" + one + b"," + three + b"]", "M2": two}


async def test_the_line_is_that_of_the_settings_or_as_last_seen(
    stored: Stored, floor: Floor
) -> None:
    stored.save(run_message("A"), machine_id="SEEN", line="L7")
    for machine_id, line in {"PLC-9": "L9", "SEEN": "L7", "NEW": "unassigned"}.items():
        assert (await floor.post(FLAT | {"machine_id": machine_id})).status_code == 202
        (delivery,) = await floor.arrived()
        assert delivery.topic.endswith(f"/{line}/{machine_id}/test")


async def test_many_at_once_are_all_taken(floor: Floor) -> None:
    responses = await asyncio.gather(
        *(floor.post(FLAT | {"barcode": f"B{number}"}) for number in range(50))
    )
    assert {response.status_code for response in responses} == {202}
    seen: set[str] = set()
    while len(seen) < 50:
        seen |= {orjson.loads(each.payload)["barcode"] for each in await floor.arrived()}
    assert floor.web.state.ingest.published_count == 50


# -- what is not ---------------------------------------------------------------------------------

WITHOUT_BARCODE = {key: value for key, value in FLAT.items() if key != "barcode"}
WITHOUT_MACHINE = {key: value for key, value in FLAT.items() if key != "machine_id"}


@pytest.mark.parametrize(
    ("body", "field", "element"),
    [
        (b"", "", None),
        (b"{", "", None),
        (b"\xff\xfe{\x00", "", None),
        (b"[]", "", None),
        (b"7", "", None),
        (b"[7]", "", 0),
        (orjson.dumps(FLAT).replace(b"85.5", b"NaN"), "", None),
        (orjson.dumps(FLAT).replace(b"85.5", b"1e999"), "", None),
        (b'{"barcode":"A",' + orjson.dumps(FLAT)[1:], "", None),
        (orjson.dumps(FLAT | {"operator": "a\0b"}), "", None),
        (orjson.dumps(WITHOUT_BARCODE), "barcode", None),
        (orjson.dumps(WITHOUT_MACHINE), "machine_id", None),
        (orjson.dumps(FLAT | {"machine_id": None}), "machine_id", None),
        (orjson.dumps(FLAT | {"machine_id": "a/b"}), "machine_id", None),
        (orjson.dumps(FLAT | {"machine_id": 7}), "machine_id", None),
        (orjson.dumps(FLAT | {"timestamp": "noon"}), "timestamp", None),
        (orjson.dumps(FLAT | {"timestamp": "0001-01-01T00:00:00+05:00"}), "timestamp", None),
        (orjson.dumps(FLAT | {"measured_value": {}}), "measured_value", None),
        (orjson.dumps([FLAT, WITHOUT_BARCODE]), "barcode", 1),
        (
            orjson.dumps(
                run_message("A", steps=[{"test_step": "a", "measured_value": 1, "unit": 3}])
                | {"machine_id": "M"}
            ),
            "measurements[0].unit",
            None,
        ),
        (orjson.dumps([FLAT] * 1001), "", None),
    ],
)
async def test_what_the_service_would_reject_is_a_422_that_names_the_field(
    floor: Floor, body: bytes, field: str, element: int | None
) -> None:
    problem = problem_of(await floor.post(body), 422)
    assert [(each["field"], each["element"]) for each in problem["errors"]] == [(field, element)]
    assert "Nothing was published" in problem["detail"]
    # Nothing of it went out: the next message is the first to arrive.
    await floor.post(FLAT)
    (delivery,) = await floor.arrived()
    assert orjson.loads(delivery.payload) == FLAT


async def test_a_body_over_the_limit_is_a_413(floor: Floor) -> None:
    body = orjson.dumps(FLAT | {"attributes": {"pad": "x" * 1_048_576}})
    assert "1,048,576" in problem_of(await floor.post(body), 413)["detail"]


# -- the broker ----------------------------------------------------------------------------------


async def test_without_a_broker_it_is_a_503_and_never_a_202(
    stored: Stored,
    topic_root: str,
    mosquitto: Mosquitto,
    tcp_proxy_factory: Callable[[int], TcpProxy],
) -> None:
    proxy = tcp_proxy_factory(mosquitto.port)
    settings = settings_of(stored.url, proxy.port, topic_root, ingest_protocol="3.1.1")
    async with serving(settings) as web:
        floor = Floor(web, Connection(settings.broker, "unused"))
        assert (await floor.post(FLAT)).status_code == 202
        proxy.cut()
        problem = problem_of(await floor.post(FLAT), 503)
        assert "127.0.0.1" in problem["detail"]
        proxy.restore()
        assert await eventually(lambda: _is_taken(floor))
        proxy.hold()  # connected, but silent: no PUBACK, no 202
        problem_of(await floor.post(FLAT), 503)
        proxy.restore()
        assert await eventually(lambda: _is_taken(floor))


async def _is_taken(floor: Floor) -> bool:
    return bool((await floor.post(FLAT)).status_code == 202)


async def test_a_message_that_nobody_would_hear_is_a_503(
    stored: Stored, topic_root: str, mosquitto: Mosquitto
) -> None:
    settings = settings_of(stored.url, mosquitto.port, topic_root)
    async with serving(settings) as web:
        response = await web.client.post("/ingest", content=orjson.dumps(FLAT))
        assert "no service has subscribed" in problem_of(response, 503)["detail"]


async def test_an_acl_that_denies_is_a_503_that_names_the_topic(
    stored: Stored, topic_root: str, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    acl = f"topic read #\ntopic write {topic_root}/+/GOOD/test\n"
    broker = mosquitto_factory(acl=acl)
    settings = settings_of(stored.url, broker.port, topic_root)
    service = Connection(settings.broker, "service")
    await service.open()
    await service.subscribe(f"{topic_root}/+/+/test")
    async with serving(settings) as web:
        denied = await web.client.post("/ingest", content=orjson.dumps(FLAT))
        assert "/MACH-01/test" in problem_of(denied, 503)["detail"]
        good = orjson.dumps(FLAT | {"machine_id": "GOOD"})
        assert (await web.client.post("/ingest", content=good)).status_code == 202
    await service.close()


async def test_a_refused_login_is_a_503(
    stored: Stored, topic_root: str, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory(users={"someone": "else"})
    async with serving(settings_of(stored.url, broker.port, topic_root)) as web:
        response = await web.client.post("/ingest", content=orjson.dumps(FLAT))
        assert "refused the login" in problem_of(response, 503)["detail"]
