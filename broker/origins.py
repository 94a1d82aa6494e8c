"""Where each setting comes from, and how it may be shown. Pure: no I/O."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, SecretStr

FROM_FLAG: Final = "flag"
FROM_ENVIRONMENT: Final = "environment"
FROM_PROGRAM: Final = "program"
"""None of the layers names it, and yet it is not the default: the program itself chose."""
DEFAULT: Final = "default"
_HIDDEN: Final = "set, not shown"


class Layers(NamedTuple):
    """What settings were read from: the keys that each layer names, as `section.key` in small."""

    file_name: str = ""
    file: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()

    def origin(self, name: str) -> str | None:
        """Return the layer whose value of `section.key` holds; None: no layer names it."""
        layers = {
            FROM_FLAG: self.flags,
            FROM_ENVIRONMENT: self.environment,
            self.file_name: self.file,
        }
        return next((each for each, names in layers.items() if _names(names, name)), None)


class ShownSetting(NamedTuple):
    """One setting as a person may see it."""

    name: str
    """`section.key`."""
    value: str
    """A secret's is hidden, unless it is the default, which everybody knows."""
    origin: str
    """flag, environment, the file's name, default, or program."""


def dotted(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of nested values, as `Layers` holds them."""
    return frozenset(_dotted(values))


def explain_settings(settings: BaseModel, layers: Layers) -> list[ShownSetting]:
    """Return every setting, in the order of the sections; of machines only what is set."""
    shown = []
    for section, group in settings:
        if isinstance(group, BaseModel):
            shown += list(_explain(section, group, layers))
        else:
            for name in sorted(group):
                rows = _explain(f"{section}.{name}", group[name], layers)
                shown += [each for each in rows if each.origin != DEFAULT]
    return shown


def _explain(section: str, group: BaseModel, layers: Layers) -> Iterator[ShownSetting]:
    fields = type(group).model_fields
    for key, value in group:
        name = f"{section}.{key}"
        is_default = value == fields[key].default
        origin = layers.origin(name) or (DEFAULT if is_default else FROM_PROGRAM)
        yield ShownSetting(name, _shown(value, is_public=is_default), origin)


def _shown(value: object, *, is_public: bool) -> str:
    if value is None or value == ():
        return "not set"
    if isinstance(value, SecretStr):
        return value.get_secret_value() if is_public else _HIDDEN
    if isinstance(value, tuple) and any(isinstance(each, SecretStr) for each in value):
        return f"{len(value)} {_HIDDEN}"
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(names: frozenset[str], name: str) -> bool:
    """Tell whether a layer names a setting, or the whole table that holds it."""
    wanted = name.lower()
    return any(wanted == each or wanted.startswith(f"{each}.") for each in names)


def _dotted(values: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in values.items():
        name = f"{before}{key}".lower()
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{name}.")
        else:
            yield name
