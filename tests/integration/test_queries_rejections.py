"""Rejections: listed, settled and counted."""

from contextlib import closing
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import event

from broker.answers import Rejection
from broker.messages import RejectionCode
from service.commands.resubmissions import close_rejections
from service.store.queries.base import connected
from service.store.queries.rejections import (
    RejectionFilters,
    list_rejections,
    rejection,
    rejection_bytes,
    rejection_groups,
)
from tests.support.stored import NOON, Stored


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
