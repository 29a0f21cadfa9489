"""The engine's settings: model shapes, family switches, and what each effort stands for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.errors import ConfigError
from engine.protocol import EditRequest, Effort

CANVAS_BUCKETS = (16, 32, 64, 128, 256)  # lengths, in tokens

# Tokens of a context that attend together, wherever they are run: their bits are the same always.
BLOCK = 64

# So many requests are worked on at once where they share passes. With eight these would be a tenth
# cheaper, and each request would wait much longer.
AT_ONCE = 4


class Decoding(StrEnum):
    """How the first try at a hole is decoded; further tries are always decoded causally."""

    BASE = "base"  # one token a pass, adapter off: the frozen base's own fill-in-the-middle
    SEQUENTIAL = "sequential"  # one token a pass, with the adapter if there is one
    VERIFIED = "verified"  # the same text in fewer passes: drafted runs, each checked in one
    PARALLEL = "parallel"  # denoise a canvas; needs the adapter


class Precision(StrEnum):
    """What the numbers of a model are kept as; vectors and what is added up are finer."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"  # as most checkpoints are: they stay in their file, which is mapped
    INT8 = "int8"
    INT4 = "int4"  # all matrices but the output's, which is kept in 8 bits


class Activation(StrEnum):
    """The nonlinearity of a layer's second half."""

    SILU = "silu"
    GELU = "gelu"  # its tanh approximation


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts in place of each layer's second half.

    Raises:
        ConfigError: if the numbers do not fit each other.
    """

    count: int  # E
    per_token: int
    width: int
    shared_width: int = 0  # of the one that sees every token
    first: int = 0  # the layers before this one are dense
    groups: int = 1  # a token's experts come from the best groups only
    top_groups: int = 1
    scale: float = 1.0
    sigmoid: bool = False  # scores are sigmoids, not a softmax
    normalised: bool = False  # the chosen ones' shares add up to `scale`
    has_bias: bool = False
    capacity: int = 0  # the experts of so many tokens in a row, if not 0; groups do not count then
    block: int = 0  # that number of tokens

    def __post_init__(self) -> None:
        if self.capacity and not (self.per_token <= self.capacity <= self.count and self.block):
            raise ConfigError(
                f"{self.capacity} experts for {self.block} tokens in a row, {self.per_token} a "
                f"token, of {self.count}"
            )
        if self.count % self.groups or self.top_groups > self.groups:
            raise ConfigError(
                f"{self.count} experts in {self.groups} groups, {self.top_groups} of them at a time"
            )
        if self.per_token > self.count // self.groups * self.top_groups:
            raise ConfigError(f"{self.per_token} experts a token, of {self.count}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """Layers that see a window of what is in front, among wide ones of another shape (Gemma 4)."""

    window: int  # tokens, a token's own included
    wide: tuple[int, ...]  # the layers that see everything; what follows is theirs
    num_kv_heads: int
    head_dim: int
    rope_theta: float
    rotary_share: float  # of each head that is rotated, in the same pairs as if all were


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The shape of a pre-norm decoder: D wide, H heads, G key/value heads; defaults are Qwen2's.

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
    activation: Activation = Activation.SILU
    gated: bool = True  # the second half has a gate
    layer_norm: bool = False  # rather than RMSNorm
    embedding_scale: float = 1.0  # Gemma multiplies what it embeds
    rotary_share: float = 1.0  # of each head that is rotated; 0: positions are learned vectors
    rope_scale: float = 1.0  # positions are divided by it (arXiv:2306.15595)
    experts: Experts | None = None
    windowed: Windowed | None = None
    logit_cap: float = 0.0  # keeps logits within it, softly; 0: nothing does
    canvas_length: int = 0  # of a model made to denoise so many tokens at a time

    def __post_init__(self) -> None:
        for kv_heads in {self.heads_of(layer)[0] for layer in range(self.num_layers)}:
            if self.num_heads % kv_heads:
                raise ConfigError(
                    f"num_heads is {self.num_heads}, not a multiple of num_kv_heads {kv_heads}"
                )
        if self.rotary_dim % 2:
            raise ConfigError(
                f"{self.rotary_dim} numbers of each head are rotated: it needs an even number"
            )

    @property
    def rotary_dim(self) -> int:
        """How many numbers of each head are rotated."""
        return int(self.head_dim * self.rotary_share)

    def heads_of(self, layer: int) -> tuple[int, int]:
        """Return a layer's key/value heads and the numbers of each of its heads."""
        if self.windowed and layer in self.windowed.wide:
            return self.windowed.num_kv_heads, self.windowed.head_dim
        return self.num_kv_heads, self.head_dim

    def check_room(self, needed: int) -> None:
        """Raise ConfigError if a hole and its context take more tokens than the model knows."""
        if needed > self.max_positions:
            raise ConfigError(
                f"the hole and its context may take {needed:,} tokens, "
                f"the model holds {self.max_positions:,}"
            )


