"""Decoding passes that requests share: several runs in one pass cost little more than one alone.

What a pass costs is reading the weights, so requests that are decoded at the same time, each in a
thread of its own, wait for each other and go through the model together (iteration-level batching:
Orca, OSDI 2022). Runs do not see each other, and a run's result is the same to the bit in company.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.causal import CausalStep, Strand
from engine.control import Control
from engine.model import Transformer

# For so long a pass waits for requests that are decoded but have not asked for it yet: they look at
# what the last one brought and guess on, some milliseconds; a review of it may take far longer.
PATIENCE_S = 0.008


@dataclass(slots=True, eq=False)
class _Asked:
    """One thread's share of a pass: its strands that have room, and what came of them."""

    strands: Sequence[Strand]
    runs: Sequence[list[int]]
    adapted: bool
    # Of each strand (num_rows, D) and (num_rows, V).
    states: list[Tensor] = field(default_factory=list[Tensor])
    logits: list[Tensor] = field(default_factory=list[Tensor])
    error: BaseException | None = None
    is_done: bool = False


class Passes:
    """Runs the decoding passes of a model; any thread may ask."""

    def __init__(self, model: Transformer) -> None:
        self._model = model
        self._changed = threading.Condition()
        self._waiting: list[_Asked] = []
        self._is_led = False  # a thread gathers a pass, or runs it
        self._company: set[Control] = set()  # requests that are being decoded

    @contextmanager
    def joined(self, control: Control) -> Generator[None]:
        """Be waited for, except while held: this request will ask for pass after pass."""
        with self._changed:
            self._company.add(control)
        try:
            yield
        finally:
            with self._changed:
                self._company.remove(control)
                self._changed.notify_all()

    def advance(
        self, strands: Sequence[Strand], *, adapted: bool = False
    ) -> list[CausalStep | None]:
        """Run one pass for all strands; return each one's step, None where its cache is full."""
        steps: list[CausalStep | None] = [None] * len(strands)
        runs = {i: run for i, strand in enumerate(strands) if (run := strand.next_run())}
        if runs:
            asked = _Asked([strands[i] for i in runs], list(runs.values()), adapted)
            self._answer(asked)
            for i, states, logits in zip(runs, asked.states, asked.logits, strict=True):
                steps[i] = strands[i].take(states, logits)
        return steps

    def decode(self, strand: Strand, *, adapted: bool = False) -> Iterator[CausalStep]:
        """Yield the tokens that follow a strand, a step a pass, until it is closed.

        Ends by itself when the cache is full.
        """
        while (step := self.advance([strand], adapted=adapted)[0]) is not None:
            yield step

    def _answer(self, asked: _Asked) -> None:
        """Wait for a pass that answers, or lead one."""
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify_all()
            self._changed.wait_for(lambda: asked.is_done or not self._is_led)
            together = [] if asked.is_done else self._gathered(asked)
        if together:
            self._lead(together)
        if asked.error:
            raise asked.error

    def _gathered(self, first: _Asked) -> list[_Asked]:
        """Begin to lead: return those that can be answered by one pass with the first."""
        self._is_led = True
        self._changed.wait_for(self._is_complete, PATIENCE_S)
        together = [asked for asked in self._waiting if asked.adapted == first.adapted]
        self._waiting = [asked for asked in self._waiting if asked not in together]
        return together

    def _is_complete(self) -> bool:
        return len(self._waiting) >= sum(not control.is_waiting for control in self._company)

    def _lead(self, together: Sequence[_Asked]) -> None:
        try:
            self._try(together)
        finally:
            with self._changed:
                for asked in together:
                    asked.is_done = True
                self._is_led = False
                self._changed.notify_all()

    def _try(self, together: Sequence[_Asked]) -> None:
        """Run a pass; if it fails, one for each, so that no request fails by another's fault."""
        try:
            self._run(together)
        except BaseException as error:
            if len(together) == 1:
                together[0].error = error
            else:
                for asked in together:
                    self._try([asked])

    def _run(self, together: Sequence[_Asked]) -> None:
        runs = [
            (run, strand.cache)
            for asked in together
            for run, strand in zip(asked.runs, asked.strands, strict=True)
        ]
        hidden = self._model.decode_each(runs, adapted=together[0].adapted)
        counts = [strand.num_rows for asked in together for strand in asked.strands]
        rows = torch.cat([h[-count:] for h, count in zip(hidden, counts, strict=True)])
        states, logits = iter(rows.split(counts)), iter(self._model.logits(rows).split(counts))
        for asked in together:
            asked.states = [next(states) for _ in asked.strands]
            asked.logits = [next(logits) for _ in asked.strands]
