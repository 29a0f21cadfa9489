"""Keys and values of the context, in one buffer that later passes write behind.

A canvas pass or a drafted run leaves its keys past `length`; they count only once `length` moves
over them, and the next pass overwrites what was not kept. So canvas, draft and sequential decoding
share one cache, and dropping a rejected draft costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import BLOCK, ModelConfig
from engine.past import Past, attention


class Cache:
    """Room for `capacity` tokens of one sequence, of which `length` are valid."""

    def __init__(self, stores: Sequence[Tensor], slot: int | None = None) -> None:
        """Take (2, 1, G, capacity, head_dim) for each layer; `slot` is theirs in a larger store."""
        self._store, self.slot = stores, slot
        self.capacity = stores[0].shape[3]
        self.length = 0
        self._noted: tuple[int, Tensor] | None = None

    @classmethod
    def new(
        cls, config: ModelConfig, capacity: int, dtype: torch.dtype, device: torch.device
    ) -> Cache:
        """Make room for a sequence."""
        sizes = [
            (2, 1, kv_heads, capacity, head_dim)
            for kv_heads, head_dim in map(config.heads_of, range(config.num_layers))
        ]
        # One piece of memory: one for each layer would leave gaps when they are given back. Zeros:
        # `OneByOne` multiplies what is not written yet, by nothing.
        counts = [math.prod(size) for size in sizes]
        parts = torch.zeros(sum(counts), dtype=dtype, device=device).split(counts)
        return cls([part.view(size) for part, size in zip(parts, sizes, strict=True)])

    def layer(self, index: int) -> LayerCache:
        """Return one layer's part."""
        return LayerCache(self._store[index], self.length)

    def block_by_block(self, size: int) -> list[Past]:
        """Return all layers' parts for a pass of blocks of `size` tokens."""
        masks: dict[int, Tensor] = {}
        return [BlockByBlock(store, self.length, size, masks) for store in self._store]

    def one_by_one(self, index: int) -> OneByOne:
        """Return one layer's part for tokens that are run each by itself."""
        return OneByOne(self._store[index], self.length)

    @property
    def num_bytes(self) -> int:
        """Memory taken, used or not."""
        return sum(store.nbytes for store in self._store)

    def copy(self, other: Cache, num_tokens: int) -> None:
        """Take over the first `num_tokens` of another cache."""
        for own, theirs in zip(self._store, other._store, strict=True):
            own[..., :num_tokens, :] = theirs[..., :num_tokens, :]
        self._noted = other._noted
        self.cut(num_tokens)

    def cut(self, num_tokens: int) -> None:
        """Forget all but the first `num_tokens`."""
        self.length = num_tokens
        if self._noted and self._noted[0] >= num_tokens:
            self._noted = None

    def note(self, place: int, state: Tensor) -> None:
        """Remember the hidden state of a token, of one at a time."""
        self._noted = (place, state)

    def state_at(self, place: int) -> Tensor | None:
        """Return the hidden state of a token, None if it was not noted."""
        return self._noted[1] if self._noted and self._noted[0] == place else None

    def keep(self, num_tokens: int) -> None:
        """Make the first `num_tokens` of the last pass part of the context."""
        assert self.length + num_tokens <= self.capacity
        self.length += num_tokens


class LayerCache(Past):
    """One layer's keys and values; a pass goes behind the first `length`."""

    def __init__(self, store: Tensor, length: int) -> None:
        self._store, self._length = store, length  # (2, 1, G, capacity, head_dim)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put keys and values behind the valid ones; return all up to and including them.

        Takes and returns (1, G, T, head_dim), where the T returned starts at position 0.
        """
        end = self._length + key.shape[2]
        self._store[0, :, :, self._length : end] = key
        self._store[1, :, :, self._length : end] = value
        return self._store[0, :, :, :end], self._store[1, :, :, :end]


class BlockByBlock(LayerCache):
    """One layer's keys and values; a pass attends in blocks, each as if it were a pass of its own.

    Each token sees what is before it. `masks` is the same for all layers of a pass, which the first
    fills; one mask for all of a pass would be as large as anything in it.
    """

    def __init__(self, store: Tensor, length: int, size: int, masks: dict[int, Tensor]) -> None:
        super().__init__(store, length)
        self._size, self._masks = size, masks

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attend block by block; queries (1, G, R, T, head_dim)."""
        num_tokens = query.shape[3]
        keys, values = self.extend(key, value)
        # As the next product reads it: token by token.
        found = torch.empty_like(query.permute(0, 3, 1, 2, 4)).permute(0, 2, 3, 1, 4)
        for start in range(0, num_tokens, self._size):
            stop = min(start + self._size, num_tokens)
            part, seen = query[:, :, :, start:stop], self._length + stop
            if stop - start > 1 and start not in self._masks:
                self._masks[start] = _causal(stop - start, seen, keys).repeat(query.shape[2], 1)
            found[:, :, :, start:stop] = attention(
                part, keys[:, :, :seen], values[:, :, :seen], self._masks.get(start)
            )
        return found


def _causal(num_tokens: int, seen: int, like: Tensor) -> Tensor:
    """Return what is added to the scores (T, N) of the last `num_tokens` of all that are seen."""
    after = torch.full((num_tokens, num_tokens), -torch.inf, dtype=like.dtype, device=like.device)
    return F.pad(after.triu(1), (seen - num_tokens, 0))


class OneByOne(Past):
    """One layer's keys and values for T tokens in a row, run side by side as T sequences of one.

    Each reads up to the end of its block, and the mask hides what comes after it. So the shape of
    what attention computes for a token, and so the rounding, is the same whatever runs beside it.
    """

    def __init__(self, store: Tensor, length: int) -> None:
        self._store, self._length = store, length  # (2, 1, G, capacity, head_dim)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put (T, G, 1, head_dim) behind the valid ones; return (T, G, capacity, head_dim)."""
        end = self._length + len(key)
        self._store[0, 0, :, self._length : end] = key[:, :, 0].transpose(0, 1)
        self._store[1, 0, :, self._length : end] = value[:, :, 0].transpose(0, 1)
        keys, values = self._store.expand(-1, len(key), -1, -1, -1)
        return keys, values

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attend with those of a block together; queries (T, G, R, 1, head_dim)."""
        assert mask is not None
        keys, values = self.extend(key, value)
        found: list[Tensor] = []
        start = 0
        while start < len(query):
            seen = min(block_end(self._length + start), keys.shape[2])
            part = slice(start, min(seen - self._length, len(query)))
            found.append(
                attention(
                    query[part],
                    keys[part, :, :seen],
                    values[part, :, :seen],
                    mask[part, ..., :seen],
                )
            )
            start = part.stop
        return found[0] if len(found) == 1 else torch.cat(found)


def block_end(place: int) -> int:
    """Return where the block of a position ends."""
    return place // BLOCK * BLOCK + BLOCK
