"""Keysight i3070 logs: what a board and its tests say."""

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import RUN
from edge_agent.formats import Parsed, Skipped
from edge_agent.formats.i3070_steps import PLAIN_BLOCK
from edge_agent.formats.runs import run_json
from tests.support.i3070 import (
    BLOCK,
    BTEST,
    FOOT,
    HEAD,
    measured,
    one_item,
    one_run,
    parse,
    refusal,
    said,
    steps,
    told,
)

# What a board says


def test_a_board_becomes_a_run() -> None:
    run = one_run(HEAD + BLOCK + FOOT)
    assert run.model_dump(exclude_none=True, exclude={"measurements"}) == {
        "barcode": "SN1",
        "product_id": "prod",
        "procedure": "ICT",
        "started_at": datetime(2020, 8, 18, 4, 59, 42),  # noqa: DTZ001
        "ended_at": datetime(2020, 8, 18, 5, 0, 21),  # noqa: DTZ001
        "reported_outcome": "PASS",
        "operator": "op",
        "fixture": "fix",
        "program": "prog",
        "program_version": "rev1",
        "panel": {"position": 3, "id": "PNL7"},
        "attributes": {"status_code": 0},
        "source": {"file": "board.log", "byte_start": 0, "byte_end": len(HEAD + BLOCK) + 1},
    }
    assert [said(each) for each in run.measurements] == [
        {
            "test_step": "r17",
            "measured_value": 1020.0,
            "unit": "Ohm",
            "nominal": 1000.0,
            "high": 1100.0,
            "low": 900.0,
            "reported_outcome": "PASS",
        }
    ]


def test_a_run_is_a_valid_message() -> None:
    run = one_run(HEAD + BLOCK + FOOT)
    assert RUN.validate_json(run_json(run)) == run


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        ("00", 0, "PASS"),
        ("", 0, "PASS"),
        ("1", 1, "FAIL"),
        ("10", 10, "FAIL"),
        ("11", 11, "ERROR"),
        ("12", 12, "ERROR"),
        ("14", 14, "FAIL"),
        ("17", 17, "FAIL"),
        ("18", 18, "ERROR"),
        ("80", 80, "ERROR"),
        ("81", 81, "ABORTED"),
        ("82", 82, "ABORTED"),
        ("89", 89, "ERROR"),
        ("90", 90, "FAIL"),
        ("99", 99, "FAIL"),
        ("100", 100, "ERROR"),
        ("what", "what", "ERROR"),
    ],
)
def test_the_status_of_the_board_is_its_outcome(status: str, code: int | str, outcome: str) -> None:
    run = one_run((HEAD + BLOCK + FOOT).replace("SN1|00|", f"SN1|{status}|"))
    assert run.reported_outcome == outcome
    assert run.attributes == {"status_code": code}


def test_a_board_marked_out_is_skipped_even_without_a_barcode() -> None:
    found = parse((HEAD + FOOT).replace("SN1|00|", "|13|"))
    assert [type(item) for item in found] == [Skipped, Skipped, Skipped]
    assert "marked out" in found[0][0]


@pytest.mark.parametrize(("seconds", "end"), [("000039", ""), ("39", "0"), ("39", "2008180500")])
def test_an_end_that_is_missing_or_cut_follows_from_the_duration(seconds: str, end: str) -> None:
    log = (HEAD + BLOCK + FOOT).replace("000039", seconds).replace("200818050021", end)
    assert one_run(log).ended_at == datetime(2020, 8, 18, 5, 0, 21)  # noqa: DTZ001


def test_without_end_and_duration_there_is_no_end() -> None:
    log = (HEAD + BLOCK + FOOT).replace("000039", "").replace("200818050021", "")
    assert one_run(log).ended_at is None


@pytest.mark.parametrize("start", ["", "2008180459", "209918045942", "200818 45942", "xx"])
def test_a_start_that_is_no_time_refuses_the_board(start: str) -> None:
    assert "start" in refusal((HEAD + BLOCK + FOOT).replace("200818045942", start))


