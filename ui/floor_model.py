"""The live model of the floor: what happened this shift, machine by machine. Pure: no I/O.

One a process. It is rebuilt from the database at start (`take` for each stored run) and kept by the
live results after it (`apply`); a run that comes both ways counts once. Yields count units, never
rows, and belong to the shift in which the unit's first run began. Times are seconds since 1970 UTC,
always arguments. Memory is bounded: see the limits below.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from math import inf
from statistics import fmean
from typing import Final
from zoneinfo import ZoneInfo

from broker.answers import Rejection, Result
from broker.messages import Outcome, State
from broker.plant_sections import LineSettings, MachineSettings, PlantSettings, ProductSettings
from broker.targets import Targets, target_fpy_percent
from service.store.queries.arithmetic import Shift, shift_at
from service.store.queries.machine_history import ProgramChange
from service.store.queries.retests import RetestTime
from ui.failing_steps import Failure, worst_steps
from ui.figures import Tally, stale_after_s, usual_interval_s
from ui.floor_machine import HOUR_S, Machine, natural
from ui.seen import Seen, seen_of
from ui.shift_units import ShiftUnits, Uncounted, UnitRuns
from ui.told import agent_facts

LIVE_RUNS_MAX: Final = 40
RUN_IDS_MAX: Final = 100_000
FAILURES_MAX: Final = 20_000
MACHINES_MAX: Final = 5_000
STEPS_MAX: Final = 500
PRODUCTS_MAX: Final = 100
BUCKET_S: Final = 900
_RANK_RUNS: Final = 64
_RANK_UNITS: Final = 2_000


class FloorModel:
    """The floor of the running shift."""

    def __init__(
        self,
        plant: PlantSettings,
        now: datetime,
        machines: Mapping[str, MachineSettings] | None = None,
        lines: Mapping[str, LineSettings] | None = None,
        *,
        products: Mapping[str, ProductSettings] | None = None,
    ) -> None:
        """Begin the shift of `now`; of machines, lines, products the settings may know more."""
        self.plant = plant
        self._known: Mapping[str, MachineSettings] = machines or {}
        self.lines_known: Mapping[str, LineSettings] = lines or {}
        self._targets = Targets(plant, self._known, products or {}, self.lines_known)
        self.zone = ZoneInfo(plant.time_zone)
        self.machines: dict[str, Machine] = {}
        self.live: deque[Seen] = deque(maxlen=LIVE_RUNS_MAX)
        """The newest results by arrival, oldest first."""
        self._ranks: dict[tuple[str, str], float] = {}
        """By line and procedure: its place in the process, as the units' ways show it."""
        self.taken = 0
        """Runs taken in since the model was made."""
        self.rejections: deque[Rejection] = deque(maxlen=LIVE_RUNS_MAX)
        self.dirty: set[str] = set()
        """Machines that changed since `drain`."""
        self._run_ids: OrderedDict[int, None] = OrderedDict()  # as in ui/shift_units.py
        self._start_shift(shift_at(now, self.zone, plant.shift_starts))

    def _start_shift(self, shift: Shift) -> None:
        self.shift = shift
        self.start_s, self.end_s = shift.start.timestamp(), shift.end.timestamp()
        self.uncounted: Uncounted | None = None
        """Runs of the shift that it does not count yet; None: it counts all."""
        self.total = Tally()
        self.buckets: dict[int, Tally] = {}
        self.by_line: dict[str, dict[str, Tally]] = {}
        self.line_buckets: dict[tuple[str, int], dict[str, Tally]] = {}
        self.run_buckets: dict[tuple[str, int], list[int]] = {}
        """[runs, retests] by line and bucket."""
        self.line_units: Counter[str] = Counter()
        self.runs = 0
        self.retests = 0
        self.retest_times: Mapping[str, RetestTime] = {}
        """By line; the database alone knows them, and whoever asks it puts them here."""
        self.program_changes: Sequence[ProgramChange] = ()
        """Of the shift, oldest first; likewise."""
        self.failures: deque[Failure] = deque(maxlen=FAILURES_MAX)
        self.units = ShiftUnits()
        for machine in self.machines.values():
            machine.tally = Tally()
            machine.outcomes.clear()
            machine.steps.clear()
            machine.products.clear()
            machine.retests = 0
            self.dirty.add(machine.machine_id)

    def roll(self, now: datetime) -> bool:
        """Begin the next shift when this one is over; tells whether it did."""
        if now.timestamp() < self.end_s:
            return False
        failures = self.failures
        self._start_shift(shift_at(now, self.zone, self.plant.shift_starts))
        self.failures.extend(failures)  # the last hour reaches into the shift before
        return True

    # What arrives

    def apply(self, result: Result) -> bool:
        """Take in a live result; tells whether it was new."""
        return self.take(seen_of(result))

    def take(self, seen: Seen) -> bool:
        """Take in one run, stored or live; tells whether it was new."""
        if seen.run_id in self._run_ids:
            return False
        self._run_ids[seen.run_id] = None
        if len(self._run_ids) > RUN_IDS_MAX:
            self._run_ids.popitem(last=False)
        machine = self.machine(seen.machine_id, seen.line)
        if machine is None:
            return False
        self._show(machine, seen)
        is_later = self.uncounted is None or seen.run_id > self.uncounted.newest_id
        if is_later and seen.started_s >= self.start_s and not self.plant.is_golden(seen.barcode):
            self._count_run(machine, seen)
            self.count_unit(seen)
        self.dirty.add(machine.machine_id)
        return True

    def machine(self, machine_id: str, line: str) -> Machine | None:
        """Return a machine, new where it must be; None when there are too many."""
        machine = self.machines.get(machine_id)
        if machine is None:
            if len(self.machines) >= MACHINES_MAX:
                return None
            machine = self.machines[machine_id] = Machine(machine_id, line)
            self.dirty.add(machine_id)
        machine.line = line
        return machine

    def apply_state(
        self, machine_id: str, line: str, state: State, now: datetime, *, retained: bool = False
    ) -> None:
        """Take in a machine's own word on itself.

        Args:
            machine_id: From the topic, like `line`.
            line: Where it stands.
            state: online, or the last will's offline.
            now: When it arrived. A last will's own time is that of the connection's start.
            retained: It was said before we listened: then it holds since its last result.
        """
        known = self.machines.get(machine_id)
        machine = self.machine(machine_id, known.line if known else line)
        if machine is None:
            return
        if state.status == "online":
            if not retained:
                machine.skew_s = _utc(state.at).timestamp() - now.timestamp()
            if machine.offline_s is not None:
                machine.online_s = _seconds(state.at, now)
            elif machine.online_s is None:
                machine.online_s = 0.0 if retained else _seconds(state.at, now)
            machine.offline_s = None
        elif machine.offline_s is None:
            said_s = max(_seconds(state.at, now), machine.last_s or 0.0)
            machine.offline_s = said_s if retained else now.timestamp()
            machine.online_s = None
        if state.agent:  # a last will has none: what was last said still stands
            machine.agent = agent_facts(state.agent)
            machine.agent_s = _seconds(state.at, now) if retained else now.timestamp()
        self.dirty.add(machine_id)

    def apply_rejected(self, rejection: Rejection) -> None:
        """Take in a rejection."""
        self.rejections.append(rejection)

    def rank_procedures(self) -> None:
        """Learn from the ways of the newest units in which order a line's procedures come."""
        places: dict[tuple[str, str], list[int]] = {}
        for procedures in islice(self.units.newest_first(), _RANK_UNITS):
            for i, runs in enumerate(sorted(procedures, key=lambda each: each.first)):
                places.setdefault((runs.line, runs.procedure), []).append(i)
        self._ranks |= {key: round(fmean(found), 1) for key, found in places.items()}

    def forget_units(self) -> None:
        """Let the units go, before another model takes this one's place; what is shown stays.

        Should it stay in its place, a retest of one of them changes no yield.
        """
        self.units.forget()

    @property
    def unit_count(self) -> int:
        """Units that were first seen in this shift."""
        return self.units.count

    def drain(self) -> set[str]:
        """Return the machines that changed since the last call."""
        changed, self.dirty = self.dirty, set()
        return changed

    # What it says

    def freshness(self, machine: Machine) -> tuple[float | None, float]:
        """Return its usual interval and the silence after which it is stale, in seconds.

        Also from other threads: the runs are copied at one go, as the event loop adds to them.
        """
        known = self._known.get(machine.machine_id)
        usual = (known and known.expected_interval_s) or usual_interval_s(
            [run.began_s for run in tuple(machine.runs)]
        )
        least_s, factor = self.plant.stale_after_s, self.plant.stale_factor
        return usual, stale_after_s(usual, least_s=least_s, factor=factor)

    def status(self, machine: Machine, now_s: float) -> str:
        """Return live, stale, offline or never."""
        if machine.offline_s is not None:
            return "offline"
        if machine.last_s is None:
            return "never"
        return "stale" if now_s - machine.last_s > self.freshness(machine)[1] else "live"

    def target_percent(self, machine: Machine) -> float:
        """Return the first pass yield that a machine should reach, in percent."""
        return target_fpy_percent(self._targets, machine.machine_id, machine.products, machine.line)

    def line_target_percent(self, line: str) -> float:
        """Return the first pass yield that a line should reach, in percent; '' is the plant."""
        return target_fpy_percent(self._targets, line=line)

    def lines(self) -> Iterator[tuple[str, list[Machine]]]:
        """Yield each line, in natural order (L2 before L12), with its machines in process order."""
        by_line: dict[str, list[Machine]] = {}
        for machine in self.machines.values():
            by_line.setdefault(machine.line, []).append(machine)
        for line in sorted(by_line, key=natural):
            yield line, sorted(by_line[line], key=self._place)

    def _place(self, machine: Machine) -> tuple[float, list[tuple[bool, int, str]]]:
        procedure = machine.last.procedure if machine.last else ""
        return self._ranks.get((machine.line, procedure), inf), natural(machine.machine_id)

    def failing_steps(
        self, now_s: float, count: int = 5, line: str = ""
    ) -> list[tuple[str, int, str, int]]:
        """Return the last hour's (step, units, machine with the most, units there), worst first.

        Of one line, or of all.
        """
        return worst_steps(self.failures, now_s - HOUR_S, line, count)

    # How it counts

    def _show(self, machine: Machine, seen: Seen) -> None:
        machine.tape.append(seen.mark)
        machine.runs.append(seen)
        if machine.last_s is None or seen.received_s > machine.last_s:
            machine.last_s = seen.received_s
        if machine.offline_s is not None and seen.received_s > machine.offline_s:
            machine.offline_s = None  # it speaks
        machine.count_minute(seen.began_s)
        self.live.append(seen)
        self.taken += 1

    def run_bucket(self, line: str, started_s: float) -> list[int]:
        """Return the [runs, retests] of a line's 15 minutes, to be added to."""
        return self.run_buckets.setdefault((line, self._bucket(started_s)), [0, 0])

    def add_runs(
        self, machine: Machine, bucket: list[int], mark: str, runs: int, retests: int
    ) -> None:
        """Count runs of the shift that bear one mark on the tape, and how many were retests."""
        self.runs += runs
        self.retests += retests
        machine.outcomes[mark] += runs
        machine.retests += retests
        bucket[0] += runs
        bucket[1] += retests

    def note_product(self, machine: Machine, product_id: str) -> None:
        """Note what a machine tested in the shift."""
        if len(machine.products) < PRODUCTS_MAX:
            machine.products.add(product_id)

    def add_failures(self, machine: Machine, step: str, count: int) -> None:
        """Count runs of the shift that failed first at one step."""
        if step in machine.steps or len(machine.steps) < STEPS_MAX:
            machine.steps[step] += count

    def _count_run(self, machine: Machine, seen: Seen) -> None:
        bucket = self.run_bucket(machine.line, seen.started_s)
        self.add_runs(machine, bucket, seen.mark, 1, int(seen.attempt > 1))
        self.note_product(machine, seen.product_id)
        if self.runs >= _RANK_RUNS and self.runs.bit_count() == 1:
            self.rank_procedures()  # ever more seldom: tiles must not wander
        if seen.outcome is Outcome.FAIL and seen.first_failure:
            place = machine.machine_id, seen.barcode, machine.line
            self.failures.append(Failure(seen.began_s, seen.first_failure, *place))
            self.add_failures(machine, seen.first_failure, 1)

    def count_unit(self, seen: Seen) -> None:
        """Count a run of this shift by what it says of its unit."""
        procedures = self.units.of(seen)
        runs = next((each for each in procedures if each.procedure == seen.procedure), None)
        if runs is None:
            if seen.attempt > 1:
                if self.uncounted is not None:
                    self.uncounted.came_again.append(seen)
                return  # its first run was before this shift, where it counts
            if not any(each.line == seen.line for each in procedures):
                self.line_units[seen.line] += 1
            runs = self.units.add(seen)
        else:
            self._tally(runs, -1)
            line = runs.line
            runs.take(seen)
            if runs.line != line:
                self._move_unit(
                    {each.line for each in procedures if each is not runs}, line, runs.line
                )
        self._tally(runs, 1)

    def _move_unit(self, others: set[str], before: str, after: str) -> None:
        """Count a unit by the line of its first run, which came late; its others are elsewhere."""
        self.line_units[before] -= before not in others
        self.line_units[after] += after not in others

    def _tally(self, runs: UnitRuns, count: int) -> None:
        """Count a unit at one procedure in, or (-1) out again before its runs change."""
        for tally in self.tallies(runs.line, runs.machine_id, runs.procedure, runs.first[0]):
            tally.units += count
            tally.first_passed += count * runs.first_passed
            tally.last_passed += count * runs.last_passed
        self.dirty.add(runs.machine_id)

    def tallies(
        self, line: str, machine_id: str, procedure: str, first_s: float
    ) -> Iterable[Tally]:
        """Yield what counts a unit, by where and when its first run of a procedure was."""
        bucket = self._bucket(first_s)
        machine = self.machines.get(machine_id)
        by_procedure = self.by_line.setdefault(line, {})
        in_bucket = self.line_buckets.setdefault((line, bucket), {})
        if machine:
            yield machine.tally
        yield self.total
        yield self.buckets.setdefault(bucket, Tally())
        yield by_procedure.setdefault(procedure, Tally())
        yield in_bucket.setdefault(procedure, Tally())

    def _bucket(self, at_s: float) -> int:
        """Return the 15 minutes of the shift that hold a time; a clock ahead falls in the last."""
        return int((min(at_s, self.end_s - 1) - self.start_s) // BUCKET_S)


def _seconds(moment: datetime, now: datetime) -> float:
    """Return seconds since 1970; never later than now."""
    return min(_utc(moment).timestamp(), now.timestamp())


def _utc(moment: datetime) -> datetime:
    """Return a moment that is aware; without an offset it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
