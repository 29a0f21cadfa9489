"""What a parser says of a draft: which of its tokens stand where the syntax goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.holes import Holes
from engine.tokenizer import Tokenizer
from grammars.languages import language
from grammars.lines import LineIndex, statements_around
from grammars.span import Replacement, Span, landed
from grammars.validation import new_errors


class SyntaxGuide:
    """Parses the top-level statements that holes stand in, with a draft in each of the holes."""

    def __init__(self, tokenizer: Tokenizer, holes: Holes) -> None:
        text, spans = holes.text, holes.spans
        # At the start of a line a fill may go on with the statement above.
        written = Span(max(spans[0].start - 1, 0), spans[-1].end)
        around = statements_around(LineIndex(text), written)
        self._tokenizer, self._holes = tokenizer, holes
        self._text = around.of(text)
        self._spans = [Span(s.start - around.start, s.end - around.start) for s in spans]

    @classmethod
    def of(cls, tokenizer: Tokenizer, holes: Holes) -> SyntaxGuide | None:
        """Return a guide, None in a language without a grammar."""
        return cls(tokenizer, holes) if language(holes.language) else None

    def __call__(self, draft: Canvas) -> Tensor:
        """Return the positions (L,) under a fault that the holes' old texts do not have."""
        written = [part.text_ids() for part in draft.parts()]
        texts = [self._tokenizer.decode(ids) for ids in written]
        shapes = [self._holes.shape(i, texts) for i in range(len(texts))]
        # What stands behind the end of its hole will be cut off: it is nobody's fault.
        ends = [shape.end(text) for shape, text in zip(shapes, texts, strict=True)]
        texts = [t if end is None else end for t, end in zip(texts, ends, strict=True)]
        fits = [shape.fit(text) for shape, text in zip(shapes, texts, strict=True)]
        edits = [Replacement(span, fit) for span, fit in zip(self._spans, fits, strict=True)]
        errors = new_errors(self._text, edits, self._holes.language)
        flags = torch.zeros(len(draft), dtype=torch.bool)
        places = (new for _, new in landed(edits))
        holes = zip((0, *draft.seams), written, texts, fits, places, strict=True)
        for first, ids, text, fit, place in holes if errors else ():
            visible = fit.strip()
            # A fit has lost what its hole has already, perhaps in front.
            start = place.start + fit.find(visible) - text.find(visible)
            for i, (left, right) in enumerate(self._edges(ids), first):
                flags[i] = left < len(text) and any(
                    _meet(left + start, right + start, error) for error in errors
                )
        return flags

    def _edges(self, ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield where each token begins and ends in the text of all."""
        ends = [len(self._tokenizer.decode(ids[:i])) for i in range(len(ids) + 1)]
        return pairwise(ends)


def _meet(start: int, end: int, error: Span) -> bool:
    """Tell whether a token lies under an error, or next to where something is missing."""
    if len(error):
        return start < error.end and error.start < end
    return start <= error.start <= end
