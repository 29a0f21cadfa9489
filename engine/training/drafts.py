"""Train a draft head on a frozen model: what it will say two and more tokens on, from one state."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from engine.context import laid_out
from engine.draft_head import DraftHead
from engine.errors import ConfigError
from engine.int8 import Int8Weight
from engine.linear import FloatLinear
from engine.model import Transformer
from engine.training.head_loss import head_loss
from engine.training.holes import piece
from engine.training.running import log_row, restore_state, save_state, stop_signals
from engine.training.samples import Sample, Sampler

_SAVE_EVERY_S = 120.0
_CONTEXT_SHARE = 0.4  # what a position of the context counts, of one of the hole
_UNSAID_SHARE = 0.3  # likewise where the text went on otherwise than the model would have
_DEPTH_SHARES = (1.0, 0.7, 0.5)  # of the first, second and third guess
_COUNTED_CHARS = 30_000_000  # of the corpus, to find its tokens
# Long holes give more of what is to be learnt for the time of a context than those of the sampler.
_LONG_HOLES = 0.65  # of the samples
_LONG_BEFORE, _LONG_INSIDE, _LONG_BEHIND = (10, 120), (60, 200), (0, 8, 20, 40, 60)  # tokens
_TRIES = 100
_OLD = 8_000  # segments that may come again, some gigabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRecipe:
    """What makes a run; a run is resumed with its own recipe.

    Raises:
        ConfigError: if a number makes no sense.
    """

    minutes: float  # of training
    inner: int = 2048  # M
    num_tokens: int = 8_192  # N
    samples: int = 6  # new ones a step; as many old ones come again
    learning_rate: float = 1.5e-3
    warm_up_steps: int = 50
    flat: float = 0.3  # of the run, before the rate falls to nearly nothing
    ema: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("inner", "num_tokens", "samples", "warm_up_steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, less than 1")
        if self.minutes <= 0 or self.learning_rate <= 0:
            raise ConfigError("a run's length and its learning rate are above 0")

    def rate(self, step: int, done: float) -> float:
        """Return the learning rate: warm-up, flat, linear decay."""
        fall = max(0.0, done - self.flat) / (1.0 - self.flat)
        return self.learning_rate * min(1.0, (step + 1) / self.warm_up_steps) * (1 - 0.97 * fall)


@dataclass(frozen=True, slots=True)
class Segment:
    """T tokens of a text that were run in a pass, and what the model says behind each."""

    states: Tensor  # (T, D)
    ids: Tensor  # (T,)
    answers: Tensor  # (T,): the token that a state leads to
    share: float  # what a position counts


@dataclass(frozen=True, slots=True)
class Guesses:
    """P positions of one depth: states, the tokens they should lead to, what each counts."""

    states: Tensor  # (P, D)
    goals: Tensor  # (P,) ids
    shares: Tensor  # (P,)
    said: Tensor  # (P,) bool: the text so far is what the model would have said


def common_tokens(sampler: Sampler, always: Sequence[int], count: int, rows: int) -> Tensor:
    """Return the ids (N,), below `rows`, that a corpus uses most, behind those that always are."""
    order = list(range(len(sampler.corpus)))
    random.Random(sampler.seed).shuffle(order)
    counts, chars = Counter[int](), 0
    for index in order:
        text, _ = sampler.corpus[index]
        counts.update(sampler.tokenizer.encode(text))
        chars += len(text)
        if chars > _COUNTED_CHARS:
            break
    ids = dict.fromkeys([*always, *(token for token, _ in counts.most_common())])
    # A tokenizer may name tokens that its model has no row for.
    return torch.tensor([token for token in ids if token < rows][:count])


def mixed(sampler: Sampler, number: int) -> Sample:
    """Draw sample `number`: one of the sampler's, or the middle of a piece of a file."""
    rng = random.Random(f"{sampler.seed}:long:{number}")
    if rng.random() >= _LONG_HOLES:
        return sampler.draw(number)
    fim, special = sampler.family.fim, sampler.tokenizer.special
    before, inside = rng.randrange(*_LONG_BEFORE), rng.randrange(*_LONG_INSIDE)
    behind = rng.choice(_LONG_BEHIND)
    for _ in range(_TRIES):
        text, _ = sampler.corpus[rng.randrange(len(sampler.corpus))]
        ids = sampler.tokenizer.encode(piece(rng, text))
        start = rng.randrange(max(1, len(ids) - before - inside - behind))
        ids = ids[start : start + before + inside + behind]
        end = len(ids) - behind
        if end > before + inside // 2:
            context = laid_out(sampler.tokenizer, fim, ids[:before], ids[end:])
            return Sample(context, special(fim.middle), ids[before:end])
    return sampler.draw(number)


