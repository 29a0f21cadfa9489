"""Train the canvas adapter in slices that stop and go on at any step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import ConfigError
from engine.model import Transformer
from engine.training.batches import Batch, batches, collate
from engine.training.head_loss import head_loss
from engine.training.network import canvas_states, encode_contexts
from engine.training.noise import noisy_copies
from engine.training.roofline import matmul_rate, operations
from engine.training.running import log_row, restore_state, save_state, stop_signals
from engine.training.samples import Sample, Sampler
from engine.training.trainable import TrainableAdapter, save_adapter

# Copies of a hole by canvas length, the causal one included: short canvases leave room for more.
_COPIES = {16: 8, 32: 6, 64: 4, 128: 2, 256: 2}
_SAVE_EVERY_S = 120.0
_HELD_CANVAS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes a run; a run is resumed with its own recipe.

    Raises:
        ConfigError: if a number makes no sense.
    """

    rank: int = 16
    batch: int = 4
    max_copies: int = 8
    learning_rate: float = 4e-4
    warm_up_steps: int = 80
    flat: float = 0.5  # of the run, before the rate falls to a twentieth
    corrupt_from: float = 0.6  # of the run: wrong tokens among the visible ones
    certain_from: float = 0.8  # of the run: the entropy of right guesses counts
    certainty: float = 0.2
    ema: float = 0.999
    steps: int | None = None  # the length of the run, in steps or
    minutes: float | None = None  # in minutes of training
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("a run's length is given in steps or in minutes, one of them")
        for name, least in (("rank", 1), ("batch", 1), ("max_copies", 1), ("warm_up_steps", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}, less than {least}")
        if (self.steps or self.minutes or 0) <= 0 or self.learning_rate <= 0:
            raise ConfigError("a run's length and its learning rate are above 0")

    def rate(self, step: int, done: float) -> float:
        """Return the learning rate: warm-up, flat, linear decay."""
        fall = max(0.0, done - self.flat) / (1.0 - self.flat)
        return self.learning_rate * min(1.0, (step + 1) / self.warm_up_steps) * (1 - 0.95 * fall)


@dataclass(slots=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    seconds: float = 0.0
    supervised: int = 0  # canvas positions that counted in a loss


@dataclass(slots=True)
class Run:
    """One run: the frozen model, its adapter, optimiser and averages, and the folder they go to."""

    model: Transformer
    recipe: Recipe
    train: Sampler
    held: Sampler
    void: int
    folder: Path
    base_sha256: str
    workers: int = 0
    compiled: bool = False
    adapter: TrainableAdapter = field(init=False)
    optimiser: torch.optim.AdamW = field(init=False)
    average: dict[str, Tensor] = field(init=False)
    progress: Progress = field(init=False, default_factory=Progress)
    _peak: float = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.adapter = TrainableAdapter(self.model, self.recipe.rank, self.recipe.seed)
        self.optimiser = torch.optim.AdamW(
            list(self.adapter.tensors.values()),
            lr=self.recipe.learning_rate,
            betas=(0.9, 0.95),
            weight_decay=0.0,
        )
        self.average = {n: t.detach().clone() for n, t in self.adapter.tensors.items()}
        if self.state_file.exists():
            progress, _ = restore_state(
                self.state_file, self.recipe, self.adapter.tensors, self.average, self.optimiser
            )
            self.progress = Progress(**progress)
        self._peak = matmul_rate(self.model.device, self.model.dtype)

    @property
    def state_file(self) -> Path:
        """Where the run is kept between slices."""
        return self.folder / "state.safetensors"

    @property
    def log_file(self) -> Path:
        """One JSON object a line: training and held-out figures."""
        return self.folder / "log.jsonl"

    @property
    def done(self) -> float:
        """The part of the run that is behind, 0 to 1."""
        if self.recipe.steps:
            return min(1.0, self.progress.step / self.recipe.steps)
        return min(1.0, self.progress.seconds / 60 / (self.recipe.minutes or 1))

    def start_from(self, adapter: Path) -> None:
        """Begin with an adapter's values, in a run that has not begun."""
        if self.progress.step == 0:
            self.adapter.load(adapter)
            self.average = {n: t.detach().clone() for n, t in self.adapter.tensors.items()}

    def slice(self, minutes: float, *, log_every: int = 10, held_samples: int = 64) -> bool:
        """Train for some minutes, or until SIGTERM; tell whether the run is done.

        State, adapter and held-out figures are written at the end; the state also on the way.
        """
        until = time.monotonic() + 60 * minutes
        since_log, since_save = _Window(self.progress), time.monotonic()
        source = batches(
            self.train,
            self.recipe.batch,
            self.void,
            start=self.progress.step,
            workers=self.workers,
            pad_to=self.train.max_context if self.compiled else 64,
            tails=self.recipe.max_copies > 1,
        )
        with stop_signals() as stopped:
            while self.done < 1.0 and time.monotonic() < until and not stopped():
                began = time.monotonic()
                since_log.add(self.step(next(source).to(self.model.device)))
                self.progress.seconds += time.monotonic() - began
                if self.progress.step % log_every == 0:
                    self._log(since_log.row(self._peak) | {"done": round(self.done, 4)})
                    since_log = _Window(self.progress)
                if time.monotonic() - since_save > _SAVE_EVERY_S:
                    self.save()
                    since_save = time.monotonic()
            self.save()
            if held_samples:
                self._log({"step": self.progress.step, "held": self.evaluate(held_samples)})
        self.export(self.folder / "adapter.safetensors")
        return self.done >= 1.0

    def step(self, batch: Batch) -> dict[str, float]:
        """Take one step on a batch; return its figures."""
        recipe, step, done = self.recipe, self.progress.step, self.done
        length = batch.text.shape[1]
        generator = torch.Generator(self.model.device).manual_seed(recipe.seed * 1_000_003 + step)
        copies = noisy_copies(
            batch.text,
            batch.draft,
            batch.is_rewrite,
            self.void,
            min(recipe.max_copies, _COPIES.get(length, 1)),
            generator,
            corrupt=done >= recipe.corrupt_from,
            vocab_size=self.model.config.vocab_size,
        )
        self.adapter.attach(self.model)
        hidden = self._states(batch, copies.shown, copies.masked)
        counts = copies.weight > 0
        weight = copies.weight[counts]
        target = batch.text[:, None].expand_as(copies.shown)[counts]
        loss, hits = head_loss(
            hidden[counts],
            _head(self.model),
            target,
            weight / weight.sum(),
            recipe.certainty if done >= recipe.certain_from else 0.0,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = list(self.adapter.tensors.values())
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        rate = recipe.rate(step, done)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.supervised += int(counts.sum())
        keep = min(recipe.ema, self.progress.step / (self.progress.step + 10))
        with torch.no_grad():
            for name, tensor in self.adapter.tensors.items():
                self.average[name].lerp_(tensor, 1 - keep)
        return {
            "loss": float(loss.detach()),
            "right": float(hits.float().mean()),
            "gradient": float(norm),
            "rate": rate,
            "operations": operations(self.model, batch.context, copies.shown, len(weight)),
            "canvas_tokens": copies.shown.numel(),
        }

    @torch.no_grad()
    def evaluate(self, num_samples: int) -> dict[str, float]:
        """Return held-out figures of the averaged adapter.

        Losses in nats a token up to the end, with all masked and from left to right; `lead`: the
        right tokens before the first wrong one, of a hole.
        """
        live = self.adapter.tensors
        self.adapter.tensors = self.average
        self.adapter.attach(self.model)
        self.adapter.tensors = live
        fitting = (
            s for s in self._held_samples() if s.draft is None and len(s.text) < _HELD_CANVAS
        )
        samples = [next(fitting) for _ in range(num_samples)]
        sums: dict[str, float] = dict.fromkeys(("parallel", "causal", "lead", "causal_lead"), 0.0)
        count = 0
        for start in range(0, num_samples, 8):
            rows = collate(samples[start : start + 8], _HELD_CANVAS, self.void, 64)
            batch = rows.to(self.model.device)
            shown = batch.text[:, None].expand(-1, 2, -1)
            masked = torch.stack([torch.ones_like(batch.text).bool(), batch.text == self.void], 1)
            hidden = self._states(batch, shown, masked)
            log_p = self.model.head(hidden).float().log_softmax(-1)
            true = log_p.gather(-1, shown[..., None])[..., 0]
            lengths = (batch.text != self.void).sum(1, keepdim=True)
            inside = torch.arange(_HELD_CANVAS, device=lengths.device) <= lengths
            right = (log_p.argmax(-1) == shown) & inside[:, None]
            lead = right.long().cumprod(-1).sum((0, 2)).tolist()
            loss = -(true * inside[:, None]).sum((0, 2))
            count += int(inside.sum())
            for i, name in enumerate(("", "causal_")):
                sums[f"{name}lead"] += lead[i] / num_samples
                sums["causal" if i else "parallel"] += float(loss[i])
        return {
            name: round(value if "lead" in name else value / count, 4)
            for name, value in sums.items()
        }

    def export(self, path: Path) -> None:
        """Write the averaged adapter, as `load_adapter` reads it."""
        metadata = {
            "rank": self.recipe.rank,
            "base_sha256": self.base_sha256,
            "void": self.void,
            "shift": 1,
            "layout": "fim",
            "step": self.progress.step,
            "supervised": self.progress.supervised,
        }
        save_adapter(self.average, path, {k: str(v) for k, v in metadata.items()})

    def save(self) -> None:
        """Write the whole state, whole or not at all."""
        save_state(
            self.state_file,
            self.recipe,
            self.progress,
            self.adapter.tensors,
            self.average,
            self.optimiser,
        )

    def _states(self, batch: Batch, shown: Tensor, masked: Tensor) -> Tensor:
        context = encode_contexts(self.model, batch.context)
        return canvas_states(
            self.model,
            context,
            batch.context_lengths,
            batch.context.shape[1],
            batch.sentinel,
            shown,
            masked,
        )

    def _held_samples(self) -> Iterator[Sample]:
        number = 0
        while True:
            yield self.held.draw(number)
            number += 1

    def _log(self, row: dict[str, Any]) -> None:
        log_row(self.log_file, row)


class _Window:
    """The steps since the last line of the log."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rows: list[dict[str, float]] = []
        self._began = time.monotonic()

    def add(self, row: dict[str, float]) -> None:
        self._rows.append(row)

    def row(self, peak: float) -> dict[str, Any]:
        """Return the log's line: means of the losses, canvas tokens a second, part of the peak."""
        seconds, n = time.monotonic() - self._began, len(self._rows)
        means = {
            k: round(sum(r[k] for r in self._rows) / n, 6) for k in ("loss", "right", "gradient")
        }
        total = {k: sum(r[k] for r in self._rows) for k in ("operations", "canvas_tokens")}
        return {
            "step": self._progress.step,
            **means,
            "rate": self._rows[-1]["rate"],
            "supervised": self._progress.supervised,
            "canvas_tokens_s": round(total["canvas_tokens"] / seconds, 1),
            "of_peak": round(total["operations"] / seconds / peak, 4),
        }


def _head(model: Transformer) -> Tensor:
    weight = getattr(model.head, "weight", None)
    if not isinstance(weight, Tensor):
        raise ConfigError("an int8 model cannot be trained on: load it in floating point")
    return weight
