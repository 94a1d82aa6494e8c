"""STDF V4, the binary format of semiconductor testers: every trap of it, with records made here."""

import json
import random
import struct
from datetime import datetime

import pytest

from broker.messages import RUN, RunMeasurement
from edge_agent.formats import Options, Parsed, Skipped, open_parser
from edge_agent.formats.runs import run_json
from tests.support.logs.stdf import (
    BIG,
    HIGH_IS_FIRST,
    LITTLE,
    LOW_IS_FIRST,
    NO_HIGH,
    NO_LOW,
    Writer,
    limited,
)
from tests.support.stdf_records import (
    HEAD,
    PART,
    PTR,
    W,
    measured,
    one_run,
    refusal,
    runs,
)


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_a_part_is_a_run_in_both_orders_of_bytes(order: str) -> None:
    writer = Writer(order)
    part = writer.pir() + limited(writer, 1000) + writer.prr(b"17", soft_bin=4, x=-3)
    run = one_run(writer.far() + writer.mir() + part + writer.mrr())
    assert RUN.validate_json(run_json(run)) == run
    assert run.model_dump(exclude_none=True, mode="json") == {
        "barcode": "L7.S2.17",
        "product_id": "PT",
        "procedure": "ATE",
        "started_at": "2025-03-04T06:11:09",
        "reported_outcome": "PASS",
        "program": "job",
        "program_version": "1.4",
        "operator": "op",
        "panel": {"position": 1},
        "attributes": {"head": 1, "site": 1, "hard_bin": 5, "soft_bin": 4, "x": -3, "y": 2},
        "measurements": [
            {
                "test_step": "1000 Vcc",
                "measured_value": 1.5,
                "low": 1.0,
                "high": 2.0,
                "unit": "V",
                "reported_outcome": "PASS",
            }
        ],
        "source": {
            "file": "lot7.stdf",
            "byte_start": len(HEAD),
            "byte_end": len(HEAD) + len(part),
        },
    }


def test_the_start_is_in_the_testers_own_time() -> None:
    started_at = one_run(HEAD + PART).started_at
    assert started_at == datetime(2025, 3, 4, 6, 11, 9)  # noqa: DTZ001
    assert started_at.tzinfo is None


def test_sites_that_overlap_are_one_item_until_none_is_open() -> None:
    first = W.pir(1) + W.pir(2) + W.ptr(1, 1.0, site=1) + W.ptr(1, 2.0, site=2)
    second = W.prr(b"2", site=2) + W.pir(3) + W.ptr(1, 3.0, site=3) + W.ptr(2, 1.25, site=1)
    last = W.prr(b"1", site=1) + W.prr(b"3", site=3)
    parser = open_parser("stdf", Options(), "x")
    (head,) = parser.feed(HEAD + first + second + last[:-1])
    assert isinstance(head, Skipped)
    (item,) = parser.feed(last[-1:])
    assert isinstance(item, Parsed)
    assert (item.byte_start, item.byte_end) == (
        len(HEAD),
        len(HEAD + first + second + last),
    )
    assert [
        (run.barcode, [each.measured_value for each in run.measurements]) for run in item.runs
    ] == [("L7.S2.2", [2.0]), ("L7.S2.1", [1.0, 1.25]), ("L7.S2.3", [3.0])]
    assert [run.panel and run.panel.position for run in item.runs] == [2, 1, 3]
    sources = [run.source for run in item.runs if run.source]
    assert sources[0].byte_start == len(HEAD) + len(W.pir(1))
    assert sources[0].byte_end == len(HEAD + first + W.prr(b"2", site=2))


def test_sites_of_two_heads_are_two() -> None:
    def on_head_2(record: bytes, at: int) -> bytes:
        return record[:at] + b"\x02" + record[at + 1 :]

    content = W.pir() + on_head_2(W.pir(), 4) + PTR + on_head_2(W.ptr(1, 9.0), 8)
    found = runs(HEAD + content + W.prr(b"1") + on_head_2(W.prr(b"2"), 4))
    assert [run.measurements[0].measured_value for run in found] == [1.5, 9.0]
    assert [run.attributes and run.attributes["head"] for run in found] == [1, 2]


def test_part_ids_repeat_and_each_is_a_run() -> None:
    again = W.pir() + PTR + W.prr(b"1", flags=0x01)
    wafers = W.wir(b"W1") + PART + W.wir(b"W2") + PART + again
    found = runs(HEAD + wafers)
    assert [run.barcode for run in found] == ["L7.S2.1"] * 3
    assert [run.attributes and run.attributes["wafer"] for run in found] == ["W1", "W2", "W2"]
    assert [run.attributes and run.attributes.get("supersedes") for run in found] == [
        None,
        None,
        True,
    ]