def test_a_board_without_barcode_is_refused() -> None:
    assert "barcode" in refusal((HEAD + BLOCK + FOOT).replace("SN1", " "))


def test_without_a_product_the_program_is_the_product() -> None:
    assert one_run((HEAD + BLOCK + FOOT).replace("|prod|", "||")).product_id == "prog"


def test_without_a_batch_only_the_option_names_the_product() -> None:
    log = BTEST + "\n" + BLOCK + "}\n"
    assert "product_id" in refusal(log)
    run = one_run(log, product_id="PCB-7")
    assert (run.product_id, run.program) == ("PCB-7", None)


def test_the_options_beat_the_file() -> None:
    run = one_run(HEAD + BLOCK + FOOT, product_id="PCB-7", procedure="ICT-2")
    assert (run.product_id, run.procedure) == ("PCB-7", "ICT-2")


def test_a_head_may_be_short() -> None:
    run = one_run("{@BATCH|prod\n{@BTEST|SN1|00|200818045942\n" + BLOCK + FOOT)
    assert run.barcode == "SN1"
    assert (run.panel, run.operator, run.ended_at) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "panel"),
    [("3|PNL7", {"position": 3, "id": "PNL7"}), ("1", {"position": 1}), ("|P", {"id": "P"}),
     ("left|", {"position": "left"})],
)  # fmt: skip
def test_the_panel_is_as_printed(fields: str, panel: dict[str, object]) -> None:
    found = one_run((HEAD + BLOCK + FOOT).replace("3|PNL7", fields)).panel
    assert found
    assert found.model_dump(exclude_none=True) == panel


# Measured values


@pytest.mark.parametrize(
    ("kind", "unit"),
    [("RES", "Ohm"), ("JUM", "Ohm"), ("FUS", "Ohm"), ("POT", "Ohm"), ("SWI", "Ohm"), ("CAP", "F"),
     ("IND", "H"), ("DIO", "V"), ("ZEN", "V"), ("MEA", None), ("NPN", None), ("PFE", None)],
)  # fmt: skip
def test_the_kind_of_a_test_is_its_unit(kind: str, unit: str | None) -> None:
    assert measured(BLOCK.replace("RES", kind)).unit == unit
    assert measured(f"{{@BLOCK|x|00{{@A-{kind}|0|5}}}}").unit == unit


def test_an_option_maps_units() -> None:
    assert measured(BLOCK, units={"Ohm": "kOhm"}).unit == "kOhm"


def test_lim2_is_high_and_low() -> None:
    measurement = measured("{@BLOCK|q|00\n{@A-MEA|0|+2.0|{@LIM2|+3.500000E+00|+1.500000E+00}}\n}\n")
    assert (measurement.high, measurement.low, measurement.nominal) == (3.5, 1.5, None)


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        ("LIM2|+9.999999E+99|+1.000000E+00", {"low": 1.0}),
        ("LIM2|+1.000000E+00|-9.999999E+99", {"high": 1.0}),
        ("LIM2|+9.900000E+99|+1.000000E+00", {"high": 9.9e99, "low": 1.0}),
        ("LIM2||+1.000000E+00", {"low": 1.0}),
        ("LIM2|+0.000000E+00|", {"high": 0.0}),
        ("LIM2|5", {"high": 5.0}),
        ("LIM3||+2.000000E+00|+1.000000E+00", {"high": 2.0, "low": 1.0}),
        ("LIM3|+9.999999E+99|+2.000000E+00|+1.000000E+00", {"high": 2.0, "low": 1.0}),
    ],
)
def test_a_limit_that_is_absent_or_beyond_all_is_left_out(
    limits: str, fields: dict[str, float]
) -> None:
    found = said(measured(f"{{@BLOCK|x|00\n{{@A-JUM|0|+1.500000E+00{{@{limits}}}}}\n}}\n"))
    assert {key: found.get(key) for key in ("high", "low", "nominal") if key in found} == fields


