"""When something is trouble: the rules behind alerts, as functions of facts. Pure: no I/O.

A rule says of each thing it knows: trouble, over, or nothing, which leaves an alert as it is. The
distance between trouble and over keeps an alert from flapping. Nothing is remembered between two
looks but how much a machine may still send (`floods`), so what is concluded depends only on what
is stored, not on the order in which it came.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from broker.plant_sections import AlertsSettings, MachineSettings, PlantSettings
from broker.targets import Targets, target_fpy_percent
from service.core import alert_findings as say
from service.core.alert_facts import Facts, MachineFacts, RunFact, failing_streak
from service.core.alerts import AlertKind, AlertRecord, Assessment, Finding, key_of
from service.core.breaks import breaks_of, last_break_end
from service.core.floods import Allowance
from service.core.intervals import wilson_interval
from service.core.shifts import shift_at

_Said = Iterator[tuple[str, Finding | None]]
"""Keys with their trouble; None: it is over."""


class Rules:
    """The rules with one plant's settings."""

    def __init__(
        self,
        alerts: AlertsSettings,
        plant: PlantSettings,
        machines: Mapping[str, MachineSettings],
        *,
        targets: Targets | None = None,
    ) -> None:
        """Take the settings; without `targets` no product and no line has one of its own."""
        self.alerts = alerts
        self.plant = plant
        self.targets = targets or Targets(plant, machines)
        self._machines = machines
        self.allowance = Allowance(alerts.flood_per_s, alerts.flood_burst)
        self._zone = ZoneInfo(plant.time_zone)
        self._breaks = breaks_of(plant.breaks)

    def assess(self, facts: Facts, alerts: Collection[AlertRecord], now: datetime) -> Assessment:
        """Return what is trouble now, and which of the living alerts' trouble is over.

        Args:
            facts: What is stored, and who is offline.
            alerts: Those that live.
            now: Aware.
        """
        found: dict[str, Finding] = {}
        cleared: set[str] = set()
        for kind, rule in _RULES.items():
            living = [each for each in alerts if each.kind in kind]
            for key, finding in rule(self, facts, living, now):
                if finding is None:
                    cleared.add(key)
                else:
                    found[key] = finding
        known = {each.key for each in alerts}
        return Assessment(found, (cleared & known) - found.keys())

    def shift_start(self, now: datetime) -> datetime:
        """Return when the running shift began; aware, UTC."""
        return shift_at(now, self._zone, self.plant.shift_starts).start

    def clock(self, moment: datetime) -> str:
        """Return a moment by the plant's clock, for sentences."""
        return f"{moment.astimezone(self._zone):%H:%M:%S}"

    def silence(self, machine: MachineFacts) -> timedelta:
        """Return after how long without a result a machine is silent."""
        known = self._machines.get(machine.machine_id)
        usual_s = (known and known.expected_interval_s) or machine.interval_s or 0.0
        return timedelta(seconds=max(self.plant.stale_after_s, self.plant.stale_factor * usual_s))

    def excused_until(self, facts: Facts, now: datetime) -> datetime:
        """Return until when nobody could hear a machine, or it had a planned break; aware."""
        if facts.listening_since is None:
            return now
        pause = last_break_end(now, self._zone, self._breaks)
        return max(facts.listening_since, pause or facts.listening_since)


def _silent(rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime) -> _Said:
    """A machine that sends no result."""
    forget = timedelta(seconds=rules.alerts.silent_forget_s)
    excused_until = rules.excused_until(facts, now)
    del living
    for machine in facts.machines.values():
        last, limit = machine.last_result_at, rules.silence(machine)
        if last is None or not limit < now - last <= forget:
            yield key_of(AlertKind.SILENT, machine.machine_id), None
        elif now - max(last, excused_until) > limit and machine.machine_id not in facts.offline:
            finding = say.silent(machine, rules.clock(last))
            yield finding.key, finding


def _offline(rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime) -> _Said:
    """Machines whose last will was said; many at once are one alert."""
    if facts.listening_since is None:
        return  # who is offline is what the broker tells
    held = timedelta(seconds=rules.alerts.offline_after_s)
    alone = {each.subject.machine_id: each.key for each in living}
    for machine_id, key in alone.items():
        if machine_id is not None and machine_id not in facts.offline:
            yield key, None
    fresh = {each: known for each, known in facts.offline.items() if each not in alone}
    if len(fresh) >= rules.alerts.offline_together:
        if now - min(each.at for each in fresh.values()) >= held:
            together = say.many_offline(fresh)
            yield together.key, together
        return
    yield key_of(AlertKind.OFFLINE_MANY), None
    for machine_id, known in fresh.items():
        if now - known.at >= held:
            finding = say.offline(machine_id, known, rules.clock(known.at))
            yield finding.key, finding


