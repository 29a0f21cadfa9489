"""How many tokens a step commits."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.config import DenoiseConfig, Pacing, Scoring
from engine.scoring import rank

SCHEDULED = frozenset({Pacing.EVEN, Pacing.TIMESTEPS})  # whatever the model answers

# Where Dream's time ends: not at 0, where it would divide by it.
_LAST_TIME = 1e-3


def tokens_over(sureness: Tensor, masked: Tensor, threshold: float) -> int:
    """Count the masked positions at or over a threshold; at least 1, so that every step advances.

    `sureness` and `masked` are (L,). arXiv:2505.22618, the confidence-aware rule.
    """
    return max(1, int((masked & (sureness >= threshold)).sum()))


def tokens_by_factor(sureness: Tensor, masked: Tensor, factor: float) -> int:
    """Count the masked positions to commit together: n of them if (n + 1)(1 - p) < factor.

    p is the probability of the n-th surest; at least 1. Takes (L,) each. arXiv:2505.22618.
    """
    p = sureness[masked].sort(descending=True).values
    n = torch.arange(1, len(p) + 1, device=p.device)
    fitting = n[(n + 1) * (1 - p) < factor]
    return int(fitting[-1]) if len(fitting) else 1


def tokens_in_entropy(entropy: Tensor, masked: Tensor, bound: float) -> int:
    """Count the masked positions to commit together: as many as leave little unsaid.

    That is while the sum of their entropies (nats), the largest left out, is within the bound: so
    much can they depend on each other; at least 1. Takes (L,) each. arXiv:2505.24857.
    """
    h = entropy[masked].sort().values
    return max(1, int((h.cumsum(0) - h <= bound).sum()))


def tokens_sure(config: DenoiseConfig, logits: Tensor, sureness: Tensor, masked: Tensor) -> int:
    """Return how many of the masked positions the model's answer (L, V) is sure enough of."""
    if config.finish_gap is not None and bool(masked.any()):
        # Prophet, arXiv:2508.19982: the answer has settled before its probabilities say so.
        first, second = logits[masked.to(logits.device)].topk(2, -1).values.unbind(-1)
        if float((first - second).min()) >= config.finish_gap:
            return int(masked.sum())
    match config.pacing:
        case Pacing.FACTOR:
            return tokens_by_factor(sureness, masked, config.factor)
        case Pacing.ENTROPY:
            entropy = -rank(logits, sureness, Scoring.ENTROPY)
            return tokens_in_entropy(entropy, masked, config.entropy_bound)
        case _:
            return tokens_over(sureness, masked, config.commit_threshold)


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
        case _:
            raise ValueError(f"{pacing} needs the model's answer: see tokens_sure")


def _time(step: int, steps: int) -> float:
    return 1 - (1 - _LAST_TIME) * step / steps
