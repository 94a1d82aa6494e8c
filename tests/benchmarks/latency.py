"""P3: from a machine's publish to the judged result on its topic, at an everyday rate."""

from collections.abc import Iterator, Sequence
from statistics import quantiles

import orjson

from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.load import Message, flat_results, take
from tests.benchmarks.parts import Plant
from tests.support.raw_mqtt import Listener, Sender
from tests.support.waiting import eventually_sync

NOTES = (
    (
        "**P3**: 1,000 flat results at 200/s; from the write of the publish to the read of the"
        " result, by one client on each side. The yardstick is the same message through the broker"
        " alone."
    ),
)
_COUNT, _PER_SECOND = 1_000, 200
_ECHO = "echo/v1/line-1/{}/test"


def latency(plant: Plant, rounds: int) -> Iterator[Figure]:
    """Measure P3: p50 and p99."""
    results, echoes = flat_results(), flat_results(_ECHO)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    for _ in range(rounds + 1):
        ours.append(_times_ms(plant, take(results, _COUNT), "factory/v1/+/+/result"))
        bare.append(_times_ms(plant, take(echoes, _COUNT), "echo/v1/+/+/test"))
    for percent, floor, goal in ((50, 10, 3), (99, 30, 8)):
        yield Figure(
            "P3",
            f"publish to result topic at {_PER_SECOND}/s, p{percent}",
            plant.database,
            "ms",
            [_percentile(times, percent) for times in ours[1:]],
            Yardstick("broker alone", [_percentile(times, percent) for times in bare[1:]]),
            floor=floor,
            goal=goal,
        )


def _times_ms(plant: Plant, messages: Sequence[Message], topics: str) -> list[float]:
    """Send; return the milliseconds until each message's answer was heard on `topics`."""
    with (
        Listener(plant.mqtt_port, "bench-listener", topics) as listener,
        Sender(plant.mqtt_port, "bench-sender") as sender,
    ):
        sent = sender.send(messages, per_second=_PER_SECOND)
        eventually_sync(lambda: len(listener.heard) >= len(messages), 30)
    sent_at = {
        orjson.loads(payload)["message_id"]: at
        for (_, payload), at in zip(messages, sent, strict=True)
    }
    return [
        (heard.at - sent_at[orjson.loads(heard.payload)["message_id"]]) * 1e3
        for heard in listener.heard
    ]


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]
