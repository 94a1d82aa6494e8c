"""Errors as RFC 9457 problem documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from broker.errors import YieldlineError
from ui.access.headers import security_headers

MEDIA_TYPE = "application/problem+json"
_UNREADABLE = (
    "the body cannot be read: it is no UTF-8, nests too deep or holds a number of thousands of"
    " digits. Send JSON in UTF-8."
)

_SEND_JSON = "Send JSON, with Content-Type: application/json"
_ADD = {
    "query": "Add it to the query of the address",
    "body": "Add it to the JSON that you send",
}
"""What to do about something that is missing, by where it belongs."""


class FieldProblem(BaseModel):
    """One thing that is wrong with what was sent."""

    field: str = Field(description="Where, such as measurements[3].unit; empty: all of it.")
    message: str = Field(description="What is wrong, in words.")
    where: str | None = Field(default=None, description="Of the call: path, query or body.")
    element: int | None = Field(default=None, description="Position in an array that was sent.")


class ProblemBody(BaseModel):
    """An error, by RFC 9457."""

    type: str = Field(default="about:blank", description="The kind of problem.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, where, and what to do, in a sentence.")
    errors: list[FieldProblem] | None = Field(default=None, description="With 422: each fault.")
    reasons: list[str] | None = Field(default=None, description="With 503: each reason.")


class Problem(Exception):  # noqa: N818 - it is what RFC 9457 calls it
    """Raise it in a route: becomes a problem document."""

    def __init__(self, status: HTTPStatus, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def not_found(what: str) -> Problem:
    """Return the problem that something does not exist."""
    return Problem(HTTPStatus.NOT_FOUND, what)


def problem_response(status: int, detail: str, **more: object) -> Response:
    """Return a problem document."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE)


def answers(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return how a route's problems are described in the OpenAPI document."""
    return {status.value: described(status) for status in statuses}


def described(status: HTTPStatus) -> dict[str, Any]:
    """Return how one problem is described; `ui.app` puts the schema it refers to in its place."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def register(app: FastAPI) -> None:
    """Turn every error of the app's own routes into a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem_response(problem.status, problem.detail, **problem.more)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [_fault(each) for each in error.errors()]
        detail = "; ".join(f"{each.field or each.where}: {each.message}" for each in faults[:3])
        errors = [each.model_dump() for each in faults]
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, f"{detail}.", errors=errors)

    @app.exception_handler(YieldlineError)
    async def _away(_: Request, error: YieldlineError) -> Response:
        # Database or broker: nothing that the caller did, and it may be over soon.
        sentence = f"{str(error).rstrip('.')}."
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, sentence, reasons=[sentence])

    @app.exception_handler(Exception)
    async def _bug(request: Request, _: Exception) -> Response:
        # It passes the gate by on its way out; uvicorn writes the exception to the log.
        detail = "this is a fault in Yieldline itself. The log of the web app says more."
        response = problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
        for name, value in security_headers(request.url.path):
            response.headers[name.decode()] = value.decode()
        return response

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        status, detail = error.status_code, str(error.detail)
        if status == HTTPStatus.BAD_REQUEST:  # FastAPI's, for all but misplaced commas and braces
            status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, _UNREADABLE
        response = problem_response(status, detail)
        response.headers.update(error.headers or {})
        return response


def _fault(fault: Mapping[str, Any]) -> FieldProblem:
    where, *field = map(str, fault["loc"])
    return FieldProblem(field=".".join(field), message=_message(fault), where=where)


def _message(fault: Mapping[str, Any]) -> str:
    """Return what is wrong in one place, and what to do where that does not say it."""
    if fault["type"] == "missing":
        where, *field = fault["loc"]
        return f"it is missing. {_ADD[where] if field else _SEND_JSON}"
    if fault["type"] == "extra_forbidden":
        return f"is not known in the {fault['loc'][0]}. Leave it out, or see /docs for the names"
    if fault["loc"] == ("body",):
        return f"{fault['msg']}. {_SEND_JSON}"
    return str(fault["msg"]).removeprefix("Value error, ")
