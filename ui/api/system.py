"""Do the books balance, is everything up: `/api/v1/system`."""

from datetime import UTC, datetime
from functools import partial

from fastapi import APIRouter, Response

from broker.errors import StoreUnavailable
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.system_models import SystemView
from ui.system import facts_without_database, system_facts

router = APIRouter(prefix="/api/v1/system", tags=["health"])


@router.get("", response_model=SystemView)
async def get_system(state: State) -> Response:
    """Show every part with a light and what it means; it answers without the database too."""
    now = datetime.now(UTC)
    try:
        facts = await state.system_question.ask(partial(system_facts, state, now))
    except StoreUnavailable as error:
        facts = facts_without_database(state, now, str(error))
    return answer(facts)