@pytest.mark.parametrize(
    ("value", "number"),
    [("+9.999999E+99", 9.999999e99), ("", 0.0), ("-7.5", -7.5), ("NAN", None), ("1e999", None)],
)
def test_the_value_is_as_printed_and_an_empty_one_is_zero(value: str, number: float | None) -> None:
    assert measured(f"{{@BLOCK|x|00\n{{@A-JUM|0|{value}}}\n}}\n").measured_value == number


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("0", "PASS"), ("00", "PASS"), ("", "PASS"), ("1", "FAIL"), ("7", "FAIL"), ("11", "ABORTED"),
     ("x", "FAIL")],
)  # fmt: skip
def test_the_status_of_a_test_is_its_outcome(status: str, outcome: str) -> None:
    assert measured(f"{{@A-JUM|{status}|5|sub}}").reported_outcome == outcome
    digital = measured(f"{{@D-T|{status}|0|0|3|1%u1}}")
    assert (digital.reported_outcome, digital.measured_value) == (outcome, outcome == "PASS")


@pytest.mark.parametrize(
    ("block", "test", "name"),
    [
        ("1%r17", "", "r17"),
        ("r17", "", "r17"),
        ("12%l402%l12", "", "l402%l12"),
        ("1%vr1", "out", "vr1%out"),
        ("1%vr1", "2%out", "vr1%2%out"),
        ("12%", "", "12%"),
        ("", "out", "out"),
        ("", "", "A-MEA"),
        ("1%two words", "a b", "two words%a b"),
    ],
)
def test_a_value_is_named_by_its_block_and_subtest(block: str, test: str, name: str) -> None:
    assert measured(f"{{@BLOCK|{block}|00\n{{@A-MEA|0|5|{test}}}\n}}\n").test_step == name
    limits = "{@LIM2|+8.000000E+00|+1.000000E+00}"
    plain = f"{{@BLOCK|{block}|00\n{{@A-MEA|0|+5.000000E+00|{test}{limits}}}\n}}\n"
    assert measured(plain).test_step == name


@given(st.lists(st.from_regex(PLAIN_BLOCK, fullmatch=True), min_size=1, max_size=3))
@settings(deadline=None, max_examples=200)
def test_the_contract_accepts_whatever_a_plain_block_can_say(blocks: list[str]) -> None:
    item = one_item(HEAD + "".join(blocks) + FOOT)
    (built,) = item.built
    assert len(built.run.measurements) == len(blocks)
    assert json.loads(built.json) == json.loads(run_json(built.run))


def test_tests_of_a_block_are_in_order_and_names_may_repeat() -> None:
    block = "{@BLOCK|1%vr1|00\n{@A-MEA|0|5|in}\n{@A-MEA|0|6|out}\n{@A-MEA|0|7|out}\n}\n"
    assert steps(HEAD + block + BLOCK + block + FOOT) == [
        *("vr1%in", "vr1%out", "vr1%out"), "r17", *("vr1%in", "vr1%out", "vr1%out"),
    ]  # fmt: skip


def test_a_long_name_is_cut_and_stays_itself() -> None:
    first = measured(f"{{@BLOCK|{'x' * 130}|00{{@A-MEA|0|5}}}}").test_step
    other = measured(f"{{@BLOCK|{'x' * 131}|00{{@A-MEA|0|5}}}}").test_step
    assert len(first) == len(other) == 128
    assert first != other


