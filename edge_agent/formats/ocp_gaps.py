"""What is missing of an OCP run: artifacts by their numbers, elements of a series. Pure: no I/O."""

from dataclasses import dataclass
from typing import Any, Final

_GAPS_MAX: Final = 100


class SequenceGaps:
    """Which sequence numbers were left out. One that comes late is none of them any more."""

    def __init__(self, expected: int | None) -> None:
        """Begin at the number that is expected next; None: nothing was read before."""
        self._expected = expected
        self._missing: list[range] = []
        self._has_begun = False

    def add(self, number: int | None) -> None:
        """Take the number of the next artifact; None where it has none.

        The first one may be smaller than expected: what is before it is of another program.
        """
        if number is None:
            return
        expected = number if self._expected is None else self._expected
        if number < expected and self._has_begun:
            self._find(number)
            return
        if number > expected and len(self._missing) < _GAPS_MAX:
            self._missing.append(range(expected, number))
        self._expected, self._has_begun = number + 1, True

    def gaps(self) -> list[str]:
        """Return the gaps in words, in order, at most a hundred."""
        return [_say(each) for each in self._missing]

    def _find(self, number: int) -> None:
        found = next((each for each in self._missing if number in each), None)
        if found is not None:
            index = self._missing.index(found)
            parts = range(found.start, number), range(number + 1, found.stop)
            self._missing[index : index + 1] = [each for each in parts if each]
            del self._missing[_GAPS_MAX:]  # of many the first are told


@dataclass
class Series:
    """A measurement series of a run, as far as it was read."""

    name: str
    """The test_step of its elements."""
    about: dict[str, Any]
    """What its start says: unit and limits."""
    count: int = 0
    """Elements seen."""
    total: int | None = None
    """Elements that its end says there are."""

    def gap(self) -> str | None:
        """Return in words how many elements are missing; None if none is."""
        if self.total is None or self.count >= self.total:
            return None
        return f"series {self.name}: {self.count} of {self.total} elements"


def _say(missing: range) -> str:
    first, last = missing[0], missing[-1]
    return f"sequenceNumber {first}" if first == last else f"sequenceNumber {first} to {last}"
