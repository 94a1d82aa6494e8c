"""Rules written down as a person would, to be read back. The product only reads them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final

from service.core.rules import Rule

_DEFAULTS: Final[Mapping[str, object]] = {
    each.name: each.default for each in fields(Rule) if each.init
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def format_rulebook(rules: Iterable[Rule]) -> str:
    """Write rules as TOML, in order, leaving out what has its default."""
    return "\n".join(_format_rule(rule) for rule in rules)


def _format_rule(rule: Rule) -> str:
    lines = ["[[rule]]"]
    for key, default in _DEFAULTS.items():
        value = getattr(rule, key)
        if key == "units" and value:
            lines.append(f"units = {_format_table(value)}")
        elif key in {"id", "comparator"} or value != default:
            lines.append(f"{key} = {_format_value(value)}")
    return "\n".join([*lines, ""])


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_format_value, value))}]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _CONTROL.sub(_escape, escaped) + '"'


def _format_table(pairs: Sequence[tuple[str, str]]) -> str:
    inside = ", ".join(f"{_format_value(key)} = {_format_value(value)}" for key, value in pairs)
    return f"{{ {inside} }}"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
