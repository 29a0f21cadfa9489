"""A transformer whose passes are recorded once and replayed.

A pass of a small model is a thousand short kernels, and on a GPU starting them takes longer than
they do; a CUDA graph starts them all at once. What is recorded has fixed shapes and addresses. So
texts that are written lie in the slots of one store, and a pass is rounded up to the next recorded
size with tokens of a slot that nobody reads. S slots of N positions; B sequences of T tokens.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.cache import Cache, Room
from engine.config import CANVAS_BUCKETS
from engine.model import Transformer
from engine.past import Past
from engine.weights import Weights

log = logging.getLogger(__name__)

# Does work whose tensors stay where they are; returns what does it again.
Recorder = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]

SLOTS, POSITIONS = 32, 4096
_STORE_BYTES = 2 << 30  # of a large model's slots there are fewer
_TOKENS = (1, 2, 4, 8, 16, 32, 64)  # of a decoding pass; larger ones run as they come
_HORIZONS = (512, 1024, 2048, 4096)
_WARM_UPS = 2  # libraries choose their kernels in the first runs, which must not be recorded


class CudaGraphs:
    """Records work as CUDA graphs, which share a stream and the memory of what they make between.

    They may, for no two are replayed at once and what one returns is read before the next.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._stream, self._pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def __call__(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Record work; raises RuntimeError where it cannot be, and leaves no stream behind."""
        # A thread has a device of its own, the first, and a capture that fails keeps its stream.
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            self._stream.wait_stream(torch.cuda.default_stream())
            for _ in range(_WARM_UPS):
                work()
            graph = torch.cuda.CUDAGraph()
            # Other threads may be at work: what they do is not recorded, and spoils nothing.
            mode = "thread_local"
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode=mode):
                result = work()
            torch.cuda.default_stream().wait_stream(self._stream)

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay


class RecordedTransformer(Transformer):
    """The same network; what is written behind a cache that was opened runs from recordings."""

    def __init__(
        self, weights: Weights, record: Recorder | None = None, *, slots: int = SLOTS
    ) -> None:
        """Take what records, CUDA graphs unless told otherwise, and how many slots there are."""
        super().__init__(weights)
        c = self.config
        self._positions = min(POSITIONS, c.max_positions)
        numbers = 2 * c.num_layers * c.num_kv_heads * self._positions * c.head_dim
        slots = min(slots, max(1, _STORE_BYTES // (numbers * self.dtype.itemsize)))
        self._free = list(range(slots))
        self._spare = slots  # of tokens that round a pass up
        self._stores: list[Tensor] = []  # (2, S + 1, G, N, head_dim) of each layer, at first use
        self._record = record or CudaGraphs(self.device)
        # None where recording failed: such passes run as they come.
        self._recordings: dict[tuple[int, int, int, bool], _Recording | None] = {}
        self._lock = threading.Lock()

    def opened(self, cache: Cache, capacity: int) -> Cache:
        """Return a copy to write behind, in a slot if one is free and large enough."""
        return self._seated(cache, capacity) or self.copied(cache, capacity)

    def branched(self, cache: Cache) -> Room:
        """Return room for a text behind a cache, in a slot if one is free and large enough."""
        return self._seated(cache, cache.capacity) or super().branched(cache)

    def _seated(self, cache: Cache, capacity: int) -> Cache | None:
        """Return a copy in a slot, None if none is free or it is too small."""
        with self._lock:
            if capacity > self._positions or not self._free:
                return None
            slot = self._free.pop()
            if not self._stores:
                self._make_stores()
        own = Cache([store[:, slot : slot + 1] for store in self._stores], slot)
        weakref.finalize(own, self._free.append, slot)
        own.copy(cache, cache.length)
        return own

    def _make_stores(self) -> None:
        c = self.config
        shape = (2, self._spare + 1, c.num_kv_heads, self._positions, c.head_dim)
        self._stores = [
            torch.zeros(shape, dtype=self.dtype, device=self.device) for _ in self.layers
        ]

    @torch.inference_mode()
    def decode_each(
        self, runs: Sequence[tuple[list[int], Room]], *, adapted: bool = False
    ) -> list[Tensor]:
        """Decode runs behind different caches, those in slots in one pass; their states (T, D)."""
        seated = [run for run in runs if run[1].slot is not None]
        found = self._decoded(seated, adapted) if seated else None
        if found is None:
            return super().decode_each(runs, adapted=adapted)
        others = [run for run in runs if run[1].slot is None]
        left = iter(super().decode_each(others, adapted=adapted) if others else [])
        here = iter(found)
        return [next(left if cache.slot is None else here) for _, cache in runs]

    def _decoded(
        self, runs: Sequence[tuple[list[int], Room]], adapted: bool
    ) -> list[Tensor] | None:
        """Decode runs behind slots; None if such a pass is not recorded."""
        counts = [len(ids) for ids, _ in runs]
        size = next((size for size in _TOKENS if size >= sum(counts)), None)
        if size is None:
            return None
        slots = [cache.slot for ids, cache in runs for _ in ids]
        extra = size - len(slots)
        places = [cache.length + i for ids, cache in runs for i in range(len(ids))] + [0] * extra
        ids = [token for run, _ in runs for token in run] + [0] * extra
        x = self.embed(torch.tensor(ids))[:, None]  # (B, 1, D)
        columns = torch.tensor([slots + [self._spare] * extra, places, places])
        hidden = self._replayed(x, columns[..., None], max(places) + 1, adapted)
        return hidden if hidden is None else list(hidden[: sum(counts), 0].split(counts))

    @torch.inference_mode()
    def canvas(self, x: Tensor, cache: Cache, lengths: Sequence[int] = ()) -> Tensor:
        """Run a canvas, or several of these lengths side by side, adapter on; hidden states (T, D).

        Each sees all of the cache and all of itself, none of the others.
        """
        if lengths or cache.slot is None or len(x) not in CANVAS_BUCKETS:
            return super().canvas(x, cache, lengths)
        end = cache.length + len(x)
        places = torch.arange(cache.length, end)
        columns = torch.stack(
            [torch.full_like(places, cache.slot), places, torch.full_like(places, end - 1)]
        )
        hidden = self._replayed(x[None], columns[:, None], end, adapted=True)
        return super().canvas(x, cache) if hidden is None else hidden[0]

    def _replayed(self, x: Tensor, columns: Tensor, end: int, adapted: bool) -> Tensor | None:
        """Run x (B, T, D) by `columns` (3, B, T): slots, places, and up to where each sees."""
        horizon = next((h for h in _HORIZONS if end <= h < self._positions), self._positions)
        batch, num_tokens, _ = x.shape
        key = batch, num_tokens, horizon, adapted
        with self._lock:
            if key not in self._recordings:
                self._recordings[key] = self._recorded(x, columns, horizon, adapted)
            recording = self._recordings[key]
            return recording and recording(x, columns)

    def _recorded(
        self, x: Tensor, columns: Tensor, horizon: int, adapted: bool
    ) -> _Recording | None:
        try:
            return _Recording(self, x, columns, horizon, adapted)
        except RuntimeError as error:
            log.warning("a pass of %s cannot be recorded: %s", tuple(x.shape), error)
            return None

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
