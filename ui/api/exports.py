"""Runs and measurements as files: `/api/v1/export.csv` and `/api/v1/export.parquet`."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from broker.errors import SettingsError
from service.store.exports.columns import FileFormat, Rows
from service.store.exports.export import Export
from ui.api.parameters import FilterQuery, State
from ui.api.problems import Problem, answers
from ui.state import AppState

router = APIRouter(prefix="/api/v1", tags=["exports"])

RUNNING_MAX: Final = 4
_MEDIA_TYPES: Final = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.PARQUET: "application/vnd.apache.parquet",
}
_TROUBLES: Final = (
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.NOT_IMPLEMENTED,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class ExportQuery(FilterQuery):
    """Which runs, and what a row stands for."""

    rows: Rows = Field(default=Rows.RUNS, description="One row a run, or one a measurement.")


def _described(file_format: FileFormat) -> dict[int | str, dict[str, Any]]:
    file = {"content": {_MEDIA_TYPES[file_format]: {}}, "description": "The file, streamed."}
    return {200: file, **answers(*_TROUBLES)}


@router.get("/export.csv", response_class=StreamingResponse, responses=_described(FileFormat.CSV))
async def get_csv(state: State, query: Annotated[ExportQuery, Query()]) -> StreamingResponse:
    """Stream the runs of the filters as CSV, newest first; text is safe in a spreadsheet."""
    return await _streamed(state, Export(FileFormat.CSV, query.rows, query.filters()))


@router.get(
    "/export.parquet", response_class=StreamingResponse, responses=_described(FileFormat.PARQUET)
)
async def get_parquet(state: State, query: Annotated[ExportQuery, Query()]) -> StreamingResponse:
    """Stream the runs of the filters as Apache Parquet, newest first."""
    return await _streamed(state, Export(FileFormat.PARQUET, query.rows, query.filters()))


@contextmanager
def counted(state: AppState) -> Iterator[None]:
    """Count an export while it is at work.

    Raises:
        Problem: As many as may be are at work already.
    """
    if state.export_count >= RUNNING_MAX:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{RUNNING_MAX} exports are at work already. Wait for one to end, then try again.",
        )
    state.export_count += 1
    try:
        yield
    finally:
        state.export_count -= 1


class _File(StreamingResponse):
    """A file that counts as an export until it is sent, or whoever asked for it has gone."""

    def __init__(self, export: Export, chunks: Iterator[bytes], counting: ExitStack) -> None:
        name = f"yieldline-{export.rows}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{export.file_format}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(chunks, media_type=_MEDIA_TYPES[export.file_format], headers=headers)
        self._counting = counting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._counting:
            await super().__call__(scope, receive, send)


async def _streamed(state: AppState, export: Export) -> StreamingResponse:
    """Answer with the file; trouble before its first piece is a problem document."""
    with ExitStack() as counting:
        counting.enter_context(counted(state))  # before the first await: others may ask meanwhile
        try:
            chunks = export.chunks(state.database)
        except SettingsError as error:
            raise Problem(HTTPStatus.NOT_IMPLEMENTED, str(error)) from error
        # The first piece of CSV is its header: only the second has asked the database.
        begun = await run_in_threadpool(lambda: list(itertools.islice(chunks, 2)))
        return _File(export, itertools.chain(begun, chunks), counting.pop_all())
