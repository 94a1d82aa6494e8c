"""Send what was refused once more, or close it: `POST /api/v1/rejections/…`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from broker.errors import ResubmitError
from broker.messages import format_time
from service.commands.resubmissions import (
    Correction,
    Fate,
    Foreseen,
    checked_words,
    close_rejections,
    foresee,
    record_sent,
)
from service.store.queries.rejections import rejection, rejection_bytes
from ui.access.callers import Caller
from ui.api.answers import answer
from ui.api.parameters import State, Who
from ui.api.problems import Problem, answers
from ui.api.rejection_models import (
    Closed,
    CloseMany,
    ForeseenMessage,
    ForeseenMessages,
    Resubmit,
    ResubmitMany,
    ResubmitQuery,
    Words,
)
from ui.api.rejections import RejectionId, missing
from ui.state import AppState

router = APIRouter(prefix="/api/v1/rejections", tags=["rejections"])
Asked = Annotated[ResubmitQuery, Query()]
_INVALID = HTTPStatus.UNPROCESSABLE_ENTITY
_MANY = answers(HTTPStatus.CONFLICT, _INVALID, HTTPStatus.SERVICE_UNAVAILABLE)
_ONE = {**answers(HTTPStatus.NOT_FOUND), **_MANY}
_CHANGES_NOTHING = "Nothing was published. Correct it, or send it all the same with force."


@router.post("/resubmit", response_model=ForeseenMessages, responses=_MANY, status_code=202)
async def post_resubmit_many(state: State, body: ResubmitMany, asked: Asked, who: Who) -> Response:
    """Publish rejections again, byte for byte; those that would change nothing are left out."""
    correction = Correction(topic=body.topic)
    foreseen = await _foresee(state, body.rejection_ids, correction)
    wanted = [each for each in foreseen if _is_sent(each, force=body.force)]
    if asked.dry_run:
        return answer(_tally(foreseen, ()))
    if not wanted:
        said = f"none of the {len(foreseen)} would be accepted."
        raise Problem(HTTPStatus.CONFLICT, f"{said} {_CHANGES_NOTHING}")
    await _publish(state, wanted, correction, _signed(body, who))
    return answer(_tally(foreseen, wanted), HTTPStatus.ACCEPTED)


@router.post("/close", response_model=Closed, responses=answers(_INVALID))
def post_close_many(state: State, body: CloseMany, who: Who) -> Response:
    """Say, with a reason, that nothing more will be done with rejections; their bytes stay."""
    now, author = datetime.now(UTC), who.author(body.author)
    try:
        close_rejections(
            state.database, body.rejection_ids, actor=author, reason=body.reason, now=now
        )
    except ResubmitError as error:
        raise Problem(_INVALID, str(error)) from error
    return answer({"rejection_ids": body.rejection_ids, "closed_at": format_time(now)})


@router.post(
    "/{rejection_id}/resubmit", response_model=ForeseenMessage, responses=_ONE, status_code=202
)
async def post_resubmit(
    state: State, rejection_id: RejectionId, asked: Asked, who: Who, body: Resubmit | None = None
) -> Response:
    """Publish a rejection again, byte for byte, or a corrected copy of it.

    202 means that the broker has it; the result comes as any other. A dry run says what would
    become of it now: accepted, and with which outcome, a duplicate, or rejected again.
    """
    if await asyncio.to_thread(rejection, state.database, rejection_id) is None:
        raise missing(rejection_id)
    body = body or Resubmit()
    payload = None if body.payload is None else body.payload.encode("utf-8", "surrogatepass")
    correction = Correction(body.topic, payload)
    (foreseen,) = await _foresee(state, [rejection_id], correction)
    if asked.dry_run:
        return answer(_facts(foreseen, is_published=False))
    if not _is_sent(foreseen, force=body.force):
        raise Problem(HTTPStatus.CONFLICT, f"{_why(foreseen)} {_CHANGES_NOTHING}")
    await _publish(state, [foreseen], correction, _signed(body, who))
    return answer(_facts(foreseen, is_published=True), HTTPStatus.ACCEPTED)


async def _foresee(
    state: AppState, rejection_ids: Sequence[int], correction: Correction
) -> list[Foreseen]:
    now = datetime.now(UTC)
    try:
        return await asyncio.to_thread(
            foresee, state.database, state.settings, rejection_ids, correction, now
        )
    except ResubmitError as error:
        raise Problem(_INVALID, str(error)) from error


def _is_sent(foreseen: Foreseen, *, force: bool) -> bool:
    """Tell whether it is sent; to a topic that nobody listens to not even by force."""
    return foreseen.is_addressed and (force or foreseen.fate is Fate.ACCEPTED)


async def _publish(
    state: AppState, wanted: Sequence[Foreseen], correction: Correction, words: Words
) -> None:
    """Publish one after the other; what the broker has is recorded, also where it goes away."""
    try:
        author = checked_words("author", words.author)
    except ResubmitError as error:
        raise Problem(_INVALID, str(error)) from error
    reason = " ".join(words.reason.split())
    sent: list[Foreseen] = []
    try:
        for each in wanted:
            payload = correction.payload
            if payload is None:
                payload = await asyncio.to_thread(
                    rejection_bytes, state.database, each.rejection_id
                )
            if payload is not None:
                await state.ingest.send(each.topic, payload)
                sent.append(each)
    finally:
        if sent:
            now = datetime.now(UTC)
            await asyncio.to_thread(
                record_sent, state.database, sent, actor=author, reason=reason, now=now
            )


def _signed(words: Words, who: Caller) -> Words:
    """Return the words of whoever resubmits, under the name that is known of them."""
    return words.model_copy(update={"author": who.author(words.author)})


def _tally(foreseen: Sequence[Foreseen], published: Sequence[Foreseen]) -> dict[str, Any]:
    fates = [each.fate for each in foreseen]
    sent = {each.rejection_id for each in published}
    return {
        "accepted": fates.count(Fate.ACCEPTED),
        "duplicates": fates.count(Fate.DUPLICATE),
        "rejected": fates.count(Fate.REJECTED),
        "published": len(sent),
        "items": [_facts(each, is_published=each.rejection_id in sent) for each in foreseen],
    }


def _facts(foreseen: Foreseen, *, is_published: bool) -> dict[str, Any]:
    return {
        "rejection_id": foreseen.rejection_id,
        "topic": foreseen.topic,
        "corrected": foreseen.is_corrected,
        "payload_size": foreseen.payload_size,
        "fate": foreseen.fate,
        "published": is_published,
        "parts": foreseen.parts,
    }


def _why(foreseen: Foreseen) -> str:
    first = foreseen.parts[0]
    if foreseen.fate is Fate.DUPLICATE:
        return f"it is stored already, as run {first['run_id']}: sending it changes nothing."
    return f"it would be rejected again ({first['code']}): {first['reason']}"
