"""Train the toy model: a text seen whole, a few hundred thousand parameters, minutes on a CPU.

    python -m tests.benchmarks.toy_model FOLDER [--steps 4000] [--seed 0]

It learns to fill holes in the language of `tests/support/toy_language.py`, several at once, each
with an end and a tail of end tokens behind it. FOLDER becomes a checkpoint as Tiny-A2D's are
published (`diffill fill FILE --model FOLDER`).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from engine.config import ModelConfig
from engine.model import Transformer
from engine.past import NoPast
from engine.weights import FloatWeights
from tests.support import tiny, toy_language

END, MASK = 256, 257
CONFIG = ModelConfig(
    num_layers=4,
    width=64,
    num_heads=4,
    num_kv_heads=4,
    head_dim=16,
    mlp_width=160,
    vocab_size=258,
    rope_theta=10_000.0,
    norm_eps=1e-5,
    max_positions=4096,
    tied_embedding=True,
)
_SHORT_TEXTS = 0.6  # share of the steps
_TAIL_WEIGHT = 1.5  # all of a tail together, in tokens


def sizes() -> dict[str, tuple[int, ...]]:
    """Return the sizes of all parameters, under our names."""
    width, mlp, vocab = CONFIG.width, CONFIG.mlp_width, CONFIG.vocab_size
    made: dict[str, tuple[int, ...]] = {
        "embed_tokens": (vocab, width),
        "norm": (width,),
        "lm_head": (vocab, width),
    }
    parts = dict.fromkeys(("input_layernorm", "post_attention_layernorm"), (width,))
    parts |= dict.fromkeys((f"self_attn.{p}_proj" for p in "qkvo"), (width, width))
    parts |= dict.fromkeys(("mlp.gate_proj", "mlp.up_proj"), (mlp, width))
    parts["mlp.down_proj"] = (width, mlp)
    for part, size in parts.items():
        made |= {f"layers.{i}.{part}": size for i in range(CONFIG.num_layers)}
    return {f"{name}.weight": size for name, size in made.items()}


def parameters(seed: int) -> dict[str, torch.Tensor]:
    """Return new parameters under our names, trainable."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, size in sizes().items():
        if len(size) == 1:
            tensor = torch.ones(size)
        else:
            tensor = torch.randn(size, generator=generator) / math.sqrt(size[1])
        made[name] = tensor.requires_grad_()
    made.pop("embed_tokens.weight")  # the rows of the head
    return made


Sample = tuple[list[int], list[int], list[float]]


def sample(rng: random.Random, blocks: int) -> Sample:
    """Draw a text with holes: its ids, what they should be, and the weight of each position."""
    kinds = rng.choices(toy_language.KINDS, (1, 1, 2), k=rng.randint(1, blocks))
    text = "".join(toy_language.marked(rng, kinds))
    share = rng.choice((0.2, 0.5, 0.9))
    ids, truth, weight = [END], [END], [0.0]
    for piece in re.split("(«.*?»)", text):
        is_hole = piece.startswith("«") and rng.random() < share
        plain = list(piece.strip("«»").encode())
        if not is_hole:
            ids += plain
            truth += plain
            weight += [0.0] * len(plain)
            continue
        length = 8 if rng.random() < 0.7 else rng.choice((4, 6, 12, 16, 32))
        tail = length - len(plain)
        shown = rng.choice((0, 0, 1, rng.randint(0, tail)))  # of the tail, from behind
        shown = tail if shown == 1 else shown
        rate = rng.random() if rng.random() < 0.8 else 1.0
        masked = [rng.random() < rate for _ in plain] + [i < tail - shown for i in range(tail)]
        whole = plain + [END] * tail
        ids += [MASK if m else token for m, token in zip(masked, whole, strict=True)]
        truth += whole
        each = _TAIL_WEIGHT / max(tail, 4)
        weight += [0.0 if not m else 1.0 if i < len(plain) else each for i, m in enumerate(masked)]
    return ids, truth, weight


