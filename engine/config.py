"""The engine's settings: model shapes, family switches, and what each effort stands for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.errors import ConfigError
from engine.protocol import EditRequest, Effort


class Decoding(StrEnum):
    """How the first try at a hole is decoded; further tries are always decoded causally."""

    BASE = "base"  # one token a pass, adapter off: the frozen base's own fill-in-the-middle
    SEQUENTIAL = "sequential"  # one token a pass, with the adapter if there is one
    VERIFIED = "verified"  # fewer passes: the context drafts, one pass checks a run
    PARALLEL = "parallel"  # denoise a canvas; needs the adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The shape of a dense pre-norm decoder (Qwen2 and Llama): D wide, H heads, G key/value heads.

    Raises:
        ConfigError: if the sizes do not fit each other.
    """

    num_layers: int
    width: int  # D
    num_heads: int  # H
    num_kv_heads: int  # G
    head_dim: int
    mlp_width: int
    vocab_size: int  # V
    rope_theta: float
    norm_eps: float
    max_positions: int
    tied_embedding: bool  # tokens are embedded with the rows of the output matrix
    qk_norm: bool = False  # queries and keys are normalised, each head by itself (Qwen3)

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ConfigError(
                f"num_heads is {self.num_heads}, not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim is {self.head_dim}: rotary embedding needs an even one")


class Scoring(StrEnum):
    """What makes one masked position come before another."""

    CONFIDENCE = "confidence"  # the likeliest token's probability (LLaDA; Dream's maskgit_plus)
    MARGIN = "margin"  # how far it is above the second one (Dream's topk_margin)
    ENTROPY = "entropy"  # how little all the others together weigh (Dream's entropy)


class Pacing(StrEnum):
    """How many positions a step commits."""

    THRESHOLD = "threshold"  # all that are sure enough, at least one
    EVEN = "even"  # the same number every step (LLaDA)
    TIMESTEPS = "timesteps"  # as time runs from 1 to nearly 0 (Dream)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoiseConfig:
    """How a canvas is denoised; thresholds are probabilities.

    The defaults are ours. The published samplers are `pacing` other than by threshold, with so many
    `steps` for each block, and no revisions.

    Raises:
        ConfigError: if a threshold is not within 0 to 1, or a count is too small.
    """

    scoring: Scoring = Scoring.CONFIDENCE
    pacing: Pacing = Pacing.THRESHOLD
    steps: int = 64  # of a block, unless the pacing is by threshold
    block_length: int | None = None  # denoise so many positions at a time, from the left
    commit_threshold: float = 0.9  # Fast-dLLM's rule, arXiv:2505.22618: at least one token a step
    revise_threshold: float = 0.9  # a committed token gives way to another one surer than this
    max_revisions: int = 1  # of one position: no cycle can keep the loop busy
    max_steps: int = 256

    def __post_init__(self) -> None:
        for name in ("commit_threshold", "revise_threshold"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}, not within 0 to 1")
        for name, least in (
            ("max_revisions", 0),
            ("max_steps", 1),
            ("steps", 1),
            ("block_length", 1),
        ):
            if (value := getattr(self, name)) is not None and value < least:
                raise ConfigError(f"{name} is {value}, less than {least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """When a text that is seen whole is computed again, all of it or only about its holes.

    Its vectors depend on what the holes hold, so to keep them is an approximation: the dual cache
    of Fast-dLLM (arXiv:2505.22618) with a vicinity. `every=1` keeps nothing and is exact.

    Raises:
        ConfigError: if a number is out of its bounds.
    """

    every: int  # passes, of which the first computes everything
    changed: float = 0.25  # or as soon as more than this share of the holes' tokens changed
    vicinity: int = 16  # tokens on each side of a hole that every pass computes

    def __post_init__(self) -> None:
        if self.every < 1 or self.vicinity < 0 or not 0.0 <= self.changed <= 1.0:
            raise ConfigError(f"not a way to refresh: {self}")


EXACT = Refresh(every=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortConfig:
    """What one position of the effort dial means. Lengths are tokens."""

    denoise: DenoiseConfig
    refresh: Refresh
    max_prefix: int
    max_suffix: int
    max_fill: int
    candidates: int
    repair_rounds: int
    deadline_s: float


EFFORTS: dict[Effort, EffortConfig] = {
    Effort.QUICK: EffortConfig(
        denoise=DenoiseConfig(commit_threshold=0.8),
        refresh=Refresh(every=8),
        max_prefix=384,
        max_suffix=96,
        max_fill=64,
        candidates=1,
        repair_rounds=1,
        deadline_s=20.0,
    ),
    Effort.BALANCED: EffortConfig(
        denoise=DenoiseConfig(),
        refresh=Refresh(every=4),
        max_prefix=768,
        max_suffix=256,
        max_fill=128,
        candidates=1,
        repair_rounds=2,
        deadline_s=60.0,
    ),
    Effort.THOROUGH: EffortConfig(
        denoise=DenoiseConfig(commit_threshold=0.95),
        refresh=EXACT,
        max_prefix=1536,
        max_suffix=512,
        max_fill=256,
        candidates=3,
        repair_rounds=3,
        deadline_s=180.0,
    ),
}


def candidates_for(request: EditRequest) -> int:
    """Return how many candidates a request gets: its own wish, else its effort's."""
    return request.candidates or EFFORTS[request.effort].candidates
