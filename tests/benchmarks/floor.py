"""The floor of a forward pass: what the machine needs for it at the least.

It is the longer of two times: its bytes (weights, adapter and the cache it reads) over the memory
bandwidth, and its multiplications over the rate of the int8 kernel on a matrix that stays in the
processor's cache; both rates are measured in the same run, on the same threads.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from engine.int8 import CentredProduct, Int8Weight, product_of
from engine.model import Transformer
from engine.prefix_cache import PASS

_RUNS = 7


@dataclass(frozen=True, slots=True)
class Rates:
    """What the machine can do, a second."""

    bytes_s: float
    multiplications_s: float


def measured_rates() -> Rates:
    """Measure them, on all threads."""
    return Rates(_bandwidth(), _int8_rate())


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time of some runs after one that is not counted."""
    times: list[float] = []
    for _ in range(_RUNS + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def _bandwidth() -> float:
    """Return the bytes a second that all threads read together from memory."""
    buffer = torch.ones(128 << 20)  # half a gigabyte: no cache holds it
    return buffer.nbytes / _seconds(buffer.amax)


def _int8_rate() -> float:
    """Return the multiplications a second of the int8 kernel at its best: many rows at once."""
    product = product_of(Int8Weight.of(torch.randn(4096, 1024)))
    x = torch.rand(256, 1024)
    if isinstance(product, CentredProduct):
        x = (255 * x).to(torch.uint8)
    return 256 * 4096 * 1024 / _seconds(lambda: product.kernel(x))


class Floor:
    """The floors of an int8 model's passes on a machine, in seconds."""

    def __init__(self, model: Transformer, rates: Rates) -> None:
        c = model.config
        qkv = c.width * (c.num_heads + 2 * c.num_kv_heads) * c.head_dim
        layer = qkv + c.num_heads * c.head_dim * c.width + 3 * c.width * c.mlp_width
        self._layers = c.num_layers * layer  # parameters, a byte each
        self._head = c.width * c.vocab_size
        self._adapter = _adapter_bytes(model)
        cache = model.new_cache(1)
        self._token = cache.num_bytes
        self._rates = rates

    def context(self, num_tokens: int, known: int = 0) -> float:
        """Return the floor of encoding tokens behind known ones, in the passes the engine makes."""
        return sum(
            self._pass(known + start, min(PASS, num_tokens - start), self._layers, 0)
            for start in range(0, num_tokens, PASS)
        )

    def decoding(self, known: int, num_tokens: int = 1, *, adapted: bool = True) -> float:
        """Return the floor of a pass that decodes tokens behind known ones."""
        extra = self._adapter if adapted else 0
        return self._pass(known, num_tokens, self._layers + self._head, extra)

    def answer(self, context: int, forward_calls: int, steps: int, *, adapted: bool) -> float:
        """Return the floor of an answer whose engine told how many passes it made.

        Of the calls, `steps` decoded, each a token at least; the others encoded contexts.
        """
        passes = min(forward_calls - steps, -(-context // PASS))
        encoded = min(context, passes * PASS)
        encoding = self.context(encoded, context - encoded)
        return encoding + steps * self.decoding(context, adapted=adapted)

    def _pass(self, known: int, num_tokens: int, matrices: int, extra: int) -> float:
        memory = matrices + extra + (known + num_tokens) * self._token
        products = num_tokens * matrices
        return max(memory / self._rates.bytes_s, products / self._rates.multiplications_s)


def _adapter_bytes(model: Transformer) -> int:
    """Return the bytes of the low-rank updates, without the zeros beside those that are joined."""
    updates = [
        update
        for layer in model.layers
        for linear in (layer.qkv, layer.out, layer.mlp.gate_up, layer.mlp.down)
        if (update := linear.update) is not None
    ]
    return sum(u.down.nbytes + int(u.up.count_nonzero()) * u.up.itemsize for u in updates)
