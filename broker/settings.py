"""Settings of every program: yieldline.toml, then YIELDLINE_SECTION__KEY, then flags.

The sections stand in `broker/sections.py` and `broker/plant_sections.py`. Reads the file and the
environment, never the network.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableVariable

from broker.errors import SettingsError
from broker.files import read_table
from broker.origins import Layers, dotted
from broker.plant_sections import (
    AlertsSettings,
    LineSettings,
    MachineSettings,
    PlantSettings,
    ProductSettings,
)
from broker.sections import (
    BrokerSettings,
    DatabaseSettings,
    HttpSettings,
    LogSettings,
    RetentionSettings,
    RulesSettings,
    ServiceSettings,
    TopicsSettings,
    did_you_mean,
)
from broker.topics import Channel, TopicTemplate

ENV_PREFIX = "YIELDLINE_"
CONFIG_ENV = "YIELDLINE_CONFIG"
"""Environment variable that names another file than yieldline.toml."""
NAMED_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "machines": MachineSettings,
    "lines": LineSettings,
    "products": ProductSettings,
}
"""Sections with a table for each name, such as [machines.FCT-12]."""

_WANTED: Final = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text, which TOML has in quotes",
}
"""By pydantic's name of what is wrong."""


class _Environment(EnvSettingsSource):
    """The environment, in which names of machines, lines and products keep their case."""

    def explode_env_vars(
        self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Return what the variables of one section say, by its keys or its names."""
        if field_name in NAMED_SECTIONS:
            env_vars = _with_names_as_written(field_name)
        return super().explode_env_vars(field_name, field, env_vars)


class FromEnvironment(BaseSettings):
    """Settings whose values the environment beats: those of the service and of the agent."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep the environment and what we read ourselves; no .env file is read unasked."""
        del env_settings, dotenv_settings, file_secret_settings
        return _Environment(settings_cls), init_settings


class Settings(FromEnvironment):
    """All sections. Build with `load_settings`."""

    broker: BrokerSettings = BrokerSettings()
    topics: TopicsSettings = TopicsSettings()
    service: ServiceSettings = ServiceSettings()
    database: DatabaseSettings = DatabaseSettings()
    retention: RetentionSettings = RetentionSettings()
    rules: RulesSettings = RulesSettings()
    http: HttpSettings = HttpSettings()
    plant: PlantSettings = PlantSettings()
    alerts: AlertsSettings = AlertsSettings()
    log: LogSettings = LogSettings()
    machines: dict[str, MachineSettings] = Field(
        default_factory=dict, description="One table a machine: [machines.FCT-12]."
    )
    lines: dict[str, LineSettings] = Field(
        default_factory=dict, description="One table a line: [lines.L1]."
    )
    products: dict[str, ProductSettings] = Field(
        default_factory=dict, description="One table a product: [products.PCB-7]."
    )

    def template(self) -> TopicTemplate:
        """Return the topic template, parsed."""
        return TopicTemplate(self.topics.template)

    def filters(self, channel: Channel) -> tuple[str, ...]:
        """Return what services subscribe to for a channel of all machines, and what before.

        Raises:
            SettingsError: A file that holds the group or the database's URL cannot be read.
        """
        topics = self.template().subscription(channel)
        return self.service.filters(topics, is_alone=self.database.is_for_one())


def load_settings(
    file: Path | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read the settings of this process.

    Args:
        file: Another file than `yieldline.toml` (which may be missing; a named one may not).
        flags: Command-line values by section and key; they beat the file and the environment.

    Raises:
        SettingsError: Something is wrong; the sentence names the file or variable, the key and
            the closest known one.
    """
    _check_environment()
    path, layers = _read_file(file)
    try:
        settings = Settings(**layers)
        if flags:
            merged = settings.model_dump()
            for section, values in flags.items():
                merged[section] = {**merged[section], **values}
            settings = _Validated(**merged)
    except ValidationError as error:
        raise SettingsError(_sentence(error, path)) from error
    except UnreadableVariable as error:
        raise not_json(error) from error
    return settings


def read_layers(
    file: Path | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None
) -> Layers:
    """Return which settings each layer names, for people who ask where a value comes from.

    Args:
        file: As in `load_settings`.
        flags: Likewise.

    Raises:
        SettingsError: The file cannot be read.
    """
    path, values = _read_file(file)
    named = frozenset(
        name.upper().removeprefix(ENV_PREFIX).lower().replace("__", ".")
        for name in os.environ
        if name.upper().startswith(ENV_PREFIX)
    )
    return Layers(str(path), dotted(values), named, dotted(flags or {}))


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every section and its model; of those with a table for each name, the table's."""
    for section, info in Settings.model_fields.items():
        model = NAMED_SECTIONS.get(section, info.annotation)
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield section, model


def setting_names() -> Iterator[tuple[str, str]]:
    """Yield (section, key) of every setting."""
    for section, model in sections():
        for key in model.model_fields:
            yield section, key


def as_environment(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return settings by section and key as the variables that hand them to a child process."""
    return {
        f"{ENV_PREFIX}{section}__{key}".upper(): str(value)
        for section, values in settings.items()
        for key, value in values.items()
    }


class _Validated(Settings):
    """Settings from values alone: the environment has already been read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep only what the caller gives."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def _read_file(file: Path | None) -> tuple[Path, dict[str, Any]]:
    named = file or (Path(os.environ[CONFIG_ENV]) if os.environ.get(CONFIG_ENV) else None)
    path = named or Path("yieldline.toml")
    try:
        return path, read_table(path)
    except FileNotFoundError as error:
        if named is None:
            return path, {}
        raise SettingsError(f"{path} does not exist. Give another --config, or none.") from error


def _check_environment() -> None:
    """Refuse a misspelt variable: pydantic-settings ignores an unknown section (measured)."""
    known = {f"{ENV_PREFIX}{section}__{key}".upper() for section, key in setting_names()}
    known |= {CONFIG_ENV}
    named = tuple(f"{ENV_PREFIX}{section}".upper() for section in NAMED_SECTIONS)
    free = (*(f"{each}__" for each in named), f"{ENV_PREFIX}TEST_")
    for name in os.environ:
        if not name.startswith(ENV_PREFIX) or name in known or name in named:
            continue
        if name.startswith(free):
            continue
        raise SettingsError(
            f"environment: {name} is not a setting.{did_you_mean(name, known)}"
            " See docs/configuration.md."
        )


def _with_names_as_written(section: str) -> dict[str, str | None]:
    """Return a section's variables in small, but for the name: else all of it is made small."""
    start = f"{ENV_PREFIX}{section}__".lower()
    found: dict[str, str | None] = {}
    for variable, value in os.environ.items():
        if variable.lower().startswith(start):
            name, between, key = variable[len(start) :].rpartition("__")
            found[f"{start}{name}{between}{key.lower() if between else key}"] = value
    return found


def not_json(error: UnreadableVariable) -> SettingsError:
    """Return the sentence on a list or a table in the environment; never what stands in it."""
    named = re.search(r'field "(\w+)"', str(error))
    variable = f"{ENV_PREFIX}{named[1] if named else ''}".upper()
    return SettingsError(
        f"environment: a list or a table in a variable {variable}… is not JSON."
        ' Write a list as ["a", "b"].'
    )


def _sentence(error: ValidationError, path: Path) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    origin = _origin(first["loc"], path)
    if first["type"] == "extra_forbidden":
        known = [f"{section}.{key}" for section, key in setting_names()] + list(
            Settings.model_fields
        )
        return f"{origin}{where} is not a setting.{did_you_mean(where, known)}"
    return f"{origin}{where}: {what_is_wrong(first)}."


def what_is_wrong(detail: ErrorDetails) -> str:
    """Return what pydantic found, in words for who writes settings; never the value itself."""
    wanted = _WANTED.get(detail["type"])
    if wanted is not None:
        return f"It must be {wanted}"
    return detail["msg"].removeprefix("Value error, ")


def _origin(loc: tuple[int | str, ...], path: Path) -> str:
    is_named = loc[0] in NAMED_SECTIONS  # then the second part is a name, which keeps its case
    words = [
        str(part) if is_named and place == 1 else str(part).upper()
        for place, part in enumerate(loc[: 3 if is_named else 2])
    ]
    variable = ENV_PREFIX + "__".join(words)
    if variable in os.environ:
        return f"environment {variable}: "
    return f"{path}: " if path.exists() else ""
