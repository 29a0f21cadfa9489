"""The denoising loop: predict all masked positions, commit the sure ones, revise, until done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from engine.canvas import Canvas
from engine.config import DenoiseConfig
from engine.remasking import first_block, first_line, revisable, revocable, surest
from engine.repairs import Guide, Repairs
from engine.schedule import SCHEDULED, tokens_due, tokens_sure
from engine.scoring import Credit, confidence, rank


class Denoiser(Protocol):
    """A network that looks at a canvas inside its context."""

    def __call__(self, canvas: Canvas) -> Tensor:
        """Return logits (L, V): row i scores the token of position i, shift undone."""
        ...


@dataclass(frozen=True, slots=True)
class DenoiseStep:
    """The canvas after a step, and the model's view of every position before it."""

    canvas: Canvas
    guess: Tensor  # (L,)
    sureness: Tensor  # (L,)


def denoise(
    denoiser: Denoiser,
    canvas: Canvas,
    config: DenoiseConfig,
    guide: Guide | None = None,
    ends_line: Tensor | None = None,
) -> Iterator[DenoiseStep]:
    """Yield one step a forward pass until nothing is masked, then while sweeps revise tokens.

    Every step commits at least one token; a sweep revises at least one or is the last; a position
    is revised at most `max_revisions` times, and there are at most `max_sweeps`. So the loop ends.
    Stop it by closing the generator. Steps that a schedule gives no token are left out: they would
    not change what the next one sees.

    `guide` takes part as `config` says. `ends_line` (V,) bool are the tokens with a line end in
    them: given them, lines come one after the other.
    """
    step = sweeps = 0  # of the block's schedule; over a canvas that was done
    repairs = Repairs(guide, config.repairs, len(canvas))
    credit = Credit(config.credit) if config.credit else None
    for left in reversed(range(config.max_steps)):
        logits = repairs.barred(denoiser(canvas))
        logits = credit.added_to(logits) if credit else logits
        guess, sureness = confidence(logits)
        was_done = canvas.is_done
        sweeps += was_done
        revise = revisable(guess, sureness, canvas, config.revise_threshold, config.max_revisions)
        block = first_block(canvas.masked, config.block_length, config.block_offset)
        if ends_line is not None:
            block = first_line(block, ends_line[canvas.write(guess, canvas.masked).ids])
        if guide and config.guided and 2 * int(canvas.masked.sum()) <= len(canvas):
            sound = block & ~guide(canvas.write(guess, canvas.masked))
            block = sound if bool(sound.any()) else block  # some token must be committed
        if config.pacing not in SCHEDULED:
            count = tokens_sure(config, logits, sureness, block)
        else:
            remaining, count = int(block.sum()), 0
            while remaining and not count:
                count = tokens_due(config.pacing, remaining, step, config.steps)
                step += 1
            step = 0 if count == remaining else step
        commit = surest(rank(logits, sureness, config.scoring), block, count)
        before, canvas = canvas, canvas.write(guess, commit | revise)
        repairs.note(commit | revise, sureness)
        if config.revoke_threshold:
            doubted = revocable(logits, before, config.revoke_threshold, config.max_revisions)
            canvas = canvas.revoke(doubted & ~revise)
        yield DenoiseStep(canvas, guess, sureness)
        if canvas.is_done and (was_done or config.max_revisions == 0) and not bool(revise.any()):
            repaired = repairs.of(canvas)
            if repaired is None or int(repaired.masked.sum()) > left:
                return  # perhaps with what is wrong, but not with masks
            canvas = repaired
        if sweeps == config.max_sweeps:
            return