class Scoring(StrEnum):
    """What makes one masked position come before another."""

    CONFIDENCE = "confidence"  # the likeliest token's probability (LLaDA; Dream's maskgit_plus)
    MARGIN = "margin"  # how far it is above the second one (Dream's topk_margin)
    ENTROPY = "entropy"  # how little all the others together weigh (Dream's entropy)


class Pacing(StrEnum):
    """How many positions a step commits."""

    THRESHOLD = "threshold"  # all that are sure enough, at least one
    FACTOR = "factor"  # the more, the surer each has to be (Fast-dLLM)
    ENTROPY = "entropy"  # as many as are together in little doubt (EB-Sampler)
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
    block_offset: int = 0  # positions of the first of these that lie in front of the canvas
    commit_threshold: float = 0.9  # Fast-dLLM's rule, arXiv:2505.22618: at least one token a step
    factor: float = 1.0  # the other rule of theirs
    entropy_bound: float = 0.1  # nats, EB-Sampler, arXiv:2505.24857
    finish_gap: float | None = None  # logits; all gaps to the second best this large: commit all
    credit: float = 0.0  # how much counts what earlier steps would have chosen
    revise_threshold: float = 0.9  # a committed token gives way to another one surer than this
    revoke_threshold: float = 0.0  # one that has become less likely than this is masked again
    max_revisions: int = 1  # of one position: no cycle can keep the loop busy
    by_line: bool = False  # one line after the other
    guided: bool = False  # in the last half nothing is committed where the syntax goes wrong
    repairs: int = 0  # how often that is masked again once the canvas is done
    max_sweeps: int = 256  # passes over a canvas on which nothing is masked any more
    max_steps: int = 256

    def __post_init__(self) -> None:
        if not 0.0 < self.commit_threshold <= 1.0:
            raise ConfigError(f"commit_threshold is {self.commit_threshold}, not within 0 to 1")
        if not 0.0 <= self.revise_threshold <= 1.0:
            raise ConfigError(f"revise_threshold is {self.revise_threshold}, not within 0 to 1")
        for name in ("factor", "entropy_bound", "credit", "revoke_threshold"):
            if getattr(self, name) < 0.0:
                raise ConfigError(f"{name} is {getattr(self, name)}, less than 0")
        for name, least in (
            ("max_revisions", 0),
            ("repairs", 0),
            ("max_sweeps", 1),
            ("max_steps", 1),
            ("steps", 1),
            ("block_length", 1),
            ("block_offset", 0),
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
    max_context: int  # of other files
    max_fill: int
    candidates: int
    drafts: int  # of a hole, the candidates among them, where a model can tell which fit best
    repair_rounds: int
    sweeps: int  # over several holes that cannot be filled together
    deadline_s: float


EFFORTS: dict[Effort, EffortConfig] = {
    Effort.QUICK: EffortConfig(
        denoise=DenoiseConfig(commit_threshold=0.8),
        refresh=Refresh(every=8),
        max_prefix=384,
        max_suffix=96,
        max_context=256,
        max_fill=64,
        candidates=1,
        drafts=1,
        repair_rounds=1,
        sweeps=1,
        deadline_s=20.0,
    ),
    Effort.BALANCED: EffortConfig(
        denoise=DenoiseConfig(repairs=2),
        refresh=Refresh(every=4),
        max_prefix=768,
        max_suffix=256,
        max_context=512,
        max_fill=128,
        candidates=1,
        drafts=1,
        repair_rounds=2,
        sweeps=1,
        deadline_s=60.0,
    ),
    Effort.THOROUGH: EffortConfig(
        denoise=DenoiseConfig(commit_threshold=0.95, repairs=2),
        refresh=EXACT,
        max_prefix=1536,
        max_suffix=512,
        max_context=1024,
        max_fill=256,
        candidates=3,
        drafts=6,
        repair_rounds=3,
        sweeps=3,
        deadline_s=180.0,
    ),
}


def candidates_for(request: EditRequest) -> int:
    """Return how many candidates a request gets: its own wish, else its effort's."""
    return request.candidates or EFFORTS[request.effort].candidates
