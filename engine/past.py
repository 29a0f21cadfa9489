"""What a pass attends to besides its own tokens, layer by layer.

B sequences, T tokens of a pass, N earlier and new ones, G key/value heads, R query heads on each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def attention(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attend in the type in which keys and values are kept; `mask` comes in it.

    The query heads (B, G, R, T, head_dim) that share a key head are laid along the query axis: no
    key (B, G, N, head_dim) is repeated.
    """
    laid = query.flatten(2, 3).to(keys.dtype)
    found = F.scaled_dot_product_attention(laid, keys, values, attn_mask=mask)
    return found.to(query.dtype).view(query.shape)


class Past(ABC):
    """What one layer has seen before a pass."""

    @abstractmethod
    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take the pass's own (B, G, T, head_dim); return earlier and own ones (B, G, N, ·)."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Return what queries (B, G, R, T, head_dim) find; `mask` (B, 1, R T, N) is added."""
        keys, values = self.extend(key, value)
        return attention(query, keys, values, mask)


class NoPast(Past):
    """A pass that sees itself alone, and of which nothing is kept."""

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return what it gets."""
        return key, value


class SideBySide(Past):
    """Several pasts, each with its share of the B sequences; none sees another's."""

    def __init__(self, pasts: Sequence[Past], shares: Sequence[int]) -> None:
        """Take how many sequences each past has."""
        self._pasts, self._shares = pasts, list(shares)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse: pasts of different lengths make no tensor."""
        raise NotImplementedError("attend, instead")

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attend share by share, in the very shapes that each would have alone."""
        assert mask is not None
        columns = [x.split(self._shares) for x in (query, key, value, mask)]
        parts = zip(self._pasts, *columns, strict=True)
        return torch.cat([past.attend(q, k, v, m) for past, q, k, v, m in parts])
