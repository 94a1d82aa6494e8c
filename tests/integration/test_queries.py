"""Lists of stored results, on both databases, of runs that were really stored."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from broker.messages import Outcome
from service.store.queries.base import RUN, connected
from service.store.queries.filters import Filters, run_conditions
from service.store.queries.results import ListView, count_results, list_results
from tests.support.listed import all_of, barcodes
from tests.support.stored import NOON, Stored, run_message


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
