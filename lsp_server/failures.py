"""What a request can end in other than a result, and the error each becomes on the wire."""

from __future__ import annotations

import asyncio
import logging

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from engine.errors import Cancelled, EngineError

log = logging.getLogger(__name__)


class InvalidParams(Exception):
    """A request's parameters are not what the protocol says; the message names the field."""


class Refused(Exception):
    """It will not be done; the message tells the user why."""


class Stale(Exception):
    """The text to be edited has changed since the edit was asked for."""

    def __init__(self) -> None:
        super().__init__("the text was changed meanwhile: nothing was edited")


class Replaced(Exception):
    """A newer request took the place of this one."""

    def __init__(self) -> None:
        super().__init__("a newer request took its place")


# The first match counts: a subclass stands before its base.
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (asyncio.CancelledError, lsp.LSPErrorCodes.RequestCancelled),
    (Cancelled, lsp.LSPErrorCodes.RequestCancelled),
    (Stale, lsp.LSPErrorCodes.ContentModified),
    (Replaced, lsp.LSPErrorCodes.ServerCancelled),
    (InvalidParams, lsp.ErrorCodes.InvalidParams),
    (Refused, lsp.LSPErrorCodes.RequestFailed),
    (EngineError, lsp.LSPErrorCodes.RequestFailed),
)


def response_error(error: BaseException) -> lsp.ResponseError:
    """Return the error to answer with; what nobody foresaw is logged with its traceback."""
    if isinstance(error, JsonRpcException):
        return error.to_response_error()
    for kind, code in _CODES:
        if isinstance(error, kind):
            return lsp.ResponseError(int(code), str(error) or "cancelled")
    log.error("a request failed", exc_info=error)
    return lsp.ResponseError(
        int(lsp.ErrorCodes.InternalError), "internal error; the server's log has the details"
    )
