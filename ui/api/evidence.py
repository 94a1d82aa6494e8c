"""The evidence pack of one run: `/api/v1/results/{run_id}/evidence.zip`."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from ui.api.exports import counted
from ui.api.parameters import State
from ui.api.problems import answers, not_found
from ui.api.results import RunId
from ui.state import AppState

router = APIRouter(prefix="/api/v1/results", tags=["results"])
_TROUBLES = (HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get(
    "/{run_id}/evidence.zip",
    response_class=Response,
    responses={
        200: {"content": {"application/zip": {}}, "description": "The pack."},
        **answers(*_TROUBLES),
    },
)
async def get_evidence(state: State, run_id: RunId) -> Response:
    """Give all that proves one verdict: message, result, rulebook, receipt, hashes, a page to read.

    The same run gives the same bytes.
    """
    with counted(state):
        pack = await run_in_threadpool(_pack, state, run_id)
    name = f"yieldline-run-{run_id}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(pack, media_type="application/zip", headers=headers)


def _pack(state: AppState, run_id: int) -> bytes:
    from ui.evidence_zip import evidence_zip  # noqa: PLC0415 - half a second, for the first who asks

    pack = evidence_zip(state.database, run_id, state.settings.plant.time_zone)
    if pack is None:
        raise not_found(f"No run {run_id} is stored.")
    return pack
