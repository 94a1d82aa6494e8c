"""Write an agent.toml to start from: what was asked, and every other setting behind a `#`.

The comments are the settings' own descriptions. Pure: no I/O.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from broker.errors import SettingsError
from broker.sections import BrokerSettings, LogSettings, TopicsSettings
from edge_agent.config import AgentSettings, SourceSettings
from edge_agent.formats import read_options

_WIDTH: Final = 100
_HEAD: Final = """\
# The edge agent: what it reads, where it keeps it, whom it sends it to.
# What stands behind a # is the default. Paths are relative to this file; a Windows path goes in
# single quotes: path = 'C:\\logs\\*.csv'.
# Try it with `yieldline agent check`, then start `yieldline agent run`."""
_LOGIN_NOTE: Final = """\
# The password does not belong here: set YIELDLINE_BROKER__PASSWORD, or name a password_file."""
_NOT_FOR_THE_AGENT: Final = frozenset({"ingest_protocol"})
_OPTIONS: Final = "options"


def config_text(source: Mapping[str, str], broker: Mapping[str, str | int]) -> str:
    """Return agent.toml.

    Args:
        source: Values of `[[source]]` by key; at least the needed ones.
        broker: Values of `[broker]` that are not its defaults.
    """
    parts = [
        _HEAD,
        *_section("[[source]]", SourceSettings, source),
        *_options(source["format"]),
        *_section("[broker]", BrokerSettings, broker),
        *_section("[agent]", AgentSettings, {}),
        *_section("[topics]", TopicsSettings, {}),
        *_section("[log]", LogSettings, {}),
    ]
    return "\n".join(parts) + "\n"


def toml_value(value: Any) -> str:  # noqa: ANN401 - any TOML value
    """Return a value in TOML; text with a backslash in single quotes where that is possible."""
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, str) and "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _section(title: str, model: type[BaseModel], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a section; a title behind `#` would be wrong, so an empty one stands there too."""
    yield f"\n{title}"
    yield from _comment(str(model.__doc__))
    for key, info in model.model_fields.items():
        if key == "password":
            yield f"\n{_LOGIN_NOTE}"
        elif key != _OPTIONS and key not in _NOT_FOR_THE_AGENT:
            yield from _setting(key, info, values)


def _options(format_name: str) -> Iterator[str]:
    """Yield the table of the options that the format takes, all behind `#`."""
    yield "\n[source.options]"
    yield from _comment(str(SourceSettings.model_fields[_OPTIONS].description))
    try:
        options = read_options(format_name, {})
    except SettingsError as error:  # it needs some
        yield from _comment(f"Needed: {error}")
        return
    for key, info in type(options).model_fields.items():
        if _takes(format_name, key, getattr(options, key)):
            yield from _setting(key, info, {})


def _takes(format_name: str, key: str, default: Any) -> bool:  # noqa: ANN401
    try:
        read_options(format_name, {key: default})
    except SettingsError:
        return False
    return True


def _setting(key: str, info: FieldInfo, values: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield from _comment(info.description or key)
    if key in values:
        yield f"{key} = {toml_value(values[key])}"
        return
    default = info.get_default(call_default_factory=True)
    shown = '""' if default is None or default is PydanticUndefined else toml_value(default)
    yield f"# {key} = {shown}{'  # not set' if default is None else ''}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH - 2):
        yield f"# {line}"
