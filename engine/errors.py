"""What can go wrong, in words meant for the user.

The message of an `EngineError` is shown as it is; `kind` is its name on the wire.
"""

from __future__ import annotations

import re
from typing import ClassVar

# As CUDA, torch's allocator on the CPU and the system say it.
_NO_MEMORY = re.compile("out of memory|can(?:'t|not) allocate memory", re.IGNORECASE)


class EngineError(Exception):
    """Base of every error whose message is for the user."""

    kind: ClassVar[str] = "internal"


class ConfigError(EngineError):
    """A setting or request is wrong; the message names field, value and bound."""

    kind = "config"


class CheckpointError(EngineError):
    """A model file is missing, damaged or of a kind we do not load."""

    kind = "checkpoint"


class FetchError(EngineError):
    """The model could not be had from any of its sources."""

    kind = "fetch"


class EngineUnavailable(EngineError):
    """The engine process could not be started, or it died."""

    kind = "unavailable"


class Busy(EngineError):
    """Too many requests wait already; the message says when to try again."""

    kind = "busy"


class Cancelled(EngineError):
    """The request was cancelled by its client."""

    kind = "cancelled"


class DeadlineExceeded(EngineError):
    """The request's time was up before it had a result."""

    kind = "deadline"


_BY_KIND = {
    e.kind: e
    for e in (
        EngineError,
        ConfigError,
        CheckpointError,
        FetchError,
        EngineUnavailable,
        Busy,
        Cancelled,
        DeadlineExceeded,
    )
}


def unforeseen(error: BaseException) -> EngineError:
    """Return what to tell the user of an error that is none of ours."""
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        first = str(error).strip().partition("\n")[0].rstrip(".") or "out of memory"
        return EngineError(
            f"there is too little memory for this ({first}): effort quick, fewer candidates and a "
            "smaller DIFFILL_CONTEXT_MB need less"
        )
    return EngineError(f"internal error: {error}")


def error_of_kind(kind: str, message: str) -> EngineError:
    """Rebuild an error that crossed the wire."""
    return _BY_KIND.get(kind, EngineError)(message)
