"""Errors as other tools expect them: a status, OpenAI's object, and when to try again."""

from __future__ import annotations

import math

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
    body = {"error": {"message": str(error), "type": kind, "code": status}}
    return JSONResponse(body, status, headers)
