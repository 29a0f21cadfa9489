"""How many tokens a step commits."""

from __future__ import annotations

from torch import Tensor


def tokens_over(sureness: Tensor, masked: Tensor, threshold: float) -> int:
    """Count the masked positions at or over a threshold; at least 1, so that every step advances.

    `sureness` and `masked` are (L,). arXiv:2505.22618, the confidence-aware rule.
    """
    return max(1, int((masked & (sureness >= threshold)).sum()))
