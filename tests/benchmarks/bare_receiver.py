"""The yardstick of P1: receive and acknowledge through `broker.link`, and do nothing else.

`python -m tests.benchmarks.bare_receiver PORT COUNT` prints `time.monotonic()` each time another
COUNT messages of `bare/…` are acknowledged, until it is stopped.
"""

import asyncio
import sys
import time

from broker.link import Connection
from broker.sections import BrokerSettings

FILTER = "bare/v1/+/+/test"


async def receive(port: int, count: int) -> None:
    """Receive until the connection ends."""
    connection = Connection(BrokerSettings(port=port), "bare-receiver")
    await connection.open()
    await connection.subscribe(FILTER)
    _say("subscribed")
    done = 0
    while batch := await connection.next_batch():
        connection.ack(batch)
        before, done = done // count, done + len(batch)
        if done // count > before:
            _say(f"at {time.monotonic()}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(receive(int(sys.argv[1]), int(sys.argv[2])))
