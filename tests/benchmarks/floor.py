"""How far a forward pass is from what the machine could do: measured time over its floor.

    python -m tests.benchmarks.floor [--known 512] [--json OUT] [--chart OUT.png]

The floor of a pass is the longer of two times: its bytes (weights, adapter and the cache it reads)
over the memory bandwidth, and its multiplications over the rate of the int8 kernel on a matrix that
stays in the processor's cache; both are measured first, in the same run, on the same threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.catalogue import resolve_local
from engine.linear import Int8Linear, Int8Weight
from engine.loading import load_model, shipped_adapter
from engine.model import Transformer

TOKENS = (1, 2, 4, 8, 16, 32, 64, 256)
_RUNS = 7


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of some runs after one that is not counted."""
    times: list[float] = []
    for _ in range(_RUNS + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def bandwidth() -> float:
    """Return the bytes a second that all threads read together from memory."""
    buffer = torch.ones(128 << 20)  # half a gigabyte: no cache holds it
    return buffer.nbytes / seconds(buffer.amax)


def int8_rate() -> float:
    """Return the multiplications a second of the int8 kernel at its best: many rows at once."""
    linear = Int8Linear(Int8Weight.of(torch.randn(1024, 1024)))
    x = torch.rand(256, 1024)
    kernel = torch.ops.quantized.linear_dynamic
    packed, reduced = linear._packed, linear._reduce_range
    return 256 * 1024 * 1024 / seconds(lambda: kernel(x, packed, reduced))


def weights_of(model: Transformer) -> tuple[int, int]:
    """Return the parameters of the layers' matrices and of the head, a byte each."""
    c = model.config
    qkv = c.width * (c.num_heads + 2 * c.num_kv_heads) * c.head_dim
    layer = qkv + c.num_heads * c.head_dim * c.width + 3 * c.width * c.mlp_width
    return c.num_layers * layer, c.width * c.vocab_size


def adapter_bytes(model: Transformer) -> int:
    """Return the bytes of the low-rank updates."""
    updates = [
        update
        for layer in model.layers
        for linear in (layer.qkv, layer.out, layer.mlp.gate_up, layer.mlp.down)
        if (update := linear.update) is not None
    ]
    return sum(u.down.nbytes + sum(up.nbytes for up in u.ups) for u in updates)


def table(known: int) -> dict[str, Any]:
    """Measure passes behind `known` tokens, print them with their floors, return the figures."""
    local = resolve_local(None)
    model, _ = load_model(local, lambda message, fraction: None, shipped_adapter(local))
    bytes_s, macs_s = bandwidth(), int8_rate()
    print(
        f"{torch.get_num_threads()} threads, {known} tokens known; memory "
        f"{bytes_s / 1e9:.1f} GB/s, int8 {macs_s / 1e9:.0f} G multiplications/s\n"
    )
    cache = model.new_cache(known + TOKENS[-1])
    ids = [1000 + i % 5000 for i in range(known + TOKENS[-1])]
    if known:
        model.encode(ids[:known], cache)
        cache.keep(known)
    layers, head = weights_of(model)
    token_bytes = cache.num_bytes // cache.capacity
    rows: list[dict[str, float]] = []
    print("| tokens | pass | floor ms: memory | multiplications | measured ms | over floor |")
    print("|--:|---|--:|--:|--:|--:|")
    for count in TOKENS:
        is_context = count > 32

        def run(count: int = count, is_context: bool = is_context) -> None:
            tokens = ids[known : known + count]
            if is_context:
                model.encode(tokens, cache)
            else:
                model.logits(model.decode(tokens, cache, adapted=True))

        matrices = layers if is_context else layers + head
        extra = 0 if is_context else adapter_bytes(model)
        memory = (matrices + extra + (known + count) * token_bytes) / bytes_s
        products = count * matrices / macs_s
        took = seconds(run)
        floor = max(memory, products)
        rows.append({"tokens": count, "memory": memory, "products": products, "seconds": took})
        print(
            f"| {count} | {'context' if is_context else 'decoding'} | {1e3 * memory:.1f} "
            f"| {1e3 * products:.1f} | {1e3 * took:.1f} | {took / floor:.2f} |",
            flush=True,
        )
    return {"known": known, "bytes_s": bytes_s, "multiplications_s": macs_s, "passes": rows}


def chart(report: dict[str, Any], path: Path) -> None:
    """Draw measured times and floors against the tokens of a pass."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    tokens = [row["tokens"] for row in report["passes"]]
    for key, label, style in (
        ("seconds", "measured", "o-"),
        ("memory", "floor: bytes over bandwidth", "--"),
        ("products", "floor: multiplications over int8 rate", ":"),
    ):
        axes.plot(tokens, [1e3 * row[key] for row in report["passes"]], style, label=label)
    axes.set(xscale="log", yscale="log", xlabel="tokens of a pass", ylabel="milliseconds")
    axes.set_xticks(tokens, [str(t) for t in tokens])
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--known", type=int, default=512, help="tokens in the cache")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--chart", type=Path, help="draw them here (extra `training`)")
    args = parser.parse_args()
    report = table(args.known)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1), "utf-8")
    if args.chart:
        chart(report, args.chart)


if __name__ == "__main__":
    main()