def read(model: Transformer, sample: Sample, rows: Tensor, tokens: Tensor) -> list[Segment]:
    """Run a sample's context, adapter off, and its hole, adapter on.

    `rows` (N, D) are the output's, of `tokens` (N,): an answer is one of these.
    """
    cache = model.new_cache(len(sample.context) + len(sample.text) + 1)
    hole = [sample.sentinel, *sample.text]
    segments: list[Segment] = []
    for ids, share in ((sample.context, _CONTEXT_SHARE), (hole, 1.0)):
        states = model.encode(ids, cache, adapted=share == 1.0)
        cache.keep(len(ids))
        answers = tokens[F.linear(states, rows).argmax(-1)]
        segments.append(Segment(states, torch.tensor(ids), answers, share))
    return segments


def guesses(head: DraftHead, model: Transformer, segments: Sequence[Segment]) -> Iterator[Guesses]:
    """Yield what the head guesses one, two, three tokens on from all states; gradients flow.

    It is told the text's own tokens, and goes on only where they are the model's answers.
    """
    states = torch.cat([s.states for s in segments]).float()
    ids = torch.cat([s.ids for s in segments])
    answers = torch.cat([s.answers for s in segments])
    shares = torch.cat([torch.full((len(s.ids),), s.share) for s in segments])
    behind = torch.cat([torch.arange(len(s.ids)).flip(0) for s in segments])  # of the segment
    places = torch.arange(len(ids))
    said = torch.ones_like(places, dtype=torch.bool)
    for depth in range(1, len(_DEPTH_SHARES) + 1):
        goes_on = behind[places] >= depth
        if depth > 1:
            goes_on &= said
        places, states, said = places[goes_on], states[goes_on], said[goes_on]
        said = said & (ids[places + depth] == answers[places + depth - 1])
        states = head.step(states, model.embed(ids[places + depth]).float())
        counted = torch.where(said, 1.0, _UNSAID_SHARE if depth == 1 else 0.0)
        yield Guesses(states, answers[places + depth], shares[places] * counted, said)


@dataclass(slots=True)
class DraftProgress:
    """How far a run has come."""

    step: int = 0
    seconds: float = 0.0
    positions: int = 0  # of which guesses were made


