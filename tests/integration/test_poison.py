"""Messages that could end the service, from the pipeline into both databases: refused and kept."""

import random
import string
from collections.abc import Iterator

import orjson
import pytest

from broker.envelopes import Delivery
from broker.messages import RejectionCode
from broker.settings import Settings
from service.core.lookup import Rulebook
from service.pipeline import Pipeline
from service.store.batches import Committed
from tests.support.stored import Stored, assert_books_balance, one, rows, run_message

LONG_ID = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=3_000))
"""No index of PostgreSQL holds it, and it does not compress."""
LONG_TOPIC = f"factory/v1/{LONG_ID}/M1/test"


@pytest.fixture
def pipeline(stored: Stored) -> Iterator[Pipeline]:
    made = Pipeline(Settings(), stored.database, Rulebook(1, ()))
    yield made
    made.writer.close()


def arrived(topic: str, payload: bytes = b"{") -> Delivery:
    return Delivery(topic, payload, 1, retained=False)


def refusals(committed: Committed) -> list[tuple[RejectionCode, str, str | None]]:
    found = [each.refused for each in committed.saved.rejections]
    return [(each.code, each.topic, each.message_id) for each in found]


def test_a_topic_longer_than_an_index_takes_is_refused_and_harms_no_neighbour(
    pipeline: Pipeline, stored: Stored
) -> None:
    good = arrived("factory/v1/L1/M1/test", orjson.dumps(run_message("A")))
    for batch in ([arrived(LONG_TOPIC)], [good, arrived(f"{LONG_TOPIC}/a"), good]):
        committed = pipeline.commit(pipeline.understand(batch))
        topic = batch[len(batch) // 2].topic
        assert refusals(committed) == [(RejectionCode.BAD_TOPIC, topic, None)]
    assert one(stored, "SELECT count(*) FROM rejection") == 2
    assert one(stored, "SELECT message_id FROM run") == "A-FCT-0"
    assert_books_balance(stored)


def test_what_ends_the_service_can_always_be_refused(pipeline: Pipeline, stored: Stored) -> None:
    topic = "factory/v1/L1/M1/test"
    messages = [
        (topic, b'{"message_id": "m-1"}', "m-1"),
        (topic, rb'{"message_id": "a\u0000b"}', None),
        (topic, b'{"message_id": "' + LONG_ID.encode() + b'"}', None),
        (topic, b"\0\xff", None),
        (f"{LONG_TOPIC}\0", b'{"message_id": "m-2"}', "m-2"),
    ]
    for topic, payload, message_id in messages:
        refused = pipeline.refuse(arrived(topic, payload), RuntimeError("a bug"))
        committed = pipeline.commit(refused)
        assert refusals(committed) == [(RejectionCode.NOT_STORABLE, topic, message_id)]
    kept = rows(stored, "SELECT payload FROM rejection ORDER BY id")
    assert [bytes(each["payload"]) for each in kept] == [payload for _, payload, _ in messages]
    assert_books_balance(stored)
