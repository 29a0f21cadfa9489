"""Denoising of uniform noise: keep what the model is sure of, draw all else anew, until it settles.

DiffusionGemma's loop with an entropy bound (arXiv:2505.24857), by its published settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.config import Scoring
from engine.denoise import DenoiseStep
from engine.remasking import surest
from engine.schedule import tokens_in_entropy
from engine.scoring import confidence, rank

# Takes the canvas (L,) and the logits of the step before, tempered (L, V); returns logits (L, V).
NoiseDenoiser = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenoiseConfig:
    """How noise is denoised; entropies are in nats."""

    steps: int = 48
    first_temperature: float = 0.8
    last_temperature: float = 0.4
    entropy_bound: float = 0.1  # of the tokens that are kept, the largest left out
    settled_entropy: float = 0.005  # below it on average, and no guess changed: done


def renoise(
    denoiser: NoiseDenoiser,
    length: int,
    vocab_size: int,
    void: int,
    config: RenoiseConfig,
    generator: torch.Generator,
) -> Iterator[DenoiseStep]:
    """Yield the likeliest canvas after each pass; masked where its token was not kept.

    The random numbers are drawn in the order of the published loop.
    """

    def noise() -> Tensor:
        return torch.randint(vocab_size, (length,), generator=generator)

    blank = Canvas.blank(length, void)
    ids, before, last = noise(), None, None
    for left in range(config.steps, 0, -1):
        span = config.first_temperature - config.last_temperature
        temperature = config.last_temperature + span * left / config.steps
        logits = denoiser(ids, before) / temperature
        drawn = logits.softmax(-1).cpu().multinomial(1, generator=generator)[:, 0]
        guess, sureness = confidence(logits)
        certainty = rank(logits, sureness, Scoring.ENTROPY)  # (L,): less their entropies
        count = tokens_in_entropy(-certainty, blank.masked, config.entropy_bound)
        kept = surest(certainty, blank.masked, count)
        ids, before = torch.where(kept, drawn, noise()), logits
        yield DenoiseStep(blank.write(guess, kept), guess, sureness)
        is_same = last is not None and torch.equal(last, guess)
        if is_same and float(-certainty.mean()) < config.settled_entropy:
            return
        last = guess
