"""Do the books balance, is everything up: `/api/v1/system`."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Response

from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.system_models import SystemView
from ui.system import system_facts

router = APIRouter(prefix="/api/v1/system", tags=["health"])


@router.get("", response_model=SystemView)
async def get_system(state: State) -> Response:
    """Show every part with a light and what it means; it answers without the database too."""
    return answer(await asyncio.to_thread(system_facts, state, datetime.now(UTC)))