# Tests without a number


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ("{@D-T|0|0|0|12|1%u7", "u7"),
        ("{@TJET|00|14|2%tj", "tj"),
        ("{@PRB|00|14|1%prb", "prb"),
        ("{@CCHK|00|14|1%cc", "cc"),
        ("{@TS|0|0|0|0|1%shorts", "shorts"),
        ("{@TS|||||1%shorts", "shorts"),
        ("{@PF|1%pins|00|14", "pins"),
        ("{@BS-CON|1%u3_con|00|0|0", "u3_con"),
        ("{@PCHK|00|1%p", "p"),
        ("{@TS|0|0|0|0", "TS"),
    ],
)
def test_a_test_without_number_is_true_where_it_passed(record: str, name: str) -> None:
    for log in (record + "}", record + "\n}\n", "{@BLOCK|1%" + name + "|00" + record + "}}"):
        assert said(measured(log)) == {
            "test_step": name,
            "measured_value": True,
            "comparator": "EQ",
            "nominal": True,
            "reported_outcome": "PASS",
        }


@pytest.mark.parametrize(
    "record",
    ["{@D-T|1|0|0|12|x}", "{@TJET|07|14|x}", "{@PRB|1|14|x}", "{@CCHK|1|14|x}", "{@PF|x|1|14}",
     "{@BS-CON|x|1|0|0}", "{@PCHK|1|x}", "{@TS|1|0|0|0|x}", "{@TS|0|1|0|0|x}", "{@TS|0|0|2|0|x}",
     "{@TS|0|0|0|3|x}"],
)  # fmt: skip
def test_a_test_without_number_is_false_where_it_failed(record: str) -> None:
    measurement = measured(record)
    assert (measurement.test_step, measurement.measured_value) == ("x", False)
    assert measurement.reported_outcome == "FAIL"


def test_each_test_is_a_measurement_also_when_repeated() -> None:
    assert steps(HEAD + "{@PF|pins|0|9}\n" * 3 + "{@TS|0|0|0|0|s}\n" * 2 + FOOT) == [
        "pins", "pins", "pins", "s", "s",
    ]  # fmt: skip


def test_a_block_that_failed_without_a_failed_test_is_a_step_before_its_tests() -> None:
    block = "{@BLOCK|1%r17|01\n{@A-RES|0|5}\n{@A-RES|0|6|b}\n}\n"
    own, *others = one_run(HEAD + BLOCK + block + FOOT).measurements[1:]
    assert (own.test_step, own.measured_value, own.reported_outcome) == ("r17", False, "FAIL")
    assert [each.test_step for each in others] == ["r17", "r17%b"]


@pytest.mark.parametrize(
    ("block", "outcomes"),
    [
        ("{@BLOCK|x|01\n{@A-RES|1|5}\n}\n", ["FAIL"]),
        ("{@BLOCK|x|01\n{@TS|0|1|0|0|s}\n}\n", ["FAIL"]),
        ("{@BLOCK|x|00\n{@A-RES|1|5}\n}\n", ["FAIL"]),
        ("{@BLOCK|x|00\n}\n{@PF|p|0|1}", ["PASS"]),
        ("{@BLOCK|x|07\n}\n", ["FAIL"]),
        ("{@BLOCK|x|11}", ["ABORTED"]),
    ],
)
def test_a_block_is_a_step_of_its_own_only_if_it_failed_and_nothing_in_it_did(
    block: str, outcomes: list[str]
) -> None:
    found = one_run(HEAD + block + FOOT).measurements
    assert [each.reported_outcome for each in found] == outcomes


def test_a_failed_block_counts_also_where_the_next_board_closes_it() -> None:
    first, _ = told(HEAD + "{@BLOCK|x|01\n" + HEAD + BLOCK + FOOT)
    assert isinstance(first, Parsed)
    assert [each.test_step for each in first.runs[0].measurements] == ["x"]


def test_a_board_without_measurements_is_recorded_with_its_status() -> None:
    (measurement,) = one_run((HEAD + FOOT).replace("SN1|00", "SN1|81")).measurements
    assert said(measurement) == {
        "test_step": "run",
        "measured_value": "81",
        "comparator": "LOG",
    }
