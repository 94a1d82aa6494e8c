"""What a parser takes and yields. Pure: no I/O."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from broker.messages import Run, Text, Text128
from edge_agent.formats.runs import BuiltRun

JSON: TypeAlias = str | int | float | bool | list["JSON"] | dict[str, "JSON"] | None

UNIT_BYTES_MAX = 67_108_864
PAYLOAD_BYTES_MAX = 1_048_576
_PLAIN = b"A;1 \\u0041\\x41 +AGE- xn--a\r\n"
"""What an encoding of log lines leaves alone; UTF-16, UTF-7 and escapes do not."""


class Unparsed(NamedTuple):
    """A piece that was not understood; kept and reported."""

    reason: str
    """One sentence: what, and what to do."""
    byte_start: int
    byte_end: int
    """One past the last byte."""


class Skipped(NamedTuple):
    """A piece that carries nothing by the format's rules, such as a blank line."""

    reason: str
    byte_start: int
    byte_end: int


class Parsed(NamedTuple):
    """One complete unit: a Run, or several that end together."""

    built: tuple[BuiltRun, ...]
    """At least one, in the order of the file."""
    byte_start: int
    byte_end: int
    holes: tuple[Unparsed, ...] = ()
    """Pieces inside it that were not understood, in order."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """Its runs as models, made when first asked for."""
        return tuple(each.run for each in self.built)


Item: TypeAlias = Parsed | Unparsed | Skipped


class Parser(Protocol):
    """Bytes in, items out; see the laws in `edge_agent.formats`."""

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes, cut anywhere, and yield what they complete."""
        ...

    def finish(self) -> Iterator[Item]:
        """Yield what is left: no more bytes will come."""
        ...

    def state(self) -> dict[str, JSON]:
        """Return what a fresh parser needs after the last item; at most 4 kB as JSON."""
        ...


class Options(BaseModel):
    """How to read a source: `[source.options]` in agent.toml. Which format takes which differs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product_id: Text128 | None = Field(
        default=None, description="Beats the product named in the file."
    )
    procedure: Text128 | None = Field(
        default=None, description="Beats the format's own, such as ICT."
    )
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(
        default=None, description="Order of day, month and year where the file leaves it open."
    )
    encoding: str = Field(
        default="cp1252", description="Encoding of lines that are not UTF-8, a Python name."
    )
    units: dict[str, Text] = Field(
        default_factory=dict, description="Unit of measure as printed = as it shall be."
    )
    max_unit_bytes: Annotated[int, Field(ge=1_024)] = Field(
        default=UNIT_BYTES_MAX, description="Largest tested unit, in bytes of the file."
    )
    payload_bytes_max: Annotated[int, Field(ge=1_024)] = Field(
        default=PAYLOAD_BYTES_MAX, description="Largest message; the agent's own setting."
    )

    @property
    def waits_for_next(self) -> bool:
        """Only the next unit says that one is complete; a pause says nothing."""
        return False

    @field_validator("encoding")
    @classmethod
    def _holds_ascii(cls, name: str) -> str:
        try:
            is_usable = _PLAIN.decode(name) == _PLAIN.decode("ascii")
            if is_usable:
                bytes(range(256)).decode(name, "replace")  # some know no "replace"
        except (LookupError, ValueError):
            is_usable = False
        if not is_usable:
            raise ValueError(f"{name!r} is not an encoding of text lines such as cp1252")
        return name