@dataclass(slots=True)
class DraftRun:
    """One run: the frozen model with its adapter, the head, and the folder they go to."""

    model: Transformer
    recipe: DraftRecipe
    train: Sampler
    held: Sampler
    always: Sequence[int]  # tokens that are known however rare: a hole's ends
    folder: Path
    base_sha256: str
    values: dict[str, Tensor] = field(init=False)  # gate_up (2M, 2D), down (D, M)
    average: dict[str, Tensor] = field(init=False)
    tokens: Tensor = field(init=False)  # (N,)
    progress: DraftProgress = field(init=False, default_factory=DraftProgress)
    _optimiser: torch.optim.AdamW = field(init=False)
    _rows: Tensor = field(init=False)  # (N, D): what reads the output at these tokens
    _place: Tensor = field(init=False)  # (V,): a token's place among them, -1
    _old: list[Segment] = field(init=False, default_factory=list[Segment])

    def __post_init__(self) -> None:
        config = self.model.config
        if not config.tied_embedding:
            raise ConfigError("this model reads its output with other rows than its tokens' own")
        self.folder.mkdir(parents=True, exist_ok=True)
        generator = torch.Generator().manual_seed(self.recipe.seed)
        inner, width = self.recipe.inner, config.width
        self.values = {
            "gate_up": 0.02 * torch.randn(2 * inner, 2 * width, generator=generator),
            "down": torch.zeros(width, inner),
        }
        for value in self.values.values():
            value.requires_grad_()
        self.average = {name: value.detach().clone() for name, value in self.values.items()}
        self._optimiser = torch.optim.AdamW(
            list(self.values.values()), betas=(0.9, 0.97), weight_decay=0.01
        )
        if self.state_file.exists():
            progress, (self.tokens,) = restore_state(
                self.state_file, self.recipe, self.values, self.average, self._optimiser, "tokens"
            )
            self.progress = DraftProgress(**progress)
        else:
            self.tokens = common_tokens(
                self.train, self.always, self.recipe.num_tokens, config.vocab_size
            )
        self._rows = self.model.embed(self.tokens)
        self._place = torch.full((config.vocab_size,), -1)
        self._place[self.tokens] = torch.arange(len(self.tokens))

    @property
    def state_file(self) -> Path:
        """Where the run is kept between slices."""
        return self.folder / "state.safetensors"

    @property
    def done(self) -> float:
        """The part of the run that is behind, 0 to 1."""
        return min(1.0, self.progress.seconds / 60 / self.recipe.minutes)

    def slice(self, minutes: float, *, log_every: int = 20, held_samples: int = 60) -> bool:
        """Train for some minutes, or until SIGTERM; tell whether the run is done.

        State, head and held-out figures are written at the end; the state also on the way. Samples
        of an earlier slice do not come again.
        """
        until, saved = time.monotonic() + 60 * minutes, time.monotonic()
        rows: list[dict[str, float]] = []
        with stop_signals() as stopped:
            while self.done < 1.0 and time.monotonic() < until and not stopped():
                began = time.monotonic()
                rows.append(self.step())
                self.progress.seconds += time.monotonic() - began
                if self.progress.step % log_every == 0:
                    means = {k: sum(row[k] for row in rows) / len(rows) for k in rows[0]}
                    self._log({k: round(v, 4) for k, v in means.items()})
                    rows = []
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    self._save()
                    saved = time.monotonic()
        self._save()
        if held_samples:
            self._log({"held": self.evaluate(held_samples)})
        self.export(self.folder / "drafts.safetensors")
        return self.done >= 1.0

    def step(self) -> dict[str, float]:
        """Take one step, on new samples and old ones; return its figures."""
        recipe, progress = self.recipe, self.progress
        first = progress.step * recipe.samples
        new = [
            segment
            for number in range(first, first + recipe.samples)
            for segment in self._segments(mixed(self.train, number))
        ]
        again = random.Random(f"{recipe.seed}:again:{progress.step}")
        old = again.sample(self._old, len(new)) if len(self._old) > len(new) else []
        self._old = [*self._old, *new][-_OLD:]
        head, figures = self._head(self.values), {}
        loss = torch.zeros(())
        with torch.autocast("cpu", torch.bfloat16):
            found = list(guesses(head, self.model, [*new, *old]))
        for depth, (share, made) in enumerate(zip(_DEPTH_SHARES, found, strict=True), 1):
            goals = self._place[made.goals]
            weight = made.shares * (goals >= 0)
            goals = goals.clamp_min(0)
            weight = weight / weight.sum().clamp_min(1e-6)
            states = made.states.to(self._rows.dtype)
            part, hits = head_loss(states, self._rows, goals, weight)
            loss = loss + share * part
            figures[f"loss_{depth}"] = float(part.detach())
            right = int(hits[made.said].sum())
            figures[f"right_{depth}"] = right / max(1, int(made.said.sum()))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(self.values.values()), 1.0)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate(progress.step, self.done)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        progress.step += 1
        progress.positions += len(found[0].goals)
        keep = min(recipe.ema, progress.step / (progress.step + 10))
        for name, value in self.values.items():
            self.average[name].lerp_(value.detach(), 1 - keep)
        return figures

    @torch.no_grad()
    def evaluate(self, num_samples: int) -> dict[str, float]:
        """Return how many of the averaged head's guesses in held-out holes are right, by depth."""
        head, rows = self._head(self.average), self._rows
        right, count = Counter[int](), Counter[int]()
        for number in range(num_samples):
            hole = self._segments(self.held.draw(number))[-1:]
            for depth, made in enumerate(guesses(head, self.model, hole), 1):
                answers = self.tokens[F.linear(made.states.to(rows.dtype), rows).argmax(-1)]
                right[depth] += int((answers == made.goals)[made.said].sum())
                count[depth] += int(made.said.sum())
        return {f"right_{depth}": round(right[depth] / max(1, count[depth]), 4) for depth in count}

    def export(self, path: Path) -> None:
        """Write the averaged head in 8 bits, as `read_draft_head` reads it."""
        tensors = {"tokens": self.tokens.int()}
        for name, value in self.average.items():
            weight = Int8Weight.of(value)
            tensors |= {f"{name}.weight": weight.values, f"{name}.scale": weight.scale}
        facts = {"base_sha256": self.base_sha256, "step": str(self.progress.step)}
        save_file(tensors, path, facts)

    def _head(self, values: dict[str, Tensor]) -> DraftHead:
        gate_up, down = FloatLinear(values["gate_up"]), FloatLinear(values["down"])
        return DraftHead(gate_up, down, FloatLinear(self._rows), self.tokens, self.model.embed)

    def _segments(self, sample: Sample) -> list[Segment]:
        return read(self.model, sample, self._rows, self.tokens)

    def _save(self) -> None:
        save_state(
            self.state_file,
            self.recipe,
            self.progress,
            self.values,
            self.average,
            self._optimiser,
            tokens=self.tokens,
        )

    def _log(self, figures: dict[str, object]) -> None:
        row = {"step": self.progress.step, "positions": self.progress.positions, **figures}
        log_row(self.folder / "log.jsonl", row | {"done": round(self.done, 4)})
