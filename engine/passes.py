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
from engine.computing import compute
from engine.control import Control
from engine.model import Transformer

# For so long a pass waits for requests that are decoded but have not asked for it yet: they look at
# what the last one brought, which takes a millisecond; a review of it may take far longer.
PATIENCE_S = 0.003


@dataclass(slots=True, eq=False)
class _Asked:
    """One thread's share of a pass: its strands, and a step of each that has room."""

    strands: Sequence[Strand]
    adapted: bool
    steps: list[CausalStep | None] = field(default_factory=list[CausalStep | None])
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
        asked = _Asked(strands, adapted)
        self._answer(asked)
        return asked.steps

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
            compute(lambda: self._try(together))
        except BaseException as error:
            for asked in together:
                asked.error = error
        finally:
            with self._changed:
                for asked in together:
                    asked.is_done = True
                self._is_led = False
                self._changed.notify_all()

    def _try(self, together: Sequence[_Asked]) -> None:
        """Run a pass; if it fails, one for each, so that no request fails by another's fault."""
        try:
            found = self._run(together)
        except BaseException as error:
            if len(together) == 1:
                together[0].error = error
            else:
                for asked in together:
                    self._try([asked])
            return
        for asked in together:
            try:
                asked.steps = [
                    strand.take(*found[strand]) if strand in found else None
                    for strand in asked.strands
                ]
            except BaseException as error:
                asked.error = error

    def _run(self, together: Sequence[_Asked]) -> dict[Strand, tuple[Tensor, Tensor]]:
        """Run a pass; return states (num_rows, D) and logits of each strand that has room."""
        strands = [strand for asked in together for strand in asked.strands]
        runs = {strand: run for strand in strands if (run := strand.next_run())}
        if not runs:
            return {}
        behind = [(run, strand.cache) for strand, run in runs.items()]
        hidden = self._model.decode_each(behind, adapted=together[0].adapted)
        counts = [strand.num_rows for strand in runs]
        rows = torch.cat([h[-count:] for h, count in zip(hidden, counts, strict=True)])
        found = zip(rows.split(counts), self._model.logits(rows).split(counts), strict=True)
        return dict(zip(runs, found, strict=True))
