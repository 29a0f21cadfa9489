"""Errors as other tools expect them: a status, OpenAI's object, and when to try again."""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from engine.errors import (
    Busy,
    Cancelled,
    CheckpointError,
    ConfigError,
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
    FetchError,
)

# Who may try again gets 503; what else fails, fails again.
_STATUS: dict[type[EngineError], tuple[int, str]] = {
    ConfigError: (400, "invalid_request_error"),
    Busy: (503, "unavailable_error"),
    Cancelled: (503, "unavailable_error"),
    EngineUnavailable: (503, "unavailable_error"),
    CheckpointError: (503, "unavailable_error"),
    FetchError: (503, "unavailable_error"),
    DeadlineExceeded: (504, "timeout_error"),
}


def failure(error: EngineError, retry_after_s: float) -> JSONResponse:
    """Return the answer to a request that failed."""
    status, kind = _STATUS.get(type(error), (500, "server_error"))
    headers = {"retry-after": str(math.ceil(retry_after_s))} if status == 503 else None
    return _answer(str(error), kind, status, headers)


def no_route(request: Request, error: Exception) -> JSONResponse:
    """Return the answer to a request for what there is not (404), or not by this method (405)."""
    assert isinstance(error, HTTPException)
    message = f"Diffill has no answer to {request.method} {request.url.path}"
    return _answer(message, "invalid_request_error", error.status_code, error.headers)


def _answer(
    message: str, kind: str, status: int, headers: Mapping[str, str] | None
) -> JSONResponse:
    body = {"error": {"message": message, "type": kind, "code": status}}
    return JSONResponse(body, status, headers)
