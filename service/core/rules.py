"""A plant's rules: what a limit is, where it applies, and which of two is meant. Pure: no I/O."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, NamedTuple, TypeAlias

from broker.messages import Comparator, Nominal, Severity
from service.core.globs import ANY, Glob, read_glob

SELECTORS: Final = ("test_step", "product", "procedure", "machine")
"""In the order in which they are compared."""

Specificity: TypeAlias = tuple[tuple[int, int], ...]


class Limit(NamedTuple):
    """What a value is compared with: a rule's, or a message's own."""

    comparator: Comparator
    low: float | None = None
    high: float | None = None
    nominal: Nominal = None
    unit: str | None = None
    """Unit of measure of the limits; None: the value's, whatever it is."""
    tolerance: float | None = None
    tolerance_percent: float | None = None
    tolerance_ppm: float | None = None
    marginal_percent: float | None = None
    """A PASS within this percentage of the limit span of a limit is marginal."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit plus where it applies. The selectors are globs, `*` where left out."""

    id: str
    comparator: Comparator
    test_step: str = ANY
    product: str = ANY
    procedure: str = ANY
    machine: str = ANY
    low: float | None = None
    high: float | None = None
    nominal: Nominal = None
    tolerance: float | None = None
    tolerance_percent: float | None = None
    tolerance_ppm: float | None = None
    unit: str | None = None
    required: bool = False
    """A Run in which the step is missing fails."""
    marginal_percent: float | None = None
    severity: Severity = Severity.MAJOR
    expression: str | None = None
    """What makes the value that is compared, out of all measurements of a Run; its verdict is a
    measurement of its own, named by `test_step`."""
    units: tuple[tuple[str, str], ...] = ()
    """(step, the unit of measure in which the expression wants its value), sorted."""
    limit: Limit = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limit = Limit(**{name: getattr(self, name) for name in Limit._fields})
        object.__setattr__(self, "limit", limit)  # the class is frozen

    def globs(self) -> tuple[Glob, ...]:
        """Return the four selectors, in the order of `SELECTORS`."""
        return tuple(read_glob(getattr(self, name)) for name in SELECTORS)


def specificity(rule: Rule) -> Specificity:
    """Return a key that is higher for the rule that beats another where both apply.

    The selectors in the order of `SELECTORS`; exact beats glob beats `*`, and of two globs the one
    with more literal characters.
    """
    return tuple((glob.rank, glob.literals) for glob in rule.globs())


def default_comparator(low: float | None, high: float | None) -> Comparator | None:
    """Return what limits without a comparator mean; None if there are no limits."""
    if low is not None:
        return Comparator.GE if high is None else Comparator.GELE
    return None if high is None else Comparator.LE


def find_tie(rules: Sequence[Rule]) -> tuple[Rule, Rule] | None:
    """Find two rules of which neither is more specific although some input matches both.

    Takes about linear time in the number of rules as long as their globs differ in how they begin
    or end, which is what keeps them from tying.
    """
    alike: defaultdict[object, list[tuple[Rule, tuple[Glob, ...]]]] = defaultdict(list)
    for rule in rules:
        globs = rule.globs()
        exact = tuple(glob.prefix if glob.is_exact else None for glob in globs)
        alike[specificity(rule), exact].append((rule, globs))
    for group in alike.values():
        for (one, its), (other, others) in _candidates(group):
            if all(glob.meets(its_twin) for glob, its_twin in zip(its, others, strict=True)):
                return one, other
    return None


_Entry: TypeAlias = tuple[Rule, tuple[Glob, ...]]


def _candidates(group: list[_Entry]) -> Iterable[tuple[_Entry, _Entry]]:
    """Return the pairs that may tie: of each, one glob's beginning (or end) begins the other's.

    Of the four selectors and the two ends it takes the one that leaves the fewest pairs.
    """
    count_best, keys_best = len(group) ** 2, None
    for key_of in _ends(len(SELECTORS)):
        keys = [key_of(globs) for _, globs in group]
        count = sum(each * each for each in Counter(keys).values())
        if count < count_best:
            count_best, keys_best = count, keys
    if keys_best is None:
        return combinations(group, 2)
    return _pairs_by_prefix(group, keys_best)


def _ends(selectors: int) -> Iterator[Callable[[tuple[Glob, ...]], str]]:
    for index in range(selectors):
        yield lambda globs, index=index: globs[index].prefix  # type: ignore[misc]
        yield lambda globs, index=index: globs[index].suffix[::-1]  # type: ignore[misc]


def _pairs_by_prefix(group: list[_Entry], keys: list[str]) -> Iterator[tuple[_Entry, _Entry]]:
    by_key: defaultdict[str, list[_Entry]] = defaultdict(list)
    for key, entry in zip(keys, group, strict=True):
        by_key[key].append(entry)
    for key, entries in by_key.items():
        yield from combinations(entries, 2)
        shorter = [other for length in range(len(key)) for other in by_key.get(key[:length], ())]
        for entry in entries:
            for other in shorter:
                yield entry, other
