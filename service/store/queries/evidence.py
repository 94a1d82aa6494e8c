"""All that proves one verdict: what came, what was made of it, and by which rules."""

from datetime import datetime
from typing import NamedTuple

from service.core.results import encode_receipt, encode_stored
from service.store.database import Database
from service.store.queries.base import Facts
from service.store.queries.results import as_message
from service.store.queries.run_details import RawMessage, raw_message, run_details
from service.store.rulebooks import StoredRulebook, rulebook


class Receipt(NamedTuple):
    """The service's word to the sender that the run is stored."""

    message_id: str
    received_at: str
    """UTC with Z."""
    body: bytes | None
    """As on the receipt topic; None: the message carried no message_id, so none was sent."""


class Evidence(NamedTuple):
    """What is stored of one run, complete."""

    run: Facts
    """As `run_details` tells it: every measurement, and `details`."""
    result: bytes
    """As it was published on the result topic."""
    message: RawMessage
    rulebook: StoredRulebook | None
    """The version that judged; None: there was no rulebook yet (version 0)."""
    receipt: Receipt


def evidence_of(database: Database, run_id: int) -> Evidence | None:
    """Return what is stored of a run; None: no such run. The same run gives the same, always."""
    run, message = run_details(database, run_id), raw_message(database, run_id)
    if run is None or message is None:
        return None
    result = {name: value for name, value in run.items() if name != "details"}
    return Evidence(
        run,
        encode_stored(as_message(result)),
        message,
        rulebook(database, run["rulebook_version"]),
        _receipt(run),
    )


def _receipt(run: Facts) -> Receipt:
    # Without an id of the sender's the message goes by the hash of its content.
    message_id, received_at = run["message_id"], run["received_at"]
    if message_id == run["details"]["content_hash"]:
        return Receipt(message_id, received_at, None)
    sent = encode_receipt([message_id], datetime.fromisoformat(received_at))
    return Receipt(message_id, received_at, sent)
