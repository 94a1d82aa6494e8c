"""What was seen of a file, and what follows: a look or none, and what its end is. Pure: no I/O."""

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from edge_agent.config import SourceSettings
from edge_agent.formats import Options
from edge_agent.tail import Signature

Key = tuple[str, str]
"""A machine and a path, as `key_of` makes it."""

COLD_S: Final = 600.0
COLD_A_ROUND: Final = 500
FOLLOWED_S: Final = 3_600.0
_LONG_AGO_S: Final = 86_400.0
"""A file written this long ago is no file that its writer has paused in, whatever the clocks say:
they may differ by hours, and Windows tells the time of the last write up to an hour late."""


class Ending(StrEnum):
    """What the end of a file means for its last record."""

    OPEN = "open"
    """It may grow: half a record waits."""
    QUIET = "quiet"
    """Nobody has written for a while: one that lacks only its newline, and shows it, is taken."""
    SILENT = "silent"
    """Nobody has written for a long time: what may be whole is."""
    FINAL = "final"
    """Nothing more will come: half a one is refused."""


_RANK: Final = {
    each: rank
    for rank, each in enumerate((None, Ending.OPEN, Ending.QUIET, Ending.SILENT, Ending.FINAL))
}


class Work(NamedTuple):
    """A source, and how it is read in a round."""

    source: SourceSettings
    options: Options
    is_final: bool = False
    """Nothing more will come."""


class Candidate(NamedTuple):
    """A file to look at."""

    key: Key
    path: str
    signature: Signature


class Seen(NamedTuple):
    """What the last look at a file saw."""

    path: str
    pattern: str
    """Of its source."""
    signature: Signature
    since: float
    """When it was first seen like this, on the monotonic clock, in seconds."""
    tried: Ending | None = None
    """What its end was taken for; None: it was not read to its end."""
    has_rest: bool = True
    """Bytes at its end are not dealt with."""
    file_id: int = 0
    """In the book of files; 0: it is not there yet."""
    offset: int = 0
    """Bytes read and dealt with."""
    was_at: str | None = None
    """The path it was first found at, where it was renamed since."""
    is_ended: bool = False
    """Nothing more is expected of it: a compressed file that was read."""
    is_damaged: bool = False
    """It cannot be read as it is; another look helps once it was written again."""

    def has_nothing_new(self, ending: Ending) -> bool:
        """Tell whether another look can find nothing, as long as the signature is the same."""
        is_read = self.tried is not None and not self.has_rest
        return is_read or self.is_damaged or _RANK[self.tried] >= _RANK[ending]


def key_of(machine_id: str, path: str) -> Key:
    """Return what files are told apart by. On Windows two spellings may be one path."""
    return machine_id, os.path.normcase(path)


class Moment(NamedTuple):
    """What a file's end is judged by, besides what was seen of it."""

    quiet_s: float
    """Since when its signature is the same, as far as this process has seen."""
    age_s: float
    """Since it was last written, by the clocks of here and of its disk."""
    is_final: bool
    """The agent will not come back."""
    is_zipped: bool


def ending_of(moment: Moment, settle_s: float, seen: Seen | None, successor: Seen | None) -> Ending:
    """Return what a file's end means now.

    Args:
        moment: How long nothing has happened.
        settle_s: The source's quiet seconds.
        seen: What the last look saw.
        successor: The file that stands where a renamed one was first found. A rotator's new file
            stays empty as long as the writer goes on in the old one.
    """
    if moment.is_final:
        return Ending.FINAL
    if moment.is_zipped:
        is_done = max(moment.quiet_s, moment.age_s) >= settle_s
        return Ending.FINAL if is_done else Ending.OPEN
    if moment.quiet_s < settle_s:
        return Ending.OPEN
    if seen is None or seen.was_at is None:
        is_silent = moment.quiet_s >= FOLLOWED_S or moment.age_s >= _LONG_AGO_S
        return Ending.SILENT if is_silent else Ending.QUIET
    is_another = successor is not None and successor.file_id != seen.file_id
    has_successor = is_another and successor is not None and successor.signature.size > 0
    return Ending.FINAL if has_successor or moment.quiet_s >= FOLLOWED_S else Ending.QUIET


def in_turn(keys: Sequence[Key], seen: Mapping[Key, Seen], number: int, now: float) -> list[Key]:
    """Return what to look at in a round: all that may move, and of those long quiet some.

    A folder of old files must not cost as much as they are many: of files that are read and quiet
    for 10 minutes at most 500 are looked at in a round, in turn.

    Args:
        keys: All files.
        seen: What was seen of them.
        number: Counts the rounds.
        now: On the monotonic clock, in seconds.
    """
    cold = [key for key in keys if key in seen and _is_cold(seen[key], now)]
    turns = 1 + len(cold) // COLD_A_ROUND
    waits = {key for place, key in enumerate(cold) if place % turns != number % turns}
    return [key for key in keys if key not in waits]


def _is_cold(seen: Seen, now: float) -> bool:
    return seen.tried is not None and not seen.has_rest and now - seen.since >= COLD_S
