"""Fills by a model on another machine: it writes, Diffill judges. Torch-free.

A remote cannot remask: a try that is refused is followed by another sample. Requests are
idempotent, so one that was lost on the way is sent again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import httpx2

from engine import __version__
from engine.control import Control
from engine.errors import Busy, ConfigError, EngineError, EngineUnavailable
from engine.remotes import Kind, Remote
from engine.stopping import HoleShape, whole_lines
from engine.tries import Ask, Draft

_T = TypeVar("_T")
# No more of the file than a model of our own would see, at about so many characters a token.
_CHARS_PER_TOKEN = 4
_TEMPERATURE = 0.6
_ATTEMPTS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_POLL_S = 0.05
_MAX_ANSWER_BYTES = 4 << 20
_PATHS = {
    Kind.LLAMA_CPP: "/infill",
    Kind.OPENAI: "/completions",
    Kind.MERCURY: "/fim/completions",
}
_PASSING = frozenset({429, 500, 502, 503, 504})


class _Again(Exception):
    """The request came to nothing that would not pass; after a pause it may be sent again."""

    def __init__(self, error: EngineError, pause_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.pause_s = error, pause_s


class RemoteFiller:
    """Asks a remote for fills; each request from a thread of its own."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield what the remote writes: first what it is surest of, then samples.

        Raises:
            EngineError: if it cannot be reached, refuses, or answers something else.
        """
        effort, max_tokens = ask.effort, ask.max_tokens
        prefix = _tail(shape.prefix, effort.max_prefix * _CHARS_PER_TOKEN)
        suffix = _head(shape.suffix, effort.max_suffix * _CHARS_PER_TOKEN)
        control.see(prefix, suffix)
        with _Connection(self._remote, control) as connection:
            for number in itertools.count():
                drawn = f"drawn with seed {ask.seed + number}" if number else "the likeliest tokens"
                control.begin_draft(f"{drawn}, by the remote {self._remote.name}")
                body = {
                    # With the indentation of what it replaces, as it would be at a cursor there.
                    **_sides(self._remote.kind, prefix + shape.lead, suffix, max_tokens),
                    **({"model": self._remote.model} if self._remote.model else {}),
                    "temperature": _TEMPERATURE if number else 0,
                    "seed": ask.seed + number,
                    "stream": False,
                }
                control.check()
                text, tokens = connection.ask(body)
                control.forward_calls += 1
                control.steps += 1
                text = shape.lead + text.replace("\r\n", "\n")
                end = shape.end(text)
                is_cut_off = end is None and tokens >= max_tokens
                if end is None:
                    end = whole_lines(text) if is_cut_off else text
                number, how = control.draft, control.how
                yield Draft(shape.fit(end), tokens, 0.0, number, how, is_cut_off)


class _Connection:
    """The exchanges of one edit with a remote, for a thread that waits."""

    def __init__(self, remote: Remote, control: Control) -> None:
        self._remote, self._control = remote, control
        self._runner = asyncio.Runner()
        self._client = httpx2.AsyncClient(
            timeout=remote.timeout_s,
            headers={"user-agent": f"diffill/{__version__}"},
            trust_env=not remote.is_here,  # a proxy is for what is elsewhere
        )

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            self._runner.run(self._client.aclose())

    def ask(self, body: dict[str, Any]) -> tuple[str, int]:
        """Return the text and how many tokens it has; tries again what may pass."""
        return self._runner.run(self._ask(body))

    async def _ask(self, body: dict[str, Any]) -> tuple[str, int]:
        pause_s = _FIRST_PAUSE_S
        for attempt in itertools.count(1):
            try:
                return _read(self._remote, await self._watched(self._post(body)))
            except _Again as again:
                if attempt == _ATTEMPTS:
                    raise again.error from again
                pause = asyncio.sleep(min(again.pause_s or pause_s, _LONGEST_PAUSE_S))
                await self._watched(pause)
                pause_s *= 4
        raise AssertionError

    async def _watched(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something, but no longer than somebody wants it."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                self._control.raise_if_over()  # to hold what is on its way would save nothing
                await asyncio.wait({task}, timeout=_POLL_S)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _post(self, body: dict[str, Any]) -> bytes:
        remote = self._remote
        url = remote.url.rstrip("/") + _PATHS[remote.kind]
        key = remote.key()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            async with self._client.stream("POST", url, json=body, headers=headers) as response:
                answer = b""
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > _MAX_ANSWER_BYTES:
                        raise EngineError(f"remote {remote.name} answers without end")
        except httpx2.TimeoutException as error:
            raise EngineUnavailable(
                f"remote {remote.name} did not answer within {remote.timeout_s:g} s"
            ) from error
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise _Again(
                EngineUnavailable(f"remote {remote.name} ({url}) cannot be reached: {reason}")
            ) from error
        if response.status_code != 200:
            raise _refusal(remote, response, answer)
        return answer


def _refusal(remote: Remote, response: httpx2.Response, answer: bytes) -> EngineError | _Again:
    status = response.status_code
    if status in (401, 403):
        return ConfigError(f"remote {remote.name} refuses the key (status {status})")
    if status == 404:
        return ConfigError(f"remote {remote.name}: there is no {response.url} (status 404)")
    error = (Busy if status in (429, 503) else EngineError)(
        f"remote {remote.name} answered with status {status}{_reason(answer)}"
    )
    if status not in _PASSING:
        return error
    later = response.headers.get("retry-after", "")
    return _Again(error, float(later) if later.isdecimal() else None)


def _reason(answer: bytes) -> str:
    """Return what an error says, in a few words and on one line."""
    try:
        error = json.loads(answer)["error"]
        message = error["message"] if isinstance(error, dict) else error
        return f": {str(message)[:200].splitlines()[0]}"
    except (ValueError, LookupError, TypeError):
        return ""


def _sides(kind: Kind, prefix: str, suffix: str, max_tokens: int) -> dict[str, Any]:
    if kind is Kind.LLAMA_CPP:
        sides = {"input_prefix": prefix, "input_suffix": suffix, "prompt": ""}
        return {**sides, "n_predict": max_tokens, "cache_prompt": True}
    return {"prompt": prefix, "suffix": suffix, "max_tokens": max_tokens}


def _read(remote: Remote, answer: bytes) -> tuple[str, int]:
    """Return the text of an answer and how many tokens it has, 0 if it does not say."""
    try:
        data: Any = json.loads(answer)
        if remote.kind is Kind.LLAMA_CPP:
            text, tokens = data["content"], data.get("tokens_predicted")
        else:
            choice = data["choices"][0]
            text = choice["text"] if "text" in choice else choice["message"]["content"]
            tokens = (data.get("usage") or {}).get("completion_tokens")
        if not isinstance(text, str):
            raise TypeError("its text is none")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise EngineError(
            f"remote {remote.name} answers something else than {remote.kind} does: {error!r}"
        ) from error
    return text, tokens if isinstance(tokens, int) else 0


def _tail(text: str, limit: int) -> str:
    """Return the end of a text, from a line start if it is cut."""
    if len(text) <= limit:
        return text
    return text[-limit:].partition("\n")[2] or text[-limit:]


def _head(text: str, limit: int) -> str:
    """Return the start of a text, up to a line end if it is cut."""
    if len(text) <= limit:
        return text
    head, line_end, _ = text[:limit].rpartition("\n")
    return head + line_end or text[:limit]
