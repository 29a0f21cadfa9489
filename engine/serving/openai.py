"""OpenAI's `/v1/completions` with `suffix`, and the `/v1/fim/completions` of Mercury and Codestral.

The second has two kinds of readers: minuet takes `text` of a choice, Continue and Zed take
`delta.content` or `message.content`. It gets all of them.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, ClassVar

from engine.errors import ConfigError
from engine.protocol import EditResult
from engine.scheduler import Message
from engine.serving.completion import Completion, Fields, Fill
from engine.serving.prompts import sides

MAX_COUNT = 16


class OpenAIAnswer:
    """An answer in OpenAI's form: choices, in one piece or as chunks."""

    last: ClassVar[bytes] = b"data: [DONE]\n\n"
    kind, mark = "chat.completion", "chatcmpl"

    def __init__(self, body: Message, asked: Completion) -> None:
        self.asked = asked
        options = body.get("stream_options")
        self._with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        self._head = {
            "id": f"{self.mark}-{secrets.token_hex(12)}",
            "object": self.kind,
            "created": int(time.time()),
        }

    def choice(self, text: str) -> dict[str, Any]:
        """Return a choice of an answer in one piece."""
        return {"message": {"role": "assistant", "content": text}}

    def delta(self, text: str) -> dict[str, Any]:
        """Return a choice of a chunk."""
        return {"delta": {"content": text}}

    def fills(self, result: EditResult | None) -> list[Fill]:
        """Return the texts of the choices; None is a request for no token at all."""
        return self.asked.fills(result) if result else [Fill("", "length")]

    def answer(self, result: EditResult | None, model: str) -> Message:
        """Return the answer in one piece."""
        choices = [
            {"index": number, **self.choice(fill.text), "finish_reason": fill.end or "stop"}
            | ({"refused": fill.refused} if fill.refused else {})
            for number, fill in enumerate(self.fills(result))
        ]
        return {**self._head, "model": model, "choices": choices, "usage": self._usage(result)}

    def chunks(self, result: EditResult | None, model: str) -> list[Message]:
        """Return the answer as a stream: each text, why it ends, and the usage if asked for."""
        made = [
            {"index": number, **self.delta(text), "finish_reason": end}
            for number, fill in enumerate(self.fills(result))
            for text, end in ((fill.text, None), ("", fill.end or "stop"))
            if text or end
        ]
        chunks: list[Message] = [
            {**self._head, "model": model, "choices": [choice]} for choice in made
        ]
        if self._with_usage:
            chunks.append(
                {**self._head, "model": model, "choices": [], "usage": self._usage(result)}
            )
        return chunks

    def _usage(self, result: EditResult | None) -> dict[str, int]:
        read = self.asked.num_read(result) if result else 0
        written = result.stats.tokens if result else 0
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }


class Completions(OpenAIAnswer):
    """One request to `/v1/completions` and its answer."""

    kind, mark = "text_completion", "cmpl"

    def __init__(self, body: Message) -> None:
        fields = Fields(body)
        if fields.flag("echo"):
            raise ConfigError("echo is not supported: the answer is what comes in between")
        before, behind = sides(fields.text("prompt"), fields.text("suffix", ""))
        super().__init__(
            body,
            Completion(
                prefix=before,
                suffix=behind,
                path=fields.text("path", ""),
                language=fields.text("language", ""),
                max_tokens=fields.max_tokens("max_tokens", "max_completion_tokens"),
                count=fields.number("n", 1, (1, MAX_COUNT)),
                seed=fields.seed("seed", "random_seed"),
                stops=fields.texts("stop"),
                stream=fields.flag("stream"),
            ),
        )

    def choice(self, text: str) -> dict[str, Any]:
        """Return a choice of an answer in one piece."""
        return {"text": text, "logprobs": None}

    def delta(self, text: str) -> dict[str, Any]:
        """Return a choice of a chunk."""
        return {"text": text, "logprobs": None}


class FimCompletions(Completions):
    """One request to `/v1/fim/completions` and its answer."""

    def choice(self, text: str) -> dict[str, Any]:
        """Return a choice of an answer in one piece."""
        return {"text": text, "message": {"role": "assistant", "content": text}}

    def delta(self, text: str) -> dict[str, Any]:
        """Return a choice of a chunk."""
        return {"text": text, "delta": {"content": text}}
