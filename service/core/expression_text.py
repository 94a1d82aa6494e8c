"""The text of an expression: what it may hold, which steps it names, how CEL gets it. Pure: no I/O.

A closed list of names and marks, so that no expression can take long: no loop within a loop, no
list that is built, no regular expression. Two things are written anew for CEL, which keeps whole
numbers and doubles apart and takes a division by zero for infinite: `2` becomes `2.0`, and `a / b`
becomes `a / nonzero(b)`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, NoReturn

CHARS_MAX: Final = 1_000
LOOPS_MAX: Final = 4
STEPS: Final = "steps"
VALUES: Final = "values"
NONZERO: Final = "nonzero"
"""The function around every divisor; an expression cannot call it itself."""
FUNCTIONS: Final = ("abs", "min", "max", "mean", "sqrt", "log10")
"""Ours; `size` and `has` are CEL's."""

_CALLS: Final = (*FUNCTIONS, "size", "has")
_LOOPS: Final = ("all", "exists", "exists_one")
_LOOP_ARGUMENTS: Final = 2
_METHODS: Final = (*_LOOPS, "contains", "startsWith", "endsWith")
_WORDS: Final = frozenset({"true", "false", "null", "in"})
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>"(?!"")(?:[^"\\\n]|\\.)*"|'(?!'')(?:[^'\\\n]|\\.)*')
    |(?P<number>(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>&&|\|\||[<>=!]=|[-+*/<>!?:.,()\[\]])""",
    re.VERBOSE | re.ASCII,
)
_BEFORE_A_KEY: Final = frozenset({"", "(", "&&", "||", "?", ":", ","})
"""What may stand before `'x' in steps` so that 'x' is all of the key."""


class Reading(NamedTuple):
    """What an expression says."""

    program: str
    """The text for CEL."""
    steps: tuple[str, ...]
    """The steps it names, in order, each once."""
    wants_every_step: bool
    """It goes over all steps, or works out the name of one."""
    wants_values: bool
    """It asks for all values of a step."""
    functions: frozenset[str]
    """Those of `FUNCTIONS` and `NONZERO` that the program may call."""


def read_expression(text: str, *, check: Callable[[str], object]) -> Reading:
    """Read an expression.

    Args:
        text: As written in a rulebook.
        check: CEL's parser, which raises ValueError where the text is not well formed.

    Raises:
        ValueError: It holds what is not allowed; the words say what, and where.
    """
    if len(text) > CHARS_MAX:
        raise ValueError(f"it has more than {CHARS_MAX:,} characters")
    tokens = list(_split(text))
    check(text)
    reader = _Reader(text, tokens)
    reader.check()
    return reader.reading()


def place(text: str, at: int) -> str:
    """Say where the character at `at` is, as a person counts."""
    line, character = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f"line {line}, character {character}" if "\n" in text else f"character {character}"


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Loop(NamedTuple):
    opening: int
    closing: int
    variable: str


_NONE: Final = _Token("", "", 0)


def _split(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            where = place(text, at)
            if text[at] in {"'", '"'}:
                raise ValueError(f"the text at {where} does not end on its line")
            raise ValueError(f"{text[at]!r} at {where} is not used in expressions")
        kind = str(found.lastgroup)
        if kind != "space":
            yield _Token(kind, found[0], at)
        at = found.end()


class _Reader:
    """The tokens of one expression, and what can be told from them."""

    def __init__(self, text: str, tokens: Sequence[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._closing = _closings(self._tokens)
        self._loops = [
            _Loop(index + 1, self._closing[index + 1], self._word(index + 2))
            for index, token in enumerate(self._tokens)
            if token.text in _LOOPS and self._is_method(index)
        ]

    def check(self) -> None:
        """Raise ValueError where something is not allowed."""
        self._check_loops()
        for index, token in enumerate(self._tokens):
            if token.kind == "name":
                self._check_name(index, token.text)
            elif token.text == "!" and self._at(index + 1).kind == "text":
                self._complain(index, "is before a text. Write !('x' in steps)")
        if not any(map(self._is_variable, range(len(self._tokens)))):
            raise ValueError("it looks at no step. Name one, such as steps['v_in']")

    def reading(self) -> Reading:
        """Return what it says."""
        uses = [index for index in range(len(self._tokens)) if self._is_variable(index)]
        named = [self._step_named(index) for index in uses]
        functions = {token.text for token in self._tokens} & {*FUNCTIONS}
        has_division = any(token.text == "/" for token in self._tokens)
        return Reading(
            self._program(),
            tuple(dict.fromkeys(step for step in named if step is not None)),
            None in named,
            any(self._word(index) == VALUES for index in uses),
            frozenset(functions | {NONZERO} if has_division else functions),
        )

    # -- tokens ----------------------------------------------------------------------------------

    def _at(self, index: int) -> _Token:
        return self._tokens[index] if 0 <= index < len(self._tokens) else _NONE

    def _word(self, index: int) -> str:
        return self._at(index).text

    def _is_method(self, index: int) -> bool:
        return self._word(index - 1) == "." and self._word(index + 1) == "("

    def _is_variable(self, index: int) -> bool:
        """Tell whether a token is `steps` or `values` itself, not a member of that name."""
        return self._word(index) in {STEPS, VALUES} and self._word(index - 1) != "."

    def _complain(self, index: int, what: str) -> NoReturn:
        word, at = self._at(index).text, self._at(index).at
        raise ValueError(f"{word!r} at {place(self._text, at)} {what}")

    # -- checks ----------------------------------------------------------------------------------

    def _check_loops(self) -> None:
        for count, loop in enumerate(self._loops, start=1):
            if count > LOOPS_MAX:
                self._complain(loop.opening - 1, f"is one too many, {LOOPS_MAX} are the most")
            if self._loop_around(loop.opening):
                self._complain(loop.opening - 1, "is a loop within a loop")
            if self._argument_count(loop.opening) != _LOOP_ARGUMENTS:
                self._complain(loop.opening - 1, "takes a name and a condition")
            if loop.variable in {STEPS, VALUES}:
                self._complain(loop.opening + 1, "is taken. Give the loop's variable another name")

    def _argument_count(self, opening: int) -> int:
        count, index = 1, opening + 1
        while index < self._closing[opening]:
            count += self._word(index) == ","
            index = self._closing.get(index, index) + 1
        return count

    def _loop_around(self, index: int) -> _Loop | None:
        return next((one for one in self._loops if one.opening < index < one.closing), None)

    def _check_name(self, index: int, word: str) -> None:
        is_member, is_call = self._word(index - 1) == ".", self._word(index + 1) == "("
        if is_member and is_call:
            self._check_known(index, _METHODS)
        elif is_member:
            if not self._is_variable(index - 2):
                self._complain(index, "is no member. Write a step's name as steps['a.b']")
        elif is_call and word != "in":
            self._check_known(index, _CALLS)
        elif word in {STEPS, VALUES}:
            self._check_variable(index, word)
        elif word not in _WORDS:
            loop = self._loop_around(index)
            self._check_known(index, (STEPS, VALUES, *([loop.variable] if loop else [])))

    def _check_known(self, index: int, known: Sequence[str]) -> None:
        if self._word(index) not in known:
            self._complain(index, f"is not known. Use one of {', '.join(known)}")

    def _check_variable(self, index: int, word: str) -> None:
        """Refuse all of `steps` as a value: comparing it within a loop would take minutes."""
        before, after = self._word(index - 1), self._word(index + 1)
        is_counted = before == "(" and self._word(index - 2) == "size" and after == ")"
        if after not in {"[", "."} and before != "in" and not is_counted:
            self._complain(index, f"lacks a step. Write {word}['v_in']")
        if word == VALUES and self._loop_around(index):
            self._complain(index, "cannot be used within a loop")

    # -- the steps that are named ----------------------------------------------------------------

    def _step_named(self, index: int) -> str | None:
        """Return the step that a use of `steps` or `values` names; None: it may be any."""
        after = self._word(index + 1)
        if after == ".":
            return None if self._is_method(index + 2) else self._word(index + 2)
        if after == "[":
            return self._plain_text(index + 2) if self._word(index + 3) == "]" else None
        is_key = self._word(index - 1) == "in" and self._word(index - 3) in _BEFORE_A_KEY
        return self._plain_text(index - 2) if is_key else None

    def _plain_text(self, index: int) -> str | None:
        token = self._at(index)
        return token.text[1:-1] if token.kind == "text" and "\\" not in token.text else None

    # -- the text for CEL ------------------------------------------------------------------------

    def _program(self) -> str:
        words = [self._as_double(index) for index in range(len(self._tokens))]
        for index, token in enumerate(self._tokens):
            if token.text == "size" and self._word(index + 1) == "(":
                words[index] = "double(size"
                words[self._closing[index + 1]] += ")"
        for index, token in enumerate(self._tokens):
            if token.text == "/":
                words[index + 1] = f"{NONZERO}({words[index + 1]}"
                words[self._end_of_operand(index + 1)] += ")"
        return " ".join(words)

    def _as_double(self, index: int) -> str:
        """Return a token as CEL gets it: a number is a double, unless it is a place in a list."""
        token = self._at(index)
        if token.kind != "number" or self._is_place(index):
            return token.text
        return repr(float(token.text))

    def _is_place(self, index: int) -> bool:
        is_alone = self._word(index - 1) == "[" and self._word(index + 1) == "]"
        of = self._at(index - 2)
        return is_alone and (of.kind == "name" or of.text in {"]", ")"}) and of.text != "in"

    def _end_of_operand(self, index: int) -> int:
        """Return the last token of the operand that begins at `index`."""
        while self._word(index) in {"-", "!"}:
            index += 1
        index = self._closing.get(index, index)
        while self._word(index + 1) in {"[", "(", "."}:
            index = self._closing.get(index + 1, index + 2)
        return index


def _closings(tokens: Sequence[_Token]) -> dict[int, int]:
    """Return the place of the closing bracket of each opening one; CEL has seen that they fit."""
    closings: dict[int, int] = {}
    waiting: list[int] = []
    for index, token in enumerate(tokens):
        if token.text in {"(", "["}:
            waiting.append(index)
        elif token.text in {")", "]"}:
            closings[waiting.pop()] = index
    return closings
