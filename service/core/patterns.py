"""Regular expressions of machines and rulebooks, matched in linear time. Pure: no I/O.

Python's own `re` takes exponential time for some patterns, and one message would stop the service.
pydantic brings Rust's engine, which cannot; it has no look-around and no back-references.
"""

from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

PATTERN_CHARS_MAX: Final = 1_024
TEXT_CHARS_MAX: Final = 4_096


def _validator(pattern: str) -> SchemaValidator | str:
    """Return what matches `pattern`, or why it cannot be used."""
    if len(pattern) > PATTERN_CHARS_MAX:  # machines send them: no memory shall keep a long one
        return f"it has more than {PATTERN_CHARS_MAX:,} characters"
    return _compiled(pattern)


@lru_cache(maxsize=2_048)
def _compiled(pattern: str) -> SchemaValidator | str:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        return str(error).strip().rpartition("\n")[2].removeprefix("error: ").strip(" .")


def pattern_fault(pattern: str) -> str | None:
    """Say why `pattern` cannot be used; None where it can."""
    found = _validator(pattern)
    return found if isinstance(found, str) else None


def is_found(pattern: str, text: str) -> bool:
    """Tell whether `pattern` occurs in `text`; `^` and `$` anchor it.

    Args:
        pattern: Without a fault, see `pattern_fault`.
        text: At most `TEXT_CHARS_MAX` characters are meant to come here.
    """
    found = _validator(pattern)
    return isinstance(found, SchemaValidator) and found.isinstance_python(text)
