"""How a plant describes its log lines by regular expressions. Pure: no I/O."""

import re
from collections.abc import Iterable, Sequence
from string import Formatter
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from edge_agent.formats import closest
from edge_agent.formats.described import (
    MEASUREMENT_FIELDS,
    RUN_FIELDS,
    VERDICT,
    DescribedOptions,
    check_field,
)

FIELDS: Final = RUN_FIELDS | MEASUREMENT_FIELDS | {VERDICT}
"""Every name that a group may have to be a field."""
_BOUNDS: Final = frozenset({"start", "end"})
_MEASURES: Final = frozenset({"measurement", "run"})
_KEYS: Final = ("match", "as")

_Field = Annotated[str, AfterValidator(lambda name: check_field(name, FIELDS))]


class LineTable(BaseModel):
    """One kind of line: `[[source.options.line]]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="Regular expression of Python, searched in the line; groups are (?P<name>...)."
    )
    kind: Literal["context", "start", "measurement", "end", "run", "skip"] = Field(
        alias="as", description="What such a line is."
    )

    @model_validator(mode="before")
    @classmethod
    def _has_known_keys(cls, table: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
        for key in table if isinstance(table, dict) else ():
            if key not in _KEYS:
                raise ValueError(f"{key} is not a key of a line.{closest(key, _KEYS)}")
        return table

    @field_validator("match")
    @classmethod
    def _compiles(cls, match: str) -> str:
        try:
            re.compile(match)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{match!r} is not a regular expression: {error}") from error
        return match

    def groups(self) -> frozenset[str]:
        """Return the names of its groups."""
        return frozenset(re.compile(self.match).groupindex)


class RegexOptions(DescribedOptions):
    """The options of `regex`."""

    line: tuple[LineTable, ...] = Field(
        min_length=1, description="The kinds of lines; the first whose match is found decides."
    )
    fields: dict[_Field, str] = Field(
        default_factory=dict, description='Field = template of groups, such as "{job}/{piece}".'
    )

    @property
    def waits_for_next(self) -> bool:
        """Without an end line a unit goes on until another starts."""
        return not (self.has_kind("end") or self.ends_when_quiet)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        groups = frozenset[str]().union(*(each.groups() for each in self.line))
        self._check_kinds()
        self._check_verdicts()
        for name, template in self.fields.items():
            _check_template(name, template, groups)
        self._need("barcode", groups)
        self._need("started_at", groups)
        if any(each.kind in _MEASURES for each in self.line):
            self._need("test_step", groups)
        if not self.product_id and "program" not in groups | self.fields.keys():
            self._need("product_id", groups)
        return self

    def has_kind(self, *kinds: str) -> bool:
        """Tell whether there are lines of one of these kinds."""
        return any(each.kind in kinds for each in self.line)

    def _check_kinds(self) -> None:
        if self.has_kind("measurement") and not self.has_kind(*_BOUNDS):
            raise ValueError(
                "line: as = measurement needs lines as = start or as = end around it;"
                " for a run on one line use as = run"
            )
        if not self.has_kind("run", *_BOUNDS):
            raise ValueError("line: no line makes a run; add one as = run, or as = start and end")
        if not self.ends_when_quiet and self.has_kind("end"):
            raise ValueError(
                "ends_when_quiet: a line as = end ends each unit; leave one of them out"
            )

    def _check_verdicts(self) -> None:
        for number, each in enumerate(self.line, 1):
            if each.kind == "context" and VERDICT in each.groups():
                raise ValueError(
                    f"line.{number}: a {VERDICT} as context would stick to the next unit;"
                    " use as = end"
                )

    def _need(self, name: str, groups: frozenset[str]) -> None:
        if name not in groups | self.fields.keys():
            hint = closest(name, groups) if groups else ""
            raise ValueError(
                f"nothing names {name}: add a group (?P<{name}>...) to a line,"
                f" or {name} to [fields].{hint}"
            )


def _check_template(field: str, template: str, groups: frozenset[str]) -> None:
    try:
        pieces: Iterable[Sequence[str | None]] = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"fields.{field}: {template!r} is not a template: {error}") from error
    for _, name, details, conversion in pieces:
        if name is not None and (details or conversion or name not in groups):
            hint = closest(name, groups) if groups else ""
            raise ValueError(f"fields.{field}: {{{name}}} is not a group of any line.{hint}")
