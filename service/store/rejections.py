"""Refusals on their way into the table: one row for the same bytes at the same place."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from service.core.records import Refused
from service.store.batches import StoredRejection
from service.store.codes import NameKind
from service.store.drivers import Driver, table
from service.store.names import Names

_REJECTION = table(
    "rejection",
    id="int8",
    content_hash="bytea",
    topic="text",
    machine="int4",
    message_id="text",
    code="text",
    reason="text",
    element="int4",
    received_us="int8",
    repeats="int4",
    payload="bytea",
)


def insert_rejections(
    driver: Driver, names: Names, refused: Sequence[Refused], received_us: int
) -> list[StoredRejection]:
    """Store refusals; one whose very bytes were refused before only counts."""
    if not refused:
        return []
    hashes = [_rejection_hash(each) for each in refused]
    ids = driver.next_ids("rejection", len(refused))
    machines = names.of[NameKind.MACHINE]
    counts = Counter(hashes)
    rows: dict[bytes, tuple[object, ...]] = {}
    for each, content_hash, number in zip(refused, hashes, ids, strict=True):
        machine = None if each.machine_id is None else machines[each.machine_id]
        rows.setdefault(
            content_hash,
            (
                number,
                content_hash,
                storable(each.topic),
                machine,
                each.message_id,
                each.code.value,
                storable(each.reason),
                each.element,
                received_us,
                counts[content_hash] - 1,
                each.payload,
            ),
        )
    driver.upsert(
        _REJECTION,
        [rows[key] for key in sorted(rows)],
        "ON CONFLICT (content_hash) DO UPDATE"
        " SET repeats = rejection.repeats + excluded.repeats + 1",
    )
    found = driver.match(
        [(key,) for key in rows],
        ("bytea",),
        "SELECT r.content_hash, r.id FROM k JOIN rejection r ON r.content_hash = k.k0",
    )
    id_of = {bytes(content_hash): number for content_hash, number in found}
    return [
        StoredRejection(id_of[content_hash], each)
        for each, content_hash in zip(refused, hashes, strict=True)
    ]


def storable(text: str) -> str:
    """Return text that any database takes: it came from a topic or a reason, not from content."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _rejection_hash(refused: Refused) -> bytes:
    """Return what makes a rejection the same as another: where it came, and its bytes."""
    element = "" if refused.element is None else str(refused.element)
    head = f"{refused.topic}\0{element}\0".encode("utf-8", "surrogatepass")
    return blake2b(head + refused.payload, digest_size=16).digest()
