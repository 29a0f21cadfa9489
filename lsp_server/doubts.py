"""How sure the model was of what it wrote, token by token, as the frames of an edit told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.protocol import Frame, FrameToken
from grammars.span import Span

# Below it another token was about as likely: a coin was tossed.
MIN_CONFIDENCE = 0.5
MAX_DOUBTS = 4

_WORD = re.compile(r"\w+|[^\w\s]+")


class Sureness:
    """Keeps the newest frame of every draft of an edit."""

    def __init__(self) -> None:
        self._drafts: dict[int, dict[int, tuple[FrameToken, ...]]] = {}

    def on_frame(self, frame: Frame) -> None:
        """Take in a frame in place of the one before it."""
        self._drafts.setdefault(frame.span, {})[frame.draft] = frame.tokens

    def doubts(self, span: int, text: str, start: int) -> list[Span]:
        """Return the words of a span's new text that the model was least sure of, in order.

        `start` is where the text stands. The text is a draft's, but for blanks and for what was cut
        off at its end; of a text that is no draft's nothing is known.
        """
        for tokens in reversed(self._drafts.get(span, {}).values()):
            if sure := _aligned(text, tokens):
                doubtful = {
                    Span(start + a, start + b): min(sure[a:b])
                    for a, b in (word.span() for word in _WORD.finditer(text))
                }
                worst = sorted(doubtful, key=lambda s: doubtful[s])[:MAX_DOUBTS]
                return sorted(s for s in worst if doubtful[s] < MIN_CONFIDENCE)
        return []


def _aligned(text: str, tokens: tuple[FrameToken, ...]) -> list[float]:
    """Return a confidence for every character of a text; nothing if the tokens say another one."""
    visible = _visible(tokens)
    sure: list[float] = []
    for char in text:
        if char.isspace():
            sure.append(1.0)
            continue
        said, confidence = next(visible, ("", 0.0))
        if said != char:
            return []
        sure.append(confidence)
    return sure


def _visible(tokens: tuple[FrameToken, ...]) -> Iterator[tuple[str, float]]:
    for token in tokens:
        for char in token.text:
            if not char.isspace():
                yield char, token.confidence
