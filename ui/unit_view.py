"""What the unit page says of a unit and of one run: values ready for JSON. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from broker.messages import Comparator, parse_time
from ui.wording import (
    EN_DASH,
    Scale,
    duration,
    limits_text,
    long_date,
    percent,
    short_value,
    thousands,
)

Facts: TypeAlias = Mapping[str, Any]

_REPAIRS: Final = ("repair", "rework")
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
        "unrepaired": thousands(len(unrepaired(runs))),
        "may_go": _may_go(unit),
        **_seen_first(first_seen, now),
        "others": [each["product_id"] for each in life["units"] if each is not unit],
    }


def unrepaired(runs: Sequence[Facts]) -> set[int]:
    """Return the retests that no repair came before, by run_id.

    A retest follows a run of its procedure that was not PASS. A repair is a run of a procedure
    whose name says repair or rework; nothing else tells that somebody touched the unit.

    Args:
        runs: A unit's, by start time.
    """
    found: set[int] = set()
    bad: set[str] = set()  # procedures whose last run was not PASS, with no repair since
    for run in runs:
        procedure = run["procedure"]
        if any(word in procedure.lower() for word in _REPAIRS):
            bad.clear()
            continue
        if procedure in bad:
            found.add(run["run_id"])
        bad = bad - {procedure} if run["outcome"] == "PASS" else bad | {procedure}
    return found


def _may_go(unit: Facts) -> Facts | None:
    """Return whether it may go on: to what it has not been at yet, else to what it must pass."""
    been = {each["procedure"] for each in unit["procedures"]}
    allowed = {each["procedure"]: each for each in unit["may_go_to"]}
    ahead = next((name for name in allowed if name not in been), unit["next_procedure"])
    return None if ahead is None else allowed.get(ahead)


def _seen_first(moment: datetime, now: datetime) -> Facts:
    ago = _ago(moment, now)
    if moment.date() == now.astimezone(moment.tzinfo).date():
        return {"first_seen": f"{moment:%H:%M:%S}", "first_seen_note": f"{moment:%Z}, {ago}"}
    return {"first_seen": long_date(moment), "first_seen_note": f"{moment:%H:%M:%S %Z}, {ago}"}


def _ago(moment: datetime, now: datetime) -> str:
    return f"{duration((now - moment).total_seconds())} ago"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in _TEENS else _ORDINALS.get(number % 10, "th")
    return f"{number}{ending}"


def mark_of(outcome: str, *, marginal: bool) -> str:
    """Return the letter of an outcome's picture; M: PASS, but close to a limit."""
    return "M" if outcome == "PASS" and marginal else outcome[0]


def seconds_of(run: Facts) -> float | None:
    """Return how long a run took; None: nobody said when it ended."""
    if run.get("ended_at") is None:
        return None
    return (parse_time(run["ended_at"]) - parse_time(run["timestamp"])).total_seconds()


def run_head(details: Facts, run: Facts, attempts: int, clock: Clock) -> Facts:
    """Return the head of the selected run: its circumstances, counts, and who disagrees."""
    more, counts = details["details"], details["counts"]
    marginal = sum(each["marginal"] for each in details["measurements"])
    seconds = seconds_of({**more, "timestamp": details["timestamp"]})
    program = " ".join(filter(None, (more["program"], more["program_version"])))
    facts = (
        details["machine_id"],
        clock.full(details["timestamp"]),
        duration(seconds) if seconds is not None else "",
        f"fixture {more['fixture']}" if more["fixture"] else "",
        program,
        f"operator {more['operator']}" if more["operator"] else "",
    )
    said = [
        f"{thousands(counts[name])} {name}"
        + (f" ({marginal} marginal)" if name == "PASS" and marginal else "")
        for name in ("FAIL", "ERROR", "PASS", "UNJUDGED")
        if counts[name]
    ]
    total = len(details["measurements"])
    return {
        "mark": mark_of(details["outcome"], marginal=marginal > 0),
        "outcome": details["outcome"].lower(),
        "title": f"{details['procedure']}, attempt {run['attempt']} of {attempts}",
        "facts": " · ".join(each for each in facts if each),
        "counts": f"{thousands(total)} measurement{'s' if total > 1 else ''}: {' · '.join(said)}",
        "machine": details["machine_id"],
        "product": details["product_id"],
        "procedure": details["procedure"],
        "disagreement": _disagreement(details),
        "is_contradicted": details["agrees"] is False,
        "source": _source(details),
        "receipt": {
            "sent": _has_receipt(details),
            "words": _receipt(details),
            "message_id": details["message_id"],
            "received_at": clock.full(details["received_at"]),
        },
        "clock_suspect": details["clock_suspect"],
    }


def _disagreement(details: Facts) -> str:
    """Say where the tester's word, its own measurements and our rules differ; else nothing."""
    if overruled := _overruled(details):
        return overruled
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


def _overruled(details: Facts) -> str:
    """Say where a rule decided against the tester, of the first such measurement."""
    pairs = zip(details["measurements"], details["details"].get("measurements", ()), strict=False)
    against = [one for one, more in pairs if one["rule_id"] and more["agrees"] is False]
    if not against:
        return ""
    first, others = against[0], len(against) - 1
    scale = Scale(first["measured_value"], first["unit"])
    comparator = Comparator(first["comparator"]) if first["comparator"] else None
    limits = limits_text(comparator, first["low"], first["high"], None, scale)
    rule = f"{first['rule_id']} ({limits} {scale.unit})" if limits else first["rule_id"]
    more = f" It is so with {thousands(others)} more." if others else ""
    return (
        f"The tester said {first['reported_outcome']} to {first['test_step']},"
        f" rule {rule} says {first['outcome']}.{more}"
    )


def way(details: Facts, size_bytes: int | None, clock: Clock) -> list[Facts]:
    """Return the way of this result, one entry a station: what, when, and a note."""
    more, source = details["details"], details["details"]["source"] or {}
    received = parse_time(details["received_at"])
    begun = parse_time(details["timestamp"])
    seconds = seconds_of({**more, "timestamp": details["timestamp"]})
    lag_s = (received - begun).total_seconds() - (seconds or 0.0)
    size = "" if size_bytes is None else f", {thousands(size_bytes)} bytes"
    skew = "the machine's clock is suspect" if details["clock_suspect"] else "machine clock"
    begun_text, received_text = clock.full(details["timestamp"]), clock.full(details["received_at"])
    if clock.local(details["received_at"]).date() == clock.local(details["timestamp"]).date():
        received_text = clock.time(details["received_at"])  # the line above names day and zone
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
        ("Published", "on the result topic", _receipt(details)),
    ]
    return [{"what": what, "when": when, "note": note} for what, when, note in entries]


def _has_receipt(details: Facts) -> bool:
    """Tell whether the sender got one; without an id of its own the message goes by its hash."""
    return bool(details["message_id"] != details["details"].get("content_hash"))


def _receipt(details: Facts) -> str:
    if _has_receipt(details):
        return "receipt sent"
    return "no receipt: the message had no message_id"


def _source(details: Facts) -> Facts | None:
    """Return the log that the run was read from, and where in it; None: it came from no file."""
    source = details["details"]["source"] or {}
    return {"file": source["file"], "bytes": _bytes_of(source)} if source.get("file") else None


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
