"""How many tokens a step commits."""

from __future__ import annotations

from torch import Tensor

from engine.config import Pacing

# Where Dream's time ends: not at 0, where it would divide by it.
_LAST_TIME = 1e-3


def tokens_over(sureness: Tensor, masked: Tensor, threshold: float) -> int:
    """Count the masked positions at or over a threshold; at least 1, so that every step advances.

    `sureness` and `masked` are (L,). arXiv:2505.22618, the confidence-aware rule.
    """
    return max(1, int((masked & (sureness >= threshold)).sum()))


def tokens_due(pacing: Pacing, remaining: int, step: int, steps: int) -> int:
    """Return how many of `remaining` masked positions step `step` of `steps` (from 0) commits.

    Raises:
        ValueError: for a pacing that looks at the model's answer.
    """
    if step >= steps - 1:
        return remaining
    match pacing:
        case Pacing.EVEN:  # the first steps take what does not divide evenly, as in LLaDA
            return -(-remaining // (steps - step))
        case Pacing.TIMESTEPS:
            return int(remaining * (1 - _time(step + 1, steps) / _time(step, steps)))
        case Pacing.THRESHOLD:
            raise ValueError("a threshold needs the model's answer: see tokens_over")


def _time(step: int, steps: int) -> float:
    return 1 - (1 - _LAST_TIME) * step / steps
