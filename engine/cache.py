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
        shape = (config.num_layers, 2, config.num_kv_heads, capacity, config.head_dim)
        self._store = torch.empty(shape, dtype=dtype, device=device)
        self.capacity = capacity
        self.length = 0

    def write(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put keys and values behind the valid ones; return all up to and including them.

        Takes and returns (G, T, head_dim), where the T returned starts at position 0.
        """
        end = self.length + key.shape[1]
        store = self._store[layer]
        store[0, :, self.length : end] = key
        store[1, :, self.length : end] = value
        return store[0, :, :end], store[1, :, :end]

    def keep(self, num_tokens: int) -> None:
        """Make the first `num_tokens` of the last pass part of the context."""
        assert self.length + num_tokens <= self.capacity
        self.length += num_tokens