def _yield_low(rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime) -> _Said:
    """The whole 95 % interval of a shift's first pass yield is below the target."""
    for (machine_id, procedure), (units, passed, products) in facts.yields.items():
        interval, machine = wilson_interval(passed, units), facts.machines.get(machine_id)
        if interval is None or units < rules.alerts.yield_units_min:
            continue
        line = machine.line if machine else None
        target = target_fpy_percent(rules.targets, machine_id, products, line)
        enough = min(100.0, target + rules.alerts.yield_clear_percent)
        if interval[1] * 100 < target and machine:
            finding = say.yield_low(machine, say.YieldFact(procedure, units, passed), target)
            yield finding.key, finding
        elif interval[1] * 100 >= enough:
            yield key_of(AlertKind.YIELD_LOW, machine_id, procedure), None
    start = rules.shift_start(now)
    for alert in living:
        if alert.opened_at < start:  # it speaks of a shift that is over
            yield alert.key, None


def _step_repeats(
    rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime
) -> _Said:
    """The same first failing step, run after run."""
    del now
    count = rules.alerts.step_repeats
    for machine in facts.machines.values():
        streak = failing_streak(machine.runs)
        if len(streak) >= count:
            finding = say.step_repeats(machine, streak)
            yield finding.key, finding
    for alert in living:
        known = facts.machines.get(alert.subject.machine_id or "")
        if known and all(run.first_failure != alert.subject.step for run in known.runs[:count]):
            yield alert.key, None


def _retests(rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime) -> _Said:
    """A unit that is run again and again."""
    quiet = timedelta(seconds=rules.alerts.retests_quiet_s)
    worst: dict[tuple[str, str, str], tuple[MachineFacts, RunFact]] = {}
    for machine in facts.machines.values():
        for run in machine.runs:
            if run.attempt > rules.alerts.unit_runs_max and now - run.received_at < quiet:
                unit = (run.product_id, run.procedure, run.barcode)
                if unit not in worst or run.attempt > worst[unit][1].attempt:
                    worst[unit] = machine, run
    found = [say.retests(machine, run) for machine, run in worst.values()]
    yield from ((finding.key, finding) for finding in found)
    keys = {finding.key for finding in found}
    for alert in living:
        # Its runs may have left the newest ones that we look at: it gets its full rest.
        if alert.key not in keys and now - alert.opened_at >= quiet:
            yield alert.key, None


def _rejections(
    rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime
) -> _Said:
    """A machine whose messages are not understood."""
    del now
    many, within_s = rules.alerts.rejections, rules.alerts.rejections_within_s
    for machine_id, count in facts.rejections.items():
        if count >= many and machine_id in facts.machines:
            finding = say.rejections(facts.machines[machine_id], count, within_s)
            yield finding.key, finding
    for alert in living:
        if facts.rejections.get(alert.subject.machine_id or "", 0) * 2 < many:
            yield alert.key, None


def _flood(rules: Rules, facts: Facts, living: Collection[AlertRecord], now: datetime) -> _Said:
    """A machine that sends more than it may; over when half of a burst is free again."""
    del now
    for machine_id, bucket in facts.buckets.items():
        if not bucket.room:
            finding = say.flood(facts.machines[machine_id], bucket.per_s, rules.allowance)
            yield finding.key, finding
        elif bucket.room * 2 > rules.allowance.burst:
            yield key_of(AlertKind.FLOOD, machine_id), None
    if not facts.buckets:
        yield from ((each.key, None) for each in living)  # there is no limit any more


_RULES: Final = {
    frozenset({AlertKind.SILENT}): _silent,
    frozenset({AlertKind.OFFLINE, AlertKind.OFFLINE_MANY}): _offline,
    frozenset({AlertKind.YIELD_LOW}): _yield_low,
    frozenset({AlertKind.STEP_REPEATS}): _step_repeats,
    frozenset({AlertKind.RETESTS}): _retests,
    frozenset({AlertKind.REJECTIONS}): _rejections,
    frozenset({AlertKind.FLOOD}): _flood,
}
