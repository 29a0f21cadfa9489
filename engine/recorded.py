"""A transformer whose passes are recorded once and replayed.

A pass of a small model is a thousand short kernels, and on a GPU starting them takes longer than
they do; a CUDA graph starts them all at once. What is recorded has fixed shapes and addresses. So
texts that are written lie in the slots of one store, and a pass is rounded up to the next recorded
size with tokens of a slot that nobody reads. S slots of N positions; B sequences of T tokens.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from engine.cache import Cache
from engine.model import Transformer
from engine.past import Past
from engine.weights import Weights

# Does work whose tensors stay where they are; returns what does it again.
Recorder = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]

SLOTS, POSITIONS = 32, 4096
_STORE_BYTES = 2 << 30  # of a large model's slots there are fewer
_TOKENS = (1, 2, 4, 8, 16, 32, 64)  # of a decoding pass; larger ones run as they come
_CANVASES = (16, 32, 64, 128, 256)  # lengths: those of fill.py
_HORIZONS = (512, 1024, 2048, 4096)
_WARM_UPS = 2  # libraries choose their kernels in the first runs, which must not be recorded


def cuda_graph(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record work as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # others may be at work
        result = work()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


class RecordedTransformer(Transformer):
    """The same network; what is written behind a cache that was opened runs from recordings."""

    def __init__(
        self, weights: Weights, record: Recorder = cuda_graph, *, slots: int = SLOTS
    ) -> None:
        super().__init__(weights)
        c = self.config
        self._positions = min(POSITIONS, c.max_positions)
        numbers = 2 * c.num_layers * c.num_kv_heads * self._positions * c.head_dim
        slots = min(slots, max(1, _STORE_BYTES // (numbers * self.dtype.itemsize)))
        self._free = list(range(slots))
        self._spare = slots  # of tokens that round a pass up
        self._record = record
        self._recordings: dict[tuple[int, int, int, bool], _Recording] = {}
        self._lock = threading.Lock()

    @cached_property
    def _stores(self) -> list[Tensor]:
        """Make (2, S + 1, G, N, head_dim) for each layer; not all families write behind caches."""
        c = self.config
        shape = (2, self._spare + 1, c.num_kv_heads, self._positions, c.head_dim)
        return [torch.zeros(shape, dtype=self.dtype, device=self.device) for _ in self.layers]

    def opened(self, cache: Cache) -> Cache:
        """Return a cache to write behind: a copy in a slot, until it is let go."""
        return self.copied(cache)

    def copied(self, cache: Cache) -> Cache:
        """Return a copy to write behind, in a slot if one is free and large enough."""
        if cache.capacity > self._positions:
            return super().copied(cache)
        try:
            slot = self._free.pop()  # requests are in threads: whether one is free is seen here
        except IndexError:
            return super().copied(cache)
        own = Cache([store[:, slot : slot + 1] for store in self._stores], slot)
        weakref.finalize(own, self._free.append, slot)
        own.copy(cache, cache.length)
        return own

    @torch.inference_mode()
    def decode_each(
        self, runs: Sequence[tuple[list[int], Cache]], *, adapted: bool = False
    ) -> list[Tensor]:
        """Decode runs behind different caches in one pass; hidden states (T, D) of each."""
        counts = [len(ids) for ids, _ in runs]
        size = next((size for size in _TOKENS if size >= sum(counts)), None)
        slots = [cache.slot for ids, cache in runs if cache.slot is not None for _ in ids]
        if size is None or len(slots) < sum(counts):
            return super().decode_each(runs, adapted=adapted)
        extra = size - len(slots)
        places = [cache.length + i for ids, cache in runs for i in range(len(ids))] + [0] * extra
        ids = [token for run, _ in runs for token in run] + [0] * extra
        x = self.embed(torch.tensor(ids))[:, None]  # (B, 1, D)
        columns = torch.tensor([slots + [self._spare] * extra, places, places])
        hidden = self._replayed(x, columns[..., None], max(places) + 1, adapted)
        return list(hidden[: sum(counts), 0].split(counts))

    @torch.inference_mode()
    def canvas(self, x: Tensor, cache: Cache, lengths: Sequence[int] = ()) -> Tensor:
        """Run a canvas, or several of these lengths side by side, adapter on; hidden states (T, D).

        Each sees all of the cache and all of itself, none of the others.
        """
        if lengths or cache.slot is None or len(x) not in _CANVASES:
            return super().canvas(x, cache, lengths)
        end = cache.length + len(x)
        places = torch.arange(cache.length, end)
        columns = torch.stack(
            [torch.full_like(places, cache.slot), places, torch.full_like(places, end - 1)]
        )
        return self._replayed(x[None], columns[:, None], end, adapted=True)[0]

    def _replayed(self, x: Tensor, columns: Tensor, end: int, adapted: bool) -> Tensor:
        """Run x (B, T, D) by `columns` (3, B, T): slots, places, and up to where each sees."""
        horizon = next((h for h in _HORIZONS if end <= h < self._positions), self._positions)
        batch, num_tokens, _ = x.shape
        key = batch, num_tokens, horizon, adapted
        with self._lock:
            if key not in self._recordings:
                self._recordings[key] = _Recording(self, x, columns, horizon, adapted)
            return self._recordings[key](x, columns)

    def record(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Record work over this model."""
        return self._record(work)

    def pasts(self, slots: Tensor, places: Tensor, horizon: int) -> list[Past]:
        """Return each layer's part of slots (B,), for tokens at places (B, T)."""
        return [_Slots(store, slots, places, horizon) for store in self._stores]


class _Recording:
    """One recorded pass, and the places its input is put in."""

    def __init__(
        self,
        model: RecordedTransformer,
        x: Tensor,
        columns: Tensor,
        horizon: int,
        adapted: bool,
    ) -> None:
        """Record with a first input, which is run, too."""
        self._x, self._columns = x.clone(), columns.to(model.device)

        def work() -> Tensor:
            slots, places, last = self._columns
            mask = torch.arange(horizon, device=model.device) <= last[..., None]
            pasts = model.pasts(slots[:, 0], places, horizon)
            return model.run(self._x, places, mask, pasts, adapted)

        self._replay = model.record(work)

    def __call__(self, x: Tensor, columns: Tensor) -> Tensor:
        """Return hidden states (B, T, D), which the next replay does not touch."""
        self._x.copy_(x)
        self._columns.copy_(columns)
        return self._replay().clone()


class _Slots(Past):
    """One layer's keys and values of several slots, some of which a pass puts in their places."""

    def __init__(self, store: Tensor, slots: Tensor, places: Tensor, horizon: int) -> None:
        self._store, self._slots, self._places = store, slots, places  # (2, S, G, N, ·), (B,), …
        self._horizon = horizon

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take the pass's own (B, G, T, head_dim); return those up to the horizon."""
        for store, new in zip(self._store, (key, value), strict=True):
            store[self._slots[:, None], :, self._places] = new.transpose(1, 2)
        keys, values = self._store[:, self._slots, :, : self._horizon]
        return keys, values
