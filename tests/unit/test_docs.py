"""The documentation says all of it, says it today, and points nowhere that is not there."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

import broker.answers
import broker.messages
from broker.messages import Comparator, RejectionCode
from broker.settings import Settings, load_settings, setting_names
from broker.topics import Channel
from edge_agent.config import AgentSettings, SourceSettings
from service.__main__ import app
from tests.support import write_configuration

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
GLOSSARY = (DOCS / "glossary.md").read_text("utf-8")
PROMISES = (DOCS / "promises.md").read_text("utf-8")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
# Hosts are spelt with brackets so that this file is not its own first offender.
_INDEX_HOST = re.compile(
    r"\b(?:py[p]i|pythonhoste[d])\.org|--(?:extra-)?index-ur[l]|\bindex-url *="
)
_MACHINE_PATH = re.compile(r"(?<![\w.:/~$}*])/(?:wor[k]|roo[t]|hom[e]|User[s])/\w")


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "write"),
    [
        (write_configuration.REFERENCE, write_configuration.reference),
        (write_configuration.EXAMPLE, write_configuration.example),
    ],
    ids=["configuration.md", "yieldline.example.toml"],
)
def test_the_settings_pages_are_up_to_date(file: Path, write: object) -> None:
    assert callable(write)
    assert file.read_text("utf-8") == write(), (
        "run `python -m tests.support.write_configuration` and commit what it writes"
    )


@pytest.mark.parametrize("file", ["configuration.md", "yieldline.example.toml"])
def test_every_setting_is_there(file: str) -> None:
    text = (DOCS / file).read_text("utf-8")
    for section, key in setting_names():
        _, _, rest = text.partition(f"[{section}")
        body = re.split(r"^(?:## |#?)\[", rest, maxsplit=1, flags=re.MULTILINE)[0]
        assert re.search(rf"^(\| `{key}` \||#{key} = )", body, re.MULTILINE), f"{section}.{key}"


def test_the_example_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "yieldline.toml"
    file.write_text((DOCS / "yieldline.example.toml").read_text("utf-8"), "utf-8")
    assert load_settings(file) == Settings()


def test_the_example_file_holds_the_defaults_behind_its_hashes(tmp_path: Path) -> None:
    text = (DOCS / "yieldline.example.toml").read_text("utf-8")
    set_lines = re.sub(r"^#(?=\w+ = (?!.*# not set))", "", text, flags=re.MULTILINE)
    assert set_lines.count("\n#host") == 0
    file = tmp_path / "yieldline.toml"
    file.write_text(set_lines, "utf-8")
    assert load_settings(file).model_dump() == Settings().model_dump()


def test_every_setting_of_the_agent_is_on_its_page() -> None:
    page = (DOCS / "agent.md").read_text("utf-8")
    keys = [*AgentSettings.model_fields, *SourceSettings.model_fields]
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_the_words_of_settle_s_do_not_promise_that_half_a_line_is_taken() -> None:
    description = str(SourceSettings.model_fields["settle_s"].description)
    (row,) = re.findall(r"^\| `settle_s` .*$", (DOCS / "agent.md").read_text("utf-8"), re.MULTILINE)
    exception = "unless it may be half of one"
    assert exception in description
    assert exception in row


# -- words -----------------------------------------------------------------------------------------


def public_messages() -> Iterator[str]:
    """Yield the name of every message class of the wire contract."""
    for module in (broker.messages, broker.answers):
        for name, value in vars(module).items():
            is_ours = isinstance(value, type) and value.__module__ == module.__name__
            if is_ours and issubclass(value, BaseModel) and not name.startswith("_"):
                yield name


@pytest.mark.parametrize(
    "words",
    [list(Channel), list(RejectionCode), list(Comparator), list(public_messages())],
    ids=["channels", "rejection codes", "comparators", "messages"],
)
def test_the_glossary_has_every_word(words: list[str]) -> None:
    assert len(words) >= 8
    missing = [word for word in words if not re.search(rf"`{word}`|\*\*{word}\*\*", GLOSSARY)]
    assert missing == []


@pytest.mark.parametrize("comparator", Comparator)
def test_judgement_has_every_comparator(comparator: Comparator) -> None:
    assert f"`{comparator}`" in (DOCS / "judgement.md").read_text("utf-8")


@pytest.mark.parametrize("channel", Channel)
def test_the_readme_has_every_channel(channel: Channel) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert f"`{channel}`" in text or f"`…/{channel}`" in text


# -- commands --------------------------------------------------------------------------------------


def commands(group: typer.Typer, *names: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (words of the command, what its help says), of a Typer and all below it."""
    for one in group.registered_commands:
        assert one.callback
        name = one.name or one.callback.__name__.replace("_", "-")
        yield (*names, name), one.epilog or ""
    for below in group.registered_groups:
        assert below.typer_instance
        assert below.name
        yield (*names, below.name), str(below.typer_instance.info.epilog or "")
        yield from commands(below.typer_instance, *names, below.name)


