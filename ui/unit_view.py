"""What the unit page shows, from what the store answers: values ready for JSON. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from broker.messages import parse_time
from service.store.queries.pages_seed import TellingMeasurement
from ui.wording import (
    EN_DASH,
    duration,
    explain,
    long_date,
    percent,
    short_value,
    thousands,
)

Facts: TypeAlias = Mapping[str, Any]

CARDS_MAX: Final = 100
_ORDINALS: Final = {1: "st", 2: "nd", 3: "rd"}
_TEENS: Final = (11, 12, 13)


class Clock:
    """Times in the plant's zone, which is named beside them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def local(self, text: str) -> datetime:
        """Return a time of an answer in the plant's zone."""
        return parse_time(text).astimezone(self.zone)

    def time(self, text: str) -> str:
        """Return the time of day, such as `10:42:11`."""
        return f"{self.local(text):%H:%M:%S}"

    def full(self, text: str) -> str:
        """Return date, time and zone, such as `12 October 2024 10:42:11 CEST`."""
        local = self.local(text)
        return f"{long_date(local)} {local:%H:%M:%S %Z}"


def pick_unit(life: Facts, run_id: int | None) -> tuple[Facts, Facts]:
    """Return the unit and the run to show: the asked one, else the newest of all."""
    for unit in life["units"]:
        for run in unit["runs"]:
            if run["run_id"] == run_id:
                return unit, run
    unit = life["units"][-1]
    return unit, unit["runs"][-1]


def unit_head(barcode: str, life: Facts, unit: Facts, clock: Clock, now: datetime) -> Facts:
    """Return the verdict header: what the unit is, and whether it is good."""
    runs, procedures, last = unit["runs"], unit["procedures"], unit["runs"][-1]
    firsts = [each["procedure"] for each in procedures if each["first_outcome"] != "PASS"]
    lasts = [each["procedure"] for each in procedures if each["last_outcome"] != "PASS"]
    count = len(procedures)
    first_seen = clock.local(runs[0]["timestamp"])
    return {
        "barcode": barcode,
        "outcome": unit["outcome"],
        "at": f"at {last['procedure']}, {_ordinal(last['attempt'])} attempt",
        "but": f"but {' and '.join(lasts)} not PASS" if lasts and unit["outcome"] == "PASS" else "",
        "product": unit["product_id"],
        "where": f"line {last['line']}",
        "first_pass": f"{percent((count - len(firsts)) / count, count)} %",
        "first_pass_note": f"not {', '.join(firsts)}" if firsts else "",
        "final": f"{percent((count - len(lasts)) / count, count)} %",
        "final_note": f"not {', '.join(lasts)}" if lasts else "",
        "runs": thousands(len(runs)),
        "procedures": f"{count} procedure{'s' if count > 1 else ''}",
        "retests": thousands(len(runs) - count),
        "first_seen": long_date(first_seen),
        "first_seen_note": f"{first_seen:%H:%M:%S %Z}, {_ago(first_seen, now)}",
        "others": [each["product_id"] for each in life["units"] if each is not unit],
    }


def _ago(moment: datetime, now: datetime) -> str:
    return f"{duration((now - moment).total_seconds())} ago"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in _TEENS else _ORDINALS.get(number % 10, "th")
    return f"{number}{ending}"


def journey(
    unit: Facts,
    shown_run: int,
    telling: Mapping[int, tuple[bool, TellingMeasurement | None]],
    clock: Clock,
) -> list[Facts]:
    """Return a lane a procedure, in the order of first runs, with a card an attempt."""
    lanes: list[Facts] = []
    for procedure in unit["procedures"]:
        name = procedure["procedure"]
        runs = [run for run in unit["runs"] if run["procedure"] == name]
        cards = []
        for i, run in enumerate(runs):
            before = runs[i - 1] if i else None
            cards.append(_card(run, before, telling.get(run["run_id"]), clock))
        for card in cards:
            card["selected"] = card["run"] == shown_run
        lanes.append(
            {
                "procedure": name,
                "count": f"{len(runs)} run{'s' if len(runs) > 1 else ''}",
                "hidden": max(0, len(cards) - CARDS_MAX),
                "cards": cards[-CARDS_MAX:],
            }
        )
    return lanes


def _card(
    run: Facts,
    before: Facts | None,
    telling: tuple[bool, TellingMeasurement | None] | None,
    clock: Clock,
) -> dict[str, Any]:
    marginal, measurement = telling or (False, None)
    note, is_retest = _note(run, measurement), False
    if before is not None:
        gap = (clock.local(run["timestamp"]) - clock.local(before["timestamp"])).total_seconds()
        is_retest = before["outcome"] != "PASS"
        later = f"{duration(gap)} later"
        note = f"{later} · {note}" if note else later
    return {
        "run": run["run_id"],
        "mark": _mark(run["outcome"], marginal=marginal),
        "outcome": run["outcome"].lower(),
        "machine": run["machine_id"],
        "time": clock.time(run["timestamp"]),
        "full": clock.full(run["timestamp"]),
        "note": note,
        "retest": is_retest,
        "differs": run["agrees"] is False,
        "reported": run["reported_outcome"],
    }


