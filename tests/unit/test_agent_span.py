"""Which messages a span of time holds, with and without offsets."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from broker.errors import SettingsError
from edge_agent.span import Span, read_bound

NINE = datetime(2026, 11, 23, 9)  # noqa: DTZ001 - as a log without a zone prints it
TEN = datetime(2026, 11, 23, 10)  # noqa: DTZ001
BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("started_at", "is_held"),
    [
        (NINE - timedelta(microseconds=1), False),
        (NINE, True),
        (TEN - timedelta(microseconds=1), True),
        (TEN, False),
    ],
)
def test_it_begins_with_since_and_ends_before_until(started_at: datetime, is_held: bool) -> None:  # noqa: FBT001
    assert Span(NINE, TEN).holds(started_at) is is_held


def test_an_open_end_holds_everything_on_its_side() -> None:
    assert Span(None, TEN).holds(datetime.min)  # noqa: DTZ901
    assert Span(NINE, None).holds(datetime.max)  # noqa: DTZ901
    assert Span(None, None).holds(NINE)


def test_a_bound_without_offset_is_utc_where_the_log_has_offsets() -> None:
    assert Span(NINE, TEN).holds(datetime(2026, 11, 23, 10, 30, tzinfo=BERLIN))
    assert not Span(NINE, TEN).holds(datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN))


def test_a_bound_with_offset_compares_moments() -> None:
    span = Span(NINE.replace(tzinfo=BERLIN), TEN.replace(tzinfo=BERLIN))
    assert span.holds(datetime(2026, 11, 23, 8, 30, tzinfo=UTC))
    assert not span.holds(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))


def test_a_bound_with_offset_and_a_log_without_do_not_compare() -> None:
    with pytest.raises(SettingsError, match="Give --since and --until without one"):
        Span(NINE.replace(tzinfo=UTC), None).holds(TEN)


def test_messages_of_every_shape_say_when_they_were_started() -> None:
    run = {"started_at": "2026-11-23T09:30:00", "measurements": [{"timestamp": "no"}]}
    flat = {"timestamp": "2026-11-23T11:30:00"}
    span = Span(NINE, TEN)
    assert span.holds_any(json.dumps(run).encode())
    assert not span.holds_any(json.dumps(flat).encode())
    assert span.holds_any(json.dumps([flat, run]).encode())


def test_a_date_alone_is_its_midnight() -> None:
    assert read_bound("--since", "2026-11-23") == NINE.replace(hour=0)
