"""`python -m broker.qualify [--second HOST:PORT]`: does this broker, or cluster, serve a plant?

Reads the settings that the service reads, address and login among them. Publishes and subscribes
on the topic that no machine can have, so it may run beside a plant at work. Prints a line a need;
exit code 1 when one is not met that results depend on, 2 when nobody answers.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from broker.errors import YieldlineError
from broker.sections import BrokerSettings
from broker.settings import Settings, load_settings
from broker.trials import Trials

_NOT_TRIED: Final = (
    "Not tried here: rights by user name (docs/deploy/mosquitto.acl), what a killed node had"
    " confirmed, a network that splits. See docs/deploy/clusters.md."
)


def main() -> None:
    """Try the broker of the settings."""
    parser = argparse.ArgumentParser(prog="python -m broker.qualify", description=__doc__)
    parser.add_argument("--config", type=Path, help="another file than yieldline.toml")
    parser.add_argument("--second", help="HOST:PORT of another node of the same cluster")
    parser.add_argument(
        "--quiet", type=float, default=2.0, help="seconds after which no more comes"
    )
    options = parser.parse_args()
    try:
        settings = load_settings(options.config)
        second = _node(settings.broker, options.second)
        sys.exit(asyncio.run(_tried(settings, second, options.quiet)))
    except YieldlineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except ValueError:
        parser.error(f"--second {options.second!r} is not HOST:PORT")


def _node(first: BrokerSettings, second: str | None) -> BrokerSettings:
    """Return how to reach the other node: as the first, at another address.

    Raises:
        ValueError: It is not written as HOST:PORT.
    """
    if second is None:
        return first
    host, _, port = second.rpartition(":")
    if not host:
        raise ValueError(second)
    return first.model_copy(update={"host": host, "port": int(port)})


async def _tried(settings: Settings, second: BrokerSettings, quiet_s: float) -> int:
    """Print what is found; return the exit code."""
    are_met = True
    trials = Trials(settings.broker, second, settings.template(), quiet_s=quiet_s)
    async for each in trials.run():
        word = "yes" if each.is_met else "NO" if each.is_needed else "no, but not needed"
        sys.stdout.write(f"{each.need}: {word}; {each.seen}\n")
        sys.stdout.flush()
        are_met &= each.is_met or not each.is_needed
    sys.stdout.write(f"{_NOT_TRIED}\n")
    return 0 if are_met else 1


if __name__ == "__main__":
    main()
