"""The life of a request: started in order, cancelled at once, always answered.

pygls 2.1.1 falls short in five ways: a coroutine handler starts later than the message that called
it and may see a newer document; cancelling a command does not reach its coroutine; a request with
bad parameters, or one after `shutdown`, gets no answer; a change that cannot be read is skipped as
if it had not been made; every error is a traceback in the log.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cattrs import transform_error
from cattrs.errors import ClassValidationError
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.json_rpc import JsonRPCNotification, MsgId, RPCRequest

from lsp_server.failures import response_error

if TYPE_CHECKING:
    from cattrs import Converter
    from pygls.lsp.server import LanguageServer

# What arrives in place of a `textDocument/didChange` that cannot be read, its parameters as JSON.
UNREADABLE_CHANGE = "diffill/unreadableChange"

# Built-in handlers that make way: the server registers its own as ordinary features.
_REPLACED = (
    lsp.TEXT_DOCUMENT_DID_OPEN,
    lsp.TEXT_DOCUMENT_DID_CHANGE,
    lsp.TEXT_DOCUMENT_DID_CLOSE,
    lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL,
    lsp.WORKSPACE_EXECUTE_COMMAND,
)

# It is called in the turn of the event loop that received the request: what it reads before it
# returns is of that moment. It returns the result, or an awaitable that does the slow rest.
RequestHandler = Callable[[Any], Awaitable[object] | object]


class Dispatcher(LanguageServerProtocol):
    """pygls' protocol, with requests to registered features started and answered here."""

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self._running: dict[MsgId, asyncio.Future[object]] = {}
        for method in _REPLACED:
            del self.fm.builtin_features[method]
        # Until LSP 3.15 the version of a change could be null.
        converter.register_structure_hook(
            lsp.VersionedTextDocumentIdentifier,
            lambda data, _: converter.structure(data, lsp.OptionalVersionedTextDocumentIdentifier),
        )
        self.fm.add_builtin_feature(lsp.EXIT, self._exit)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Give a JSON object its type; a request that has none is answered with the error.

        None if it was answered, or tells something that nobody listens to.
        """
        if "jsonrpc" in data and "method" in data:
            if "id" not in data and not self._listens_to(data["method"]):
                return None
            data.setdefault("params", None)
        try:
            return super().structure_message(_in_today_s_terms(data))
        except JsonRpcException as error:
            if "id" not in data:
                if data.get("method") != lsp.TEXT_DOCUMENT_DID_CHANGE:
                    raise
                return JsonRPCNotification(UNREADABLE_CHANGE, self.VERSION, data["params"])
            answer = error.to_response_error()
            if isinstance(error.__cause__, ClassValidationError):
                answer.message = "; ".join(transform_error(error.__cause__))
            if "method" in data:
                self._send_response(data["id"], error=answer)
            else:
                # An answer to us that cannot be read is still an answer: somebody waits for it.
                self._handle_response(data["id"], error=answer)
            return None

    def handle_message(self, message: Any) -> None:
        """Take one message, in the order of arrival."""
        if message is None:
            return  # done with above
        if isinstance(message, lsp.CancelNotification):
            if running := self._running.get(message.params.id):
                running.cancel()
        elif isinstance(message, RPCRequest):
            self._take_request(message)
        else:
            super().handle_message(message)

    def cancel_all(self) -> list[asyncio.Future[object]]:
        """Cancel every running request and return them; their answers follow."""
        running = list(self._running.values())
        for request in running:
            request.cancel()
        return running

    def _listens_to(self, method: str) -> bool:
        features = self.fm.builtin_features, self.fm.features
        return method == lsp.CANCEL_REQUEST or any(method in known for known in features)

    def _exit(self, _params: object) -> None:
        # The writer stays open: cancelled requests are still to be answered.
        raise SystemExit(0 if self._shutdown else 1)

    def _take_request(self, message: RPCRequest) -> None:
        if self._shutdown:
            error = _error(lsp.ErrorCodes.InvalidRequest, "the server is shutting down")
            self._send_response(message.id, error=error)
        elif self._workspace is None and message.method != lsp.INITIALIZE:
            error = _error(lsp.ErrorCodes.ServerNotInitialized, "send `initialize` first")
            self._send_response(message.id, error=error)
        elif message.method in self.fm.builtin_features or message.method not in self.fm.features:
            super().handle_message(message)
        else:
            self._start(message.id, self.fm.features[message.method], message.params)

    def _start(self, msg_id: MsgId, handler: RequestHandler, params: object) -> None:
        try:
            result = handler(params)
        except Exception as error:
            self._send_response(msg_id, error=response_error(error))
            return
        if not inspect.isawaitable(result):
            self._send_response(msg_id, result=result)
            return
        running: asyncio.Future[object] = asyncio.ensure_future(result)
        self._running[msg_id] = running
        running.add_done_callback(partial(self._answer, msg_id))

    def _answer(self, msg_id: MsgId, done: asyncio.Future[object]) -> None:
        del self._running[msg_id]
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error:
            self._send_response(msg_id, error=response_error(error))
        else:
            self._send_response(msg_id, result=done.result())


def _in_today_s_terms(data: dict[str, Any]) -> dict[str, Any]:
    """Give a message that older clients, or those of drafts, write differently its form of today.

    The 0 that drafts of LSP 3.18 gave to an invoked inline completion is its 1, and a change whose
    range is null has none. What is no string is no text: cattrs would make one of it, `None` of
    null.
    """
    match data:
        case {
            "method": lsp.TEXT_DOCUMENT_INLINE_COMPLETION,
            "params": {"context": {"triggerKind": 0} as context},
        }:
            context["triggerKind"] = 1
        case {"method": lsp.TEXT_DOCUMENT_DID_CHANGE, "params": {"contentChanges": [*changes]}}:
            for change in changes:
                if isinstance(change, dict):
                    if change.get("range", ...) is None:
                        del change["range"]
                    if not isinstance(change.get("text", ""), str):
                        del change["text"]
        case _:
            pass
    return data


def _error(code: lsp.ErrorCodes, message: str) -> lsp.ResponseError:
    return lsp.ResponseError(int(code), message)
