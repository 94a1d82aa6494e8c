"""The outbox: what is packed comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from broker.envelopes import Outgoing
from service.store.outbox import pack, unpack

messages = st.tuples(st.text(min_size=1, max_size=80), st.binary(max_size=300)).map(
    lambda drawn: Outgoing(*drawn)  # neither retained nor with a correlation: those are no answers
)


@given(st.lists(messages, max_size=20))
def test_whatever_is_packed_comes_back(packed: list[Outgoing]) -> None:
    assert list(unpack(pack(packed))) == packed


def test_nothing_packed_is_nothing() -> None:
    assert pack([]) == b""
    assert list(unpack(b"")) == []


def test_a_topic_is_counted_in_bytes_and_a_payload_may_be_large() -> None:
    large = Outgoing("factory/v1/é/µ/result", bytes(1_048_576))
    assert list(unpack(pack([large, Outgoing("a", b"")]))) == [large, Outgoing("a", b"")]
