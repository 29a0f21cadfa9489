"""DiffusionGemma: one Gemma 4 that reads a context causally and denoises a canvas behind it.

A second kind of layer for the one transformer. A pass with the adapter on is one of the canvas: the
two differ by a scalar a layer. Shapes as in model.py; L canvas positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.cache import Cache
from engine.computing import computed
from engine.mlp import ExpertsMlp, GatedMlp
from engine.model import Layer, Past, Transformer, at, rotate, turns
from engine.norm import norm_of, rms_norm
from engine.weights import Weights

_ROWS = 8192  # of the embedding that are read at a time: all of them would be gigabytes


class GemmaLayer(Layer):
    """A layer with norms on both sides of each half, the second one of two side by side.

    Values are normalised, too; those of a wide layer are its keys before their norm and rotation.
    """

    def __init__(self, index: int, weights: Weights) -> None:
        def vector(name: str) -> Tensor:
            return weights.vector(f"layers.{index}.{name}")

        self.config = config = weights.config
        assert config.windowed
        self._kv_heads, self._head_dim = config.heads_of(index)
        self._has_values = index not in config.windowed.wide
        parts = ("q", "k", "v") if self._has_values else ("q", "k")
        self.qkv = weights.linear([f"layers.{index}.self_attn.{p}_proj" for p in parts])
        self.out = weights.linear([f"layers.{index}.self_attn.o_proj"])
        self._q_norm = vector("self_attn.q_norm.weight")
        self._k_norm = vector("self_attn.k_norm.weight")
        (
            self.norm1,
            self._attended,
            self.norm2,
            self._experts_norm,
            self._dense_done,
            self._experts_done,
            self._done,
        ) = (
            norm_of(weights, f"layers.{index}.{name}")
            for name in (
                "input_layernorm",
                "post_attention_layernorm",
                "pre_feedforward_layernorm",
                "pre_feedforward_layernorm_2",
                "post_feedforward_layernorm_1",
                "post_feedforward_layernorm_2",
                "post_feedforward_layernorm",
            )
        )
        self.mlp = self._experts = ExpertsMlp(weights, f"layers.{index}.mlp")
        self._router_scale = vector("mlp.gate.input_scale") * config.width**-0.5  # (D,)
        self._expert_scale = vector("mlp.gate.expert_scale")  # (E,)
        self._scalars = vector("context_scalar"), vector("canvas_scalar")

    def __call__(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Past, adapted: bool
    ) -> Tensor:
        """Map x (B, T, D) to (B, T, D); `mask` (T, N) tells what each token sees."""
        x = x + self._attended(self._attention(self.norm1(x), cos, sin, mask, past))
        assert self._experts.shared
        dense = self._dense_done(self._experts.shared(self.norm2(x), adapted=False))
        flat = x.view(-1, x.shape[-1])
        routed = rms_norm(flat, self._router_scale, self.config.norm_eps)
        chosen, shares = self._experts.route(routed)
        mixed = self._experts.mix(
            self._experts_norm(flat), chosen, shares * self._expert_scale[chosen]
        )
        x = x + self._done(dense + self._experts_done(mixed.view_as(x)))
        return x * self._scalars[adapted]

    def _attention(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Past
    ) -> Tensor:
        eps, heads, kv_heads = self.config.norm_eps, self.config.num_heads, self._kv_heads
        h = self.qkv(x).unflatten(-1, (-1, self._head_dim))
        q, k = h[:, :, :heads], h[:, :, heads : heads + kv_heads]
        v = rms_norm(h[:, :, heads + kv_heads :] if self._has_values else k, 1.0, eps)
        q = rotate(rms_norm(q, self._q_norm, eps), cos, sin)
        k = rotate(rms_norm(k, self._k_norm, eps), cos, sin)
        keys, values = past.extend(k.transpose(1, 2), v.transpose(1, 2))
        a = F.scaled_dot_product_attention(
            q.transpose(1, 2), keys, values, attn_mask=mask, scale=1.0, enable_gqa=True
        )
        return self.out(a.transpose(1, 2).flatten(2))


class DiffusionGemma(Transformer):
    """The network: `encode` reads a context, `denoise` looks at the canvas behind it.

    The other passes of a transformer are not for it.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, GemmaLayer)
        assert self.config.windowed
        self._windowed = self.config.windowed
        self._conditioning = GatedMlp(weights, "self_conditioning")
        self._conditioning_norm = norm_of(weights, "self_conditioning.pre_norm")
        half = self._windowed.head_dim // 2
        turned = int(half * self._windowed.rotary_share)
        pairs = torch.arange(half, device=self.device) / half
        self._wide_turns = self._windowed.rope_theta**-pairs  # a position, in radians
        self._wide_turns[turned:] = 0.0

    @computed
    @torch.inference_mode()
    def denoise(self, ids: Tensor, before: Tensor | None, cache: Cache) -> Tensor:
        """Return logits (L, V) of a canvas of ids (L,), behind the cache. Keeps nothing.

        `before` are the logits of the step before (L, V), None at the first one.
        """
        x = self.embed(ids)
        if before is not None:
            x = x + self._conditioning(self._conditioning_norm(self._expected(before)), False)
        return self.logits(self.canvas(rms_norm(x, 1.0, self.config.norm_eps), cache))

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores (T, V) of the tokens at each hidden state (T, D), in float32."""
        cap = self.config.logit_cap
        return (super().logits(hidden) / cap).tanh() * cap

    def run(
        self,
        x: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        pasts: Sequence[Past],
        adapted: bool,
        only: Sequence[int] | None = None,
    ) -> Tensor:
        """Run vectors x (1, T, D) that follow all that the pasts hold.

        A token of the context sees a window that ends with it; the canvas, in all of its positions,
        the one that ends where it begins, and all of itself. All are computed, `only` returned.
        """
        known = int(positions[0, 0])
        place = torch.arange(known + x.shape[1])
        end = known if adapted else positions[0][:, None]
        near = (place > end - self._windowed.window).expand(x.shape[1], -1)  # (T, N)
        if mask is not None:
            near = near & mask[0]
            mask = mask[0].to(self.device)
        near, positions = near.to(self.device), positions.to(self.device)
        angles = positions[0][:, None, None] * self._wide_turns  # (T, 1, head_dim / 2)
        wide = (*turns(angles.cos().to(x.dtype), angles.sin().to(x.dtype)), mask)
        narrow = (*turns(self._cos[positions], self._sin[positions]), near)
        for i, (layer, past) in enumerate(zip(self.layers, pasts, strict=True)):
            cos, sin, seen = wide if i in self._windowed.wide else narrow
            x = layer(x, cos, sin, seen, past, adapted)
        return self.norm(x if only is None else at(only, x))

    def _expected(self, logits: Tensor) -> Tensor:
        """Return the mean (L, D) of the tokens' vectors by their probabilities (L, V)."""
        shares = logits.softmax(-1).to(self.dtype)
        mean = shares.new_zeros(len(shares), self.config.width)
        for start in range(0, self.config.vocab_size, _ROWS):
            part = shares[:, start : start + _ROWS]
            ids = torch.arange(start, start + part.shape[1], device=self.device)
            mean += part @ self.embed(ids)
        return mean
