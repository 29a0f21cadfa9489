"""Keys and values of the context, in one buffer that later passes write behind.

A canvas pass or a drafted run leaves its keys past `length`; they count only once `length` moves
over them, and the next pass overwrites what was not kept. So canvas, draft and sequential decoding
share one cache, and dropping a rejected draft costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.config import ModelConfig


class Cache:
    """Room for `capacity` tokens of one sequence, of which `length` are valid."""

    def __init__(
        self, config: ModelConfig, capacity: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (config.num_layers, 2, 1, config.num_kv_heads, capacity, config.head_dim)
        self._store = torch.empty(shape, dtype=dtype, device=device)
        self.capacity = capacity
        self.length = 0

    def layer(self, index: int) -> LayerCache:
        """Return one layer's part."""
        return LayerCache(self._store[index], self.length)

    @property
    def num_bytes(self) -> int:
        """Memory taken, used or not."""
        return self._store.nbytes

    def copy(self, other: Cache, num_tokens: int) -> None:
        """Take over the first `num_tokens` of another cache."""
        self._store[..., :num_tokens, :] = other._store[..., :num_tokens, :]
        self.length = num_tokens

    def keep(self, num_tokens: int) -> None:
        """Make the first `num_tokens` of the last pass part of the context."""
        assert self.length + num_tokens <= self.capacity
        self.length += num_tokens


class LayerCache:
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
