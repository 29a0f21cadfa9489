"""Keys and values of the context, in one buffer that later passes write behind.

A canvas pass or a drafted run leaves its keys past `length`; they count only once `length` moves
over them, and the next pass overwrites what was not kept. So canvas, draft and sequential decoding
share one cache, and dropping a rejected draft costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import BLOCK, ModelConfig
from engine.past import Past, attention


class Room:
    """Room for `capacity` tokens of one sequence, of which `length` are valid, to decode behind."""

    slot: int | None = None  # its place in a larger store

    def __init__(self, stores: Sequence[Tensor]) -> None:
        """Take (2, 1, G, capacity, head_dim) for each layer."""
        self._store = stores
        self.capacity = stores[0].shape[3]
        self.length = 0

    def one_by_one(self, index: int) -> OneByOne:
        """Return one layer's part for tokens that are run each by itself."""
        return OneByOne(self._store[index], self.length)

    def keep(self, num_tokens: int) -> None:
        """Make the first `num_tokens` of the last pass part of the context."""
        assert self.length + num_tokens <= self.capacity
        self.length += num_tokens


class Cache(Room):
    """Room that can be encoded and copied as well."""

    def __init__(self, stores: Sequence[Tensor], slot: int | None = None) -> None:
        """Take (2, 1, G, capacity, head_dim) for each layer; `slot` is theirs in a larger store."""
        super().__init__(stores)
        self.slot = slot
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

    def branch(self) -> Branch:
        """Return room for a text behind what is valid now; several can be decoded in one pass.

        They share this cache's memory, so nothing else may be written to it meanwhile.
        """
        return Branch(self._store, self.length)

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

    @contextmanager
    def cut_back(self, length: int, num_tokens: int) -> Generator[None]:
        """Cut it to `length` tokens while so many are written behind; then undo all that."""
        whole, part = self.length, slice(length, length + num_tokens)
        aside = [store[..., part, :].clone() for store in self._store]
        self.length = length
        try:
            yield
        finally:
            for store, own in zip(self._store, aside, strict=True):
                store[..., part, :] = own
            self.length = whole

    def note(self, place: int, state: Tensor) -> None:
        """Remember the hidden state of a token, of one at a time."""
        self._noted = (place, state)

    def state_at(self, place: int) -> Tensor | None:
        """Return the hidden state of a token, None if it was not noted."""
        return self._noted[1] if self._noted and self._noted[0] == place else None


class Branch(Room):
    """A text behind what it shares with others: only its own tokens take memory of their own."""

    def __init__(self, stores: Sequence[Tensor], length: int) -> None:
        """Go on behind the first `length` tokens of what a cache holds."""
        super().__init__(stores)
        self.length = self._fork = length
        self._own = [store[..., :0, :] for store in stores]

    def one_by_one(self, index: int) -> OneByOne:
        """Return one layer's part for tokens that are run each by itself."""
        return OnBranch(self._store[index], self.length, self._own, index, self._fork)


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

    Each token sees what is before it. `masks`, by number of tokens, is the same for all layers of a
    pass, which the first fills; one mask for all of a pass would be as large as anything in it.
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
            found[:, :, :, start:stop] = attention(
                part, keys[:, :, :seen], values[:, :, :seen], self._mask(part, keys, seen)
            )
        return found

    def _mask(self, query: Tensor, keys: Tensor, seen: int) -> Tensor | None:
        """Return what is added to a block's scores (R T, seen), None for a block of one token."""
        heads, num_tokens = query.shape[2:4]
        if num_tokens == 1:
            return None
        if num_tokens not in self._masks:
            after = keys.new_full((num_tokens, num_tokens), -torch.inf).triu(1)
            mask = F.pad(after, (keys.shape[2] - num_tokens, 0)).repeat(heads, 1)
            self._masks[num_tokens] = mask
        return self._masks[num_tokens][:, -seen:]  # what hides something is at its end


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


class OnBranch(OneByOne):
    """The same where others lay their texts: a branch's own is laid there before it is read.

    So the shapes, and the rounding, are those of a cache that holds all of it.
    """

    def __init__(
        self, store: Tensor, length: int, own: list[Tensor], index: int, fork: int
    ) -> None:
        """Take the memory shared, and of each layer what is the branch's `own`, from `fork` on."""
        super().__init__(store, length)
        self._own, self._index, self._fork = own, index, fork

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put (T, G, 1, head_dim) behind the valid ones; return (T, G, capacity, head_dim)."""
        own = self._own[self._index][..., : self._length - self._fork, :]
        self._store[..., self._fork : self._length, :] = own
        found = super().extend(key, value)
        end = self._length + len(key)
        self._own[self._index] = self._store[..., self._fork : end, :].clone()
        return found


def block_end(place: int) -> int:
    """Return where the block of a position ends."""
    return place // BLOCK * BLOCK + BLOCK
