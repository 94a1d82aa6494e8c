"""Text of others, made harmless for a terminal. Pure: no I/O."""

from typing import Final

_KEPT: Final = "\n\t"
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
_TURNS: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""They turn the direction in which the text around them is shown."""
_ESCAPES: Final = {
    code: repr(chr(code))[1:-1] for code in (*_CONTROLS, *_TURNS) if chr(code) not in _KEPT
}


def printable(text: str) -> str:
    r"""Return text as a terminal may be given it: what steers one stands there as `\x1b`."""
    return text.translate(_ESCAPES)
