"""Train the canvas adapter and the draft head: `python -m engine.training --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from engine.adapter import base_of, load_adapter
from engine.catalogue import LocalModel, resolve_local
from engine.config import CANVAS_BUCKETS
from engine.errors import ConfigError, EngineError
from engine.family import Family
from engine.loading import adapter_of, parts_of
from engine.model import Layer, Transformer
from engine.placement import Placed
from engine.tokenizer import Tokenizer
from engine.training import curves, parts
from engine.training.drafts import DraftRecipe, DraftRun
from engine.training.samples import Corpus, Sampler
from engine.training.trainable import rescale
from engine.training.trainer import Recipe, Run
from engine.weights import FloatWeights


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0 done, 1 stopped before the run's end, 2 wrong input."""
    try:
        args = _parser().parse_args(argv)
        return int(args.run(args) or 0)
    except SystemExit as end:  # argparse: it has said why
        return end.code if isinstance(end.code, int) else 2
    except (EngineError, OSError) as error:
        sys.stderr.write(f"training: {error}\n")
        return 2


def _train(args: argparse.Namespace) -> int:
    recipe = Recipe(
        rank=args.rank,
        batch=args.batch,
        max_copies=args.copies,
        learning_rate=args.lr,
        steps=args.steps,
        minutes=args.total_minutes,
        seed=args.seed,
    )
    local, family, model, samplers = _parts(args, args.device, CANVAS_BUCKETS[-1])
    if args.compile:
        # One graph for each shape and for context and canvas; all layers share it.
        torch._dynamo.config.cache_size_limit = 64  # pyright: ignore[reportPrivateUsage]
        Layer.__call__ = torch.compile(Layer.__call__, dynamic=False)
    run = Run(
        model,
        recipe,
        *samplers,
        void=samplers[0].tokenizer.special(family.void),
        folder=args.run_folder,
        base_sha256=base_of(local),
        workers=args.workers,
        compiled=args.compile,
    )
    if args.init:
        run.start_from(args.init)
    is_done = run.slice(args.minutes, log_every=args.log_every, held_samples=args.held)
    return 0 if is_done else 1


def _drafts(args: argparse.Namespace) -> int:
    recipe = DraftRecipe(
        minutes=args.total_minutes,
        inner=args.inner,
        num_tokens=args.tokens,
        learning_rate=args.lr,
        seed=args.seed,
    )
    local, family, model, samplers = _parts(args, "cpu", CANVAS_BUCKETS[-2])
    if adapter := adapter_of(local):
        load_adapter(model, adapter, base_of(local))
    run = DraftRun(
        model,
        recipe,
        *samplers,
        always=[samplers[0].tokenizer.special(name) for name in family.ends],
        folder=args.run_folder,
        base_sha256=base_of(local),
    )
    is_done = run.slice(args.minutes, log_every=args.log_every, held_samples=args.held)
    return 0 if is_done else 1


def _parts(
    args: argparse.Namespace, device: str, max_text: int
) -> tuple[LocalModel, Family, Transformer, list[Sampler]]:
    """Open what a run begins with: the frozen base, and samplers to train on and held out."""
    train, held = (Corpus(args.corpus / f"{name}.jsonl") for name in ("train", "held"))
    local = resolve_local(args.model)
    family = local.entry.family
    if not isinstance(family, Family):
        raise ConfigError(f"{local.entry.name} denoises by itself: there is nothing to train")
    config, tensors, vocabulary = parts_of(local)
    tensors = Placed(tensors, torch.device(device), getattr(torch, args.dtype))
    tokenizer = Tokenizer(vocabulary)
    samplers = [
        Sampler(corpus, tokenizer, family, args.context, max_text, seed)
        for corpus, seed in ((train, args.seed), (held, 0))
    ]
    return local, family, Transformer(FloatWeights(config, tensors)), samplers


def _curves(args: argparse.Namespace) -> None:
    curves.draw(args.log, args.picture)


