"""What waits on a connection: messages for their acknowledgement, packets for their PUBACK."""

import asyncio

import pytest

from broker.confirmations import Confirmations
from broker.envelopes import Delivery
from broker.inbox import Inbox


def delivery(payload: bytes = b"x", packet_id: int = 1) -> Delivery:
    return Delivery("t", payload, packet_id, retained=False)


def inbox(count_max: int = 100, bytes_max: int = 1_000) -> tuple[Inbox, list[str]]:
    full: list[str] = []
    return Inbox(count_max, bytes_max, lambda: full.append("full")), full


async def test_a_batch_is_what_has_arrived_in_order_and_within_both_bounds() -> None:
    box, _ = inbox()
    for number in range(5):
        box.take(delivery(b"four", number))
    assert [each.packet_id for each in await box.next_batch(2, 100)] == [0, 1]
    assert [each.packet_id for each in await box.next_batch(5, 11)] == [2, 3]
    assert [each.packet_id for each in await box.next_batch(5, 1)] == [4], "never none"


async def test_it_is_full_by_count_and_by_bytes_and_half_empty_once_enough_is_acknowledged() -> (
    None
):
    by_count, full = inbox(count_max=4)
    for number in range(4):
        assert full == []
        by_count.take(delivery(packet_id=number))
    assert full == ["full"]
    batch = await by_count.next_batch(4, 100)
    by_count.forget(batch[:1])
    assert not by_count.is_half_empty()
    by_count.forget(batch[1:2])
    assert by_count.is_half_empty()
    assert (by_count.pending_count, by_count.acked_count) == (2, 2)

    by_bytes, full = inbox(bytes_max=8)
    by_bytes.take(delivery(b"seven.."))
    assert full == []
    by_bytes.take(delivery(b"8"))
    assert full == ["full"]
    by_bytes.forget(await by_bytes.next_batch(2, 100))
    by_bytes.take(delivery(b"seven.."))
    assert full == ["full"], "what is acknowledged takes no room"


async def test_closing_it_wakes_whoever_waits_and_gives_nothing_more() -> None:
    box, _ = inbox()
    waiting = asyncio.create_task(box.next_batch(1, 1))
    await asyncio.sleep(0)
    box.close()
    assert await waiting == []
    box.take(delivery())
    assert await box.next_batch(1, 1) == [], "it could not be acknowledged"


async def test_the_topic_of_the_express_lane_is_read_whatever_its_bytes() -> None:
    box, _ = inbox()
    box.take_packet(b"a/\xff", b"p", 7, retained=True)
    assert await box.next_batch(1, 1) == [
        Delivery("a/\N{REPLACEMENT CHARACTER}", b"p", 7, retained=True)
    ]


async def test_whoever_publishes_waits_for_the_last_confirmation() -> None:
    sent = Confirmations()
    sent.missing.update((1, 2))
    waiting = asyncio.create_task(sent.wait(5))
    for packet_id in (1, 2):
        await asyncio.sleep(0)
        assert not waiting.done()
        sent.missing.discard(packet_id)
        sent.announce()
    await waiting


async def test_a_broker_that_confirms_nothing_for_so_long_is_silent() -> None:
    sent = Confirmations()
    sent.missing.add(1)
    with pytest.raises(TimeoutError):
        await sent.wait(0.01)


async def test_nobody_waits_on_a_connection_that_is_over() -> None:
    sent = Confirmations()
    sent.missing.add(1)
    sent.close()
    async with asyncio.timeout(1):
        await sent.wait(60)
