"""The routes of other tools' dialects, answered by the engine's scheduler.

    POST /infill, /completion, /completions               llama.cpp
    POST /v1/completions                                  OpenAI
    POST /v1/fim/completions, /v1/edit/completions        Mercury
    GET  /v1/models, /health, /metrics

A fill is sent when it has been judged: a stream, too, brings it in one piece. Errors have OpenAI's
form and a status to match. Whoever closes the connection no longer wants the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import ClassVar, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engine.errors import EngineError, EngineUnavailable, error_of_kind
from engine.protocol import EditResult
from engine.scheduler import Job, Message, Scheduler
from engine.serving.completion import Completion
from engine.serving.failures import failure
from engine.serving.llama_cpp import LlamaCpp
from engine.serving.mailbox import Mailbox, json_body, left
from engine.serving.mercury import EditCompletions
from engine.serving.metrics import CONTENT_TYPE, Metrics
from engine.serving.openai import Completions, FimCompletions


class Dialect(Protocol):
    """One request in the words of another tool."""

    last: ClassVar[bytes]  # what ends a stream
    asked: Completion

    def answer(self, result: EditResult | None, model: str) -> Message:
        """Return the answer in one piece; None is a request for no token at all."""
        ...

    def chunks(self, result: EditResult | None, model: str) -> list[Message]:
        """Return the answer as a stream."""
        ...


DIALECTS: dict[str, Callable[[Message], Dialect]] = {
    "/infill": LlamaCpp,
    "/completion": LlamaCpp,
    "/completions": LlamaCpp,
    "/v1/completions": Completions,
    "/v1/fim/completions": FimCompletions,
    "/v1/edit/completions": EditCompletions,
}


class Routes:
    """What other tools can ask of an engine; `model` is what it is called."""

    def __init__(self, model: str, scheduler: Scheduler, metrics: Metrics) -> None:
        self._model, self._scheduler, self._metrics = model, scheduler, metrics
        self.routes = [
            *(Route(path, self._complete, methods=["POST"]) for path in DIALECTS),
            Route("/v1/models", self._models),
            Route("/health", self._health),
            Route("/metrics", self._all_metrics),
        ]

    async def _complete(self, request: Request) -> _Awaited | Response:
        path = request.url.path
        mailbox = Mailbox()
        try:
            dialect = DIALECTS[path](await json_body(request))
            if dialect.asked.max_tokens == 0:  # llama.vim and llama.vscode warm a cache up
                return self._answer(dialect, None)
            send = self._metrics.counting(path, mailbox.put)
            job = Job(dialect.asked.request(), client_of(request), send)
            self._scheduler.submit(job)
        except EngineError as error:
            self._metrics.refused(path, error)
            return failure(error, self._scheduler.retry_after_s)
        self._scheduler.release(job)

        def respond(message: Message) -> Response:
            if message["type"] == "error":
                error = error_of_kind(message["kind"], message["message"])
                return failure(error, self._scheduler.retry_after_s)
            return self._answer(dialect, EditResult.from_json(message["result"]))

        return _Awaited(mailbox, respond, at_end=lambda: self._scheduler.cancel(job))

    def _answer(self, dialect: Dialect, result: EditResult | None) -> Response:
        if not dialect.asked.stream:
            return JSONResponse(dialect.answer(result, self._model))
        chunks = dialect.chunks(result, self._model)
        lines = (json.dumps(chunk, separators=(",", ":")) for chunk in chunks)
        body = b"".join(b"data: %s\n\n" % line.encode() for line in lines)
        return Response(body + dialect.last, media_type="text/event-stream")

    async def _models(self, _request: Request) -> Response:
        model = {"id": self._model, "object": "model", "created": 0, "owned_by": "diffill"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _health(self, _request: Request) -> Response:
        """Tell anybody on this machine; a reason may hold a path, so it is left to `/status`."""
        match self._scheduler.state:
            case {"state": "loading"}:
                waits = "the model is loading"
            case {"state": "failed"}:
                waits = "the model could not be loaded"
            case _:  # ready, or unloaded: the next request loads it
                return JSONResponse({"status": "ok"})
        return failure(EngineUnavailable(waits), self._scheduler.retry_after_s)

    async def _all_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)


class _Awaited:
    """The answer, once there is one; `at_end` is called when it is over or unwanted."""

    def __init__(
        self, mailbox: Mailbox, respond: Callable[[Message], Response], at_end: Callable[[], None]
    ) -> None:
        self._mailbox, self._respond, self._at_end = mailbox, respond, at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the answer and send it, unless the client goes away."""
        coming = asyncio.create_task(self._mailbox.get())
        leaving = asyncio.create_task(left(receive))
        try:
            await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done() and (message := coming.result()):
                await self._respond(message)(scope, receive, send)
        finally:
            self._at_end()
            coming.cancel()
            leaving.cancel()
            await asyncio.gather(coming, leaving, return_exceptions=True)


def client_of(request: Request) -> str:
    """Return who asks, for fair shares: Diffill's own clients say, of others the program tells."""
    headers = request.headers
    return headers.get("x-diffill-client") or headers.get("user-agent", "")
