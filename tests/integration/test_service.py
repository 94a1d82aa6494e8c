"""`yieldline service` as its own process, a real broker, both databases: what machines meet."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from tests.support.judging import NOW, Brokers, Ear, Service, flat, on, send, services_in
from tests.support.raw_mqtt import Listener, connect, publish_packet
from tests.support.waiting import eventually_sync


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with services_in(tmp_path) as starter:
        yield starter


# -- answers ---------------------------------------------------------------------------------------


def test_a_message_becomes_a_result_and_a_receipt(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    with Ear(broker) as ear:
        send(broker, on("M1", flat(1)), on("M1", flat(2, 79.0)), on("M2", flat(3)))
        results = {each["message_id"]: each for each in ear.wait_for("result", 3)}
        eventually_sync(lambda: set(ear.receipted()) == {"m-1", "m-2", "m-3"}, saw=ear.said)
        assert {each: results[each]["outcome"] for each in results} == {
            "m-1": "PASS",
            "m-2": "FAIL",
            "m-3": "PASS",
        }
        assert results["m-2"]["measurements"][0]["rule_id"] == "voltage"
        assert results["m-3"]["machine_id"] == "M2"
        receipt_topics = {each.topic for each in ear.heard if each.channel == "receipt"}
        assert receipt_topics == {"factory/v1/L1/M1/receipt", "factory/v1/L1/M2/receipt"}
    assert service.process.stop() == 0
    assert service.stored() == {"m-1": 1, "m-2": 1, "m-3": 1}
    assert service.query("SELECT count(*) FROM outbox") == [(0,)]


def test_a_repeat_is_answered_like_the_first_time_and_not_stored_again(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    with Ear(broker) as ear:
        send(broker, on("M1", flat(1, 79.0)))
        (first,) = ear.wait_for("result", 1)
        send(broker, on("M1", flat(1, 79.0)), on("M1", flat(1, 79.0)))
        eventually_sync(lambda: ear.receipted()["m-1"] == 3, saw=ear.said)
        assert all(each == first for each in ear.wait_for("result", 2))
        send(broker, on("M1", flat(1, 81.0)))
        (rejection,) = ear.wait_for("rejected", 1)
        assert rejection["code"] == "conflicting_duplicate"
        eventually_sync(lambda: ear.receipted()["m-1"] == 4, saw=ear.said)
    assert service.stored() == {"m-1": 1}
    assert service.query("SELECT received, stored, rejected, duplicates FROM machine") == [
        (4, 1, 1, 2)
    ]


def test_a_message_without_an_id_has_no_receipt(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, sqlite_url)
    with Ear(broker) as ear:
        anonymous = flat(1)
        del anonymous["message_id"]
        send(broker, on("M1", anonymous), on("M1", flat(2)))
        results = ear.wait_for("result", 2)
        eventually_sync(lambda: ear.receipted() == {"m-2": 1}, saw=ear.said)
        assert len(results[0]["message_id"]) == 32


def test_many_long_ids_fit_their_receipts_in_packets(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url)
    ids = [f"{number:04}".ljust(128, "\N{GRINNING FACE}") for number in range(4_000)]
    arrays = [
        [flat(each[:4], message_id=each) for each in ids[at : at + 1_000]]
        for at in range(0, 4_000, 1_000)
    ]
    with Ear(broker) as ear:
        send(broker, *(on("M1", array) for array in arrays))
        eventually_sync(lambda: len(ear.receipted()) == 4_000, 30)
    assert len(service.events("connected")) == 1, "no packet was too large for the broker"


def test_a_retained_message_is_never_stored_and_each_process_warns_of_it_once(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    topic, payload = on("M1", flat(1))
    link = connect(broker.port, "retainer")
    packet = bytearray(publish_packet(topic, payload, 1))
    packet[0] |= 0x01
    link.sendall(packet)
    assert link.recv(4) == b"\x40\x02\x00\x01"
    link.close()
    service = start(broker, sqlite_url)
    assert service.wait_until("retained_ignored")["topic"] == topic
    send(broker, on("M1", flat(2)))
    eventually_sync(lambda: service.stored() == {"m-2": 1}, saw=service.stored)
    assert service.process.stop() == 0
    again = start(broker, sqlite_url)
    again.wait_until("retained_ignored")  # who subscribes plainly is given it at each connect
    connect(broker.port, "yieldline-service-0", clean_session=False).close()
    again.wait_until("connected", 2)
    send(broker, on("M1", flat(3)))
    eventually_sync(lambda: again.stored() == {"m-2": 1, "m-3": 1}, saw=again.stored)
    assert [len(each.events("retained_ignored")) for each in (service, again)] == [1, 1]
    assert service.query("SELECT count(*) FROM rejection") == [(0,)]


def test_a_service_that_shares_under_another_name_leaves_the_group_of_before(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, tmp_path: Path
) -> None:
    broker, shares = mosquitto_factory(), {"YIELDLINE_SERVICE__SHARE": "true"}
    assert start(broker, sqlite_url, **shares).process.stop() == 0
    (tmp_path / "group").write_text("0f3a9c\n", "utf-8")
    file = {"YIELDLINE_SERVICE__SHARED_GROUP_FILE": str(tmp_path / "group")}
    start(broker, sqlite_url, **shares, **file)
    with Ear(broker) as ear:
        send(broker, on("M1", flat("by then it has left")))
        ear.wait_for("receipt", 1)
    former = "$share/yieldline/factory/v1/+/+/test"
    with Listener(broker.port, "alone", former) as alone:
        send(broker, *(on("M1", flat(number)) for number in range(4)))
        eventually_sync(lambda: len(alone.heard) == 4, saw=lambda: alone.heard)


def test_a_service_that_begins_or_ends_to_share_leaves_what_it_had(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    """Another member of the group is given half of all, all, and half again."""
    broker, group = mosquitto_factory(), "$share/yieldline/factory/v1/+/+/test"

    def counts(turn: int, shares: str) -> tuple[int, int]:
        service = start(broker, sqlite_url, YIELDLINE_SERVICE__SHARE=shares)
        with Ear(broker) as ear, Listener(broker.port, "member", group) as member:
            time.sleep(0.5)  # it waits for no answer to its leaving, so there is nothing to see
            send(broker, *(on("M1", flat(f"{turn}-{number}")) for number in range(20)))
            eventually_sync(lambda: len(member.heard) >= 10, saw=ear.said)
            time.sleep(0.5)  # for what should not come
            count = len(ear.receipted()), len(member.heard)
        assert service.process.stop() == 0
        return count

    seen = [counts(turn, shares) for turn, shares in enumerate(("true", "false", "true"))]
    assert seen == [(10, 10), (20, 20), (10, 10)]


@pytest.mark.parametrize(
    "template",
    [
        "{line}/{machine_id}/{channel}",
        "plant/{machine_id}/{channel}",
        "acme/{site}/{area}/{line}/{cell}/{machine_id}/{channel}",
    ],
)
def test_under_any_template_the_probe_is_no_message(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, template: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url, YIELDLINE_TOPICS__TEMPLATE=template)
    levels = {"line": "L1", "machine_id": "M1", "site": "s", "area": "a", "cell": "c"}
    topic = template.format(channel="test", **levels)
    with Listener(broker.port, "ear", topic.replace("/test", "/result")) as ear:
        send(broker, (topic, orjson.dumps(flat(1))))
        eventually_sync(lambda: len(ear.heard) == 1, saw=lambda: service.process.output)
    assert service.query("SELECT count(*) FROM rejection") == [(0,)]
    assert service.query("SELECT received FROM machine") == [(1,)]


# -- poison ----------------------------------------------------------------------------------------


def with_value(literal: bytes) -> bytes:
    """Return a flat message with this as its measured_value, whatever it is."""
    return orjson.dumps(flat("bad", "@")).replace(b'"@"', literal)


POISON = {
    "not JSON": (b"hello", "not_json"),
    "NaN": (with_value(b"NaN"), "not_json"),
    "1e999": (with_value(b"1e999"), "schema"),
    "5,000 digits": (with_value(b"7" * 5_000), "not_json"),
    "100,000 levels": (with_value(b"[" * 100_000 + b"]" * 100_000), "not_json"),
    "a key twice": (with_value(b'1, "barcode": "x"'), "not_json"),
    "a lone surrogate": (with_value(rb'"\ud800"'), "not_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + orjson.dumps(flat("bad")), "not_json"),
    "UTF-16": (orjson.dumps(flat("bad")).decode().encode("utf-16"), "not_utf8"),
    "not UTF-8": (with_value(b'"\xb5F"'), "not_utf8"),
    "U+0000": (with_value(rb'"a\u0000b"'), "schema"),
    "an empty barcode": (orjson.dumps(flat("bad", barcode="")), "schema"),
    "a control in the barcode": (orjson.dumps(flat("bad", barcode="a\x01b")), "schema"),
    "a barcode of 300 characters": (orjson.dumps(flat("bad", barcode="x" * 300)), "schema"),
    "another machine": (orjson.dumps(flat("bad", machine_id="M9")), "machine_mismatch"),
    "a machine that no topic can have": (
        orjson.dumps(flat("bad", machine_id="a/+/#")),
        "schema",
    ),
    "a count beyond 64 bits": (
        orjson.dumps(flat("bad", sequence={"epoch": "e", "seq": 2**63})),
        "not_storable",
    ),
}


def test_poison_in_a_batch_costs_one_rejection_and_no_neighbour(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    for index, (name, (payload, code)) in enumerate(POISON.items()):
        neighbours = [on(f"P{index}", flat(f"{index}-{at}")) for at in range(99)]
        with Ear(broker) as ear:
            send(broker, *neighbours[:50], on(f"P{index}", payload), *neighbours[50:])
            (rejection,) = ear.wait_for("rejected", 1)
            assert (name, rejection["code"]) == (name, code), rejection["reason"]
            assert rejection["machine_id"] == f"P{index}"
            assert rejection["payload_size"] == len(payload)
            assert rejection["reason"].endswith((".", "again."))
            assert len(ear.wait_for("result", 99)) == 99
    kept = dict(service.query("SELECT id, payload FROM rejection"))
    assert [bytes(kept[each]) for each in sorted(kept)] == [each for each, _ in POISON.values()]
    assert service.query("SELECT count(*) FROM run") == [(99 * len(POISON),)]
    assert service.query("SELECT received, stored, rejected, duplicates FROM machine") == [
        (100, 99, 1, 0)
    ] * len(POISON)


def test_poison_in_an_array_costs_one_rejection_and_no_neighbour(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    for index, (name, (payload, code)) in enumerate(POISON.items()):
        elements = [orjson.dumps(flat(f"{index}-{at}")) for at in range(99)]
        elements.insert(50, payload)
        with Ear(broker) as ear:
            send(broker, on(f"P{index}", b"[" + b", ".join(elements) + b"]"))
            (rejection,) = ear.wait_for("rejected", 1)
            assert (name, rejection["code"]) == (name, code), rejection["reason"]
            assert len(ear.wait_for("result", 99)) == 99
    kept = service.query("SELECT payload, element FROM rejection ORDER BY id")
    assert [bytes(payload) for payload, _ in kept] == [each for each, _ in POISON.values()]
    assert {element for _, element in kept} == {50}
    assert service.query("SELECT count(*) FROM run") == [(99 * len(POISON),)]


@pytest.mark.parametrize("line", ["line 1", "$line", "-line", "x" * 300, "über"])
def test_a_topic_that_fits_no_template_is_kept_without_harm(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, line: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url)
    send(broker, on("M1", flat(1), line), on("M1", flat(2)))
    eventually_sync(lambda: service.stored() == {"m-2": 1}, saw=service.stored)
    found = service.query("SELECT code, topic, machine FROM rejection")
    assert found == [("bad_topic", f"factory/v1/{line}/M1/test", None)]


def test_odd_times_are_stored_and_marked(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, sqlite_url)
    naive = NOW.replace(tzinfo=None)
    times = {
        "naive": (naive.isoformat(), {}, False),
        "ahead": ((NOW + timedelta(hours=1)).isoformat(), {}, True),
        "a little ahead": ((NOW + timedelta(minutes=2)).isoformat(), {}, False),
        "old": ((NOW - timedelta(days=60)).isoformat(), {}, True),
        "old from a file": (
            (NOW - timedelta(days=60)).isoformat(),
            {"source": {"file": "a"}},
            False,
        ),
        "other offset": (NOW.astimezone().isoformat(), {}, False),
    }
    with Ear(broker) as ear:
        send(
            broker,
            *(on("M1", flat(name, timestamp=at, **more)) for name, (at, more, _) in times.items()),
        )
        suspect = {each["barcode"]: each["clock_suspect"] for each in ear.wait_for("result", 6)}
    assert suspect == {f"SN-{name}": meant for name, (_, _, meant) in times.items()}
