"""Questions about stored results, on both databases, against runs that were really stored."""

from contextlib import closing
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import event, insert, select, text

from broker.answers import Rejection, Result
from broker.messages import Outcome, RejectionCode
from service.commands.resubmissions import close_rejections
from service.core.results import encode_result
from service.store.queries.base import OUTBOX, RUN, connected
from service.store.queries.filters import Filters, run_conditions
from service.store.queries.health import books, overview, services
from service.store.queries.machines import line_of, machine, machines
from service.store.queries.rejections import (
    RejectionFilters,
    list_rejections,
    rejection,
    rejection_bytes,
    rejection_groups,
)
from service.store.queries.results import (
    ListView,
    as_message,
    count_results,
    list_results,
    results_by_ids,
)
from service.store.queries.run_details import raw_message, run_details
from service.store.queries.steps import failing_steps
from service.store.queries.strain import read_strain
from service.store.queries.units import unit_life
from tests.support.stored import NOON, Stored, run_message

ODD_VALUES = [
    {"test_step": "number", "measured_value": 1.0231e-07, "unit": "F", "high": 1.0e-07},
    {"test_step": "text", "measured_value": "ok <b>", "comparator": "EQ", "nominal": "ok"},
    {"test_step": "truth", "measured_value": True, "comparator": "EQ", "nominal": True},
    {"test_step": "false", "measured_value": False, "reported_outcome": "PASS"},
    {"test_step": "nothing", "measured_value": None, "low": 1},
    {"test_step": "zero", "measured_value": 0, "comparator": "LOG"},
]