def test_without_sublot_the_barcode_has_no_gap() -> None:
    assert one_run(W.far() + W.mir(sublot=b"") + PART).barcode == "L7.1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (W.far() + W.mir(lot=b" ") + PART, "lot id"),
        (W.far() + PART, "MIR"),
        (HEAD + W.pir() + PTR + W.prr(b""), "part id"),
        (HEAD + W.pir() + PTR + W.record((5, 20), b"\x01\x01\x00\x01\x00\x05\x00"), "part id"),
    ],
)
def test_without_lot_and_part_id_there_is_no_run(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


def test_the_product_is_the_option_the_part_type_or_the_job() -> None:
    assert one_run(HEAD + PART).product_id == "PT"
    assert one_run(W.far() + W.mir(part_type=b"") + PART).product_id == "job"
    run = one_run(HEAD + PART, product_id="IC-1", procedure="WAFER")
    assert (run.product_id, run.procedure) == ("IC-1", "WAFER")


def test_neither_part_type_nor_job_is_unparsed() -> None:
    assert "product_id" in refusal(W.far() + W.mir(part_type=b"", job=b"") + PART)


# -- limits ----------------------------------------------------------------------------------------


def later(record: bytes) -> RunMeasurement:
    """What a record means in the second part, after a first that says all."""
    first = W.pir() + limited(W, 1) + W.prr(b"1")
    run = runs(HEAD + first + W.pir() + record + W.prr(b"2"))[1]
    return run.measurements[0]


@pytest.mark.parametrize(
    ("record", "low", "high"),
    [
        (W.ptr(1, 1.5), 1, 2),
        (W.ptr(1, 1.5, b"Vcc"), 1, 2),
        (W.ptr(1, 1.5, b"Vcc", options=0x0E), 1, 2),
        (W.ptr(1, 1.5, b"Vcc", options=LOW_IS_FIRST, low=9.0, high=8.0), 1, 8),
        (W.ptr(1, 1.5, b"Vcc", options=HIGH_IS_FIRST, low=0.5, high=8.0), 0.5, 2),
        (W.ptr(1, 1.5, b"Vcc", options=LOW_IS_FIRST | HIGH_IS_FIRST, low=9.0, high=8.0), 1, 2),
        (W.ptr(1, 1.5, b"Vcc", options=NO_LOW), None, 2),
        (W.ptr(1, 1.5, b"Vcc", options=NO_LOW, low=0.5, high=8.0), None, 8),
        (W.ptr(1, 1.5, b"Vcc", options=NO_HIGH, low=0.5, high=8.0), 0.5, None),
        (W.ptr(1, 1.5, b"Vcc", options=NO_LOW | LOW_IS_FIRST | NO_HIGH), None, None),
        (W.ptr(1, 1.5, b"Vcc", options=0, low=0.0), 0, 2),
        (W.ptr(1, 1.5, b"Vcc", options=0, low=float("-inf"), high=float("nan")), None, None),
        (W.ptr(2, 1.5, b"Vcc"), None, None),
    ],
)
def test_limits_are_the_records_own_or_those_of_the_first(
    record: bytes, low: float | None, high: float | None
) -> None:
    measurement = later(record)
    assert (measurement.low, measurement.high) == (low, high)


def test_unit_and_text_come_from_the_first_record_too() -> None:
    measurement = later(W.ptr(1, 1.5))
    assert (measurement.test_step, measurement.unit) == ("1 Vcc", "V")
    other = later(W.ptr(1, 1.5, b"Vdd", options=0, low=1.0, high=2.0, unit=b"mV"))
    assert (other.test_step, other.unit) == ("1 Vdd", "mV")


def test_a_unit_of_one_nought_byte_is_none() -> None:
    assert later(W.ptr(1, 1.5, b"", options=0, low=1.0, high=2.0, unit=b"\0")).unit is None


def test_another_limit_holds_for_its_own_record_only() -> None:
    other = W.ptr(1, 1.5, b"Vcc", options=0, low=5.0, high=6.0)
    parts = [
        W.pir() + test + W.prr(b"%d" % index)
        for index, test in enumerate((limited(W, 1), other, PTR))
    ]
    lows = [run.measurements[0].low for run in runs(HEAD + b"".join(parts))]
    assert lows == [1, 5, 1]


def test_the_first_record_may_be_of_another_site_of_the_same_touchdown() -> None:
    both = W.pir(1) + W.pir(2) + limited(W, 1) + W.ptr(1, 1.5, site=2)
    found = runs(HEAD + both + W.prr(b"1") + W.prr(b"2", site=2))
    assert [run.measurements[0].high for run in found] == [2, 2]


def test_a_record_without_execution_says_only_what_holds_for_later_ones() -> None:
    first = W.ptr(1, 0.0, b"Vcc", site=9, flags=0x10, options=0x0E, low=1.0, high=2.0, unit=b"V")
    run = one_run(HEAD + first + W.pir() + W.ptr(1, 1.5) + W.ptr(3, 0, flags=0x10) + W.prr())
    (measurement,) = run.measurements
    assert (measurement.test_step, measurement.low, measurement.unit) == ("1 Vcc", 1, "V")


def test_a_second_file_in_the_same_stream_has_its_own_limits_and_order() -> None:
    writer = Writer(BIG)
    second = writer.far() + writer.mir(lot=b"L8") + writer.pir() + writer.ptr(1, 1.5)
    found = runs(HEAD + W.pir() + limited(W, 1) + W.prr() + second + writer.prr(b"5"))
    assert [run.barcode for run in found] == ["L7.S2.1", "L8.S2.5"]
    assert found[1].measurements[0].low is None


def lot_of(test_count: int, part_count: int, sites: int = 1, digits: int = 2) -> bytes:
    """Every test says its limits in its first record only."""
    chance = random.Random(7)
    records = [HEAD]
    for part in range(part_count):
        records += [W.pir(site) for site in range(1, sites + 1)]
        for number in range(test_count):
            low = round(chance.random(), digits)
            first = limited(W, number, low=low, name=b"supply %d" % number)
            records.append(first if part == 0 else W.ptr(number, low))
            records += [W.ptr(number, low, site=site) for site in range(2, sites + 1)]
        records += [W.prr(b"%d" % part, site=site) for site in range(1, sites + 1)]
    return b"".join(records)


def check_law_4(content: bytes) -> None:
    parser = open_parser("stdf", Options(), "x")
    whole = [(item, parser.state()) for item in parser.feed(content)]
    whole += [(item, parser.state()) for item in parser.finish()]
    for index, (item, state) in enumerate(whole):
        assert len(json.dumps(state)) <= 4096
        fresh = open_parser("stdf", Options(), "x", item.byte_end, json.loads(json.dumps(state)))
        rest = [(each, fresh.state()) for each in fresh.feed(content[item.byte_end :])]
        rest += [(each, fresh.state()) for each in fresh.finish()]
        assert rest == whole[index + 1 :]


def test_the_limits_of_some_hundred_tests_are_known_for_all_parts() -> None:
    content = lot_of(400, 3)
    check_law_4(content)
    for run in runs(content):
        assert all(each.low is not None and each.unit == "V" for each in run.measurements)
        assert run.measurements[-1].test_step == "399 supply 399"
        assert "limits_forgotten" not in (run.attributes or {})


def test_of_too_many_tests_the_first_are_known_and_the_others_are_counted() -> None:
    content = lot_of(1500, 3, sites=2, digits=9)
    check_law_4(content)
    found = runs(content)
    for run in found[:2]:  # those that were tested together with the first records
        assert all(each.low is not None for each in run.measurements)
    for run in found[2:]:
        known = [each for each in run.measurements if each.low is not None]
        assert 300 < len(known) < 1500
        assert known == list(run.measurements[: len(known)])
        assert run.attributes
        assert run.attributes["limits_forgotten"] == 1500 - len(known)


def test_the_longest_names_of_a_lot_fit_into_the_state() -> None:
    chance = random.Random(1)
    names = {
        key: bytes(chance.randrange(256) for _ in range(255))
        for key in ("lot", "sublot", "part_type", "job", "operator")
    }
    check_law_4(W.far() + W.mir(**names) + W.wir(names["lot"]) + lot_of(300, 2)[len(HEAD) :])  # type: ignore[arg-type]


# -- verdicts and values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "outcome"),
    [(0, "PASS"), (0x80, "FAIL"), (0x40, None), (0xC0, None), (0x20, "ABORTED"), (0xA0, "ABORTED")],
)
def test_the_flags_of_a_test_are_its_outcome(flags: int, outcome: str | None) -> None:
    assert measured(W.ptr(1, 1.5, flags=flags)).reported_outcome == outcome


