"""Encoded contexts, kept from request to request: a key stroke encodes only what it changed.

A context attends to nothing behind it, so its keys and values serve every text that starts with the
same tokens (prefix caching by blocks, as in vLLM, arXiv:2309.06180). Kernels round differently for
passes of different lengths, and int8 layers make much of it; so a context is always encoded in the
same blocks, and what was kept never changes an answer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from threading import Lock, get_ident

from engine.cache import Cache
from engine.config import BLOCK
from engine.control import Control
from engine.model import Transformer

# Tokens of one pass, where that is as good as a pass for each block. A cancel waits for a pass at
# most, and a key stroke encodes its whole block again.
PASS = 4 * BLOCK
# Caches are made a little larger than asked for, so that a growing text need not move every time.
_ROOM = 256
DEFAULT_MB = 128


@dataclass(frozen=True, slots=True)
class _Kept:
    """A cache whose first positions hold `ids`; `thread` asked for it and may still write to it."""

    ids: list[int]
    cache: Cache
    thread: int


class PrefixCache:
    """The contexts of the last requests, up to a number of mebibytes, the oldest dropped first."""

    def __init__(self, model: Transformer, megabytes: int = DEFAULT_MB) -> None:
        self._model = model
        self._budget = megabytes << 20
        self._token_bytes = model.new_cache(1).num_bytes
        self._pass, self._block = (PASS, BLOCK) if model.is_by_token else (BLOCK, None)
        self._lock = Lock()
        self._kept: list[_Kept] = []  # the last used at the end

    def encoded(
        self, ids: Sequence[int], capacity: int, control: Control, place: int | None = None
    ) -> Cache:
        """Return a cache that holds `ids` and has room for `capacity` tokens in all.

        It is the calling thread's until its next call: others may copy what stands in front. What
        was encoded before a cancel is kept. The hidden state of the token at `place` is noted, if
        one is given, unless that token was encoded for a text that asked for another one's.

        Raises:
            EngineError: Cancelled or DeadlineExceeded, by `control`.
        """
        wanted = list(ids)
        with self._lock:
            cache = self._begun(wanted, capacity)
        try:
            while cache.length < len(wanted):
                control.check()
                start = cache.length
                tokens = wanted[start : start + self._pass]
                only = [i for i in range(len(tokens)) if start + i == place]
                states = self._model.encode(tokens, cache, block=self._block, only=only)
                for i, state in zip(only, states, strict=True):
                    cache.note(start + i, state)
                cache.keep(len(tokens))
                control.forward_calls += 1
        finally:
            with self._lock:
                self._keep(_Kept(wanted[: cache.length], cache, get_ident()))
        return self._model.opened(cache, capacity)

    @contextmanager
    def cut_back(self, cache: Cache, length: int, num_tokens: int) -> Generator[None]:
        """Cut a cache to `length` tokens while so many are written behind; nobody can copy it."""
        with self._lock:
            kept = [kept for kept in self._kept if kept.cache is cache]
            self._kept = [kept for kept in self._kept if kept.cache is not cache]
        try:
            with cache.cut_back(length, num_tokens):
                yield
        finally:
            with self._lock:
                for own in kept:
                    self._keep(own)

    def _begun(self, wanted: list[int], capacity: int) -> Cache:
        """Return a cache that holds as much of `wanted` as is known, by whole blocks."""
        nearest = max(self._kept, key=lambda kept: _worth(kept, wanted), default=None)
        if nearest is None:
            return self._new(capacity)
        usable, is_own, shared = _worth(nearest, wanted)
        # One that mostly agrees is this text a moment ago: its place is taken. Another, that only
        # starts alike, stays, and so does one that another thread may be writing behind.
        is_older = is_own and 2 * shared >= len(nearest.ids)
        if is_older:
            self._kept.remove(nearest)
        alike = nearest.cache if is_older or usable else None
        del nearest  # it may have to go
        if alike is None:
            return self._new(capacity)
        if is_older and alike.capacity >= capacity:
            alike.cut(usable)
            return alike
        cache = self._new(capacity)
        cache.copy(alike, usable)
        return cache

    def _new(self, capacity: int) -> Cache:
        """Make a cache a little roomier, but not past the positions that the model knows.

        What is dropped for it goes first, so that it can have that memory.
        """
        roomy = min(-(-capacity // _ROOM) * _ROOM, self._model.config.max_positions)
        self._drop(coming=roomy * self._token_bytes)
        return self._model.new_cache(roomy)

    def _keep(self, kept: _Kept) -> None:
        self._kept.append(kept)
        self._drop()

    def _drop(self, coming: int = 0) -> None:
        """Let go of the oldest until the others have room, with so many bytes that are coming."""
        total = coming + sum(kept.cache.num_bytes for kept in self._kept)
        while self._kept and total > self._budget:
            total -= self._kept.pop(0).cache.num_bytes


def _worth(kept: _Kept, wanted: Sequence[int]) -> tuple[int, bool, int]:
    """Return how many tokens of it can be used, if it is this thread's, and how many agree.

    In the order that counts: each thread goes on with its own rather than copy another's.
    """
    shared = _num_shared(kept.ids, wanted)
    usable = shared if kept.ids == wanted else shared // BLOCK * BLOCK
    return usable, kept.thread == get_ident(), shared


def _num_shared(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
