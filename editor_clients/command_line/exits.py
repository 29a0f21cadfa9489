"""How `diffill` ends: its exit codes, and the exception that carries one with a sentence."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import IO, Any


class Exit(IntEnum):
    """What scripts can rely on."""

    DONE = 0
    # An edit was not written or failed, a batch line or check failed, --check found a change.
    REFUSED = 1
    USAGE = 2  # the arguments or the file they name cannot be used
    UNAVAILABLE = 3  # no engine, or no model
    INVALID = 4  # what the model wrote did not validate
    INTERNAL = 123
    INTERRUPTED = 130  # 128 + SIGINT
    BROKEN_PIPE = 141  # 128 + SIGPIPE: whoever read our output has left


class Stop(Exception):
    """End the command; the message is one clear sentence for the user."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def abandon(stream: IO[Any]) -> None:
    """Drop what a stream still holds: closed, or flushed at the end, it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def exit_of(error: Exception) -> Exit:
    """Return the exit code of an error that carries a message for the user, else INTERNAL."""
    if isinstance(error, Stop):
        return error.code  # before any import: it may be that `engine` is a stranger's
    from engine import errors

    match error:
        case errors.ConfigError():
            return Exit.USAGE
        case errors.CheckpointError() | errors.FetchError() | errors.EngineUnavailable():
            return Exit.UNAVAILABLE
        case errors.Busy() | errors.Cancelled() | errors.DeadlineExceeded():
            return Exit.REFUSED
        case _:
            return Exit.INTERNAL
