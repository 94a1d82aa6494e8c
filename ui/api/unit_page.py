"""What the open unit page asks: it is the page's own, and changes with it. Not in the document."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import answers, not_found
from ui.api.results import RunId
from ui.own_zone import own_zone
from ui.unit_reading import Wish, read_message, read_unit

router = APIRouter(
    prefix="/api/v1/pages",
    include_in_schema=False,
    responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
_Barcode = Annotated[str, Query(min_length=1, max_length=128)]
_Step = Annotated[str | None, Query(max_length=128)]
_Nth = Annotated[int, Query(ge=0, lt=2**31)]
_Run = Annotated[int | None, Query(ge=1, lt=2**63)]


@router.get("/unit")
def get_unit_page(  # noqa: PLR0913 - query parameters
    state: State,
    request: Request,
    barcode: _Barcode,
    *,
    run: _Run = None,
    everything: Annotated[bool, Query(alias="all")] = False,
    step: _Step = None,
    nth: _Nth = 0,
) -> Response:
    """Give what the page shows of a unit and one of its runs."""
    wish = Wish(run, everything, step, nth, own_zone(request.cookies))
    shown = read_unit(state.database, state.settings, barcode, wish)
    if shown is None:
        raise not_found(f"No unit with barcode {barcode!r} was ever tested.")
    return answer(shown)


@router.get("/message/{run_id}")
def get_marked_message(
    state: State, run_id: RunId, barcode: _Barcode, step: _Step = None, nth: _Nth = 0
) -> Response:
    """Give a run's message in lines, with one measurement marked."""
    message = read_message(state.database, run_id, barcode, step, nth)
    if message is None:
        raise not_found(f"No run {run_id} is stored.")
    return answer(message)
