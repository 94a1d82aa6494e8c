"""Which passwords are guessed first. Pure: no I/O.

What is guessed are a few words, the user's name, and keys that lie beside each other. A password is
worth what it has besides those.
"""

from collections.abc import Iterator
from typing import Final

_RUN_CHARS: Final = 4
_KEYS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "qazwsxedcrfvtgb",
)
"""What is typed by letting a finger run, forwards or backwards."""
_WORDS: Final = (
    *("password", "passwort", "passwd", "yieldline", "administrator", "admin", "operator"),
    *("engineer", "viewer", "welcome", "willkommen", "changeme", "letmein", "default", "trustno"),
    *("iloveyou", "sunshine", "princess", "superman", "football", "baseball", "dragon", "monkey"),
    *("master", "shadow", "secret", "geheim", "login", "test", "user", "guest", "qwerty", "abc"),
    "correcthorsebatterystaple",
)
"""Of which the most common passwords of twelve characters are made, and ours that anybody knows."""
_LOOKALIKES: Final = str.maketrans("@4301!$57", "aaeoiisst")


def unguessed(password: str, name: str) -> int:
    """Return how many different characters are left of a password without what is guessed first.

    Args:
        password: As it was typed.
        name: The user's.
    """
    text = "".join(password.lower().split())
    return min(
        len(set(_without(each, (name.lower(), *_WORDS))))
        for each in (text, text.translate(_LOOKALIKES))
    )


def _without(text: str, words: tuple[str, ...]) -> str:
    """Return what is left of a text without words and runs of keys."""
    guessed = set[int]()
    for word in words:
        for start in _places(text, word):
            guessed.update(range(start, start + len(word)))
    for start in range(len(text) - _RUN_CHARS + 1):
        run = text[start : start + _RUN_CHARS]
        if any(run in keys or run[::-1] in keys for keys in _KEYS):
            guessed.update(range(start, start + _RUN_CHARS))
    return "".join(char for place, char in enumerate(text) if place not in guessed)


def _places(text: str, word: str) -> Iterator[int]:
    """Yield where a word begins in a text."""
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)
