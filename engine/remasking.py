"""Which positions to commit, and which committed ones to take back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.canvas import Canvas
from engine.scoring import logprobs_of


def first_block(masked: Tensor, length: int | None, offset: int = 0) -> Tensor:
    """Keep of the masked positions those of the leftmost block that has any. (L,) bool.

    `offset` positions of the first block lie in front of the canvas.
    """
    if length is None or not bool(masked.any()):
        return masked
    block = (torch.arange(len(masked), device=masked.device) + offset) // length
    return masked & (block == block[masked][0])


def first_line(block: Tensor, ends_line: Tensor) -> Tensor:
    """Keep of the masked positions those up to the end of the line of the first. (L,) bool each.

    `ends_line` are all positions with a line end, written or guessed. Blocks as long as a line is,
    as in AdaBlock-dLLM, arXiv:2509.26432.
    """
    ends = ends_line & (block.cumsum(0) > 0)
    return block & (ends.cumsum(0) - ends.long() == 0)


def widened(where: Tensor, margin: int) -> Tensor:
    """Add the `margin` positions on each side of those `where` (L,) is true."""
    return F.max_pool1d(where.float()[None], 2 * margin + 1, 1, margin)[0] > 0


def surest(score: Tensor, masked: Tensor, count: int) -> Tensor:
    """Choose the `count` highest-scored masked positions, ties to the left. (L,) bool."""
    order = score.masked_fill(~masked, -torch.inf).sort(descending=True, stable=True).indices
    chosen = torch.zeros_like(masked)
    chosen[order[:count]] = True
    return chosen & masked


def revocable(logits: Tensor, canvas: Canvas, threshold: float, max_revisions: int) -> Tensor:
    """Choose committed positions whose token the model would hardly write any more. (L,) bool.

    Takes logits (L, V). Draft freely, verify as the text fills up: WINO, arXiv:2507.18578, without
    its shadow masks. The end of a hole stays; at most `max_revisions` changes a position.
    """
    committed = ~canvas.masked & (canvas.ids != canvas.void)
    own = logprobs_of(logits, canvas.ids.to(logits.device)).cpu().exp()
    return committed & (own < threshold) & (canvas.revisions < max_revisions)


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
