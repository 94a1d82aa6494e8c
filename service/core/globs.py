"""Globs of a rulebook's selectors: match a text, and tell whether two can match the same one.

`*` is any text, `?` any one character, `[abc]`, `[a-z]` and `[!abc]` one of or none of these. Upper
and lower case differ. `[[]` is the character `[` itself. Pure: no I/O.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

ANY: Final = "*"
_SET_CHARACTERS_MAX: Final = 256


class _One(NamedTuple):
    """One character: one of `characters`, or with `is_negated` any other."""

    characters: frozenset[str]
    is_negated: bool = False


_STAR: Final = None  # any number of any characters
_ANY_ONE: Final = _One(frozenset(), is_negated=True)
_Token = _One | None


class Glob:
    """One selector, read once.

    Raises:
        ValueError: It is empty, or a set in brackets is too large.
    """

    __slots__ = ("is_exact", "literals", "matches", "prefix", "rank", "suffix", "text", "tokens")

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError('an empty selector matches nothing: leave it out, or write "*"')
        self.text = text
        self.tokens = _read(text)
        literal = [_literal(token) for token in self.tokens]
        self.prefix = _leading(literal)
        """The characters before the first wildcard; of an exact selector all."""
        self.suffix = _leading(literal[::-1])[::-1]
        self.is_exact = None not in literal
        """It matches one text only: `prefix`."""
        self.rank = 2 if self.is_exact else 0 if self.tokens == (_STAR,) else 1
        """2 exact, 1 glob, 0 any text."""
        self.literals = 0 if self.is_exact else sum(each is not None for each in literal)
        """Literal characters of a glob: the more, the more specific."""
        self.matches: Callable[[str], bool] = _matcher(self)

    def meets(self, other: "Glob") -> bool:
        """Tell whether some text matches both."""
        if self.is_exact:
            return other.matches(self.prefix)
        if other.is_exact:
            return self.matches(other.prefix)
        return _meet(self.tokens, other.tokens)


@lru_cache(maxsize=65_536)
def read_glob(text: str) -> Glob:
    """Return the Glob of `text`, read once.

    Raises:
        ValueError: It is no selector.
    """
    return Glob(text)


def _read(text: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        character = text[at]
        closing = text.find("]", at + 3 if text[at + 1 : at + 2] == "!" else at + 2)
        if character == "*":
            if not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        elif character == "?":
            tokens.append(_ANY_ONE)
        elif character == "[" and closing > 0:
            tokens.append(_read_set(text[at + 1 : closing]))
            at = closing
        else:
            tokens.append(_One(frozenset(character)))
        at += 1
    return tuple(tokens)


def _read_set(inside: str) -> _One:
    is_negated = inside.startswith("!")
    rest = inside[1:] if is_negated else inside
    characters: set[str] = set()
    while rest:
        if len(rest) >= 3 and rest[1] == "-":  # noqa: PLR2004 - a range such as a-z
            if not 0 <= ord(rest[2]) - ord(rest[0]) < _SET_CHARACTERS_MAX:
                raise ValueError(f"[{inside}] is not a range of at most {_SET_CHARACTERS_MAX}")
            characters.update(map(chr, range(ord(rest[0]), ord(rest[2]) + 1)))
            rest = rest[3:]
        else:
            characters.add(rest[0])
            rest = rest[1:]
    return _One(frozenset(characters), is_negated)


def _literal(token: _Token) -> str | None:
    """Return the one character that a token stands for; None if there are more."""
    if token is _STAR or token.is_negated or len(token.characters) != 1:
        return None
    return next(iter(token.characters))


def _leading(literal: Sequence[str | None]) -> str:
    count = literal.index(None) if None in literal else len(literal)
    return "".join(each for each in literal[:count] if each)


def _matcher(glob: Glob) -> Callable[[str], bool]:
    if glob.is_exact:
        return glob.prefix.__eq__
    if glob.rank == 0:
        return lambda _: True
    match = re.compile(_pattern(glob.tokens), re.DOTALL).fullmatch
    return lambda text: match(text) is not None


def _pattern(tokens: tuple[_Token, ...]) -> str:
    """Return a regular expression that never goes back over a star but the last one.

    The first place where a piece between two stars fits is as good as any later one, so the group
    may be atomic, and no pattern takes exponential time.
    """
    pieces: list[list[str]] = [[]]
    for token in tokens:
        if token is _STAR:
            pieces.append([])
        else:
            pieces[-1].append(_pattern_of_one(token))
    joined = ["".join(piece) for piece in pieces]
    if len(joined) == 1:
        return joined[0]
    return joined[0] + "".join(f"(?>.*?{piece})" for piece in joined[1:-1]) + f".*{joined[-1]}"


def _pattern_of_one(token: _One) -> str:
    if token == _ANY_ONE:
        return "."
    inside = "".join(map(re.escape, sorted(token.characters)))
    return f"[^{inside}]" if token.is_negated else f"[{inside}]"


def _meet(left: tuple[_Token, ...], right: tuple[_Token, ...]) -> bool:
    """Tell whether two token rows share a text: walk both at once, every state only once."""
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        here = waiting.pop()
        if here == (len(left), len(right)):
            return True
        for step in _steps(left, right, *here):
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


def _steps(
    left: tuple[_Token, ...], right: tuple[_Token, ...], i: int, j: int
) -> list[tuple[int, int]]:
    """Return the positions that one more character, or the end of a star, leads to."""
    has_left, has_right = i < len(left), j < len(right)
    steps = []
    if has_left and left[i] is _STAR:
        steps.append((i + 1, j))
        if has_right:
            steps.append((i, j + 1))  # the star takes what the other side says
    elif has_right and right[j] is _STAR:
        steps.append((i, j + 1))
        if has_left:
            steps.append((i + 1, j))
    elif has_left and has_right and _overlap(left[i], right[j]):
        steps.append((i + 1, j + 1))
    return steps


def _overlap(one: _Token, other: _Token) -> bool:
    if one is None or other is None:
        return True
    if one.is_negated and other.is_negated:
        return True  # there are more characters than any two sets name
    if one.is_negated:
        return bool(other.characters - one.characters)
    if other.is_negated:
        return bool(one.characters - other.characters)
    return not one.characters.isdisjoint(other.characters)
