"""Denoising on a canvas that grows and shrinks (DreamOn, arXiv:2602.01326).

The model may answer a masked position with `expand`, which becomes two masks, or with `delete`,
which takes the position away. One position a step, as the model was trained and published.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.config import EXACT, Refresh, Scoring
from engine.context import Context
from engine.control import Control
from engine.denoise import Denoiser, DenoiseStep
from engine.family import InPlace
from engine.frames import show_step
from engine.in_place_denoiser import InPlaceDenoiser
from engine.model import Transformer
from engine.remasking import surest
from engine.scoring import confidence, rank
from engine.special import SpecialTokens
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask, Draft, draft_of

# How many masks a try starts with; the published demonstration takes the first.
_STARTS = (4, 16, 64)


class ResizingFiller:
    """All that a model needs which finds the length to fill; each request in a thread of its own.

    Raises:
        CheckpointError: if the tokenizer lacks a token of the family.
        ConfigError: if a token is not among the model's.
    """

    def __init__(self, model: Transformer, tokenizer: Tokenizer, family: InPlace) -> None:
        assert family.resize
        self._model, self._tokenizer, self._family = model, tokenizer, family
        special = SpecialTokens(tokenizer, model.config)
        self.mask, self._start = special.id(family.mask), special.id(family.start)
        self.expand = special.id(family.resize.expand)
        self.delete = special.id(family.resize.delete)
        self._barred = special.barred(self.mask, self.expand, self.delete)
        self._close = [] if family.close is None else [special.id(family.close)]

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield a draft for each number of masks to start with. `seed` changes nothing.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        effort, max_tokens = ask.effort, ask.max_tokens
        prefix, suffix = Context(shape.prefix, shape.suffix).sides(
            self._tokenizer, effort.max_prefix, effort.max_suffix
        )
        before, after = [self._start, *prefix], [*suffix, *self._close]
        self._model.config.check_room(len(before) + max_tokens + len(after))
        decode = self._tokenizer.decode
        control.see(decode(prefix), decode(suffix), len(before) + len(after))
        for start in dict.fromkeys(min(start, max_tokens) for start in _STARTS):
            control.begin_draft(f"a canvas of {start} tokens, which the model resizes")
            # What a try kept of the text was computed for its canvas: the next begins without.
            denoiser = self.denoiser([before, after], effort.refresh)
            canvas = Canvas.blank(start, self.mask)
            step: DenoiseStep | None = None
            control.check()
            for step in self.steps(denoiser, canvas, max_tokens):
                control.forward_calls += 1
                control.steps += 1
                canvas = step.canvas
                show_step(control, self._tokenizer, canvas, step)
                control.check()
            assert step is not None
            scores = step.sureness.clamp_min(1e-9).log().tolist()
            yield draft_of(shape, decode(canvas.text_ids()), scores, control.draft, control.how)

    def denoiser(
        self, around: Sequence[Sequence[int]], refresh: Refresh = EXACT
    ) -> InPlaceDenoiser:
        """Return the model as a denoiser of what stands between two runs of tokens."""
        shift = self._family.shift
        return InPlaceDenoiser(self._model, self.mask, shift, around, self._barred, refresh)

    def steps(self, denoiser: Denoiser, canvas: Canvas, limit: int) -> Iterator[DenoiseStep]:
        """Denoise a canvas of at most `limit` positions as the family does."""
        scoring = self._family.scoring
        return denoise_resizing(denoiser, canvas, self.expand, self.delete, limit, scoring)


def denoise_resizing(
    denoiser: Denoiser, canvas: Canvas, expand: int, delete: int, limit: int, scoring: Scoring
) -> Iterator[DenoiseStep]:
    """Yield one step a forward pass until nothing is masked.

    `expand` is barred once the canvas has `limit` positions, or after 2 * `limit` expansions, so
    that the loop ends.
    """
    budget = 2 * limit
    while not canvas.is_done:
        logits = denoiser(canvas)  # (L, V)
        if len(canvas) >= limit or budget <= 0:
            logits[:, expand] = -torch.inf
        guess, sureness = confidence(logits)
        chosen = surest(rank(logits, sureness, scoring), canvas.masked, 1)
        at = int(chosen.nonzero()[0, 0])
        token = int(guess[at])
        if token == delete:
            canvas = _with_masks(canvas, at, 0)
        elif token == expand:
            canvas = _with_masks(canvas, at, 2)
            budget -= 1
        else:
            canvas = canvas.write(guess, chosen)
        size = len(canvas) - len(guess) + 1  # what the position has become
        yield DenoiseStep(canvas, _resized(guess, at, size), _resized(sureness, at, size))


def _with_masks(canvas: Canvas, at: int, count: int) -> Canvas:
    """Put `count` masks in the place of one position."""
    masks = Canvas.blank(count, canvas.void)
    return replace(
        canvas,
        ids=torch.cat([canvas.ids[:at], masks.ids, canvas.ids[at + 1 :]]),
        masked=torch.cat([canvas.masked[:at], masks.masked, canvas.masked[at + 1 :]]),
        revisions=torch.cat([canvas.revisions[:at], masks.revisions, canvas.revisions[at + 1 :]]),
    )


def _resized(values: Tensor, at: int, count: int) -> Tensor:
    return torch.cat([values[:at], values[at].repeat(count), values[at + 1 :]])
