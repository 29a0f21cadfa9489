"""Which positions to commit, and which committed ones to take back."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.canvas import Canvas


def surest(sureness: Tensor, masked: Tensor, count: int) -> Tensor:
    """Choose the `count` highest-scored masked positions, ties to the left. (L,) bool."""
    order = sureness.masked_fill(~masked, -1.0).sort(descending=True, stable=True).indices
    chosen = torch.zeros_like(masked)
    chosen[order[:count]] = True
    return chosen & masked


def revisable(
    guess: Tensor, sureness: Tensor, canvas: Canvas, threshold: float, max_revisions: int
) -> Tensor:
    """Choose committed positions where the model is now sure of another token. (L,) bool.

    The rule of LLaDA2.1's token editing (arXiv:2602.08676). The end of a hole stays where it is,
    and a position is changed at most `max_revisions` times, so that no two tokens alternate.
    """
    committed = ~canvas.masked & (canvas.ids != canvas.void)
    better = (guess != canvas.ids) & (guess != canvas.void) & (sureness >= threshold)
    return committed & better & (canvas.revisions < max_revisions)