@pytest.mark.parametrize(
    ("flags", "outcome", "status"),
    [
        (0, "PASS", "PASS"),
        (0x08, "FAIL", "FAIL"),
        (0x04, "ABORTED", "ABORTED"),
        (0x0C, "ABORTED", "ABORTED"),
        (0x10, None, "no verdict"),
        (0x18, None, "no verdict"),
    ],
)
def test_the_flags_of_a_part_are_its_outcome_also_without_a_test(
    flags: int, outcome: str | None, status: str
) -> None:
    run = one_run(HEAD + W.pir() + W.prr(flags=flags))
    assert run.reported_outcome == outcome
    (measurement,) = run.measurements
    assert (measurement.test_step, measurement.measured_value) == ("run", status)
    assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_null_and_keeps_its_limits(value: float) -> None:
    measurement = measured(limited(W, 1), W.ptr(1, value, flags=0x80))
    assert measurement.measured_value is None
    assert (measurement.low, measurement.high) == (1, 2)
    assert measurement.reported_outcome == "FAIL"


@pytest.mark.parametrize(
    ("flags", "parameter_flags"),
    [(0x01, 0), (0x02, 0), (0x04, 0), (0x08, 0), (0, 0x01), (0, 0x02), (0, 0x04)],
)
def test_a_value_that_the_tester_does_not_trust_is_null(flags: int, parameter_flags: int) -> None:
    measurement = measured(W.ptr(1, 1.5, flags=flags, parameter_flags=parameter_flags))
    assert measurement.measured_value is None
    assert measurement.reported_outcome == "PASS"
    assert measurement.attributes == {"result": 1.5, "test_flags": flags}


