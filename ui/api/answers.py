"""JSON answers straight from what the queries return: they are in the contract's words already."""

from typing import Any

import orjson
from fastapi import Response


def answer(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything JSON can hold
    """Return `content` as JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json")
