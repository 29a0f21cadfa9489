"""The names of what is compared, and the arguments that choose; loads nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

FIXED_TOKENS = 64
# From left to right: the frozen base, which is the autoregressive floor, and with the adapter, a
# token a pass or drafts of the context checked in one.
CAUSAL = ("base", "sequential", "verified")
# A canvas denoised: of a length found by growing; of FIXED_TOKENS, of the length that looks best at
# first sight, of the true length.
DENOISED = ("fixed", "probed", "oracle")
MODES = (*CAUSAL, "parallel", *DENOISED)
HALVES = ("dev", "held")  # of edit tasks: those to tune on, and those to be judged by
REWRITE = "rewrite"  # what edit tasks are done by


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what an evaluation takes; the module and `diffill eval` share it."""
    parser.add_argument(
        "cases",
        nargs="*",
        type=Path,
        metavar="CASES.jsonl.gz",
        help="files of HumanEval-Infilling; their tests run in bubblewrap",
    )
    parser.add_argument(
        "--functions",
        action="store_true",
        help="instead of their holes: all that each tested function does, from its `pass`",
    )
    parser.add_argument(
        "--held",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.jsonl",
        help="sources to make holes in: package, path, text",
    )
    parser.add_argument(
        "--edits",
        action="append",
        default=[],
        type=Path,
        metavar="TASKS.toml",
        help="edit tasks to do by instruction; a folder stands for its *.toml",
    )
    parser.add_argument("--half", choices=HALVES, help="of the edit tasks only these")
    parser.add_argument(
        "--mode",
        type=_modes,
        metavar="A,B,…",
        help=f"of {', '.join(MODES)} (default: all that the adapter allows)",
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="at most N cases a set")
    parser.add_argument("--seed", type=_natural, default=0, help="which cases, and what is drawn")
    parser.add_argument("--effort", choices=("quick", "balanced", "thorough"), default="balanced")
    parser.add_argument(
        "--deadline", type=_positive, metavar="SECONDS", help="for one edit (default: the effort's)"
    )
    parser.add_argument("--raw", action="store_true", help="first drafts: no gate, no second try")
    parser.add_argument("--adapter", metavar="FILE", help="instead of the shipped one; or none")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("diffill-eval"),
        metavar="DIR",
        help="for predictions.jsonl, from which a killed run goes on, and report.md",
    )
    parser.add_argument("--model", help="a name of `diffill model list`, or a GGUF file")


def _modes(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    if unknown := [name for name in names if name not in MODES]:
        raise argparse.ArgumentTypeError(
            f"no mode {', '.join(unknown)}: there are {', '.join(MODES)}"
        )
    return names


def _positive(value: str) -> int:
    number = _natural(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return number


def _natural(value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{value} is less than 0")
    return number
