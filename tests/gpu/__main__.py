"""Check the engine on a GPU against the CPU, and measure it: `python -m tests.gpu`.

    python -m tests.gpu [--device cuda] [--contexts 256,1024,3840] [--holes 8,32,128]
                        [--batches 1,32] [--no-large] [--out RESULTS.json]

The default model in bfloat16 must know what it knows in float32 on the CPU; its recorded passes
must agree with those that run as they come. Then the table: a context that is kept, and holes
written a token a pass, so that no text's luck is in it. At last seven billion random weights of
Dream's shape. `--device cpu` rehearses all of it, without graphs and with small numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.adapter import load_adapter
from engine.catalogue import resolve_local
from engine.checkpoint import Checkpoint
from engine.config import Precision
from engine.control import Control
from engine.errors import EngineError
from engine.loading import shipped_adapter
from engine.model import Transformer
from engine.placement import CPU, ready_device
from engine.prefix_cache import PrefixCache
from engine.recorded import RecordedTransformer
from engine.tokenizer import Tokenizer
from engine.weights import weights_of
from tests.gpu import large, writing
from tests.gpu.timing import bandwidth, seconds

TEXT = Path(__file__).parents[2] / "engine" / "model.py"
MAX_LOSS = 1.02  # times the loss on the CPU in float32
MIN_AGREEMENT = 0.95  # of likeliest tokens


def main(arguments: list[str] | None = None) -> int:
    """Run it all; return 1 if a check failed, 2 for wrong input."""
    parser = argparse.ArgumentParser(prog="tests.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", help="a GGUF file of the default model's shape")
    parser.add_argument("--contexts", default="256,1024,3840")
    parser.add_argument("--holes", default="8,32,128")
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--large", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    os.environ["DIFFILL_DEVICE"] = args.device
    try:
        device = ready_device()
        local = resolve_local(args.model)
    except EngineError as error:
        sys.stderr.write(f"tests.gpu: {error}\n")
        return 2
    checkpoint = Checkpoint(local.path)
    tokenizer = Tokenizer(checkpoint.vocabulary())
    ids = tokenizer.encode(TEXT.read_text("utf-8"))

    def build(precision: Precision, device: torch.device) -> Transformer:
        weights = weights_of(checkpoint.config, checkpoint.tensors(), precision, device)
        record = None if device.type == "cuda" else _again
        plain = device == CPU and precision is Precision.FLOAT32
        model = Transformer(weights) if plain else RecordedTransformer(weights, record)
        if adapter := shipped_adapter(local):
            load_adapter(model, adapter, local.entry.sha256)
        return model

    rate = bandwidth(device)
    print(f"{device}, {_name(device)}, {rate / 1e9:.0f} GB/s")
    model = build(Precision.BFLOAT16, device)
    checks = [_knowledge(build(Precision.FLOAT32, CPU), model, ids[:400]), _recordings(model, ids)]
    numbers = [
        [int(n) for n in each.split(",")] for each in (args.contexts, args.holes, args.batches)
    ]
    rows = writing.table(model, ids, *numbers, rate)
    del model
    found = large.table(device, rate) if args.large else []
    if args.out:
        about = {"device": _name(device), "bytes_s": rate, "checks": checks}
        args.out.write_text(
            json.dumps(about | {"writing": rows, "large": found}, indent=1), "utf-8"
        )
    failed = [check for check in checks if not check["ok"]]
    for check in failed:
        sys.stderr.write(f"tests.gpu: failed: {check}\n")
    return int(bool(failed))


def _knowledge(reference: Transformer, model: Transformer, ids: list[int]) -> dict[str, object]:
    """Compare what two models make of a text: the loss a token, and the likeliest tokens."""
    targets = torch.tensor(ids[1:])
    losses, guesses = [], []
    for each in (reference, model):
        cache = PrefixCache(each).encoded(ids[:1], len(ids), Control())
        logits = each.logits(each.encode(ids[1:-1], cache)).cpu()
        losses.append(float(F.cross_entropy(logits, targets[1:])))
        guesses.append(logits.argmax(-1))
    agreement = float((guesses[0] == guesses[1]).float().mean())
    print(f"loss {losses[0]:.4f} in float32 on the CPU, {losses[1]:.4f} here; "
          f"{agreement:.1%} of likeliest tokens are the same")  # fmt: skip
    ok = losses[1] <= MAX_LOSS * losses[0] and agreement >= MIN_AGREEMENT
    return {"ok": ok, "losses": losses, "agreement": agreement}


def _recordings(model: Transformer, ids: list[int]) -> dict[str, object]:
    """Compare recorded passes with those that run as they come, and time both.

    Each recording is made with one input and compared with others: of other texts, lengths and
    numbers, and by another thread than the one that made it.
    """
    contexts = [PrefixCache(model).encoded(ids[:n], n + 80, Control()) for n in (300, 200, 480)]
    plain = [model.copied(cache, cache.capacity) for cache in contexts]
    runs = [[ids[300:304]], [ids[200:202], ids[480:481]], [ids[7:9], ids[20:22]]]
    worst = 0.0
    with ThreadPoolExecutor(1) as other:
        for adapted in (False, True):
            for first, some in enumerate(runs):
                found, expected = (
                    model.decode_each(
                        list(zip(some, caches[first:] + caches[:first], strict=False)),
                        adapted=adapted,
                    )
                    for caches in (contexts, plain)
                )
                worst = max(worst, *map(_difference, found, expected))
        for seed, (cache, same) in enumerate(zip(contexts, plain, strict=True)):
            x = model.embed(torch.tensor(ids[seed : seed + 64]))
            found = other.submit(model.canvas, x, cache).result()
            worst = max(worst, _difference(found, model.canvas(x, same)))
    times = [
        seconds(lambda c=cache: model.decode(ids[300:301], c, adapted=True), model.device)
        for cache in (plain[0], contexts[0])
    ]
    print(f"recorded passes differ by {worst:.1e} of the hidden states; "
          f"a token takes {1e3 * times[1]:.2f} ms recorded, {1e3 * times[0]:.2f} not")  # fmt: skip
    return {"ok": worst < 0.02, "difference": worst, "seconds": times}


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def _again(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record nothing: do the work anew."""
    work()
    return work


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "rehearsal"


if __name__ == "__main__":
    sys.exit(main())