def _rescale(args: argparse.Namespace) -> None:
    rescale(args.adapter, args.out, args.by)


def _split(args: argparse.Namespace) -> None:
    parts.split(args.file, args.folder, args.mebibytes << 20)


def _join(args: argparse.Namespace) -> None:
    parts.join(args.folder, args.file.name, args.file, args.sha256)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    has_gpu = torch.cuda.is_available()

    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--corpus", type=Path, required=True, help="folder of the corpus builder")
    every.add_argument("--run-folder", type=Path, required=True, help="state, log and what is made")
    every.add_argument("--model", help="the base: a name, a GGUF file or a folder")
    every.add_argument("--minutes", type=float, default=1e6, help="length of this slice")
    every.add_argument("--seed", type=int, default=0)

    train = commands.add_parser(
        "train", parents=[every], help="train an adapter for some minutes; the same goes on"
    )
    train.set_defaults(run=_train)
    train.add_argument("--init", type=Path, help="begin with this adapter's values")
    length = train.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="length of the whole run")
    length.add_argument("--total-minutes", type=float, help="length of the whole run")
    train.add_argument("--device", default="cuda" if has_gpu else "cpu")
    train.add_argument("--dtype", default="bfloat16" if has_gpu else "float32",
                       choices=("bfloat16", "float32"))  # fmt: skip
    train.add_argument("--compile", action="store_true", help="fuse operations (GPU)")
    train.add_argument("--workers", type=int, default=12 if has_gpu else 0)
    train.add_argument("--rank", type=int, default=16)
    train.add_argument("--batch", type=int, default=64 if has_gpu else 4)
    train.add_argument("--copies", type=int, default=8 if has_gpu else 3,
                       help="of a hole; 1: only the next token is learnt")  # fmt: skip
    train.add_argument("--context", type=int, default=1024 if has_gpu else 256, help="tokens")
    train.add_argument("--lr", type=float, default=4e-4)
    train.add_argument("--log-every", type=int, default=10, help="steps")
    train.add_argument("--held", type=int, default=64, help="held-out holes at a slice's end")

    drafts = commands.add_parser(
        "drafts", parents=[every], help="train a draft head for the adapter in use, on the CPU"
    )
    drafts.set_defaults(run=_drafts)
    drafts.add_argument("--total-minutes", type=float, required=True, help="of the whole run")
    drafts.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    drafts.add_argument("--inner", type=int, default=2048, help="width of the head's layer")
    drafts.add_argument("--tokens", type=int, default=8_192, help="that it can guess")
    drafts.add_argument("--context", type=int, default=160, help="tokens")
    drafts.add_argument("--lr", type=float, default=1.5e-3)
    drafts.add_argument("--log-every", type=int, default=20, help="steps")
    drafts.add_argument("--held", type=int, default=60, help="held-out holes at a slice's end")

    picture = commands.add_parser("curves", help="draw a run's log as PNG")
    picture.set_defaults(run=_curves)
    picture.add_argument("log", type=Path)
    picture.add_argument("picture", type=Path)

    scaled = commands.add_parser("rescale", help="weaken or strengthen an adapter")
    scaled.set_defaults(run=_rescale)
    scaled.add_argument("adapter", type=Path)
    scaled.add_argument("out", type=Path)
    scaled.add_argument("--by", type=float, required=True, help="1 changes nothing")

    divide = commands.add_parser("split", help="cut a file into parts")
    divide.set_defaults(run=_split)
    divide.add_argument("file", type=Path)
    divide.add_argument("folder", type=Path)
    divide.add_argument("--mebibytes", type=int, default=15)

    whole = commands.add_parser("join", help="put parts together and check the hash")
    whole.set_defaults(run=_join)
    whole.add_argument("folder", type=Path)
    whole.add_argument("file", type=Path, help="where the whole goes; parts bear its name")
    whole.add_argument("--sha256")
    return parser


if __name__ == "__main__":
    sys.exit(main())
