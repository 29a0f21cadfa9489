"""How sure the model is of its guess at each position."""

from __future__ import annotations

from torch import Tensor

from engine.config import Scoring


def confidence(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeliest token (L,) and its probability (L,) from logits (L, V)."""
    best, guess = logits.max(-1)
    return guess, (best - logits.logsumexp(-1)).exp()


def rank(logits: Tensor, sureness: Tensor, scoring: Scoring) -> Tensor:
    """Return scores (L,) by which positions are committed, the highest first.

    Takes logits (L, V) and what `confidence` says of them.
    """
    match scoring:
        case Scoring.CONFIDENCE:
            return sureness
        case Scoring.MARGIN:
            first, second = logits.softmax(-1).topk(2, -1).values.unbind(-1)
            return first - second
        case Scoring.ENTROPY:  # negative; a barred token, of logit -inf, weighs nothing
            logprobs = logits.log_softmax(-1)
            return (logprobs.exp() * logprobs.clamp_min(-1e9)).sum(-1)
