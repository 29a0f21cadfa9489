"""Cross entropy under a frozen output head, in chunks: all logits at once would not fit."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 2048  # positions


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, target: Tensor, weight: Tensor, certainty: float
    ) -> tuple[Tensor, Tensor]:
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        gradient, hits = torch.empty_like(hidden), torch.empty_like(target, dtype=torch.bool)
        for start in range(0, len(hidden), _CHUNK):
            part = slice(start, start + _CHUNK)
            goal, share = target[part, None], weight[part, None]
            log_p = F.linear(hidden[part], head).float().log_softmax(-1)  # (chunk, V)
            hits[part] = log_p.argmax(-1) == goal[:, 0]
            loss -= (log_p.gather(1, goal) * share).sum()
            p = log_p.exp()
            change = p.clone().scatter_add_(1, goal, -torch.ones_like(share)) * share
            if certainty:
                sure = certainty * share * hits[part, None]
                entropy = -(p * log_p).sum(-1, keepdim=True)
                loss += (sure * entropy).sum()
                change -= sure * p * (log_p + entropy)
            gradient[part] = F.linear(change.to(head.dtype), head.t())
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(hits)
        return loss, hits

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0].to(gradient.dtype), None, None, None, None


def head_loss(
    hidden: Tensor, head: Tensor, target: Tensor, weight: Tensor, certainty: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return the weighted sum of the losses, and which (N,) positions the argmax got right.

    Takes hidden states (N, D), the head (V, D), targets and weights (N,). `certainty` times the
    entropy is added where the argmax is right (CAP of LLaDA2.0, arXiv:2512.15745).
    """
    return _HeadLoss.apply(hidden, head, target, weight, certainty)  # type: ignore[no-any-return]
