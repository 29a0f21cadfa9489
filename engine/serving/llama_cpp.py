"""llama.cpp's server: `/infill`, as llama.vim and llama.vscode speak it, and `/completion`.

Fields by tools/server/README.md of llama.cpp. What it is told about sampling and caching is passed
over, and `input_extra` too.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.protocol import EditResult
from engine.scheduler import Message
from engine.serving.completion import Completion, Fields
from engine.serving.prompts import sides

# llama.cpp stops a fill at a line end when this time is up. Less than a second is for one line.
_ONE_LINE_MS = 1000
_ENDS = {"stop": "eos", "length": "limit", "": "none"}


class LlamaCpp:
    """One request to llama.cpp's server and its answer."""

    last: ClassVar[bytes] = b""

    def __init__(self, body: Message) -> None:
        fields = Fields(body)
        if "input_prefix" in body or "input_suffix" in body:
            prefix = fields.text("input_prefix", "") + fields.text("prompt", "")
            suffix = fields.text("input_suffix", "")
        else:
            prefix, suffix = sides(fields.text("prompt"), "")
        time_ms = fields.whole("t_max_predict_ms")
        self._fields = fields.texts("response_fields")
        self.asked = Completion(
            prefix=prefix,
            suffix=suffix,
            path=fields.text("path", ""),
            language=fields.text("language", ""),
            max_tokens=fields.max_tokens("n_predict", "max_tokens"),
            single_line=time_ms is not None and 0 < time_ms < _ONE_LINE_MS,
            seed=fields.seed("seed"),
            stops=fields.texts("stop"),
            stream=fields.flag("stream"),
        )

    def answer(self, result: EditResult | None, model: str) -> Message:
        """Return the answer in one piece; None is a request for no token at all."""
        fill = self.asked.fills(result)[0] if result else None
        read = self.asked.num_read(result) if result else 0
        tokens, seconds = (result.stats.tokens, result.stats.seconds) if result else (0, 0.0)
        text = fill.text if fill else ""
        answer: Message = {
            "index": 0,
            "content": text,
            "tokens": [],
            "id_slot": 0,
            "stop": True,
            "model": model,
            "tokens_predicted": tokens,
            "tokens_evaluated": read,
            "generation_settings": {"seed": self.asked.seed, "n_predict": self.asked.max_tokens},
            "prompt": "",
            "has_new_line": "\n" in text,
            "truncated": False,
            "stop_type": _ENDS[fill.end] if fill else "limit",
            "stopping_word": "",
            "tokens_cached": 0,
            "timings": _timings(read, tokens, seconds),
        }
        if fill and fill.refused:
            answer["refused"] = fill.refused
        return _chosen(answer, self._fields) if self._fields else answer

    def chunks(self, result: EditResult | None, model: str) -> list[Message]:
        """Return the answer as a stream: the text, then all about it."""
        end = self.answer(result, model)
        text = self.asked.fills(result)[0].text if result else ""
        first = {"index": 0, "content": text, "tokens": [], "stop": False, "id_slot": 0}
        return [first, end | {"content": ""}] if text else [end]


def _timings(read: int, tokens: int, seconds: float) -> dict[str, Any]:
    """Return the counts and times of a fill; the time of reading is in that of writing."""
    spent = {
        f"{part}_{name}": value
        for part, count, time_s in (("prompt", read, 0.0), ("predicted", tokens, seconds))
        for name, value in (
            ("n", count),
            ("ms", 1000 * time_s),
            ("per_token_ms", 1000 * time_s / max(1, count)),
            ("per_second", count / time_s if time_s else 0.0),
        )
    }
    return {"cache_n": 0, **spent}


def _chosen(answer: Message, names: tuple[str, ...]) -> Message:
    """Return the fields that are asked for; "timings/prompt_n" is one, too."""
    chosen: Message = {}
    for name in names:
        value: Any = answer
        for part in name.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            chosen[name] = value
    return chosen