def _note(run: Facts, measurement: TellingMeasurement | None) -> str:
    if run["outcome"] != "PASS":
        if measurement is None:
            return run["first_failure"] or ""
        return f"{measurement.test_step} {explain(measurement)}"
    if run["agrees"] is False:
        failed = run["counts"]["FAIL"]
        steps = f"{thousands(failed)} step{'s' if failed > 1 else ''} failed"
        return steps if failed else f"tester said {run['reported_outcome']}"
    seconds = _seconds(run)
    return "" if seconds is None else duration(seconds)


def _mark(outcome: str, *, marginal: bool) -> str:
    return "M" if outcome == "PASS" and marginal else outcome[0]


def _seconds(run: Facts) -> float | None:
    if run.get("ended_at") is None:
        return None
    return (parse_time(run["ended_at"]) - parse_time(run["timestamp"])).total_seconds()


def run_head(details: Facts, run: Facts, attempts: int, clock: Clock) -> Facts:
    """Return the head of the selected run: its circumstances, counts, and who disagrees."""
    more, counts = details["details"], details["counts"]
    marginal = sum(each["marginal"] for each in details["measurements"])
    seconds = _seconds({**more, "timestamp": details["timestamp"]})
    program = " ".join(filter(None, (more["program"], more["program_version"])))
    panel = more["panel"] or {}
    facts = (
        details["machine_id"],
        clock.full(details["timestamp"]),
        duration(seconds) if seconds is not None else "",
        f"fixture {more['fixture']}" if more["fixture"] else "",
        program,
        f"operator {more['operator']}" if more["operator"] else "",
        f"panel {panel['id']}" if panel.get("id") else "",
        f"position {panel['position']}" if panel.get("position") is not None else "",
    )
    said = [
        f"{thousands(counts[name])} {name}"
        + (f" ({marginal} marginal)" if name == "PASS" and marginal else "")
        for name in ("FAIL", "ERROR", "PASS", "UNJUDGED")
        if counts[name]
    ]
    total = len(details["measurements"])
    return {
        "mark": _mark(details["outcome"], marginal=marginal > 0),
        "outcome": details["outcome"].lower(),
        "title": f"{details['procedure']}, attempt {run['attempt']} of {attempts}",
        "facts": " · ".join(each for each in facts if each),
        "counts": f"{thousands(total)} measurement{'s' if total > 1 else ''}: {' · '.join(said)}",
        "disagreement": _disagreement(details),
        "clock_suspect": details["clock_suspect"],
    }


def _disagreement(details: Facts) -> str:
    """Say where the tester's word and its own measurements differ; empty where they agree."""
    if details["agrees"] is not False:
        return ""
    said, counts = details["reported_outcome"], details["counts"]
    if said == "PASS" and counts["FAIL"]:
        return f"The tester said PASS, but {thousands(counts['FAIL'])} of its steps failed."
    if said == "PASS" and counts["ERROR"]:
        return f"The tester said PASS, but {thousands(counts['ERROR'])} of its steps are ERROR."
    if not counts["FAIL"]:
        return f"The tester said {said}, but none of its steps failed."
    return f"The tester said {said}; by its measurements the run is {details['outcome']}."


def way(details: Facts, size_bytes: int | None, clock: Clock) -> list[Facts]:
    """Return the way of this result, one entry a station: what, when, and a note."""
    more, source = details["details"], details["details"]["source"] or {}
    received = parse_time(details["received_at"])
    begun = parse_time(details["timestamp"])
    seconds = _seconds({**more, "timestamp": details["timestamp"]})
    lag_s = (received - begun).total_seconds() - (seconds or 0.0)
    size = "" if size_bytes is None else f", {thousands(size_bytes)} bytes"
    skew = "the machine's clock is suspect" if details["clock_suspect"] else "machine clock"
    begun_text, received_text = clock.full(details["timestamp"]), clock.full(details["received_at"])
    entries = [("Run began", begun_text, skew)]
    if seconds is not None:
        entries.append(("Run ended", f"+ {short_value(seconds, 's')}", "machine clock"))
    if source.get("file"):
        entries.append(("Source", source["file"], _bytes_of(source)))
    after = f"{duration(lag_s)} later, " if lag_s >= 0 else ""
    entries += [
        ("Received", received_text, f"{after}{more['topic']}{size}"),
        ("Judged", f"rulebook v{details['rulebook_version']}", _judged(details)),
        ("Stored", f"run {details['run_id']}", f"message {details['message_id']}"),
    ]
    return [{"what": what, "when": when, "note": note} for what, when, note in entries]


def _bytes_of(source: Facts) -> str:
    start, end = source.get("byte_start"), source.get("byte_end")
    if start is None or end is None:
        return ""
    return f"bytes {thousands(start)} {EN_DASH} {thousands(end)}"


def _judged(details: Facts) -> str:
    rules = {each["rule_id"] for each in details["measurements"] if each["rule_id"]}
    count = len(rules)
    return f"{count} rule{'s' if count > 1 else ''} spoke" if rules else "no rule spoke"


def step_index(measurements: Sequence[Facts]) -> int | None:
    """Return the position of the measurement to look at: the first failure, error or marginal."""
    for wanted in ("FAIL", "ERROR", "UNJUDGED"):
        for i, each in enumerate(measurements):
            if each["outcome"] == wanted:
                return i
    return next((i for i, each in enumerate(measurements) if each["marginal"]), None)
