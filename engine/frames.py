"""The live view: of a denoising step, and of a text as it is written."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import torch

from engine.canvas import Canvas
from engine.control import Control
from engine.denoise import DenoiseStep
from engine.protocol import Frame, FrameToken, TokenState
from engine.tokenizer import Tokenizer


def show_step(
    control: Control,
    tokenizer: Tokenizer,
    before: Canvas,
    step: DenoiseStep,
    spans: Sequence[int] | None = None,
) -> None:
    """Send the canvas after a step, with the guesses where it is masked, to whoever watches.

    Of several holes denoised together, whose numbers are `spans`, those that changed are sent.
    """
    if not control.on_frame:
        return
    after = step.canvas
    guesses, sureness = (v.split(after.lengths) for v in (step.guess, step.sureness))
    holes = zip(before.parts(), after.parts(), guesses, sureness, strict=True)
    for span, (old, new, guess, sure) in zip(spans or [control.span], holes, strict=True):
        if len(after.lengths) == 1 or not new.is_done or not torch.equal(old.ids, new.ids):
            tokens = _tokens(tokenizer, old, new, guess.tolist(), sure.tolist())
            control.on_frame(Frame(span, control.steps, tuple(tokens), control.draft))


def _tokens(
    tokenizer: Tokenizer,
    before: Canvas,
    after: Canvas,
    guesses: Sequence[int],
    sureness: Sequence[float],
) -> Iterator[FrameToken]:
    for i, (guess, p) in enumerate(zip(guesses, sureness, strict=True)):
        token = int(after.ids[i])
        if after.masked[i]:
            state, token = TokenState.PROVISIONAL, guess
        elif not before.masked[i] and int(before.ids[i]) != token:
            state = TokenState.REVISED
        else:
            state = TokenState.COMMITTED
        if token != after.void:
            yield FrameToken(tokenizer.decode([token]), state, p)


def show_written(
    control: Control,
    tokenizer: Tokenizer,
    ids: Sequence[int],
    scores: Sequence[float],
    draft: int,
    revised: Collection[int] = (),
) -> None:
    """Send a text that is written from left to right, with each token's log-probability.

    `revised` are the places where it has another token than it had once.
    """
    if control.on_frame:
        states = (
            TokenState.REVISED if place in revised else TokenState.COMMITTED
            for place in range(len(ids))
        )
        tokens = tuple(
            FrameToken(tokenizer.decode([token]), state, min(1.0, math.exp(score)))
            for token, state, score in zip(ids, states, scores, strict=True)
        )
        control.on_frame(Frame(control.span, control.steps, tokens, draft))
