"""agent.toml: what to read, where to keep it, whom to send it to.

The broker, topics and log sections are those of the service, also in the environment
(`YIELDLINE_BROKER__PASSWORD`). Paths are relative to the file they stand in.
"""

import difflib
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_settings import SettingsError as UnreadableVariable

from broker.errors import SettingsError
from broker.files import read_table
from broker.sections import BrokerSettings, LogSettings, TopicsSettings
from broker.settings import ENV_PREFIX, FromEnvironment, not_json, what_is_wrong
from broker.topics import ID_PATTERN, UNASSIGNED_LINE, Channel, TopicTemplate
from edge_agent.formats import Options, read_options

Id = Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentSettings(_Section):
    """The agent itself."""

    spool_file: Path = Field(
        default=Path("agent-spool.db"),
        description="Where messages wait for their receipt; on a local disk.",
    )
    spool_bytes_max: int = Field(
        default=1_073_741_824,
        ge=65_536,
        description="Bytes of messages it holds; then reading stops, the logs are the buffer.",
    )
    refused_bytes_max: int = Field(
        default=67_108_864,
        ge=0,
        description="Bytes of refused records kept; beyond it only their position and reason.",
    )
    payload_bytes_max: int = Field(
        default=1_048_576, ge=1_024, description="Largest message, in bytes; as at the service."
    )
    in_flight_max: int = Field(
        default=500, ge=1, le=10_000, description="Messages under way without an answer."
    )
    delete_on: Literal["receipt", "puback"] = Field(
        default="receipt",
        description="When a message leaves the spool: on the service's receipt, or on the broker's"
        " PUBACK, where no service sends receipts; then what the broker loses is lost.",
    )
    poll_s: float = Field(default=1, ge=0.05, description="Seconds between looks at the files.")
    heartbeat_s: float = Field(default=10, ge=1, description="Seconds between words on its state.")


class SourceSettings(_Section):
    """One machine's log files."""

    machine_id: Id = Field(description="Whose results they are.")
    line: Id = Field(default=UNASSIGNED_LINE, description="The machine's line.")
    format: str = Field(description="How they are written, see `yieldline agent parse --help`.")
    path: str = Field(min_length=1, description="A file or a glob; ** for folders in folders.")
    settle_s: float = Field(
        default=10,
        ge=1,
        description="Quiet seconds after which the end of a file is the end of its last record,"
        " unless it may be half of one: a line without newline that ends where a full buffer does.",
    )
    levels: dict[str, Id] = Field(
        default_factory=dict, description="Other placeholders of the topic template, e.g. site."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="How to read the format; which, depends on it."
    )


class Config(FromEnvironment):
    """All of agent.toml. Build with `load_config`."""

    agent: AgentSettings = AgentSettings()
    broker: BrokerSettings = BrokerSettings()
    topics: TopicsSettings = TopicsSettings()
    log: LogSettings = LogSettings()
    source: tuple[SourceSettings, ...] = Field(
        min_length=1, description="One [[source]] a machine's set of files."
    )

    def template(self) -> TopicTemplate:
        """Return the topic template, parsed."""
        return TopicTemplate(self.topics.template)

    def topic(self, source: SourceSettings, channel: Channel) -> str:
        """Return one topic of a source's machine."""
        levels = {"line": source.line, **source.levels}
        return self.template().format(source.machine_id, channel, **levels)

    def options_of(self, source: SourceSettings) -> Options:
        """Return how to read a source, the message limit included."""
        options = read_options(source.format, source.options)
        return options.model_copy(update={"payload_bytes_max": self.agent.payload_bytes_max})

    def machines(self) -> dict[str, SourceSettings]:
        """Return the machines; each with its first source, which says its place in the topics."""
        found: dict[str, SourceSettings] = {}
        for source in self.source:
            found.setdefault(source.machine_id, source)
        return found

    def with_paths_from(self, folder: Path) -> Self:
        """Return it with relative paths taken from `folder`."""
        files = ("password_file", "ca_file", "cert_file", "key_file")
        named = {key: path for key in files if (path := getattr(self.broker, key)) is not None}
        broker = self.broker.model_copy(update={key: folder / path for key, path in named.items()})
        agent = self.agent.model_copy(update={"spool_file": folder / self.agent.spool_file})
        sources = tuple(
            each.model_copy(update={"path": pattern_from(folder, each.path)})
            for each in self.source
        )
        return self.model_copy(update={"agent": agent, "broker": broker, "source": sources})


_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "agent": AgentSettings,
    "broker": BrokerSettings,
    "topics": TopicsSettings,
    "log": LogSettings,
    "source": SourceSettings,
}


def load_config(file: Path) -> Config:
    """Read and check agent.toml.

    Raises:
        SettingsError: It cannot be read, or something in it is wrong; the sentence names the
            file, the key and the closest known one.
    """
    try:
        table = read_table(file)
    except FileNotFoundError as error:
        raise SettingsError(
            f"{file} does not exist. Give another --config, or write it: `yieldline agent init`."
        ) from error
    try:
        config = Config(**table)
    except ValidationError as error:
        raise SettingsError(_sentence(error, file)) from error
    except UnreadableVariable as error:
        raise not_json(error) from error
    _check(config, file)
    return config.with_paths_from(_folder_of(file))


def _folder_of(file: Path) -> Path:
    """Return its folder by one name, from wherever it is called: the spool remembers paths."""
    folder = file.parent.absolute()
    return folder.resolve() if ".." in folder.parts else folder


def pattern_from(folder: Path, path: str) -> str:
    """Return a source's path, relative to a folder, as a glob; the folder's own name is none."""
    return os.path.join(glob.escape(str(folder)), path)  # noqa: PTH118 - a glob


def setting_names() -> Iterator[tuple[str, str]]:
    """Yield (section, key) of everything agent.toml may hold."""
    for section, model in _SECTIONS.items():
        for key in model.model_fields:
            yield section, key


def _check(config: Config, file: Path) -> None:
    places: dict[str, tuple[str, str]] = {}
    for number, source in enumerate(config.source, 1):
        where = f"{file}: source {number} ({source.machine_id})"
        read_options(source.format, source.options, f"{where}: ")
        place = config.topic(source, Channel.TEST)
        first, topic = places.setdefault(source.machine_id, (where, place))
        if topic != place:
            raise SettingsError(
                f"{where}: another line or level than {first}. A machine has one place."
            )


def _sentence(error: ValidationError, file: Path) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    loc = [part + 1 if isinstance(part, int) else part for part in first["loc"]]
    where = ".".join(str(part) for part in loc)
    variable = f"{ENV_PREFIX}{'__'.join(str(part) for part in loc[:2])}".upper()
    origin = f"environment {variable}" if variable in os.environ else f"{file}: {where}"
    if first["type"] == "extra_forbidden":
        return f"{origin} is not a setting.{_closest(loc)}"
    if first["type"] == "missing" and loc == ["source"]:
        return f"{file}: no [[source]]. Add one with machine_id, format and path."
    return f"{origin}: {what_is_wrong(first)}."


def _closest(loc: list[int | str]) -> str:
    section, key = str(loc[0]), str(loc[-1])
    model = _SECTIONS.get(section)
    known = list(model.model_fields) if model and len(loc) > 1 else list(_SECTIONS)
    found = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f" Did you mean {found[0]}?" if found else f" Known: {', '.join(known)}."