def all_of(stored: Stored, limit: int, **filters: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return a whole list, page by page."""
    items, cursor = list_results(stored.database, Filters(**filters), limit)
    while cursor:
        more, cursor = list_results(stored.database, Filters(**filters), limit, cursor)
        assert more
        items += more
    return items


def barcodes(stored: Stored, **filters: Any) -> list[str]:  # noqa: ANN401
    return [item["barcode"] for item in all_of(stored, 100, **filters)]


# -- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [6, 50, 51, 600])
def test_a_stored_result_is_the_published_one(stored: Stored, count: int) -> None:
    steps = [{**ODD_VALUES[at % 6], "test_step": f"s{at}"} for at in range(count)]
    run = run_message("A", steps=steps, reported_outcome="FAIL", minutes=0.0001)
    saved = stored.save(run).saved
    published = orjson.loads(
        encode_result(saved.runs[0].judged, run_id=1, attempt=1, received_at=saved.received_at)
    )
    run_id = saved.runs[0].run_id
    whole = results_by_ids(stored.database, [run_id, 99])
    assert list(whole) == [run_id]
    assert len(whole[run_id]["measurements"]) == count
    assert whole[run_id]["measurements_complete"] is True
    assert as_message(whole[run_id]) | {"run_id": 1} == published
    assert all_of(stored, 10) == [as_message(whole[run_id])]
    Result.model_validate_json(orjson.dumps(whole[run_id]))


def test_a_list_of_results_is_newest_first_and_goes_on_where_it_stopped(stored: Stored) -> None:
    minutes = [3, 1, 2, 2, 2, 0, 5]
    for number, minute in enumerate(minutes):
        stored.save(run_message(f"B{number}", minutes=minute))
    expected = [
        f"B{number}"
        for number, _ in sorted(enumerate(minutes), key=lambda each: (-each[1], -each[0]))
    ]
    for limit in (1, 2, 3, 7, 100):
        assert [each["barcode"] for each in all_of(stored, limit)] == expected


def test_a_new_result_does_not_disturb_a_list_that_is_being_read(stored: Stored) -> None:
    stored.save(*(run_message(f"B{minute}", minutes=minute) for minute in range(4)))
    first, cursor = list_results(stored.database, Filters(), 2)
    stored.save(run_message("NEW", minutes=10))
    second, end = list_results(stored.database, Filters(), 2, cursor)
    assert [each["barcode"] for each in [*first, *second]] == ["B3", "B2", "B1", "B0"]
    assert end is None


def test_a_list_can_begin_with_the_oldest(stored: Stored) -> None:
    minutes = [3, 1, 2, 2, 0]
    for number, minute in enumerate(minutes):
        stored.save(run_message(f"B{number}", minutes=minute))
    newest_first = barcodes(stored)
    found: list[str] = []
    cursor = None
    while len(found) < len(minutes):
        page, cursor = list_results(
            stored.database, Filters(), 2, cursor, ListView(is_oldest_first=True)
        )
        found += [each["barcode"] for each in page]
    assert found == newest_first[::-1]
    assert cursor is None


def test_a_list_without_measurements_says_that_they_are_missing(stored: Stored) -> None:
    stored.save(run_message("A"))
    view = ListView(has_measurements=False)
    (bare,), _ = list_results(stored.database, Filters(), view=view)
    (whole,), _ = list_results(stored.database, Filters())
    assert bare == whole | {"measurements": [], "measurements_complete": False}


def test_a_count_tells_what_came_since(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_results(stored.database, Filters()).newest_run_id == 0
    stored.save(run_message("A"), run_message("B", passes=False))
    then = count_results(stored.database, Filters())
    assert (then.count, then.is_complete) == (2, True)
    stored.save(run_message("OLD", minutes=-60), run_message("C", passes=False))
    assert count_results(stored.database, Filters(), then.newest_run_id).count == 2
    failed = Filters(outcome=Outcome.FAIL)
    assert count_results(stored.database, failed, then.newest_run_id).count == 1
    monkeypatch.setattr("service.store.queries.results.COUNT_MAX", 3)
    everything = count_results(stored.database, Filters())
    assert (everything.count, everything.is_complete) == (3, False)


def test_every_filter_keeps_what_it_says(stored: Stored) -> None:
    stored.save(run_message("A", fixture="F1", operator="ann"), machine_id="M1", line="L1")
    stored.save(
        run_message("B", passes=False, reported_outcome="PASS", procedure="ICT", minutes=10),
        machine_id="M2",
        line="L2",
    )
    other = run_message("C", steps=[{"test_step": "rare", "measured_value": 1}], minutes=20)
    stored.save(other | {"product_id": "P2"}, machine_id="M1", line="L1")
    assert barcodes(stored, machine_id="M1") == ["C", "A"]
    assert barcodes(stored, line="L2") == ["B"]
    assert barcodes(stored, product_id="P2") == ["C"]
    assert barcodes(stored, procedure="ICT") == ["B"]
    assert barcodes(stored, step="rare") == ["C"]
    assert barcodes(stored, step="vcc") == ["B", "A"]
    assert barcodes(stored, barcode="A") == ["A"]
    assert barcodes(stored, outcome=Outcome.UNJUDGED) == ["C"]
    assert barcodes(stored, agrees=False) == ["B"]
    assert barcodes(stored, first_failure="vcc") == ["B"]
    assert barcodes(stored, first_failure="rare") == []
    assert barcodes(stored, fixture="F1") == ["A"]
    assert barcodes(stored, operator="ann") == ["A"]
    assert barcodes(stored, since=NOON + timedelta(minutes=10)) == ["C", "B"]
    assert barcodes(stored, until=NOON + timedelta(minutes=10)) == ["A"]
    assert barcodes(stored, machine_id="M1", step="vcc") == ["A"]


def test_runs_by_their_first_failure_are_found_by_an_index_in_order_of_start(
    stored: Stored,
) -> None:
    stored.save(*(run_message(f"B{at}", minutes=at, passes=at % 9 > 0) for at in range(200)))
    filters = Filters(first_failure="vcc", since=NOON, until=NOON + timedelta(hours=2))
    with connected(stored.database) as connection:
        is_sqlite = stored.database.is_sqlite
        if not is_sqlite:  # it reads so small a table as a whole
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        conditions = run_conditions(connection, filters)
        query = select(RUN.c.id).where(*conditions).order_by(RUN.c.started_us.desc()).limit(5)
        literal = query.compile(connection, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        plan = str(connection.execute(text(f"{explain} {literal}")).all())
    assert "run_by_first_failure" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
    assert len(barcodes(stored, first_failure="vcc")) == 23


@pytest.mark.parametrize(
    "field",
    [
        "machine_id",
        "line",
        "product_id",
        "procedure",
        "step",
        "first_failure",
        "barcode",
        "operator",
    ],
)
def test_a_name_that_was_never_seen_matches_nothing(stored: Stored, field: str) -> None:
    stored.save(run_message("A"))
    assert barcodes(stored, **{field: "never"}) == []


@pytest.mark.parametrize("cursor", ["", "x", "e30", "é", "MS4", "A" * 500, "\0"])
def test_a_strange_cursor_is_named(stored: Stored, cursor: str) -> None:
    with pytest.raises(ValueError, match="was not given by this list"):
        list_results(stored.database, Filters(), 10, cursor)


def test_details_of_a_run_hold_all_that_was_sent(stored: Stored) -> None:
    sent = run_message(
        "A",
        steps=[{**ODD_VALUES[1], "lamp": 3}],
        panel={"id": "PAN1", "position": 2},
        program="ict",
        program_version="1.4",
        operator="ann",
        fixture="F1",
        source={"file": "a.log", "byte_start": 0, "byte_end": 10},
        sequence={"epoch": "e", "seq": 7},
        ended_at="2026-11-23T12:00:31Z",
        shoe_size=43,
    )
    run_id = stored.save(sent).saved.runs[0].run_id
    found = run_details(stored.database, run_id)
    assert found is not None
    details = found.pop("details")
    assert found == results_by_ids(stored.database, [run_id])[run_id]
    assert details["panel"] == {"id": "PAN1", "position": "2"}
    assert (details["program"], details["program_version"]) == ("ict", "1.4")
    assert (details["operator"], details["fixture"]) == ("ann", "F1")
    assert details["source"] == {"file": "a.log", "byte_start": 0, "byte_end": 10}
    assert details["sequence"] == {"epoch": "e", "seq": 7}
    assert details["ended_at"] == "2026-11-23T12:00:31Z"
    assert details["attributes"] == {"shoe_size": 43}
    assert details["topic"] == "factory/v1/L1/M1/test"
    assert details["measurements"] == [{"nominal": "ok", "agrees": None, "attributes": {"lamp": 3}}]
    assert run_details(stored.database, 99) is None


@pytest.mark.parametrize("padding", [0, 5_000])
def test_the_message_comes_back_byte_for_byte(stored: Stored, padding: int) -> None:
    payload = b" " * padding + orjson.dumps([run_message("A"), run_message("B")]) + b"\n"
    runs = stored.save(payload).saved.runs
    for element, run in enumerate(runs):
        found = raw_message(stored.database, run.run_id)
        assert found is not None
        assert (found.payload, found.topic) == (payload, "factory/v1/L1/M1/test")
        assert found.element == element
    assert raw_message(stored.database, 99) is None


# -- units ---------------------------------------------------------------------------------------


def test_a_units_life_is_in_the_order_of_its_runs_whatever_the_order_of_arrival(
    stored: Stored,
) -> None:
    stored.save(run_message("U", procedure="FCT", minutes=30, passes=False))
    stored.save(run_message("U", procedure="FCT", minutes=40))
    stored.save(run_message("U", procedure="ICT", minutes=10))
    stored.save(run_message("U", procedure="FCT", minutes=20, passes=False))
    life = unit_life(stored.database, "U")
    assert life is not None
    assert life["outcome"] == "PASS"
    (unit,) = life["units"]
    assert [(run["procedure"], run["attempt"], run["outcome"]) for run in unit["runs"]] == [
        ("ICT", 1, "PASS"),
        ("FCT", 1, "FAIL"),
        ("FCT", 2, "FAIL"),
        ("FCT", 3, "PASS"),
    ]
    assert (unit["first_pass"], unit["good"]) == (False, True)
    assert [
        (each["procedure"], each["runs"], each["first_outcome"], each["last_outcome"])
        for each in unit["procedures"]
    ] == [("ICT", 1, "PASS", "PASS"), ("FCT", 3, "FAIL", "PASS")]


def test_one_barcode_on_two_products_is_two_units(stored: Stored) -> None:
    stored.save(run_message("U"), run_message("U", minutes=5, passes=False) | {"product_id": "P2"})
    life = unit_life(stored.database, "U")
    assert life is not None
    assert [(each["product_id"], each["outcome"]) for each in life["units"]] == [
        ("P1", "PASS"),
        ("P2", "FAIL"),
    ]
    assert life["outcome"] == "FAIL"
    assert unit_life(stored.database, "never") is None


# -- machines, rejections, health ----------------------------------------------------------------


def test_machines_tell_their_last_result_and_the_figures_since_then(stored: Stored) -> None:
    stored.save(run_message("OLD", minutes=-90, passes=False), machine_id="b")
    stored.save(run_message("A", passes=False), run_message("A", minutes=1), machine_id="b")
    stored.save(b"not json", machine_id="B2", line="L2")
    found = machines(stored.database, NOON - timedelta(minutes=30))
    assert [each["machine_id"] for each in found] == ["B2", "b"]
    silent, busy = found
    assert silent["last_result"] is None
    assert silent["books"] == {"received": 1, "stored": 0, "rejected": 1, "duplicates": 0}
    assert silent["figures"]["total_tests"] == 0
    assert silent["figures"]["first_pass_yield"] is None
    assert busy["last_result"]["barcode"] == "A"
    assert busy["last_result"]["outcome"] == "PASS"
    assert busy["figures"] == {
        "total_tests": 2,
        "pass_count": 1,
        "fail_count": 1,
        "error_count": 0,
        "unjudged_count": 0,
        "pass_rate": 0.5,
        "units": 1,
        "first_pass_yield": 0.0,
        "final_yield": 1.0,
    }
    assert machine(stored.database, "b", NOON - timedelta(minutes=30)) == busy
    assert machine(stored.database, "never", NOON) is None
    assert line_of(stored.database, "B2") == "L2"
    assert line_of(stored.database, "never") is None


def test_rejections_are_listed_newest_first_with_their_bytes(stored: Stored) -> None:
    stored.save(b"\xff\x00{", machine_id="M1", at=NOON)
    stored.save(b"{}", machine_id="M2", at=NOON + timedelta(seconds=1))
    stored.save(b"{}", machine_id="M2", at=NOON + timedelta(seconds=2))
    first, cursor = list_rejections(stored.database, RejectionFilters(), 1)
    second, end = list_rejections(stored.database, RejectionFilters(), 1, cursor)
    assert end is None
    assert [each["machine_id"] for each in [*first, *second]] == ["M2", "M1"]
    assert first[0]["repeats"] == 1
    assert second[0]["payload_size"] == 3
    one = rejection(stored.database, second[0]["rejection_id"])
    assert one == second[0] | {"error_start": None, "error_end": None}
    assert rejection_bytes(stored.database, second[0]["rejection_id"]) == b"\xff\x00{"
    contract = {key: one[key] for key in Rejection.model_fields}
    Rejection.model_validate_json(orjson.dumps(contract))
    of_code = RejectionFilters(code=RejectionCode.SCHEMA)
    assert list_rejections(stored.database, of_code)[0] == first
    of_machine = RejectionFilters(machine_id="M1", until=NOON + timedelta(seconds=1))
    assert list_rejections(stored.database, of_machine)[0] == second
    assert list_rejections(stored.database, RejectionFilters(since=NOON + timedelta(1)))[0] == []
    assert rejection(stored.database, 99) is None
    assert rejection_bytes(stored.database, 99) is None


def test_a_rejection_that_was_settled_twice_is_listed_and_counted_once(stored: Stored) -> None:
    saved = stored.save(*(b"{" * each for each in range(1, 4))).saved.rejections
    closed, *others = (each.rejection_id for each in saved)
    for reason in ("known", "known for long"):
        close_rejections(stored.database, [closed], actor="ann", reason=reason, now=NOON)
    listed = {
        is_open: [
            each["rejection_id"]
            for each in list_rejections(stored.database, RejectionFilters(is_open=is_open))[0]
        ]
        for is_open in (True, False)
    }
    assert listed == {True: others[::-1], False: [closed]}
    (group,) = rejection_groups(stored.database, RejectionFilters())
    assert (group["total"], group["open"]) == (3, 2)


def test_postgres_does_not_look_through_the_trail_for_every_rejection(
    postgres_store_url: str,
) -> None:
    asked: list[tuple[str, Any]] = []
    with closing(Stored(postgres_store_url)) as stored:

        @event.listens_for(stored.database.engine, "before_cursor_execute")
        def _(_c: object, _u: object, statement: str, given: object, *_more: object) -> None:
            asked.append((statement, given))

        rejection_groups(stored.database, RejectionFilters())
        list_rejections(stored.database, RejectionFilters(is_open=True))
        list_rejections(stored.database, RejectionFilters(is_open=False))
        with connected(stored.database) as connection:
            plans = [
                connection.exec_driver_sql(f"EXPLAIN {statement}", given).scalars().all()
                for statement, given in tuple(asked)
            ]
    assert [line for plan in plans for line in plan if "audit" in line]
    assert not [line for plan in plans for line in plan if "SubPlan" in line]


def test_books_and_heartbeats_are_told_as_they_were_left(stored: Stored) -> None:
    assert overview(stored.database) == {"rulebook_version": 0, "newest_result_at": None}
    assert services(stored.database, NOON) == []
    stored.save(run_message("A"), run_message("A"), b"[]", machine_id="M1")
    stored.writer.report('{"connected": true}', NOON)
    (heartbeat,) = services(stored.database, NOON + timedelta(seconds=3))
    assert heartbeat["age_s"] == 3
    assert heartbeat["facts"] == {"connected": True}
    (book,) = books(stored.database)
    assert book["received"] == 3 == book["stored"] + book["rejected"] + book["duplicates"]
    assert (book["stored"], book["duplicates"]) == (1, 1)
    assert overview(stored.database)["newest_result_at"] == "2026-11-23T12:00:00Z"


def test_the_step_that_fails_first_most_often_leads(stored: Stored) -> None:
    bad_a = {"test_step": "a", "measured_value": 9, "high": 1}
    bad_b = {"test_step": "b", "measured_value": 9, "high": 1}
    good = {"test_step": "c", "measured_value": 0, "high": 1}
    stored.save(run_message("1", steps=[bad_b, bad_a, good]), machine_id="M1")
    stored.save(run_message("2", steps=[bad_b, bad_a]), machine_id="M2")
    stored.save(run_message("3", steps=[bad_a]), machine_id="M2")
    found = failing_steps(stored.database, Filters())
    assert [(each["test_step"], each["first_failures"], each["failures"]) for each in found] == [
        ("b", 2, 2),
        ("a", 1, 3),
    ]
    assert found[1]["machines"] == [
        {"machine_id": "M2", "first_failures": 1, "failures": 2},
        {"machine_id": "M1", "first_failures": 0, "failures": 1},
    ]


def test_answers_that_wait_are_counted_and_clocks_of_one_computer_agree(stored: Stored) -> None:
    before = read_strain(stored.database)
    with stored.database.changing() as connection:
        connection.execute(insert(OUTBOX).values(id=1, service="yieldline-service-0", body=b""))
    strain = read_strain(stored.database)
    assert (before.outbox_count, strain.outbox_count) == (0, 1)
    assert abs(strain.clock_ahead_s) < 2
    assert (strain.free_bytes is None) is not stored.database.is_sqlite
    assert strain.free_bytes != 0
