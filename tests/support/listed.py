"""Lists of results, read to their end."""

from typing import Any

from service.store.queries.filters import Filters
from service.store.queries.results import list_results
from tests.support.stored import Stored


def all_of(stored: Stored, limit: int, **filters: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return a whole list, page by page."""
    items, cursor = list_results(stored.database, Filters(**filters), limit)
    while cursor:
        more, cursor = list_results(stored.database, Filters(**filters), limit, cursor)
        assert more
        items += more
    return items


def barcodes(stored: Stored, **filters: Any) -> list[str]:  # noqa: ANN401
    """Return the barcodes of a whole list, newest first."""
    return [item["barcode"] for item in all_of(stored, 100, **filters)]
