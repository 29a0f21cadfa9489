"""Measure each technique of denoising, on and off: `python -m tests.benchmarks.denoising`.

The model is the toy of the repository, which sees a text whole and fills several holes at once
(tests/support/toy_checkpoint). Right edits of all cases, and forward calls for each.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch

from engine.catalogue import resolve_local
from engine.config import EFFORTS, DenoiseConfig, Pacing
from engine.loading import editor_on, load_model
from engine.protocol import Effort
from tests.support import joint_filling, toy_language

TOY = Path(__file__).parents[1] / "support" / "toy_checkpoint"
DEFAULT = DenoiseConfig()
ONE_BY_ONE = replace(DEFAULT, commit_threshold=1.0, max_revisions=0)
TECHNIQUES = {
    "one token a step": ONE_BY_ONE,
    "threshold 0.95": replace(DEFAULT, commit_threshold=0.95, max_revisions=0),
    "threshold 0.9": replace(DEFAULT, max_revisions=0),
    "threshold 0.7": replace(DEFAULT, commit_threshold=0.7, max_revisions=0),
    "threshold 0.5": replace(DEFAULT, commit_threshold=0.5, max_revisions=0),
    "factor 1": replace(DEFAULT, pacing=Pacing.FACTOR, max_revisions=0),
    "factor 0.5": replace(DEFAULT, pacing=Pacing.FACTOR, factor=0.5, max_revisions=0),
    "entropy 0.1": replace(DEFAULT, pacing=Pacing.ENTROPY, max_revisions=0),
    "entropy 0.4": replace(DEFAULT, pacing=Pacing.ENTROPY, entropy_bound=0.4, max_revisions=0),
    "0.9, revising": DEFAULT,
    "0.5, revising": replace(DEFAULT, commit_threshold=0.5),
    "0.5, revoking": replace(DEFAULT, commit_threshold=0.5, revoke_threshold=0.3),
    "0.9, finish at 3": replace(DEFAULT, finish_gap=3.0, max_revisions=0),
    "0.9, credit": replace(DEFAULT, credit=0.7, max_revisions=0),
    "0.9, guided by syntax": replace(DEFAULT, guided=True, max_revisions=0),
    "0.5, two repairs": replace(DEFAULT, commit_threshold=0.5, repairs=2, max_revisions=0),
    "0.9, two repairs": replace(DEFAULT, repairs=2, max_revisions=0),
}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.denoising", description=__doc__)
    parser.add_argument("--cases", type=int, default=100, help="of each kind")
    args = parser.parse_args()
    torch.set_num_threads(1)
    local = resolve_local(str(TOY))
    model, tokenizer = load_model(local, lambda message, fraction: None, None, "float32")
    editor = editor_on(model, tokenizer, local.entry.family)
    kinds = {kind: toy_language.cases(kind, args.cases) for kind in toy_language.KINDS}
    print(f"| right of {args.cases} (calls) | " + " | ".join(kinds) + " |")
    print("| --- |" + " --: |" * len(kinds))
    for name, config in TECHNIQUES.items():
        effort = replace(EFFORTS[Effort.BALANCED], denoise=config, repair_rounds=0)
        with patch.dict(EFFORTS, {Effort.BALANCED: effort}):
            seen = [joint_filling.score(editor, cases, "together") for cases in kinds.values()]
        print(f"| {name} | " + " | ".join(f"{r} ({c:.1f})" for r, c in seen) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
