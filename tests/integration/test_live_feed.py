"""The feed of the screens: what it passes on, and how it lives through the loss of the broker."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from broker.envelopes import Outgoing
from broker.feed import LiveMessage
from broker.link import Connection
from broker.settings import Settings
from broker.topics import Channel
from tests.support.mosquitto import Mosquitto
from tests.support.waiting import eventually
from ui.state import live_hub


def settings_of(port: int, root: str, **broker: object) -> Settings:
    return Settings.model_validate(
        {
            "broker": {
                "port": port,
                "retry_delay_max_s": 0.2,
                "connect_timeout_s": 1,
                "keepalive_s": 5,
                **broker,
            },
            "topics": {"template": f"{root}/{{line}}/{{machine_id}}/{{channel}}"},
        }
    )


class Screen:
    """A hub that runs, and what a listener has been given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hub = live_hub(settings)
        self.seen: list[LiveMessage] = []
        self.bursts = 0
        self.hub.listen(self._take)
        self.task = asyncio.create_task(self.hub.run(), name="screen")

    def _take(self, messages: object) -> None:
        assert isinstance(messages, list)
        self.seen += messages
        self.bursts += 1

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def publish(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> AsyncIterator[Callable[..., object]]:
    connection = Connection(settings_of(mosquitto.port, topic_root).broker, f"{unique_id}-p")
    await connection.open()

    async def send(*messages: tuple[str, bytes], retain: bool = False) -> None:
        outgoing = [Outgoing(f"{topic_root}/{topic}", body, retain) for topic, body in messages]
        await connection.publish(outgoing)

    yield send
    await connection.close()


async def test_it_passes_on_what_is_shown_in_order_and_nothing_else(
    mosquitto: Mosquitto, topic_root: str, publish: Callable[..., object]
) -> None:
    screen = Screen(settings_of(mosquitto.port, topic_root))
    await eventually(lambda: screen.hub.connected)
    results = [("L1/M1/result", f"{number}".encode()) for number in range(2_000)]
    await publish(
        ("L1/M1/test", b"t"), ("L1/M$/result", b"bad id"), *results, ("L1/M1/state", b"s")
    )
    await eventually(lambda: len(screen.seen) == 2_001)
    shown = [each for each in screen.seen if each.topic.channel is Channel.RESULT]
    assert [each.payload for each in shown] == [body for _, body in results]
    assert shown[0].topic.machine_id == "M1"
    [state] = [each for each in screen.seen if each.topic.channel is Channel.STATE]
    assert state.payload == b"s"
    assert screen.bursts < 2_001  # several at a time
    await screen.close()


async def test_what_was_said_before_is_marked_retained(
    mosquitto: Mosquitto, topic_root: str, publish: Callable[..., object]
) -> None:
    await publish(("L1/M1/state", b"before"), retain=True)
    screen = Screen(settings_of(mosquitto.port, topic_root))
    await eventually(lambda: len(screen.seen) == 1)
    await publish(("L1/M1/state", b"now"), retain=True)
    await eventually(lambda: len(screen.seen) == 2)
    assert [(each.payload, each.retained) for each in screen.seen] == [
        (b"before", True),
        (b"now", False),
    ]
    await screen.close()


async def test_it_comes_back_after_the_broker_was_away(
    mosquitto_factory: Callable[..., Mosquitto], topic_root: str
) -> None:
    broker = mosquitto_factory()
    screen = Screen(settings_of(broker.port, topic_root))
    await eventually(lambda: screen.hub.connected)
    since = screen.hub.changed_at
    broker.kill()
    await eventually(lambda: not screen.hub.connected)
    assert screen.hub.trouble
    assert screen.hub.changed_at > since
    broker.start()
    await eventually(lambda: screen.hub.connected)
    assert screen.hub.trouble is None
    await screen.close()


async def test_who_fell_behind_throws_away_what_waits_and_hears_what_comes_then(
    mosquitto: Mosquitto, topic_root: str, publish: Callable[..., object]
) -> None:
    screen = Screen(settings_of(mosquitto.port, topic_root))
    await eventually(lambda: screen.hub.connected)
    since = screen.hub.changed_at
    screen.hub.renew()
    await publish(*[("L1/M1/result", f"{number}".encode()) for number in range(20_000)])
    await eventually(lambda: screen.hub.connected and screen.hub.changed_at > since)
    assert len(screen.seen) < 20_000
    await publish(("L1/M1/result", b"now"))
    await eventually(lambda: bool(screen.seen) and screen.seen[-1].payload == b"now")
    await screen.close()


async def test_a_listener_that_fails_does_not_silence_the_others(
    mosquitto: Mosquitto, topic_root: str, publish: Callable[..., object]
) -> None:
    screen = Screen(settings_of(mosquitto.port, topic_root))
    late: list[bytes] = []
    screen.hub.listen(lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    stop = screen.hub.listen(lambda messages: late.extend(each.payload for each in messages))
    await eventually(lambda: screen.hub.connected)
    await publish(("L1/M1/result", b"1"))
    await eventually(lambda: late == [b"1"])
    stop()
    await publish(("L1/M1/result", b"2"))
    await eventually(lambda: len(screen.seen) == 2)
    assert late == [b"1"]
    await screen.close()


async def test_a_refused_login_is_said(
    mosquitto_factory: Callable[..., Mosquitto], topic_root: str
) -> None:
    broker = mosquitto_factory(users={"ui": "secret"})
    screen = Screen(settings_of(broker.port, topic_root))
    await eventually(lambda: "uthori" in (screen.hub.trouble or ""), saw=lambda: screen.hub.trouble)
    await screen.close()
    known = Screen(settings_of(broker.port, topic_root, username="ui", password="secret"))
    await eventually(lambda: known.hub.connected)
    await known.close()