def batches(rng: random.Random, steps: int, size: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield batches, each of samples of about one length; first texts of a single block."""
    for step in range(0, steps, 8):
        blocks = 1 if step < _SHORT_TEXTS * steps else 3
        rows = [sample(rng, blocks) for _ in range(8 * size)]
        rows = sorted((row for row in rows if any(row[2])), key=lambda row: len(row[0]))
        starts = [i * len(rows) // 8 for i in range(8)]
        rng.shuffle(starts)
        for start in starts[: steps - step]:
            yield collated(rows[start : start + len(rows) // 8])


def collated(rows: Sequence[Sample]) -> tuple[torch.Tensor, ...]:
    """Return ids, truth and weights (B, T), and which positions are there (B, T)."""
    longest = max(len(ids) for ids, _, _ in rows)

    def padded(values: list, filler: float) -> torch.Tensor:
        return torch.tensor([[*v, *[filler] * (longest - len(v))] for v in values])

    columns = list(zip(*rows, strict=True))
    there = padded([[True] * len(ids) for ids in columns[0]], False)
    return padded(columns[0], END), padded(columns[1], END), padded(columns[2], 0.0), there


def train(folder: Path, steps: int, seed: int, size: int = 32) -> dict[str, torch.Tensor]:
    """Train and return the parameters; prints how it goes, and writes what there is so far."""
    rng, made = random.Random(seed), parameters(seed)
    matrices = [p for p in made.values() if p.dim() > 1]
    vectors = [p for p in made.values() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    began, seen, hits, count = time.monotonic(), 0.0, 0, 0
    for step, (ids, truth, weight, there) in enumerate(batches(rng, steps, size)):
        warm = min(1.0, step / 200)
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)
        model = Transformer(FloatWeights(CONFIG, made))  # its fused matrices are made of these
        positions = torch.arange(ids.shape[1])[None]
        mask = there[:, None].expand(-1, ids.shape[1], -1)
        hidden = model.run(
            model.embed(ids), positions, mask, [NoPast()] * CONFIG.num_layers, adapted=False
        )
        at = weight > 0
        logits = model.head(hidden[at])
        losses = F.cross_entropy(logits, truth[at], reduction="none")
        loss = (losses * weight[at]).sum() / weight.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(made.values()), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seen += float(loss.detach())
        text = truth[at] != END
        hits += int((logits.argmax(-1) == truth[at])[text].sum())
        count += int(text.sum())
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            left = minutes * (steps / (step + 1) - 1)
            print(
                f"step {step + 1}/{steps}  loss {seen / 100:.3f}  right {hits / count:.3f}  "
                f"{minutes:.1f} min, {left:.1f} to go",
                flush=True,
            )
            seen, hits, count = 0.0, 0, 0
            write(folder, made)
    write(folder, made)
    return made


def write(folder: Path, made: dict[str, torch.Tensor]) -> None:
    """Write a checkpoint folder in bfloat16, as Tiny-A2D's are published."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "a2d-llama",
        "num_hidden_layers": CONFIG.num_layers,
        "hidden_size": CONFIG.width,
        "num_attention_heads": CONFIG.num_heads,
        "num_key_value_heads": CONFIG.num_kv_heads,
        "head_dim": CONFIG.head_dim,
        "intermediate_size": CONFIG.mlp_width,
        "vocab_size": CONFIG.vocab_size,
        "rope_theta": CONFIG.rope_theta,
        "rms_norm_eps": CONFIG.norm_eps,
        "max_position_embeddings": CONFIG.max_positions,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    tensors = {
        f"model.{name.replace('lm_head', 'embed_tokens')}": t.detach().to(torch.bfloat16)
        for name, t in made.items()
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    tokens = {token: i for i, token in enumerate(tiny.byte_characters())}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": name, "special": True, "normalized": False}
            | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
            for name, number in (("<|endoftext|>", END), ("<|mask|>", MASK))
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level | {"trim_offsets": False},
        "post_processor": None,
        "decoder": byte_level | {"trim_offsets": False},
        "model": {"type": "BPE", "vocab": tokens, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")


def main() -> int:
    """Train and write."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.toy_model", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    made = train(args.folder, args.steps, args.seed)
    count = sum(p.numel() for p in made.values())
    size = (args.folder / "model.safetensors").stat().st_size
    print(f"{args.folder}: {count:,} parameters, {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
