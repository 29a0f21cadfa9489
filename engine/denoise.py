"""The denoising loop: predict all masked positions, commit the sure ones, revise, until done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from engine.canvas import Canvas
from engine.config import DenoiseConfig
from engine.remasking import revisable, surest
from engine.schedule import tokens_over
from engine.scoring import confidence


class Denoiser(Protocol):
    """A network that looks at a canvas inside its context."""

    def __call__(self, canvas: Canvas) -> Tensor:
        """Return logits (L, V): row i scores the token of position i, shift undone."""
        ...


@dataclass(frozen=True, slots=True)
class DenoiseStep:
    """The canvas after a step, and the model's view of every position before it."""

    canvas: Canvas
    guess: Tensor  # (L,)
    sureness: Tensor  # (L,)


def denoise(denoiser: Denoiser, canvas: Canvas, config: DenoiseConfig) -> Iterator[DenoiseStep]:
    """Yield one step a forward pass until nothing is masked, then while sweeps revise tokens.

    Every step commits at least one token; a sweep revises at least one or is the last; a position
    is revised at most `max_revisions` times. So the loop ends. Stop it by closing the generator.
    """
    for _ in range(config.max_steps):
        guess, sureness = confidence(denoiser(canvas))
        was_done = canvas.is_done
        revise = revisable(guess, sureness, canvas, config.revise_threshold, config.max_revisions)
        count = tokens_over(sureness, canvas.masked, config.commit_threshold)
        commit = surest(sureness, canvas.masked, count)
        canvas = canvas.write(guess, commit | revise)
        yield DenoiseStep(canvas, guess, sureness)
        if canvas.is_done and (was_done or config.max_revisions == 0) and not bool(revise.any()):
            return
