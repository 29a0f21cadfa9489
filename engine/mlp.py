"""The half of a layer that looks at each token by itself. Shapes: T tokens, D width, E experts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import BLOCK, Activation, ModelConfig
from engine.linear import LowRank
from engine.weights import Weights

Function = Callable[[Tensor], Tensor]

_SHARE = 32_768  # numbers: with no more than these, torch leaves the work to one thread

_FUNCTIONS: dict[Activation, Function] = {
    Activation.SILU: F.silu,
    Activation.GELU: partial(F.gelu, approximate="tanh"),
}
_IN_PLACE: dict[Activation, Function] = {
    Activation.SILU: partial(F.silu, inplace=True),
    Activation.GELU: partial(torch.ops.aten.gelu_, approximate="tanh"),
}


def _activated(activation: Activation, x: Tensor) -> Tensor:
    """Apply an activation to (B, T, D), which is lost unless gradients flow.

    Torch computes the last numbers of a thread's share by another exponential. So a pass whose
    tokens are to be what they would be alone gives each call what one of its threads does alone, or
    a block, which is the same in all passes. Nothing depends on that elsewhere, nor in training.
    Between numbers of threads that are no powers of two a block's last bits differ; in all that was
    looked at, rounding to 8 bits hid it.
    """
    if not x.is_cpu or torch.is_grad_enabled():
        return _FUNCTIONS[activation](x)
    pieces = (x,)
    if x.numel() > _SHARE:
        one_sequence = len(x) == 1
        size = BLOCK if one_sequence else max(1, _SHARE // x[0].numel())
        pieces = x.split(size, -2 if one_sequence else 0)
    for piece in pieces:
        _IN_PLACE[activation](piece)
    return x


class GatedMlp:
    """y = down(f(gate(x)) * up(x)), arXiv:2002.05202."""

    def __init__(self, weights: Weights, stem: str) -> None:
        self._activation = weights.config.activation
        self.gate_up = weights.linear([f"{stem}.gate_proj", f"{stem}.up_proj"])
        self.down = weights.linear([f"{stem}.down_proj"])

    def adapt(self, updates: Mapping[str, LowRank]) -> None:
        """Attach low-rank updates, keyed by projection (`mlp.gate_proj`, …)."""
        both = [updates["mlp.gate_proj"], updates["mlp.up_proj"]]
        self.gate_up.adapt(LowRank.side_by_side(both))
        self.down.adapt(updates["mlp.down_proj"])

    def __call__(self, x: Tensor, adapted: bool) -> Tensor:
        """Map x (..., D) to (..., D)."""
        gate, up = self.gate_up(x, adapted).chunk(2, -1)
        return self.down(_activated(self._activation, gate).mul_(up), adapted)


class PlainMlp:
    """y = down(f(up(x))), GPT-2's and StarCoder2's."""

    def __init__(self, weights: Weights, stem: str) -> None:
        self._activation = weights.config.activation
        self.up = weights.linear([f"{stem}.up_proj"])
        self.down = weights.linear([f"{stem}.down_proj"])

    def adapt(self, updates: Mapping[str, LowRank]) -> None:
        """Attach low-rank updates, keyed by projection (`mlp.up_proj`, …)."""
        self.up.adapt(updates["mlp.up_proj"])
        self.down.adapt(updates["mlp.down_proj"])

    def __call__(self, x: Tensor, adapted: bool) -> Tensor:
        """Map x (..., D) to (..., D)."""
        return self.down(_activated(self._activation, self.up(x, adapted)), adapted)


class ExpertsMlp:
    """Several gated ones, of which a router gives each token a few, and perhaps one for all."""

    def __init__(self, weights: Weights, stem: str) -> None:
        assert weights.config.experts
        self._config = config = weights.config.experts
        self._router = weights.vector(f"{stem}.gate.weight")  # (E, D)
        self._bias: Tensor | None = None  # (E,): steers the choice, not the weights
        if config.has_bias:
            self._bias = weights.vector(f"{stem}.gate.expert_bias").float()
        self._experts = [GatedMlp(weights, f"{stem}.experts.{e}") for e in range(config.count)]
        self.shared: GatedMlp | None = None
        if config.shared_width:
            self.shared = GatedMlp(weights, f"{stem}.shared_experts")

    def adapt(self, updates: Mapping[str, LowRank]) -> None:
        """Refuse: which expert would an update belong to?"""
        raise NotImplementedError("adapters of mixtures of experts")

    def __call__(self, x: Tensor, adapted: bool) -> Tensor:
        """Map x (..., D) to (..., D)."""
        flat = x.reshape(-1, x.shape[-1])
        y = self.mix(flat, *self.route(flat), adapted)
        if self.shared is not None:
            y = y + self.shared(flat, adapted)
        return y.view_as(x)

    def mix(self, x: Tensor, chosen: Tensor, shares: Tensor, adapted: bool = False) -> Tensor:
        """Return the sum (T, D) of what chosen experts (T, k) make of x (T, D), by their shares."""
        y = torch.zeros_like(x)
        for e in chosen.unique().tolist():
            tokens, slot = (chosen == e).nonzero(as_tuple=True)
            share = shares[tokens, slot, None].to(x.dtype)
            y.index_add_(0, tokens, self._experts[e](x[tokens], adapted) * share)
        return y

    def route(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return each token's experts (T, k) and what they count (T, k), for x (T, D)."""
        c = self._config
        logits = F.linear(x.float(), self._router.float())
        scores = logits.sigmoid() if c.sigmoid else logits.softmax(-1)  # (T, E)
        ranked = scores if self._bias is None else scores + self._bias
        if c.capacity:  # only experts that some token of its block scores among the best
            blocks = ranked.unflatten(0, (-1, c.block))
            best = blocks.amax(1).topk(c.capacity, -1).indices  # (blocks, capacity)
            barred = torch.ones_like(blocks[:, 0], dtype=torch.bool).scatter(-1, best, False)
            ranked = blocks.masked_fill(barred[:, None], -torch.inf).flatten(0, 1)
        elif c.groups > 1:  # only experts of the groups whose two best are the best
            grouped = ranked.unflatten(-1, (c.groups, -1))  # (T, groups, ·)
            best = grouped.topk(2, -1).values.sum(-1).topk(c.top_groups, -1).indices
            barred = torch.ones_like(grouped[..., 0], dtype=torch.bool).scatter(-1, best, False)
            ranked = grouped.masked_fill(barred[..., None], -torch.inf).flatten(-2)
        chosen = ranked.topk(c.per_token, -1).indices
        shares = scores.gather(-1, chosen)
        if c.normalised:
            shares = shares / (shares.sum(-1, keepdim=True) + 1e-20)
        return chosen, shares * c.scale


Mlp = GatedMlp | PlainMlp | ExpertsMlp


def mlp_of(weights: Weights, layer: int) -> Mlp:
    """Build a layer's half of the kind the model has there."""
    config: ModelConfig = weights.config
    stem = f"layers.{layer}.mlp"
    if config.experts and layer >= config.experts.first:
        return ExpertsMlp(weights, stem)
    return GatedMlp(weights, stem) if config.gated else PlainMlp(weights, stem)
