"""How sure the model is of its guess at each position."""

from __future__ import annotations

from torch import Tensor


def confidence(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeliest token (L,) and its probability (L,) from logits (L, V)."""
    best, guess = logits.max(-1)
    return guess, (best - logits.logsumexp(-1)).exp()
