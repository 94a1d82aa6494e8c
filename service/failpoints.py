"""Points at which a test lets this process die or fail; off unless the environment says otherwise.

    YIELDLINE_TEST_FAILPOINTS="after_commit=kill@2"           killed (SIGKILL) the second time
    YIELDLINE_TEST_FAILPOINTS="before_judging=raise~SN-7"     a bug that one message brings out
    YIELDLINE_TEST_FAILPOINTS="before_publish=kill,after_acknowledge=kill"

A batch passes each of `POINTS` once, in their order. Off that is a call of a function that does
nothing: 0.05 µs of the milliseconds that a batch takes.
"""

import os
import re
import signal
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from broker.errors import SettingsError

VARIABLE: Final = "YIELDLINE_TEST_FAILPOINTS"
POINTS: Final = (
    "before_judging",
    "before_commit",  # all rows are in the transaction
    "after_commit",
    "before_publish",
    "after_publish",  # every answer is confirmed
    "before_acknowledge",
    "after_acknowledge",  # handed to the kernel, which may or may not pass it on
)
_parse = re.compile(r"(\w+)=(kill|raise)(?:@(\d+))?(?:~(.+))?").fullmatch


class Failure(Exception):  # noqa: N818 - it stands for any bug of ours
    """What `raise` raises: no error of ours, so the process takes it for a bug."""


class _Trap(NamedTuple):
    action: str
    at: int
    """From which time on it acts."""
    text: str
    """Only when what is in hand holds this."""


Hit: TypeAlias = Callable[[str, object], None]
"""Passes a point, with the batch in hand."""


def pass_by(point: str, batch: object) -> None:
    """Do nothing: what `hit` is while the environment switches nothing on."""


def armed(text: str) -> Hit:
    """Return a `hit` that does what `text` says.

    Args:
        text: As in the head of this file.

    Raises:
        SettingsError: It names no point, or no action.
    """
    traps = dict(_traps(text))
    times = dict.fromkeys(traps, 0)

    def hit(point: str, batch: object) -> None:
        trap = traps.get(point)
        if trap is None or trap.text not in repr(batch):
            return
        times[point] += 1
        if times[point] < trap.at:
            return
        if trap.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise Failure(f"failpoint {point}")

    return hit


def _traps(text: str) -> Mapping[str, _Trap]:
    traps: dict[str, _Trap] = {}
    for each in text.split(","):
        found = _parse(each.strip())
        if found is None or found[1] not in POINTS:
            raise SettingsError(
                f"environment {VARIABLE}: {each!r} is no failpoint. Write POINT=kill or"
                f" POINT=raise, with @N or ~TEXT behind it; the points are {', '.join(POINTS)}."
            )
        traps[found[1]] = _Trap(found[2], int(found[3] or 1), found[4] or "")
    return traps


_switched_on = os.environ.get(VARIABLE)
hit: Hit = armed(_switched_on) if _switched_on else pass_by
