"""The way in over HTTP: `POST /ingest`."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from broker.messages import INGEST_ELEMENTS_MAX
from service.store.incoming import FieldTrouble, read_elements
from ui.api.answers import answer
from ui.api.models import Accepted
from ui.api.parameters import State
from ui.api.problems import Problem, answers

router = APIRouter(tags=["ingest"])
_ONE_OR_MANY = {
    "oneOf": [
        {"$ref": "#/components/schemas/Measurement"},
        {"$ref": "#/components/schemas/Run"},
        {
            "type": "array",
            "minItems": 1,
            "maxItems": INGEST_ELEMENTS_MAX,
            "items": {
                "oneOf": [
                    {"$ref": "#/components/schemas/Measurement"},
                    {"$ref": "#/components/schemas/Run"},
                ]
            },
        },
    ]
}


@router.post(
    "/ingest",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Accepted,
    responses=answers(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ONE_OR_MANY}},
        }
    },
)
async def post_messages(request: Request, state: State) -> Response:
    """Publish a Measurement, a Run or an array of up to 1,000 to the machines' test topics.

    Each needs its `machine_id`. 202 means that the broker has all of it; the service's word that it
    is stored comes as a receipt. All or nothing: with one bad element nothing is published.
    """
    body = await _read(request, state.settings.service.payload_bytes_max)
    elements, troubles = read_elements(body, INGEST_ELEMENTS_MAX)
    if troubles:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            _sentence(troubles),
            errors=[each._asdict() for each in troubles],
        )
    await state.ingest.publish(elements)
    ids = [each.message_id for each in elements]
    return answer({"message_ids": ids}, HTTPStatus.ACCEPTED)


async def _read(request: Request, bytes_max: int) -> bytes:
    """Read the body, never more of it than is taken."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than the {bytes_max:,} bytes that are taken. Send it in parts,"
                " or raise service.payload_bytes_max.",
            )
        parts.append(part)
    return b"".join(parts)


def _sentence(troubles: list[FieldTrouble]) -> str:
    first = troubles[0]
    where = "" if first.element is None else f"element {first.element}: "
    more = f" And {len(troubles) - 1} more." if len(troubles) > 1 else ""
    return f"{where}{first.message.rstrip('.')}. Nothing was published.{more}"
