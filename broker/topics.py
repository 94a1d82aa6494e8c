"""The topic template: format a topic, parse one, list the subscriptions. Pure: no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from broker.errors import SettingsError

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
PLACEHOLDERS = ("enterprise", "site", "area", "line", "cell", "machine_id", "channel")
UNASSIGNED_LINE = "unassigned"
"""The line of a machine that no topic has placed yet."""
NO_ID = "_check"
"""Stands in topics that only prove a right; no id begins like this."""

_is_id = re.compile(ID_PATTERN).fullmatch
_is_literal = re.compile(r"[^+#/{}\x00-\x1f\x7f]+").fullmatch


class Channel(StrEnum):
    """The last level of a topic: what kind of message it carries."""

    TEST = "test"
    RESULT = "result"
    RECEIPT = "receipt"
    REJECTED = "rejected"
    STATE = "state"
    SUMMARY = "summary"
    ALERT = "alert"
    CHECK = "check"
    VERDICT = "verdict"


_CHANNELS = frozenset(each.value for each in Channel)


def is_id(text: str) -> bool:
    """Tell whether `text` may stand for a machine, line or other placeholder in a topic."""
    return _is_id(text) is not None


@dataclass(frozen=True, slots=True)
class Topic:
    """One concrete topic, taken apart."""

    machine_id: str
    channel: Channel
    levels: Mapping[str, str] = field(default_factory=dict)
    """The other placeholders of the template and their values, e.g. `{"line": "L1"}`."""

    @property
    def line(self) -> str:
        """The line, or `unassigned` where the template has none."""
        return self.levels.get("line", UNASSIGNED_LINE)


class TopicTemplate:
    """A template such as `factory/v1/{line}/{machine_id}/{channel}`, checked once.

    Raises:
        SettingsError: A level is neither a literal nor a known placeholder, or `{machine_id}` and
            `{channel}` do not occur once each with `{channel}` last.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._levels = [_placeholder_or_literal(level, text) for level in text.split("/")]
        names = [name for name, _ in self._levels if name]
        if names.count("machine_id") != 1 or names.count("channel") != 1 or names[-1] != "channel":
            raise SettingsError(
                f"topics.template {text!r} must hold {{machine_id}} and {{channel}} once each,"
                " with {channel} as its last level."
            )
        if len(set(names)) != len(names) or self._levels[-1][0] != "channel":
            raise SettingsError(
                f"topics.template {text!r} holds a placeholder twice. Use each once."
            )

    def format(self, machine_id: str, channel: Channel, **levels: str) -> str:
        """Return the topic of one machine and channel; `levels` fill the other placeholders.

        A placeholder without a value becomes `unassigned`.

        Raises:
            ValueError: A value may not stand in a topic (see `is_id`).
        """
        values = {**levels, "machine_id": machine_id, "channel": channel.value}
        parts = []
        for name, literal in self._levels:
            part = values.get(name, UNASSIGNED_LINE) if name else literal
            if name and not is_id(part):
                raise ValueError(
                    f"{part!r} may not stand for {{{name}}} in a topic: use {ID_PATTERN}"
                )
            parts.append(part)
        return "/".join(parts)

    def parse(self, topic: str) -> Topic | None:
        """Take a concrete topic apart; None where it does not fit the template."""
        parts = topic.split("/")
        if len(parts) != len(self._levels):
            return None
        values: dict[str, str] = {}
        for (name, literal), part in zip(self._levels, parts, strict=True):
            if name:
                if not is_id(part):
                    return None
                values[name] = part
            elif part != literal:
                return None
        channel = values.pop("channel")
        if channel not in _CHANNELS:
            return None
        return Topic(values.pop("machine_id"), Channel(channel), values)

    def subscription(self, channel: Channel, machine_id: str = "+") -> str:
        """Return the filter for one channel, of every machine or of one."""
        fixed = {"channel": channel.value, "machine_id": machine_id}
        return "/".join(fixed.get(name, "+") if name else literal for name, literal in self._levels)

    def check_topic(self, client_id: str) -> str:
        """Return a test topic that no machine can have, to prove the right to read and write.

        Its placeholders are `_check`; where the template has none but the machine's, that begins
        with it. No id does, so the topic never parses.
        """
        has_spare = any(name not in {"", "machine_id", "channel"} for name, _ in self._levels)
        machine = client_id if has_spare else f"{NO_ID}-{client_id}"
        values = {"machine_id": machine, "channel": Channel.TEST.value}
        return "/".join(
            values.get(name, NO_ID) if name else literal for name, literal in self._levels
        )


def _placeholder_or_literal(level: str, text: str) -> tuple[str, str]:
    """Return (placeholder name, "") or ("", literal)."""
    if level.startswith("{") and level.endswith("}"):
        name = level[1:-1]
        if name not in PLACEHOLDERS:
            raise SettingsError(
                f"topics.template {text!r}: {level!r} is not a placeholder."
                f" Use one of {', '.join(PLACEHOLDERS)}."
            )
        return name, ""
    if not _is_literal(level):
        raise SettingsError(
            f"topics.template {text!r}: level {level!r} is not a literal. Leave out + # {{ }}."
        )
    return "", level
