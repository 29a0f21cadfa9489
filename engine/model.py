"""A pre-norm transformer (Qwen2, Llama and kin) with an explicit cache and a switchable adapter.

Token ids and places are the host's, and what comes out stays on the model's device.

B sequences, T tokens of a pass, N earlier and new tokens, D width, H heads, G key/value heads, V
vocabulary. Decoding runs one sequence, training many. Several canvases go side by side in one
pass, kept apart by the mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.cache import Cache, Room, block_end
from engine.computing import computed
from engine.draft_head import DraftHead
from engine.int8 import Int8Linear, multiplies_bfloat16
from engine.linear import Linear, LowRank
from engine.mlp import ExpertsMlp, mlp_of
from engine.norm import norm_of, rms_norm
from engine.past import NoPast, Past, SideBySide, attention
from engine.weights import Weights


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions (arXiv:2104.09864), halves layout, to x (B, T, H, head_dim).

    `cos` and `sin`, by `turns`, are as wide as the part of each head that is rotated.
    """
    width = cos.shape[-1]
    if width < x.shape[-1]:
        return torch.cat([rotate(x[..., :width], cos, sin), x[..., width:]], -1)
    return torch.addcmul(x * cos, x.roll(width // 2, -1), sin)  # (a, b) * cos + (b, a) * sin


def turns(cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `rotate` takes to turn pairs (a, b) by angles of these (..., width / 2)."""
    return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


class Layer:
    """One decoder layer; projections that share their input are computed as one."""

    def __init__(self, index: int, weights: Weights) -> None:
        def fused(*names: str) -> Linear:
            return weights.linear([f"layers.{index}.{name}" for name in names])

        self.config = weights.config
        self.norm1 = norm_of(weights, f"layers.{index}.input_layernorm")
        self.norm2 = norm_of(weights, f"layers.{index}.post_attention_layernorm")
        self.qk_norm: Tensor | None = None  # (H + G, head_dim)
        if self.config.qk_norm:
            query, key = (
                weights.vector(f"layers.{index}.self_attn.{part}_norm.weight") for part in "qk"
            )
            heads, kv_heads = self.config.num_heads, self.config.num_kv_heads
            self.qk_norm = torch.cat([query.expand(heads, -1), key.expand(kv_heads, -1)])
        self.qkv = fused("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        self.out = fused("self_attn.o_proj")
        self.mlp = mlp_of(weights, index)

    def adapt(self, updates: Mapping[str, LowRank]) -> None:
        """Attach low-rank updates, keyed by projection (`self_attn.q_proj`, …)."""
        self.qkv.adapt(LowRank.side_by_side([updates[f"self_attn.{p}_proj"] for p in "qkv"]))
        self.out.adapt(updates["self_attn.o_proj"])
        self.mlp.adapt(updates)

    def __call__(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: Past, adapted: bool
    ) -> Tensor:
        """Map x (B, T, D) to (B, T, D); `mask` as `Transformer.run` lays it out."""
        q, k, v = self._heads(x, cos, sin, adapted)
        return self._rest(x, past.attend(q, k, v, mask), adapted)

    def only(
        self, places: Sequence[int], x: Tensor, cos: Tensor, sin: Tensor, past: Past, adapted: bool
    ) -> Tensor:
        """Show x (B, T, D) to later passes; map the tokens at `places` alone, each causally."""
        q, k, v = self._heads(x, cos, sin, adapted)
        keys, values = past.extend(k, v)
        if not places:
            return x[:, :0]
        ends = [keys.shape[2] - x.shape[1] + place + 1 for place in places]
        found = [
            attention(q[:, :, :, [place]], keys[:, :, :end], values[:, :, :end], None)
            for place, end in zip(places, ends, strict=True)
        ]
        return self._rest(at(places, x), torch.cat(found, 3), adapted)

    def _heads(
        self, x: Tensor, cos: Tensor, sin: Tensor, adapted: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries (B, G, R, T, head_dim), R for each key head, and keys and values."""
        c = self.config
        h = self.qkv(self.norm1(x), adapted).unflatten(-1, (-1, c.head_dim))
        qk = h[:, :, : c.num_heads + c.num_kv_heads]
        if self.qk_norm is not None:
            qk = rms_norm(qk, self.qk_norm, c.norm_eps)
        if c.rotary_dim:
            qk = rotate(qk, cos, sin)
        q, k = qk.split((c.num_heads, c.num_kv_heads), 2)
        v = h[:, :, c.num_heads + c.num_kv_heads :]
        q = q.unflatten(2, (c.num_kv_heads, -1)).permute(0, 2, 3, 1, 4)
        return q, k.transpose(1, 2), v.transpose(1, 2)

    def _rest(self, x: Tensor, found: Tensor, adapted: bool) -> Tensor:
        """Go on from what was found (B, G, R, T, head_dim)."""
        found = found.permute(0, 3, 1, 2, 4).reshape(*x.shape[:2], -1)
        x = x + self.out(found, adapted)
        return x + self.mlp(self.norm2(x), adapted)


class Transformer:
    """The network: vectors and a cache in, hidden states out; `logits` reads them."""

    def __init__(self, weights: Weights, layer: type[Layer] = Layer) -> None:
        self.config = config = weights.config
        self.layers = [layer(i, weights) for i in range(config.num_layers)]
        self.norm = norm_of(weights, "norm")
        self.head = weights.linear(["lm_head"])
        first = self.layers[0]
        # Whether what the layers make of a token is the same to the bit in any company.
        self.is_by_token = (
            type(first) is Layer
            and all(isinstance(x, Int8Linear) for x in (first.qkv, first.out))
            and all(
                not isinstance(each.mlp, ExpertsMlp) and isinstance(each.mlp.down, Int8Linear)
                for each in self.layers
            )
        )
        self._embedding = weights.embedding()
        self.mask_vector: Tensor | None = None  # (D,): what a masked position looks like
        self.draft_head: DraftHead | None = None
        self.device, self.dtype = self.norm.weight.device, self.norm.weight.dtype
        # Next to 8 bits everywhere else these 16 lose little: see LOG.md, 2026-11-29.
        has_both = self.is_by_token and multiplies_bfloat16()
        self.cache_dtype = torch.bfloat16 if has_both else self.dtype
        self._places: Tensor | None = None  # (positions, D): learned, added to what is embedded
        if not config.rotary_dim:
            self._places = weights.vector("embed_positions.weight")
        half = torch.arange(0, config.rotary_dim, 2, dtype=torch.float32) / config.rotary_dim
        places = torch.arange(config.max_positions) / config.rope_scale
        angles = torch.outer(places, config.rope_theta**-half)
        self._cos = angles.cos().to(self.device, self.dtype)[:, None]  # (positions, 1, head_dim/2)
        self._sin = angles.sin().to(self.device, self.dtype)[:, None]

    @property
    def has_adapter(self) -> bool:
        """Whether an adapter is attached, that is, whether masked canvases can be read."""
        return self.mask_vector is not None

    def new_cache(self, capacity: int) -> Cache:
        """Make room for one sequence."""
        return Cache.new(self.config, capacity, self.cache_dtype, self.device)

    def opened(self, cache: Cache, capacity: int) -> Cache:
        """Return a cache to write behind, up to `capacity` tokens in all: here, itself."""
        return cache

    def copied(self, cache: Cache, capacity: int) -> Cache:
        """Return another cache, of `capacity` tokens in all, which holds what this one does."""
        own = self.new_cache(capacity)
        own.copy(cache, cache.length)
        return own

    def branched(self, cache: Cache) -> Room:
        """Return room for a text behind a cache, to be decoded beside others."""
        return cache.branch()

    def embed(self, ids: Tensor) -> Tensor:
        """Return the vectors (T, D) of token ids (T,)."""
        x = self._embedding(ids.to(self.device))
        return x if self.config.embedding_scale == 1.0 else x * self.config.embedding_scale

    @computed
    @torch.inference_mode()
    def encode(
        self,
        ids: list[int],
        cache: Cache,
        *,
        adapted: bool = False,
        block: int | None = None,
        only: Sequence[int] | None = None,
    ) -> Tensor:
        """Run tokens causally behind the cache; return hidden states (T, D). Keeps nothing.

        They attend in blocks of `block`, None: all together; if the model `is_by_token`, the result
        is that of a pass for each block, to the bit. `only` are the places of those whose states
        are returned, None: all; these are rounded otherwise, what later passes see is the same.
        """
        num_tokens, known = len(ids), cache.length
        mask = None
        if num_tokens > 1 and block is None:  # a single token sees everything
            place = torch.arange(known + num_tokens)
            mask = (place[None] <= place[known:, None])[None]
        x, places = self.embed(torch.tensor(ids)), place_of(known, num_tokens)
        pasts = self._pasts(cache) if block is None else cache.block_by_block(block)
        return self.run(x[None], places[None], mask, pasts, adapted, only)[0]

    def decode(self, ids: list[int], cache: Cache, *, adapted: bool = False) -> Tensor:
        """Run a few tokens causally behind the cache; hidden states (T, D). Keeps nothing.

        Unlike with `encode`, a token's result is the same to the bit alone and in company, so that
        a drafted run ends in the text that one token a pass would have given.
        """
        return self.decode_each([(ids, cache)], adapted=adapted)[0]

    @computed
    @torch.inference_mode()
    def decode_each(
        self, runs: Sequence[tuple[list[int], Room]], *, adapted: bool = False
    ) -> list[Tensor]:
        """Decode runs behind different caches in one pass; hidden states (T, D) of each."""
        counts = [len(ids) for ids, _ in runs]
        places = [place_of(cache.length, n) for n, (_, cache) in zip(counts, runs, strict=True)]
        places = torch.cat(places)[:, None]  # (T, 1): T sequences of one token
        mask = torch.arange(block_end(int(places.max()))) <= places
        pasts: list[Past] = []
        for i in range(len(self.layers)):
            own = [cache.one_by_one(i) for _, cache in runs]
            pasts.append(own[0] if len(own) == 1 else SideBySide(own, counts))
        x = self.embed(torch.tensor([token for run, _ in runs for token in run]))[:, None]
        return list(self.run(x, places, mask[:, None], pasts, adapted)[:, 0].split(counts))

    @computed
    @torch.inference_mode()
    def canvas(self, x: Tensor, cache: Cache, lengths: Sequence[int] = ()) -> Tensor:
        """Run a canvas, or several of these lengths side by side, adapter on; hidden states (T, D).

        Each sees all of the cache and all of itself, none of the others.
        """
        mask = None
        if lengths:
            own = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
            mask = F.pad(own[:, None] == own[None], (cache.length, 0), value=True)
        positions = [place_of(cache.length, length) for length in lengths or [len(x)]]
        return self._behind(cache, x, torch.cat(positions), mask, adapted=True)

    @computed
    @torch.inference_mode()
    def in_blocks(self, ids: Tensor, cache: Cache, size: int) -> Tensor:
        """Run token ids (T,) behind the cache; hidden states (T, D). Keeps nothing.

        Each sees all blocks so far and all of its own, of `size` tokens from the first position.
        """
        known = cache.length
        block = torch.arange(known + len(ids)) // size
        mask = block[None] <= block[known:, None]
        return self._behind(cache, self.embed(ids), place_of(known, len(ids)), mask, adapted=False)

    def whole(self, ids: Tensor) -> Tensor:
        """Run token ids (T,) each of which sees all the others; hidden states (T, D)."""
        return self.among(ids, place_of(0, len(ids)), [NoPast()] * len(self.layers))

    @computed
    @torch.inference_mode()
    def among(self, ids: Tensor, places: Tensor, pasts: Sequence[Past]) -> Tensor:
        """Run token ids (T,) that stand at `places` (T,) and see all their pasts hold; (T, D)."""
        return self.run(self.embed(ids)[None], places[None], None, pasts, adapted=False)[0]

    def turned(self, keys: Tensor, by: Tensor) -> Tensor:
        """Move keys (B, G, T, head_dim) on by (T,) positions: rotary ones turn by an angle."""
        by = by.to(self.device)
        cos, sin = self._cos[by.abs()], self._sin[by.abs()] * by.sign()[:, None, None]
        return rotate(keys.transpose(1, 2), *turns(cos, sin)).transpose(1, 2)

    @computed
    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores (T, V) of the next token at each hidden state (T, D), in float32."""
        return self.head(hidden).float()

    def run(
        self,
        x: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        pasts: Sequence[Past],
        adapted: bool,
        only: Sequence[int] | None = None,
    ) -> Tensor:
        """Run vectors x (B, T, D) at positions (B or 1, T) behind each layer's past.

        `mask` (B or 1, T, N) tells what each token sees, None: everything. Gradients flow. States
        are returned of all tokens or of those at `only`, where all see what is before them alone.
        """
        positions = positions.to(self.device)
        if mask is not None:  # repeated as the queries of one key head are, see Layer
            mask = mask.repeat(1, self.config.num_heads // self.config.num_kv_heads, 1)[:, None]
            # As what is added to the scores: made once here, not in every layer.
            mask = torch.zeros_like(mask, dtype=self.cache_dtype).masked_fill_(~mask, -torch.inf)
            mask = mask.to(self.device)
        if self._places is not None:
            x = x + self._places[positions]
        cos, sin = turns(self._cos[positions], self._sin[positions])
        for layer, past in zip(self.layers, pasts, strict=True):
            if only is not None and layer is self.layers[-1]:
                x = layer.only(only, x, cos, sin, past, adapted)
            else:
                x = layer(x, cos, sin, mask, past, adapted)
        return self.norm(x)

    def _behind(
        self, cache: Cache, x: Tensor, positions: Tensor, mask: Tensor | None, adapted: bool
    ) -> Tensor:
        mask = None if mask is None else mask[None]
        return self.run(x[None], positions[None], mask, self._pasts(cache), adapted)[0]

    def _pasts(self, cache: Cache) -> list[Past]:
        return [cache.layer(i) for i in range(len(self.layers))]


def at(places: Sequence[int], x: Tensor) -> Tensor:
    """Return some tokens of x (B, T, D), by slices, which no device has to be told of."""
    return torch.cat([x[:, :0], *(x[:, place : place + 1] for place in places)], 1)


def place_of(start: int, count: int) -> Tensor:
    """Return the positions of `count` tokens that follow `start` others."""
    return torch.arange(start, start + count)
