"""Fill a hole in the middle of its text with a model that sees all of the text at once.

Every step runs the whole text: its vectors depend on the hole, so nothing of it can be kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.config import EffortConfig
from engine.context import Context
from engine.control import Control
from engine.denoise import DenoiseStep, denoise
from engine.errors import ConfigError
from engine.family import InPlace
from engine.fill import draft_of
from engine.frames import show_step
from engine.model import Transformer
from engine.special import SpecialTokens
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Draft

# The lengths tried where the model cannot tell the hole's end.
_LENGTHS = (2, 4, 8, 16, 32, 64, 128, 256)
_FIRST_LENGTH = 32  # of a canvas whose end the model tells; it grows until there is one


class InPlaceDenoiser:
    """The model as a denoiser of a canvas between the tokens before and behind it."""

    def __init__(
        self,
        model: Transformer,
        mask: int,
        shift: int,
        before: Sequence[int],
        after: Sequence[int],
        barred: Tensor,
    ) -> None:
        assert len(before) >= shift, "a shifted model reads its first token at its left neighbour"
        self._model, self._mask, self._first = model, mask, len(before) - shift
        self._before, self._after = torch.tensor(before), torch.tensor(after, dtype=torch.long)
        self._barred = barred  # (V,) bool

    def __call__(self, canvas: Canvas) -> Tensor:
        """Return logits (L, V), -inf for tokens that no text consists of."""
        ids = torch.where(canvas.masked, self._mask, canvas.ids)
        hidden = self._model.whole(torch.cat([self._before, ids, self._after]))
        logits = self._model.logits(hidden[self._first : self._first + len(canvas)])
        return logits.masked_fill(self._barred, -torch.inf)


class InPlaceFiller:
    """Everything that filling in place needs; one request at a time.

    Raises:
        CheckpointError: if the tokenizer lacks a token of the family.
        ConfigError: if a token is not among the model's.
    """

    def __init__(self, model: Transformer, tokenizer: Tokenizer, family: InPlace) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        special = SpecialTokens(tokenizer, model.config)
        self.mask, self._start = special.id(family.mask), special.id(family.start)
        self._end = None if family.end is None else special.id(family.end)
        self._barred = special.barred(self.mask, *(() if self._end is None else (self._end,)))

    def tries(
        self, shape: HoleShape, effort: EffortConfig, max_tokens: int, seed: int, control: Control
    ) -> Iterator[Draft]:
        """Yield drafts of the hole: the likeliest length first, then the others.

        Where the model tells the hole's end, there is one. `seed` changes nothing: no try draws.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        prefix, suffix = Context(shape.prefix, shape.suffix).sides(
            self._tokenizer, effort.max_prefix, effort.max_suffix
        )
        before = [self._start, *prefix]
        needed, limit = len(before) + max_tokens + len(suffix), self._model.config.max_positions
        if needed > limit:
            raise ConfigError(
                f"the hole and its context may take {needed:,} tokens, the model holds {limit:,}"
            )
        decode = self._tokenizer.decode
        control.see(decode(prefix), decode(suffix), len(before) + len(suffix))
        denoiser = self.denoiser(before, suffix)
        if self._end is not None:
            length = min(_FIRST_LENGTH, max_tokens)
            control.begin_draft(f"a canvas of {length} tokens that may grow")
            yield self._denoised(denoiser, shape, effort, length, max_tokens, control)
            return
        for length in self._lengths(denoiser, max_tokens, control):
            control.begin_draft(f"a canvas of {length} tokens")
            yield self._denoised(denoiser, shape, effort, length, length, control)

    def blank(self, length: int) -> Canvas:
        """Return a masked canvas; without an end token it has no void: masks are not committed."""
        return Canvas.blank(length, self.mask if self._end is None else self._end)

    def denoiser(self, before: Sequence[int], after: Sequence[int]) -> InPlaceDenoiser:
        """Return the model as a denoiser of what stands between two runs of tokens."""
        shift = self._family.shift
        return InPlaceDenoiser(self._model, self.mask, shift, before, after, self._barred)

    def _lengths(self, denoiser: InPlaceDenoiser, longest: int, control: Control) -> list[int]:
        """Order lengths by how sure the model is at first sight (CAL, arXiv:2602.00476)."""
        scores: dict[int, float] = {}
        for length in sorted({min(length, longest) for length in _LENGTHS}):
            control.check()
            logits = denoiser(self.blank(length))
            control.forward_calls += 1
            scores[length] = float(logits.softmax(-1).amax(-1).mean()) / _bias(length)
        return sorted(scores, key=scores.__getitem__, reverse=True)

    def _denoised(
        self,
        denoiser: InPlaceDenoiser,
        shape: HoleShape,
        effort: EffortConfig,
        length: int,
        limit: int,
        control: Control,
    ) -> Draft:
        """Denoise a canvas; while nothing ends it, double it up to `limit`, keeping its tokens."""
        config = replace(effort.denoise, scoring=self._family.scoring)
        canvas = self.blank(length)
        step: DenoiseStep | None = None
        while True:
            control.check()
            for step in denoise(denoiser, canvas, config):
                control.forward_calls += 1
                control.steps += 1
                show_step(control, self._tokenizer, canvas, step)
                canvas = step.canvas
                control.check()
            if canvas.has_end or len(canvas) >= limit:
                break
            canvas = canvas.grown(min(2 * len(canvas), limit))
        assert step is not None
        ids = canvas.text_ids()
        text = self._tokenizer.decode(ids)
        end = shape.end(text)
        scores = step.sureness[: len(ids) + canvas.has_end].clamp_min(1e-9).log().tolist()
        return draft_of(shape, text if end is None else end, scores)


def _bias(length: int) -> float:
    """Return how sure a model is of any hole of a length: short ones look likelier than they are.

    CAL's own fit, on single lines of code with other models; not fitted to each of ours.
    """
    return math.exp(-1.77 * length) + 0.56 * math.exp(-0.06 * length) + 0.24
