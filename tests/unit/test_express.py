"""The express lane: however the bytes are cut, the packets are the same."""

import itertools
import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.express import ExpressLane, PacketIds, puback_packet, publish_packet

SUBACK = b"\x90\x03\x00\x01\x01"
PINGRESP = b"\xd0\x00"
LONG_SUBACK = b"\x90\x82\x01" + bytes(130)


class Seen(NamedTuple):
    topic: bytes
    payload: bytes
    packet_id: int
    retained: bool


class Lane:
    """A lane, and everything that came out of it."""

    def __init__(self) -> None:
        self.published: list[Seen] = []
        self.confirmed: list[int] = []
        self.others = b""
        self._lane = ExpressLane(self._on_publish, self.confirmed.append)

    def _on_publish(self, topic: bytes, payload: bytes, packet_id: int, retained: bool) -> None:  # noqa: FBT001
        self.published.append(Seen(topic, payload, packet_id, retained))

    def take(self, *chunks: bytes) -> "Lane":
        for chunk in chunks:
            self.others += self._lane.take(chunk)
        return self


def publish_qos_0(topic: bytes, payload: bytes) -> bytes:
    return bytes([0x30, 2 + len(topic) + len(payload), 0, len(topic)]) + topic + payload


topics = st.binary(min_size=1, max_size=40)
payloads = st.one_of(st.binary(max_size=40), st.binary(min_size=100, max_size=150)).map(
    lambda some: some * 130 if some[:1] < b"\x20" else some  # also lengths of three bytes
)
packet_ids = st.integers(1, 0xFFFF)
publishes = st.builds(
    lambda topic, payload, packet_id, retain: (
        publish_packet(topic, payload, packet_id, retain=retain),
        Seen(topic, payload, packet_id, retain),
    ),
    topics,
    payloads,
    packet_ids,
    st.booleans(),
)
pubacks = packet_ids.map(lambda packet_id: (puback_packet(packet_id), packet_id))
others = st.sampled_from([SUBACK, PINGRESP, LONG_SUBACK]).map(lambda packet: (packet, packet))


@given(
    st.lists(st.one_of(publishes, pubacks, others), max_size=12),
    st.lists(st.integers(1, 200), min_size=1, max_size=20),
)
def test_however_the_bytes_are_cut_the_packets_are_the_same(
    packets: list[tuple[bytes, Seen | int | bytes]], cuts: list[int]
) -> None:
    stream = b"".join(packet for packet, _ in packets)
    lane, at, sizes = Lane(), 0, itertools.cycle(cuts)
    while at < len(stream):
        size = next(sizes)
        lane.take(stream[at : at + size])
        at += size
    meant = [meaning for _, meaning in packets]
    assert lane.published == [each for each in meant if isinstance(each, Seen)]
    assert lane.confirmed == [each for each in meant if isinstance(each, int)]
    assert lane.others == b"".join(each for each in meant if isinstance(each, bytes))


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_whatever_the_bytes_are_it_takes_them_or_says_that_it_is_not_mqtt(
    chunks: list[bytes],
) -> None:
    try:
        Lane().take(*chunks)
    except ConnectionError:
        return


def test_one_byte_at_a_time_is_enough() -> None:
    stream = publish_packet(b"a/b", b"x" * 200, 7, retain=True) + puback_packet(9) + SUBACK
    lane = Lane().take(*(stream[at : at + 1] for at in range(len(stream))))
    assert lane.published == [Seen(b"a/b", b"x" * 200, 7, retained=True)]
    assert (lane.confirmed, lane.others) == ([9], SUBACK)


def test_a_message_at_qos_0_has_no_packet_id() -> None:
    lane = Lane().take(publish_qos_0(b"a", b"bc"))
    assert lane.published == [Seen(b"a", b"bc", 0, retained=False)]


def test_an_empty_payload_is_a_message_too() -> None:
    lane = Lane().take(publish_packet(b"a", b"", 1, retain=False))
    assert lane.published == [Seen(b"a", b"", 1, retained=False)]


@pytest.mark.parametrize("size", [121, 122, 16_377, 16_378, 2_097_145, 2_097_146])
def test_lengths_at_the_borders_of_one_to_four_bytes_come_back(size: int) -> None:
    stream = publish_packet(b"abc", b"z" * size, 1, retain=False)
    lane = Lane().take(stream[:3], stream[3:5], stream[5:])
    assert [len(each.payload) for each in lane.published] == [size]
    assert lane.others == b""


@pytest.mark.parametrize(
    "packet",
    [
        b"\x32\x00",  # no topic at all
        b"\x32\x01\x00",  # half the topic's length
        b"\x32\x02\x00\x05",  # a topic that is not there
        b"\x32\x04\x00\x02ab",  # no packet id
        b"\x32\x05\x00\x02ab\x00",  # half a packet id
        b"\x30\x80\x80\x80\x80\x01",  # a length of five bytes
        b"\x40\xff\xff\xff\xff",
    ],
    ids=lambda packet: packet.hex(),
)
@pytest.mark.parametrize("follows", [b"", b"\xd0\x00" * 40], ids=["alone", "followed"])
def test_a_malformed_packet_ends_the_connection(packet: bytes, follows: bytes) -> None:
    with pytest.raises(ConnectionError):
        Lane().take(packet + follows)


def test_what_came_before_a_malformed_packet_is_handed_over() -> None:
    lane = Lane()
    with pytest.raises(ConnectionError):
        lane.take(publish_packet(b"a", b"1", 5, retain=False) + b"\x32\x01\x00")
    assert [each.payload for each in lane.published] == [b"1"]


def test_a_long_packet_in_many_pieces_is_not_copied_at_each() -> None:
    piece = bytes(1_024)
    stream = publish_packet(b"a", piece * 32_768, 1, retain=False)  # 32 MiB
    pieces = [stream[at : at + 1_024] for at in range(0, len(stream), 1_024)]
    started = time.process_time()
    lane = Lane().take(*pieces)
    assert len(lane.published[0].payload) == 32 * 2**20
    assert time.process_time() - started < 10  # 500 GB copied would be minutes


def test_our_packet_ids_stay_in_the_upper_half_and_come_round() -> None:
    ids = PacketIds()
    given_out = [ids.next() for _ in range(32_768)]
    assert (min(given_out), max(given_out)) == (32_768, 65_535)
    assert len(set(given_out)) == len(given_out)
    assert ids.next() == given_out[0]
