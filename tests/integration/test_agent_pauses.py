"""A tester that pauses: in the middle of a line, or between two rows of a unit."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.looks import FOLLOWED_S
from edge_agent.reader import Reader
from edge_agent.replay import Wanted, replay
from edge_agent.span import Span, read_bound
from tests.support.agent_floor import Floor
from tests.support.logs import gr228x, takaya
from tests.support.stdf_records import HEAD as STDF_HEAD
from tests.support.stdf_records import W

Write = Callable[..., list[dict[str, Any]]]

PAUSE_S = 12
ROWS: dict[str, Any] = {
    "layout": "rows",
    "product_id": "P",
    "columns": {
        "barcode": "sn",
        "started_at": "at",
        "test_step": "step",
        "measured_value": "value",
        "high": "high",
        "reported_outcome": "verdict",
    },
}
REPORT: dict[str, Any] = {
    "product_id": "P",
    "table_starts_with": "step",
    "head": {"barcode": "sn", "started_at": "at"},
    "columns": {
        "test_step": "step",
        "measured_value": "value",
        "high": "high",
        "reported_outcome": "verdict",
    },
}
_BEGIN = {"match": r"^BEGIN (?P<barcode>\w+) (?P<started_at>.+)$", "as": "start"}
_STEP = {
    "match": r"^(?P<test_step>\w+),(?P<measured_value>[^,]+)"
    r"(,(?P<high>\d+),(?P<reported_outcome>\w+))?$",
    "as": "measurement",
}
_END = {"match": "^END", "as": "end"}
UNTIL_END: dict[str, Any] = {"product_id": "P", "line": [_BEGIN, _STEP, _END]}
UNTIL_NEXT: dict[str, Any] = {"product_id": "P", "line": [_BEGIN, _STEP]}
ONE_LINE: dict[str, Any] = {
    "product_id": "P",
    "line": [
        {"match": r"^(?P<barcode>\w+) (?P<started_at>[^,]+)," + _STEP["match"][1:], "as": "run"}
    ],
}
AT = b"2024-03-05 14:07"
TABLE = b"step,value,high,verdict\n"
HEAD = b"sn,at,step,value,high,verdict\n"


def row(barcode: bytes, step: bytes = b"heat,103.7,70,FAIL") -> bytes:
    return b"%s,%s,%s\n" % (barcode, AT, step)


def unit(barcode: bytes, *steps: bytes) -> bytes:
    return b"BEGIN %s %s\n" % (barcode, AT) + b"".join(step + b"\n" for step in steps)


def full_buffer(mark: str, content: str, encoding: str = "utf-8") -> bytes:
    """Return as much as a writer's full buffer holds, ending with `content`."""
    size = len((mark + content).encode(encoding))
    newline = len("\n".encode(encoding))
    return (mark + "\n" * ((2_048 - size) // newline) + content).encode(encoding)


@pytest.fixture
def write(floor: Floor) -> Write:
    """Append to the log as if `age_s` ago, let one reader look; return the bodies so far."""
    readers: dict[str, Reader] = {}

    def append(content: bytes, age_s: float = PAUSE_S, **source: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        with floor.log.open("ab") as file:
            file.write(content)
        written_at = time.time() - age_s
        os.utime(floor.log, (written_at, written_at))
        config = floor.config(path=str(floor.log), **source)
        own = readers.setdefault("own", Reader(config, floor.spool, floor.stop, by_age=True))
        own.read_all()
        return floor.bodies()

    return append


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ({"format": "csv", "options": REPORT}, b"sn,S1\nat," + AT + b"\n" + TABLE),
        ({"format": "csv", "options": ROWS}, HEAD + b"S1," + AT + b","),
        ({"format": "regex", "options": UNTIL_NEXT}, unit(b"S1")),
        ({"format": "regex", "options": ONE_LINE}, b"S1 " + AT + b","),
    ],
    ids=["report", "rows", "lines until the next", "one line"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_half_a_line_is_never_taken_for_a_whole_one_while_its_writer_pauses(
    write: Write, source: dict[str, Any], content: bytes, encoding: str
) -> None:
    half = full_buffer("\ufeff", content.decode() + "heat,10", encoding)
    assert write(half, **source) == []
    rest = "3.7,70,FAIL\n".encode(encoding)
    assert write(rest, FOLLOWED_S, **source)[0]["measurements"] == [
        {"test_step": "heat", "measured_value": 103.7, "high": 70, "reported_outcome": "FAIL"}
    ]


def test_nor_where_windows_made_two_bytes_of_each_newline_after_the_buffer_was_full(
    write: Write,
) -> None:
    content = f"sn,S1\nat,{AT.decode()}\n{TABLE.decode()}heat,10"
    half = full_buffer("", content).replace(b"\n", b"\r\n")
    assert write(half, format="csv", options=REPORT) == []
    (body,) = write(b"3.7,70,FAIL\r\n", FOLLOWED_S, format="csv", options=REPORT)
    assert body["measurements"][0]["measured_value"] == 103.7


SPEA = (
    b"FORMAT;mmdd\nSTART;a;prog;1;prod;op;10/12/2024;16:15:03\n"
    b"ANL;1;C1;1;2;x;;PASS;1.0;0.5;2.0;V;;2\nSN;A1\nEND;"
)


def test_half_an_end_line_is_no_end(write: Write) -> None:
    assert write(SPEA + b"PA", format="spea") == []
    (body,) = write(b"SS;10/12/2024;16:15:22", format="spea")  # there is no newline, as in samples
    assert body["reported_outcome"] == "PASS"


@pytest.mark.parametrize(
    ("format_name", "content"),
    [
        ("takaya", takaya.HEAD + takaya.board("1", takaya.row()) + b"@"),
        ("takaya", takaya.HEAD + takaya.board("1", takaya.row()) + b"@\r"),
        ("gr228x", gr228x.GOOD.rstrip()),
        ("spea", SPEA + b"PASS;10/12/2024;16:15:22"),
    ],
)
def test_a_last_line_that_shows_that_it_is_whole_needs_no_newline(
    write: Write, format_name: str, content: bytes
) -> None:
    assert len(write(content, format=format_name)) == 1


@pytest.mark.parametrize("age_s", [FOLLOWED_S, 2 * 86_400])
def test_a_table_that_really_ends_without_newline_is_read_to_its_end_after_an_hour(
    write: Write, age_s: float
) -> None:
    table: dict[str, Any] = {"format": "csv", "options": REPORT}
    content = b"sn,S1\nat," + AT + b"\n" + TABLE + b"heat,71.5,80,PASS"
    assert write(full_buffer("", content.decode()), FOLLOWED_S - 9, **table) == []
    (body,) = write(b"", age_s, **table)
    assert body["measurements"][0]["reported_outcome"] == "PASS"


def test_a_last_line_needs_no_newline_where_no_buffer_of_its_writer_was_full(write: Write) -> None:
    table: dict[str, Any] = {"format": "csv", "options": REPORT}
    (body,) = write(b"sn,S1\nat," + AT + b"\n" + TABLE + b"heat,71.5,80,PASS", **table)
    assert body["measurements"][0]["reported_outcome"] == "PASS"


def test_when_nothing_more_is_expected_a_last_line_needs_no_newline(floor: Floor) -> None:
    floor.log.write_bytes(HEAD + row(b"S1").rstrip())
    own = floor.reader(path=str(floor.log), format="csv", options=ROWS)
    own.read_all(is_final=True)
    assert floor.barcodes() == ["S1"]


ENDED_BY_THE_NEXT = pytest.mark.parametrize(
    ("source", "head", "steps", "following"),
    [
        (
            {"format": "csv", "options": {**ROWS, "ends_when_quiet": False}},
            HEAD,
            [row(b"S1"), row(b"S1")],
            row(b"S2"),
        ),
        (
            {"format": "regex", "options": {**UNTIL_NEXT, "ends_when_quiet": False}},
            b"",
            [unit(b"S1", b"heat,1"), b"cool,2\n"],
            unit(b"S2"),
        ),
    ],
    ids=["rows", "lines until the next"],
)


@ENDED_BY_THE_NEXT
def test_a_unit_that_only_the_next_one_ends_is_not_split_by_a_long_step(
    write: Write, source: dict[str, Any], head: bytes, steps: list[bytes], following: bytes
) -> None:
    assert write(head + steps[0], FOLLOWED_S - 9, **source) == []
    assert write(steps[1], **source) == []
    (body,) = write(following, **source)
    assert (body["barcode"], len(body["measurements"])) == ("S1", 2)


@ENDED_BY_THE_NEXT
def test_a_unit_that_only_the_next_one_ends_is_complete_after_an_hour(
    write: Write, source: dict[str, Any], head: bytes, steps: list[bytes], following: bytes
) -> None:
    del following
    (body,) = write(head + b"".join(steps), FOLLOWED_S, **source)
    assert len(body["measurements"]) == 2


@ENDED_BY_THE_NEXT
def test_else_a_pause_ends_it(
    write: Write, source: dict[str, Any], head: bytes, steps: list[bytes], following: bytes
) -> None:
    quick = {**source, "options": {**source["options"], "ends_when_quiet": True}}
    (first,) = write(head + b"".join(steps), **quick)
    assert len(first["measurements"]) == 2
    assert len(write(following, **quick)) == 2


@pytest.mark.parametrize("part_id", [b"1", b"1\n"], ids=["plain", "ends with a newline's byte"])
def test_a_site_that_is_quicker_than_those_beside_it_does_not_cut_them_off(
    write: Write, part_id: bytes
) -> None:
    begun = STDF_HEAD + W.pir(1) + W.pir(2) + W.prr(part_id, site=1)
    assert write(begun, format="stdf") == []
    bodies = write(W.prr(b"2", site=2), format="stdf")
    assert [body["panel"]["position"] for body in bodies] == [1, 2]


def test_what_is_sent_again_is_cut_as_the_running_agent_cuts_it(
    floor: Floor, capsys: pytest.CaptureFixture[str]
) -> None:
    floor.log.write_bytes(HEAD + row(b"S1") + row(b"S2", b"heat,10"))
    os.utime(floor.log, (time.time() - PAUSE_S,) * 2)
    waiting = {**ROWS, "ends_when_quiet": False}
    config = floor.config(path=str(floor.log), format="csv", options=waiting)
    replay(
        config, Wanted(Span(read_bound("--since", "2024-01-01"), None)), is_dry=True, timeout_s=1
    )
    assert "Found 1 message in 1 file" in capsys.readouterr().err
