"""What is wrong with a message's fields, in a sentence. Pure: no I/O."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from broker.messages import Check, Measurement, Panel, Run, RunMeasurement, Sequence, Source
from service.core.words import quote, shorten

_FIELDS_NAMED_MAX: Final = 3
_FIELDS: Final = frozenset(
    name
    for model in (Measurement, Run, RunMeasurement, Panel, Sequence, Source, Check)
    for name in model.model_fields
)
_KINDS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_WANTED: Final[Mapping[str, str]] = {
    "measured_value": "a number, text, boolean or null",
    "nominal": "a number, text, boolean, null or a list of them",
    "position": "a whole number or text",
}


def complain(error: ValidationError) -> str:
    """Name the first wrong fields and what is wrong with each, and what to do."""
    complaints = complaints_of(error)
    named = list(complaints)[:_FIELDS_NAMED_MAX]
    more = len(complaints) - len(named)
    rest = f" and {more} more" if more else ""
    them = "it" if len(complaints) == 1 else "them"
    return (
        f"{'; '.join(complaints[path] for path in named)}{rest}. Correct {them} and send it again."
    )


def complaints_of(error: ValidationError) -> dict[str, str]:
    """Return every wrong field, such as `measurements[3].unit`, and what is wrong with it."""
    complaints: dict[str, str] = {}
    for each in error.errors(include_url=False):
        if each["type"] == "too_short" and each["input"]:
            continue  # pydantic counts the good elements: the bad ones are named themselves
        path = _path(each["loc"])
        # Several entries on one field are the branches of a choice: none of them was met.
        said = _say(path, each) if path not in complaints else _say_choice(path, each)
        complaints[path] = said
    return complaints


def kind_of(value: object) -> str:
    """Return what sort of JSON value it is, in words with an article."""
    return _KINDS.get(type(value), "something else")


def _path(loc: tuple[int | str, ...]) -> str:
    """Return where, such as `measurements[3].unit`; the branches of a choice are left out."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part in _FIELDS:
            path += f".{part}" if path else part
    return path or "it"


def _say(path: str, error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    shown = quote(value) if isinstance(value, str) else kind_of(value)
    says = {
        "missing": " is missing",
        "string_too_short": " is empty",
        "too_short": " is empty",
        "string_too_long": f" has more than {context.get('max_length')} characters",
        "too_long": f" has more than {context.get('max_length')} elements",
        "string_pattern_mismatch": f" {shown} holds a control character",
        "enum": f" is {shown}, not {context.get('expected')}",
        "timestamp": f" is {shown}, {error['msg']}",
    }
    if path == "machine_id" and kind == "string_pattern_mismatch":
        return f"{path} {shown} is not made of letters, digits, '.', '_' and '-'"
    if kind.endswith("_type"):
        return f"{path} is {kind_of(value)}: {_lower(error['msg'])}"
    return path + says.get(kind, f": {_lower(error['msg'])}")


def _say_choice(path: str, error: ErrorDetails) -> str:
    name = path.rpartition(".")[2].partition("[")[0]
    wanted = _WANTED.get(name)
    if wanted is None:
        return _say(path, error)
    return f"{path} is {kind_of(error['input'])}, not {wanted}"


def _lower(message: str) -> str:
    return shorten(message[:1].lower() + message[1:], 120)
