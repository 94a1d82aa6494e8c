"""What-if over HTTP: `POST /api/v1/rulebooks/backtest`, and the job it answers with."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, field_validator

from broker.messages import Timestamp, format_time
from service.commands.backtest_job import BacktestJob, JobState
from service.commands.drafts import check_draft
from ui.api.answers import answer
from ui.api.parameters import FilterQuery, State
from ui.api.problems import Problem, answers, not_found
from ui.jobs import RUNNING_MAX

router = APIRouter(prefix="/api/v1", tags=["rulebooks"])
JobId = Annotated[str, Path(max_length=64, description="job_id of the answer to POST.")]
_ONE = answers(HTTPStatus.NOT_FOUND)


class BacktestBody(FilterQuery):
    """A draft, and the units whose history it is tried on: by their first run, as in yields."""

    toml: str = Field(max_length=4_000_000, description="The rulebook.")

    @field_validator("agrees", "differs", "golden", mode="before")
    @classmethod
    def _is_no_text(cls, value: object) -> object:
        """Take true and false alone: of an address they are text, of JSON they are not."""
        if value is None or isinstance(value, bool):
            return value
        raise ValueError("Input should be true or false")


class BacktestJobView(BaseModel):
    """A back-test at work, or its report."""

    job_id: str = Field(description="For GET and DELETE /api/v1/jobs/{job_id}.")
    state: JobState = Field(description="running, done, failed or cancelled.")
    done: int = Field(description="Runs judged again.")
    total: int = Field(description="Runs in all; 0 while they are being found.")
    started_at: Timestamp = Field(description="When.")
    ended_at: Timestamp | None = Field(description="When it was over; null: it runs.")
    error: str | None = Field(description="Why it failed.")
    result: dict[str, Any] | None = Field(description="The report, when it is done.")


@router.post(
    "/rulebooks/backtest",
    response_model=BacktestJobView,
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
def post_backtest(state: State, body: BacktestBody) -> Response:
    """Start to judge stored history again by a draft; nothing is changed by it."""
    checked = check_draft(state.database, body.toml)
    if not checked["valid"]:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, checked["error"])
    settings, filters = state.settings.database, body.filters()
    started = state.jobs.start(lambda: BacktestJob(settings, body.toml, filters))
    if started is None:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{RUNNING_MAX} back-tests are at work. Wait for one, or cancel it.",
        )
    response = answer(_view(*started), HTTPStatus.ACCEPTED)
    response.headers["Location"] = f"/api/v1/jobs/{started[0]}"
    return response


@router.get("/jobs/{job_id}", response_model=BacktestJobView, responses=_ONE)
def get_job(state: State, job_id: JobId) -> Response:
    """Tell how far a back-test is, and give its report when it is done."""
    return answer(_view(job_id, _job(state, job_id)))


@router.delete("/jobs/{job_id}", response_model=BacktestJobView, responses=_ONE)
def delete_job(state: State, job_id: JobId) -> Response:
    """Cancel a back-test; one that is over stays as it is."""
    job = _job(state, job_id)
    job.cancel()
    return answer(_view(job_id, job))


def _job(state: State, job_id: str) -> BacktestJob:
    job = state.jobs.get(job_id)
    if job is None:
        raise not_found(f"There is no job {job_id!r} in this web process. Start it again.")
    return job


def _view(job_id: str, job: BacktestJob) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "started_at": format_time(job.started_at),
        "ended_at": None if job.ended_at is None else format_time(job.ended_at),
        "error": job.error,
        "result": None if job.report is None else orjson.Fragment(job.report),
    }
