"""A unit's life: `/api/v1/units/{barcode}`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from service.store.queries.units import unit_life
from ui.api.answers import answer
from ui.api.models import UnitLife
from ui.api.parameters import State
from ui.api.problems import answers, not_found

router = APIRouter(prefix="/api/v1/units", tags=["units"])


@router.get(
    "/{barcode:path}",
    response_model=UnitLife,
    responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_unit(state: State, barcode: Annotated[str, Path(min_length=1, max_length=128)]) -> Response:
    """Show every run of a unit, every attempt by start time, and what became of it."""
    found = unit_life(state.database, barcode)
    if found is None:
        raise not_found(f"No unit with barcode {barcode!r} was ever tested.")
    return answer(found)
