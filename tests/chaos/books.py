"""The senders' own lists against the database, read with plain SQL."""

import contextlib
import re
import sqlite3
from collections import Counter
from typing import NamedTuple, TypeAlias

from tests.chaos.plant import Plant
from tests.chaos.traffic import AGENT_MACHINE
from tests.support.keeper import Key, books, query, stored

_AGENT_SQL = (
    "SELECT u.barcode FROM run r JOIN name n ON n.id = r.machine JOIN unit u ON u.id = r.unit_id"
    f" WHERE n.text = '{AGENT_MACHINE}'"
)
_REJECTED_SQL = "SELECT n.text, j.message_id FROM rejection j JOIN name n ON n.id = j.machine"
_JUDGED_SQL = (
    "SELECT n.text, r.message_id, r.id, r.rulebook_version, r.outcome, m.number"
    " FROM run r JOIN name n ON n.id = r.machine JOIN measurement m ON m.run_id = r.id"
    f" WHERE n.text <> '{AGENT_MACHINE}'"
)
_SENT_LOW = 80.0
"""The limit in each message: it decides while there is no rulebook."""
_WORDS = {1: "PASS", 2: "FAIL"}
Said: TypeAlias = tuple[str, str, int, int, str]
"""machine_id, message_id, run_id, rulebook_version, outcome"""


class Verdict(NamedTuple):
    """What the senders' lists say of the database."""

    missing: int
    doubled: int
    foreign: int
    unbalanced: int
    misjudged: int
    """Runs with another outcome than the rulebook of their version gives."""
    contradicted: int
    """Results that a subscriber heard and no row says."""

    @property
    def difference(self) -> int:
        """0: nothing is lost, nothing counted twice, and nothing said that is not so."""
        return sum(map(abs, self))


class Found(NamedTuple):
    """The verdict, and the counts it is about."""

    verdict: Verdict
    counts: str


def agent_lines(url: str) -> Counter[str]:
    """Return how often each line of the agent's log is stored."""
    return Counter(barcode for (barcode,) in query(url, _AGENT_SQL))


def judge(plant: Plant) -> Found:
    """Compare, when all has ended."""
    floor, lines = plant.floor, plant.agent_floor.line_count
    good = floor.good | (plant.plc.confirmed if plant.plc else set())
    found = stored(plant.url)
    runs: Counter[Key] = Counter({key: n for key, n in found.items() if key[0] != AGENT_MACHINE})
    barcodes = agent_lines(plant.url)
    rejected = {(machine, name) for machine, name in query(plant.url, _REJECTED_SQL)}
    said = books(plant.url)
    wanted = {f"S{number}" for number in range(lines)}
    heard, rows, misjudged = _heard(plant), *_judged(plant.url)
    verdict = Verdict(
        len(good - runs.keys()) + len(floor.bad - rejected) + len(wanted - barcodes.keys()),
        sum(n - 1 for n in runs.values()) + sum(n - 1 for n in barcodes.values()),
        len(runs.keys() - good) + len(rejected - floor.bad) + len(barcodes.keys() - wanted),
        abs(said.received - said.stored - said.rejected - said.duplicates)
        + abs(said.stored - len(good) - lines)
        + _unread(plant),
        misjudged,
        len(heard - rows),
    )
    return Found(
        verdict,
        f"sent {len(good) + len(floor.bad)} and {lines} lines, {plant.agent_floor.litter_count}"
        f" of litter; repeats: {floor.repeat_count}\n"
        f"stored {said.stored}, rejected {len(rejected)}, duplicates {said.duplicates};"
        f" heard {len(heard)} results; rulebooks: {len(_lows(plant.url)) - 1}",
    )


def _judged(url: str) -> tuple[set[Said], int]:
    """Return what each row says, and how many say what their rulebook does not."""
    lows = _lows(url)
    rows: set[Said] = set()
    misjudged = 0
    for machine_id, message_id, run_id, version, outcome, value in query(url, _JUDGED_SQL):
        rows.add((machine_id, message_id, run_id, version, _WORDS[outcome]))
        misjudged += (value >= lows[version]) is not (_WORDS[outcome] == "PASS")
    return rows, misjudged


def _lows(url: str) -> dict[int, float]:
    """Return each rulebook's only limit, as its text says it."""
    lows = {0: _SENT_LOW}
    for version, body in query(url, "SELECT version, body FROM rulebook"):
        low = re.search(r"^low = (\S+)$", body, re.MULTILINE)
        assert low, body
        lows[version] = float(low[1])
    return lows


def _heard(plant: Plant) -> set[Said]:
    names = ("machine_id", "message_id", "run_id", "rulebook_version", "outcome")
    bodies = (body for keeper in plant.floor.keepers for body in keeper.bodies("result"))
    heard = {tuple(body[name] for name in names) for body in bodies}
    return {each for each in heard if each[0] != AGENT_MACHINE}


def _unread(plant: Plant) -> int:
    """Return by how much the agent's books differ from what was written to its log."""
    lines, litter = plant.agent_floor.line_count, plant.agent_floor.litter_count
    with contextlib.closing(sqlite3.connect(plant.agent_floor.spool)) as spool:
        ((read, refused, spooled),) = spool.execute("SELECT read, refused, spooled FROM books")
    return int(abs(read - lines - litter) + abs(refused - litter) + abs(spooled - lines))
