"""Which rule applies to a measurement: the most specific one. Pure: no I/O."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from service.core.globs import Glob
from service.core.rules import Rule, specificity

_KEYS_MAX: Final = 200_000


class StepRules(dict[str, Rule | None]):
    """The rules of one scope by test step, filled on first sight of a step: `rules[step]`.

    A step that an expression makes has none: what a machine sends under its name is left to the
    machine.
    """

    def __init__(self, rules: Sequence[Rule], count_key: Callable[[], None]) -> None:
        super().__init__()
        self._count_key = count_key
        self._globs: list[tuple[Callable[[str], bool], Rule]] = []
        best: dict[str, Rule] = {}
        for rule in rules:  # the most specific first
            step = rule.globs()[0]
            if step.is_exact:
                best.setdefault(step.prefix, rule)
            else:
                self._globs.append((step.matches, rule))
        self.expressions: tuple[Rule, ...] = tuple(
            rule for _, rule in sorted(best.items()) if rule.expression is not None
        )
        """Those that make a measurement of their own, by its name."""
        self._exact = {
            step: None if rule.expression is not None else rule for step, rule in best.items()
        }
        self.required: tuple[Rule, ...] = tuple(rule for rule in best.values() if rule.required)
        """Those whose step must be there; a more specific rule that is not required lifts it."""

    def __missing__(self, test_step: str) -> Rule | None:
        if test_step in self._exact:
            found = self._exact[test_step]
        else:
            found = next((rule for matches, rule in self._globs if matches(test_step)), None)
        self[test_step] = found
        self._count_key()
        return found


class Rulebook:
    """A numbered, immutable set of rules, which remembers what it has looked up.

    Machines, products and procedures that the same selectors match share one `StepRules`, so a
    thousand machines under rules that name none take no more room than one.

    Args:
        version: Its number; 0 is the empty rulebook before the first.
        rules: In any order; no two of them tie (see `find_tie`).
    """

    def __init__(self, version: int, rules: Sequence[Rule]) -> None:
        self.version = version
        self.rules = tuple(rules)
        ranked = sorted(self.rules, key=specificity, reverse=True)
        self._ranked = [(rule, tuple(glob.text for glob in rule.globs()[1:])) for rule in ranked]
        self._selectors = [_Selectors(rule.globs()[at] for rule in ranked) for at in (1, 2, 3)]
        self._scopes: dict[tuple[str, str, str], StepRules] = {}
        self._shared: dict[tuple[frozenset[str], ...], StepRules] = {}
        self._keys = 0

    def scope(self, machine_id: str, product_id: str, procedure: str) -> StepRules:
        """Return the rules of one machine, product and procedure: the most specific by step."""
        key = (machine_id, product_id, procedure)
        found = self._scopes.get(key)
        if found is None:
            self._count_key()
            found = self._scopes[key] = self._find_scope(product_id, procedure, machine_id)
        return found

    def _find_scope(self, *texts: str) -> StepRules:
        matched = tuple(
            selectors.matching(text) for selectors, text in zip(self._selectors, texts, strict=True)
        )
        shared = self._shared.get(matched)
        if shared is None:
            products, procedures, machines = matched
            apply = [
                rule
                for rule, (product, procedure, machine) in self._ranked
                if product in products and procedure in procedures and machine in machines
            ]
            shared = self._shared[matched] = StepRules(apply, self._count_key)
        return shared

    def _count_key(self) -> None:
        """Bound what is remembered: forget all of it, now and then, rather than track ages."""
        self._keys += 1
        if self._keys > _KEYS_MAX:
            self._keys = 0
            self._scopes.clear()
            self._shared.clear()


class _Selectors:
    """All selectors of one kind in a rulebook, such as every product."""

    def __init__(self, globs: Iterable[Glob]) -> None:
        distinct = {glob.text: glob for glob in globs}
        self._exact: dict[str, set[str]] = {}
        self._globs = [glob for glob in distinct.values() if not glob.is_exact]
        for glob in distinct.values():
            if glob.is_exact:  # `a[1]` and `a1` are one text, written in two ways
                self._exact.setdefault(glob.prefix, set()).add(glob.text)

    def matching(self, text: str) -> frozenset[str]:
        """Return the selectors, as written, that match `text`."""
        matched = {glob.text for glob in self._globs if glob.matches(text)}
        return frozenset(matched | self._exact.get(text, set()))


NO_RULES: Final = Rulebook(0, ())
"""In force before the first: the machines' own verdicts and limits decide."""
