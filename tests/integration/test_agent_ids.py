"""The ids that records get: the same whenever a file is read, others for every other record."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_floor import Floor
from tests.support.edge import line
from tests.support.logs import takaya
from tests.support.logs.stdf import START_S, Writer

STDF = Writer()
REGEX: dict[str, Any] = {
    "product_id": "P",
    "line": [
        {"match": r"^JOB (?P<job>\w+)$", "as": "context"},
        {
            "match": r"^(?P<started_at>\S+ \S+) (?P<piece>\d+)"
            r" (?P<test_step>\w+)=(?P<measured_value>\S+)$",
            "as": "run",
        },
        {"match": "^#", "as": "skip"},
    ],
    "fields": {"barcode": "{job}/{piece}"},
}
JOBS = (b"JOB J1\n", b"JOB J2\n")
PIECE = b"2024-03-05 14:07 1 heat=70\n"


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    made = Floor(tmp_path)
    yield made
    made.spool.close()


def lot(name: bytes, start_s: int = START_S) -> bytes:
    """A file of two parts without tests, whose lot stands in the head alone."""
    head = STDF.far() + STDF.mir(lot=name, start_s=start_s)
    return head + b"".join(STDF.pir() + STDF.prr(b"%d" % number) for number in (1, 2))


def panel(clock: bytes) -> bytes:
    """A panel whose date stands in the head alone."""
    head = takaya.HEAD.replace(b"13:02:39", clock)
    return head + takaya.board("1", takaya.row()) + b"@\n"


def ids(floor: Floor) -> list[str]:
    return [body["message_id"] for body in floor.bodies()]


@pytest.mark.parametrize(
    ("format_name", "options", "contents"),
    [
        ("stdf", {}, (lot(b"LOT001"), lot(b"LOT002"))),
        ("stdf", {}, (lot(b"LOT001"), lot(b"LOT001", START_S + 1))),
        ("takaya", {}, (panel(b"13:02:39"), panel(b"14:02:39"))),
        ("regex", REGEX, tuple(job + PIECE for job in JOBS)),
        ("regex", REGEX, tuple(b"JOB J0\n" + PIECE + job + PIECE for job in JOBS)),
        (
            "regex",
            REGEX,
            tuple((b"\xef\xbb\xbf" + job + PIECE).decode().encode("utf-16-le") for job in JOBS),
        ),
    ],
    ids=["lot", "start of the lot", "date of a panel", "context", "later context", "utf-16"],
)
def test_equal_units_of_two_files_get_other_ids_where_the_head_makes_them_other_units(
    floor: Floor, format_name: str, options: dict[str, Any], contents: tuple[bytes, bytes]
) -> None:
    for number, content in enumerate(contents):
        (floor.folder / f"{number}.log").write_bytes(content)
    floor.reader(format=format_name, options=options).read_all(is_final=True)
    assert floor.refused() == []
    units: dict[str, set[tuple[str, str]]] = {}
    for body in floor.bodies():
        unit = body["barcode"], body["started_at"]
        units.setdefault(body["message_id"], set()).add(unit)
    assert len(units) >= 2
    assert all(len(each) == 1 for each in units.values()), units


@pytest.mark.parametrize(
    ("format_name", "options", "content"),
    [
        ("stdf", {}, lot(b"LOT001")),
        ("takaya", {}, panel(b"13:02:39")),
        ("regex", REGEX, b"JOB J1\n" + PIECE + b"# off\n" + PIECE + b"JOB J2\n" + PIECE),
    ],
)
def test_an_agent_that_starts_anew_anywhere_in_a_file_gives_the_same_ids(
    floor: Floor, format_name: str, options: dict[str, Any], content: bytes
) -> None:
    source: dict[str, Any] = {"format": format_name, "options": options}
    floor.log.write_bytes(content)
    floor.reader(**source).read_all(is_final=True)
    at_once = ids(floor)
    assert at_once
    floor.again("another.db")
    floor.spool._file._connection.execute("PRAGMA synchronous = OFF")  # to be here sooner
    floor.log.write_bytes(b"")
    for start, end in itertools.pairwise([*range(0, len(content), 41), len(content)]):
        with floor.log.open("ab") as file:
            file.write(content[start:end])
        floor.reader(**source).read_all()
    floor.reader(**source).read_all(is_final=True)
    assert ids(floor) == at_once


def test_a_head_that_is_longer_than_a_chunk_counts_to_its_end(floor: Floor) -> None:
    long = b"".join(STDF.record((50, 30), b"x" * 60_000) for _ in range(20))
    for name in (b"LOT001", b"LOT002"):
        whole = lot(name)
        far = STDF.far()
        content = far + long + whole.removeprefix(far)
        (floor.folder / f"{name.decode()}.log").write_bytes(content)
    floor.reader(format="stdf").read_all(is_final=True)
    assert len(set(ids(floor))) == 4


CSV: dict[str, Any] = {
    "layout": "rows",
    "product_id": "P",
    "columns": {
        "barcode": "sn",
        "started_at": "at",
        "test_step": "step",
        "measured_value": "value",
    },
}
START_TO_END: dict[str, Any] = {
    "product_id": "P",
    "line": [
        {"match": r"^BEGIN (?P<barcode>\w+) (?P<started_at>.+)$", "as": "start"},
        {"match": r"^(?P<test_step>\w+)=(?P<measured_value>\S+)$", "as": "measurement"},
        {"match": "^END", "as": "end"},
        {"match": "^#", "as": "skip"},
    ],
}


@pytest.mark.parametrize(
    ("format_name", "options", "content", "known"),
    [
        (
            "jsonl",
            {},
            b"\n" + line(1) + line(2),
            [
                "6385251ad1201ac45e6e2f33eac1f4d96bbf40f7",
                "6b7edbc551dac93b536d696d785e6da92d7c1d34",
            ],
        ),
        (
            "csv",
            CSV,
            b"sn,at,step,value\nS1,2024-03-05 14:07,heat,1.5\nS2,2024-03-05 14:09,heat,1.6\n",
            [
                "f20f01c21d5a69231ca07483d395c88678437853",
                "ced18bdec3f9b820437af6ca3c28131114d24fd3",
            ],
        ),
        (
            "regex",
            START_TO_END,
            (
                b"# head\nBEGIN S1 2024-03-05 14:07\nheat=1.5\nEND\n"
                b"\nBEGIN S2 2024-03-05 14:09\nheat=1.6\nEND\n"
            ),
            [
                "13cacac0f9a635e016f0cdd40264b73ea5c7e222",
                "6ad532da9c04fa493ae1d34a7900f92d496fc91a",
            ],
        ),
    ],
)
def test_ids_that_services_have_stored_stay_as_they_are(
    floor: Floor, format_name: str, options: dict[str, Any], content: bytes, known: list[str]
) -> None:
    floor.log.write_bytes(content)
    floor.reader(format=format_name, options=options).read_all(is_final=True)
    assert ids(floor) == known
