"""Fill a database as the service does: decode, judge and save real messages."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text

from broker.envelopes import Outgoing
from broker.sections import DatabaseSettings
from broker.topics import TopicTemplate
from service.core.decode import DecodeSettings, decode
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.records import DecodedRun
from service.store.batches import Arrival, Committed, Saved
from service.store.database import Database
from service.store.queries.health import books
from service.store.schema import upgrade
from service.store.writer import Writer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""When everything is received, unless a test says otherwise."""
OK_STEP = {"test_step": "vcc", "measured_value": 5.0, "low": 4.75, "high": 5.25}
"""A measurement that passes."""

_TEMPLATE = TopicTemplate("factory/v1/{line}/{machine_id}/{channel}")
_SETTINGS = DecodeSettings(_TEMPLATE, 1_048_576, lambda _: UTC)


class Stored:
    """A database with tables, and its only writer. Close it at the end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(DatabaseSettings(url=url))  # type: ignore[arg-type]
        upgrade(self.database)
        self.writer = Writer(self.database, lambda _: [])

    def save(
        self,
        *messages: Mapping[str, Any] | bytes,
        machine_id: str = "M1",
        line: str = "L1",
        at: datetime = NOON,
        rules: Rulebook | None = None,
        is_golden: bool = False,
    ) -> Committed:
        """Store messages of one machine, each as a message of its own, in one batch."""
        rulebook = rules or Rulebook(1, ())
        topic = f"factory/v1/{line}/{machine_id}/test"
        arrivals = []
        for message in messages:
            payload = message if isinstance(message, bytes) else orjson.dumps(message)
            contents = [
                judge(each._replace(is_golden=is_golden), rulebook)
                if isinstance(each, DecodedRun)
                else each
                for each in decode(topic, payload, _SETTINGS, at)
            ]
            arrivals.append(Arrival(topic, line, payload, contents))
        return self.writer.save(arrivals, at)

    def close(self) -> None:
        """Give everything back."""
        self.writer.close()
        self.database.dispose()


def migrate(url: str) -> None:
    """Make the tables in a database, and leave it to whoever copies it."""
    database = Database(DatabaseSettings(url=url))  # type: ignore[arg-type]
    upgrade(database)
    database.dispose()


def run_message(
    barcode: str,
    *,
    procedure: str = "FCT",
    minutes: float = 0,
    steps: Iterable[Mapping[str, Any]] | None = None,
    passes: bool = True,
    **fields: Any,  # noqa: ANN401 - fields of Run
) -> dict[str, Any]:
    """Return a Run that started so many minutes after noon; without steps one that passes or not.

    The message_id comes from barcode, procedure and start, so that a repeat is a duplicate.
    """
    started_at = NOON + timedelta(minutes=minutes)
    value = 5.0 if passes else 7.0
    return {
        "message_id": f"{barcode}-{procedure}-{minutes}",
        "barcode": barcode,
        "product_id": "P1",
        "procedure": procedure,
        "started_at": started_at.isoformat(),
        "measurements": list(
            steps or [{"test_step": "vcc", "measured_value": value, "low": 4.75, "high": 5.25}]
        ),
        **fields,
    }


def too_large(barcode: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of Run
    """Return a message like `run_message`, with a number that no database of ours can hold."""
    return run_message(barcode, sequence={"epoch": "e", "seq": 2**63}, **fields)


def rows(stored: Stored, sql: str) -> list[dict[str, Any]]:
    """Return what the database itself answers."""
    with stored.database.reading() as session:
        return [dict(row) for row in session.connection().execute(text(sql)).mappings()]


def one(stored: Stored, sql: str) -> Any:  # noqa: ANN401
    """Return the only value that the database itself answers."""
    ((value,),) = (tuple(row.values()) for row in rows(stored, sql))
    return value


def summary(committed: Committed) -> tuple[int, int, int]:
    """Return how many runs were stored, were duplicates and were rejected."""
    saved = committed.saved
    return len(saved.runs), len(saved.duplicates), len(saved.rejections)


def assert_books_balance(stored: Stored) -> None:
    """Fail where a machine received another number than it stored, rejected and had before."""
    for book in books(stored.database):
        assert book["received"] == book["stored"] + book["rejected"] + book["duplicates"], book


def second_writer(
    stored: Stored, encode: Callable[[Saved], list[Outgoing]] | None = None
) -> Writer:
    """Return another writer to the same database, as of another process."""
    return Writer(stored.database, encode or (lambda _: []))
