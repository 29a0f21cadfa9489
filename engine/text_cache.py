"""Keys and values of a text that is seen whole, any part of which can be computed again.

The vectors of such a text depend on all of it, so what is kept is only as right as it is recent.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model import Transformer
from engine.past import Past


class TextCache:
    """Keys and values of `length` positions; what no pass has computed yet must not be read."""

    def __init__(self, model: Transformer, length: int) -> None:
        c = model.config
        shape = (c.num_layers, 2, c.num_kv_heads, length, c.head_dim)
        self._model = model
        self._store = torch.empty(shape, dtype=model.dtype, device=model.device)

    def at(self, places: Tensor) -> list[Past]:
        """Return each layer's part, for a pass over the tokens at `places` (T,)."""
        places = places.to(self._model.device)
        return [_Places(layer, places) for layer in self._store]

    def move(self, source: Tensor) -> None:
        """Let position i hold what position source[i] held, its keys turned to the new place.

        For layer inputs that stay as they are this is exact, because rotary positions are relative.
        """
        by = torch.arange(len(source)) - source
        there = source.to(self._model.device)
        keys, values = self._store[:, :, :, there].unbind(1)  # (layers, G, N, head_dim)
        self._store = torch.stack([self._model.turned(keys, by), values], 1)


class _Places(Past):
    """One layer's keys and values, some of which a pass puts in their places."""

    def __init__(self, store: Tensor, places: Tensor) -> None:
        self._store, self._places = store, places  # (2, G, N, head_dim), (T,)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take the pass's own (1, G, T, head_dim); return all (1, G, N, head_dim)."""
        self._store[0, :, self._places] = key[0]
        self._store[1, :, self._places] = value[0]
        return self._store[:1], self._store[1:]