@cache
def all_commands() -> list[tuple[tuple[str, ...], str]]:
    """Return every command, those of the agent and the web app included."""
    found = list(commands(app))
    for program in entry_points(group="yieldline.programs"):
        module = program.load().__module__
        below: typer.Typer = getattr(__import__(module, fromlist=["app"]), "app")  # noqa: B009
        if len(below.registered_commands) == 1:  # Typer makes it the program itself
            found.append(((program.name,), below.registered_commands[0].epilog or ""))
        else:
            found.append(((program.name,), str(below.info.epilog or "")))
            found += commands(below, program.name)
    return found


def test_every_command_is_in_the_readme_or_the_docs() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = [" ".join(("yieldline", *words)) for words, _ in all_commands()]
    assert "yieldline agent parse" in named
    assert [name for name in named if not re.search(rf"\b{name}\b", pages)] == []


def test_every_help_has_an_example() -> None:
    without = [
        " ".join(words)
        for words, epilog in all_commands()
        if "xample" not in epilog or f"yieldline {' '.join(words)}" not in epilog
    ]
    assert without == []


def test_no_page_names_a_command_that_is_not_there() -> None:
    known = {words for words, _ in all_commands()}
    groups = {words[0] for words in known if len(words) > 1}
    for page in PAGES:
        for code in re.findall(r"`yieldline ([a-z]+)(?: ([a-z]+))?", page.read_text("utf-8")):
            words = code if code[0] in groups and code[1] else code[:1]
            assert words in known, f"{page.name}: yieldline {' '.join(code)}"


# -- links -----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return what `#…` may follow a link to this page, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def dead_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    dead = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A head, line\n[a](no.md) [b](page.md#a-head-line) [c](#b) [d](x:y)\n", "utf-8"
    )
    assert dead_links(page) == ["no.md", "#b"]


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        for target in _LINK.findall(page.read_text("utf-8")):
            file = (page.parent / target.partition("#")[0]).resolve()
            file = file / "README.md" if file.is_dir() else file
            if file.suffix == ".md" and file.exists() and file not in seen:
                ahead.append(file)
    assert sorted(set(PAGES) - seen) == []


def test_the_tests_that_show_a_promise_are_there() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", PROMISES)
    assert len(named) > 10
    for name, file in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, functions)}, name


def test_every_fault_has_its_row_and_every_row_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", PROMISES, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 49))
    assert [number for number, shown in rows if "[`test_" not in shown] == []


# -- what no file may hold -------------------------------------------------------------------------


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Yield (path, content) of every text file that git knows."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=30
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            yield name, (ROOT / name).read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("forbidden", [_INDEX_HOST, _MACHINE_PATH], ids=["index host", "own path"])
def test_no_file_names_where_it_was_made(forbidden: re.Pattern[str]) -> None:
    found = [
        f"{name}: {hit[0]}" for name, text in tracked_texts() for hit in forbidden.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("forbidden", "line"),
    [
        (_INDEX_HOST, "see py" + "pi.org/project/x"),
        (_INDEX_HOST, "https://files.python" + "hosted.org/x"),
        (_INDEX_HOST, "pip install --index" + "-url=x"),
        (_MACHINE_PATH, '"/ho' + 'me/anna/x"'),
        (_MACHINE_PATH, "cd /wo" + "rk/main"),
    ],
)
def test_the_check_sees_an_offence(forbidden: re.Pattern[str], line: str) -> None:
    assert forbidden.search(line)
