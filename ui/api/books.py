"""The books of every sender: `/api/v1/books`."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from broker.messages import Timestamp
from service.store.queries.health import books
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import answers
from ui.books import balance

router = APIRouter(prefix="/api/v1/books", tags=["machines"])


class SenderBooks(BaseModel):
    """What one sender sent, and what became of it."""

    machine_id: str = Field(description="The sender; (unknown): topics that name no machine.")
    line: str
    last_received_at: Timestamp
    read: int | None = Field(description="Records its agent read; null: it has no agent.")
    refused: int | None = Field(description="Of them, those that were not understood.")
    spooled: int | None = Field(description="Of them, messages it kept to send.")
    receipted: int | None = Field(description="Of these, those that the service confirmed.")
    waiting: int | None = Field(description="spooled - receipted.")
    received: int = Field(description="What the service received, repeats included.")
    stored: int = Field(description="Runs.")
    rejected: int = Field(description="What could not be understood.")
    duplicates: int = Field(description="Repeats of what was stored before.")
    difference: int = Field(description="0: the books balance.")
    hop: str | None = Field(description="Where they go apart, and what to do.")


class BooksOfAll(BaseModel):
    """Every sender's books, and their sum."""

    items: list[SenderBooks] = Field(description="By machine_id.")
    difference: int = Field(description="The sum of all differences; 0: nothing is missing.")


@router.get("", response_model=BooksOfAll, responses=answers(HTTPStatus.SERVICE_UNAVAILABLE))
def get_books(state: State) -> Response:
    """Show per sender what was read, refused, spooled, received, stored, rejected and repeated.

    The first three come from what agents say of themselves, every few seconds: while results flow
    they are a little older than the rest.
    """
    items: list[dict[str, Any]] = [
        balance(book, state.agent_of(book["machine_id"])) for book in books(state.database)
    ]
    return answer({"items": items, "difference": sum(each["difference"] for each in items)})
