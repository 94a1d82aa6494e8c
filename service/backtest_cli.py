"""`yieldline rules backtest`: what a draft would have passed and failed, before it is activated."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.errors import RulebookError
from broker.files import read_text
from service.flags import moment_of
from service.shared_cli import Config, database_of

_YIELDS = (
    ("first pass yield", "first_pass_yield"),
    ("second pass yield", "second_pass_yield"),
    ("final yield", "final_yield"),
    ("rolled throughput yield", "rolled_throughput_yield"),
)


def backtest(  # noqa: PLR0913 - one flag a filter
    draft: Annotated[Path, typer.Argument(help="A rulebook in TOML.")],
    *,
    since: Annotated[str | None, typer.Option(help="Units first tested then or later.")] = None,
    until: Annotated[str | None, typer.Option(help="Units first tested before then.")] = None,
    machine_id: Annotated[str | None, typer.Option(help="First tested there.")] = None,
    line: Annotated[str | None, typer.Option(help="First tested on this line.")] = None,
    product_id: Annotated[str | None, typer.Option(help="Of this product.")] = None,
    procedure: Annotated[str | None, typer.Option(help="At this procedure.")] = None,
    barcode: Annotated[str | None, typer.Option(help="This unit.")] = None,
    fixture: Annotated[str | None, typer.Option(help="First held by this fixture.")] = None,
    operator: Annotated[str | None, typer.Option(help="First run by this operator.")] = None,
    names: Annotated[int, typer.Option(min=0, help="Runs to name in each list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
    config: Config = None,
) -> None:
    """Judge stored history again by a draft: yields then and with it, and the units that change.

    Nothing is changed. A yield is a range where machines stop at the first failure: nobody knows
    how a run would have ended that the draft lets go on.
    """
    from service.commands.backtest import backtest as judge_again
    from service.progress_bar import ProgressBar
    from service.store.queries.filters import Filters

    filters = Filters(
        machine_id=machine_id,
        line=line,
        product_id=product_id,
        procedure=procedure,
        barcode=barcode,
        fixture=fixture,
        operator=operator,
        since=moment_of("--since", since),
        until=moment_of("--until", until),
    )
    database = database_of(config)
    with ProgressBar() as bar:
        report = judge_again(
            database, read_text(draft, RulebookError), filters, origin=str(draft), progress=bar.show
        )
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    for sentence in sentences(report, names):
        typer.echo(sentence)


def sentences(report: dict[str, Any], names: int) -> Iterator[str]:
    """Yield the report, line by line, for a person at a terminal."""
    yield (
        f"{_count(report['runs'], 'run')} of {_count(report['units'], 'unit')} judged again:"
        f" {report['runs_changed']} would have another outcome."
    )
    if report["not_reproduced"]:
        yield (
            f"{_count(report['not_reproduced'], 'run')} got another outcome from an older version"
            " of this program; they are compared with what is stored."
        )
    yield ""
    yield from _yield_lines("all procedures", report)
    for each in report["procedures"]:
        yield from _yield_lines(f"procedure {each['procedure']}", each)
    yield from _named("Rescued", report["rescued"], report["rescued_count"], names)
    yield from _named(
        "Newly failing", report["newly_failing"], report["newly_failing_count"], names
    )
    if report["steps"]:
        yield "Measurements that change, by step and rule:"
    for each in report["steps"][: names or None]:
        rules = " → ".join(str(each[key] or "no rule") for key in ("rule_before", "rule_after"))
        outcomes = f"{each['outcome_before']} → {each['outcome_after']}"
        yield f"  {each['count']:>7}  {each['test_step']}  {outcomes}  ({rules})"


def _yield_lines(title: str, entry: dict[str, Any]) -> Iterator[str]:
    yield f"{title}, {_count(entry['units'], 'unit')}:"
    before, after = entry["before"], entry["after"]
    for words, key in _YIELDS:
        now = _range(after[f"{key}_low"], after[f"{key}_high"])
        yield f"  {words:<24} {_percent(before[key]):>9} → {now}"
    yield ""


def _named(title: str, runs: list[dict[str, Any]], count: int, names: int) -> Iterator[str]:
    if not count:
        return
    yield f"{title}: {_count(count, 'run')}"
    for each in runs[:names]:
        doubt = ", stopped there: its end is not known" if each["is_unfinished"] else ""
        steps = ", ".join(step["test_step"] for step in each["steps"][:3])
        yield (
            f"  {each['barcode']}  {each['procedure']} at {each['machine_id']}"
            f" {each['timestamp']}  {each['outcome_before']} → {each['outcome_after']}"
            f"  {steps or each['first_failure'] or ''}{doubt}"
        )
    if count > names:
        yield f"  … and {count - names} more; --names {count} or --json shows them."
    yield ""


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _range(low: float | None, high: float | None) -> str:
    return _percent(low) if low == high else f"{_percent(low)} to {_percent(high)}"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.2f} %"
