"""A unit's life, and where it may go: `/api/v1/units/{barcode}`."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broker.messages import Text128, TopicId, format_time
from service.store.queries.checks import Asked, answer_checks, with_permissions
from service.store.queries.units import unit_life
from ui.api.answers import answer
from ui.api.models import CheckAnswer, UnitLife
from ui.api.parameters import State
from ui.api.problems import answers, not_found

router = APIRouter(prefix="/api/v1/units", tags=["units"])

Barcode = Annotated[str, Path(min_length=1, max_length=128)]


class CheckQuery(BaseModel):
    """What is about to be run, and where."""

    model_config = ConfigDict(extra="forbid")

    product_id: Text128 = Field(description="What the unit is.")
    procedure: Text128 = Field(description="What is about to be run.")
    machine_id: TopicId | None = Field(default=None, description="Where; left out: anywhere.")


@router.get(
    "/{barcode:path}/check",
    response_model=CheckAnswer,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_check(state: State, barcode: Barcode, query: Annotated[CheckQuery, Query()]) -> Response:
    """Answer as `check` does over MQTT: may this unit be run here? Never tested: it may be new."""
    asked = Asked(barcode, query.product_id, query.procedure, query.machine_id)
    (found,) = answer_checks(state.database, state.settings, [asked])
    return answer({**found._asdict(), "answered_at": format_time(datetime.now(UTC))})


@router.get(
    "/{barcode:path}",
    response_model=UnitLife,
    responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_unit(state: State, barcode: Barcode) -> Response:
    """Show every run of a unit, every attempt by start time, and where it may go next."""
    found = unit_life(state.database, barcode)
    if found is None:
        raise not_found(f"No unit with barcode {barcode!r} was ever tested.")
    return answer(with_permissions(found, state.settings))
