"""The time ranges that the pages offer: `/api/v1/ranges`."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from broker.messages import Timestamp
from ui.api.answers import answer
from ui.api.parameters import State
from ui.ranges import plant_of, ranges_at

router = APIRouter(prefix="/api/v1/ranges", tags=["ranges"])


class NamedRange(BaseModel):
    """What a name such as `shift` means now."""

    name: str = Field(description="As in a page's address.")
    words: str = Field(description="As people say it.")
    label: str = Field(description="Its bounds in the plant's time.")
    since: Timestamp = Field(description="Give it to the other calls as `since`.")
    until: Timestamp | None = Field(description="... and as `until`; null: it still goes on.")


class NamedRanges(BaseModel):
    """Every range the pages offer."""

    items: list[NamedRange] = Field(description="The default first.")


@router.get("", response_model=NamedRanges)
async def get_ranges(state: State) -> Response:
    """Say what this shift, the last one, 24 h … mean now, by the plant's clock and shifts."""
    return answer({"items": ranges_at(datetime.now(UTC), plant_of(state.settings.plant))})