def test_flags_of_limits_do_not_make_a_value_bad() -> None:
    assert measured(W.ptr(1, 1.5, flags=0x80, parameter_flags=0xF8)).measured_value == 1.5


def test_a_value_is_that_of_four_bytes() -> None:
    (single,) = struct.unpack("<f", struct.pack("<f", 0.1))
    assert measured(W.ptr(1, 0.1)).measured_value == single


def test_a_step_is_number_and_text_with_spaces_folded() -> None:
    assert (
        measured(W.ptr(1000, 1.5, b"  Vcc\t\x01 \xb5 supply ")).test_step == "1000 Vcc \xb5 supply"
    )
    assert measured(W.ptr(4_294_967_295, 1.5)).test_step == "4294967295"
    long = measured(W.ptr(1, 1.5, b"x" * 255)).test_step
    assert len(long) == 128
    assert long[119] == "~"


def test_texts_are_utf8_or_windows_1252_or_the_option() -> None:
    assert measured(W.ptr(1, 1.5, "\u20ac".encode())).test_step == "1 \u20ac"
    assert measured(W.ptr(1, 1.5, b"\xe9")).test_step == "1 \xe9"
    assert measured(W.ptr(1, 1.5, b"\xe9"), encoding="cp1251").test_step == "1 \u0439"


def test_units_are_as_printed_but_ohm_or_the_options() -> None:
    assert measured(limited(W, 1, unit=b"ohm ")).unit == "Ohm"
    assert measured(limited(W, 1, unit=b"VOLT"), units={"VOLT": "V"}).unit == "V"


def test_a_functional_test_is_pass_or_fail() -> None:
    run = one_run(HEAD + W.pir() + W.ftr(7, b"scan", flags=0x80) + W.ftr(8, b"ram") + W.prr())
    assert [
        (each.test_step, each.measured_value, each.comparator, each.nominal, each.reported_outcome)
        for each in run.measurements
    ] == [("7 scan", False, "EQ", True, "FAIL"), ("8 ram", True, "EQ", True, "PASS")]


def test_a_functional_test_may_end_after_its_flags() -> None:
    short = W.record((15, 20), W.pack("IBBB", 7, 1, 1, 0x40))
    measurement = measured(short)
    assert (measurement.test_step, measurement.measured_value) == ("7", None)
    assert measurement.reported_outcome is None


def test_a_test_with_several_values_is_its_verdict_and_each_of_them() -> None:
    run = one_run(HEAD + W.pir() + W.mpr(4, [1.0, 2.5, 1.5], flags=0x80) + W.prr())
    assert [(each.test_step, each.measured_value) for each in run.measurements] == [
        ("4 pins", False),
        ("4 pins[1]", 1.0),
        ("4 pins[2]", 2.5),
        ("4 pins[3]", 1.5),
    ]
    assert [each.reported_outcome for each in run.measurements] == ["FAIL", None, None, None]
    assert {(each.low, each.high, each.unit) for each in run.measurements[1:]} == {(1, 2, "V")}


def test_a_test_of_several_with_one_value_is_that_value() -> None:
    measurement = measured(W.mpr(4, [1.25], flags=0x80))
    assert (measurement.test_step, measurement.measured_value) == ("4 pins", 1.25)
    assert (measurement.high, measurement.reported_outcome) == (2, "FAIL")
