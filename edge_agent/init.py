"""`agent init`: ask for what agent.toml needs, guess the format from a file, write it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import typer

from broker.errors import SettingsError
from broker.topics import ID_PATTERN, UNASSIGNED_LINE, is_id
from edge_agent.config import load_config, pattern_from
from edge_agent.formats import FORMAT_NAMES, closest, read_options
from edge_agent.new_config import config_text
from edge_agent.tail import find
from edge_agent.tally import Coverage, cover, newest
from edge_agent.words import counted

_PORT_DEFAULT: Final = 1883
_PORT_MAX: Final = 65_535
_as_address: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/]+)(?::([0-9]{1,5}))?").fullmatch


@dataclass(frozen=True)
class Answers:
    """What the flags say; None is asked for."""

    machine_id: str | None
    line: str | None
    format: str | None
    path: str | None
    broker: str | None
    username: str | None

    @property
    def is_enough(self) -> bool:
        """Nothing that is needed is missing, so nobody is asked."""
        return None not in {self.machine_id, self.format, self.path}


class Guess(NamedTuple):
    """What one format makes of a file."""

    format: str
    coverage: Coverage | None
    """None: it cannot be read without options."""


def write_config(answers: Answers, output: Path, *, force: bool) -> list[str]:
    """Write agent.toml, from the flags or after asking.

    Returns:
        What a person should know now, a line each.

    Raises:
        SettingsError: A value is wrong, the file is there already, or cannot be written.
    """
    if output.exists() and not force:
        raise SettingsError(f"{output} exists already. Name another --output, or give --force.")
    if not answers.is_enough:
        answers = _asked(answers, output.absolute().parent)
    source, broker = _sections(answers)
    try:
        output.write_text(config_text(source, broker), "utf-8")
    except (OSError, UnicodeEncodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"{output} cannot be written ({why}). Name another --output."
        ) from error
    return [f"{output} is written.", *_next_steps(output, has_login="username" in broker)]


def guesses(path: Path) -> list[Guess]:
    """Try every format on a file; the one that explains the most comes first.

    Raises:
        OSError: It cannot be read.
    """
    found = []
    for name in FORMAT_NAMES:
        try:
            found.append(Guess(name, cover(path, name, read_options(name, {}))))
        except SettingsError:
            found.append(Guess(name, None))
    return sorted(found, key=_rank, reverse=True)


def guess_line(guess: Guess) -> str:
    """Return a guess in words."""
    if guess.coverage is None:
        return f"  {guess.format:<10} needs [source.options] first"
    found = guess.coverage
    why = "" if found.run_count else f"  {found.first_reason or ''}".rstrip()
    return f"  {guess.format:<10} {found.percent:5.1f} %, {counted(found.run_count, 'run')}{why}"


def _rank(guess: Guess) -> tuple[bool, float]:
    found = guess.coverage
    return (found.run_count > 0, found.percent) if found else (False, -1.0)


# -- answers ---------------------------------------------------------------------------------------


def _sections(answers: Answers) -> tuple[dict[str, str], dict[str, str | int]]:
    """Check the answers; return `[[source]]` and `[broker]`."""
    source = {
        "machine_id": _id("--machine-id", answers.machine_id or ""),
        "line": _id("--line", answers.line or UNASSIGNED_LINE),
        "format": _format("--format", answers.format or ""),
        "path": _path("--path", answers.path or ""),
    }
    return source, _broker(_address("--broker", answers.broker or "127.0.0.1"), answers.username)


def _asked(answers: Answers, folder: Path) -> Answers:
    """Ask for what the flags do not say; a wrong answer is asked again."""
    machine_id = answers.machine_id or _ask("machine_id, whose results they are", None, _id)
    line = answers.line or _ask("line", UNASSIGNED_LINE, _id)
    path = answers.path or _ask("path of its logs, a file or a glob", None, _path)
    format_name = answers.format or _ask_format(folder, path)
    address = answers.broker or _ask("broker, HOST or HOST:PORT", "127.0.0.1:1883", _address_text)
    username = answers.username
    if username is None:
        username = typer.prompt("username at the broker, empty for none", "", show_default=False)
    return Answers(machine_id, line, format_name, path, address, username or None)


def _ask(what: str, default: str | None, check: Callable[[str, str], str]) -> str:
    while True:
        answer: str = typer.prompt(what, default)
        try:
            return check(what.partition(",")[0], answer.strip())
        except SettingsError as error:
            typer.echo(str(error))


def _ask_format(folder: Path, path: str) -> str:
    """Ask for the format; where a file is there already, what each makes of it comes first."""
    last = newest(each for each in find(pattern_from(folder, path)) if each.is_file())
    default = None
    if last and typer.confirm(f"Try every format on {last}?", default=True):
        default = _guessed(last)
    return _ask(f"format, one of {', '.join(FORMAT_NAMES)}", default, _format)


def _guessed(file: Path) -> str | None:
    """Show what each format makes of a file; return the best, if it finds a run."""
    try:
        tried = guesses(file)
    except OSError as error:
        typer.echo(f"{file} cannot be read ({error.strerror or error}).")
        return None
    typer.echo("\n".join(guess_line(each) for each in tried))
    best = tried[0]
    return best.format if best.coverage and best.coverage.run_count else None


# -- checks ----------------------------------------------------------------------------------------


def _id(name: str, text: str) -> str:
    if not is_id(text):
        raise SettingsError(f"{name} {text!r} may not stand in a topic: use {ID_PATTERN}.")
    return text


def _format(name: str, text: str) -> str:
    if text not in FORMAT_NAMES:
        raise SettingsError(
            f"{name} {text!r} is not a format the agent reads.{closest(text, FORMAT_NAMES)}"
        )
    return text


def _path(name: str, text: str) -> str:
    if not text:
        raise SettingsError(f"{name} is empty. Name a file or a glob, such as logs/*.csv.")
    return text


def _address_text(name: str, text: str) -> str:
    _address(name, text)
    return text


def _address(name: str, text: str) -> tuple[str, int]:
    found = _as_address(text)
    port = int(found[2] or _PORT_DEFAULT) if found else 0
    if not found or not 1 <= port <= _PORT_MAX:
        raise SettingsError(f"{name} {text!r} is not HOST or HOST:PORT, such as mqtt.plant:8883.")
    return found[1].strip("[]"), port


def _broker(address: tuple[str, int], username: str | None) -> dict[str, str | int]:
    host, port = address
    values: dict[str, str | int] = {"host": host, "port": port}
    return {**values, "username": username} if username else values


def _next_steps(output: Path, *, has_login: bool) -> list[str]:
    steps = []
    if has_login:
        steps.append(
            "The password is not in it: set YIELDLINE_BROKER__PASSWORD, or broker.password_file."
        )
    try:
        load_config(output)
    except SettingsError as error:
        steps.append(f"One thing is left to do: {error}")
    return [*steps, f"Now try: yieldline agent check --config {output}"]
