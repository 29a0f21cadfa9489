"""Which of several finished texts fits a hole best, by what the model makes of both its sides.

How sure each token was says little of that: a text that ends too early was sure of every token. So
a text is weighed with its end, and with what stands behind the hole, read as its continuation.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.cache import Cache
from engine.config import BLOCK
from engine.model import Transformer
from engine.prefix_cache import PASS
from engine.scoring import logprobs_of

SEAM = 64  # tokens behind the hole that are read
# What a nat there counts beside one of the text's mean. Anything from a hundredth to a tenth does;
# measured on HumanEval-Infilling's dev cases, see LOG.md, 2026-11-30.
_SEAM_SHARE = 1 / 32
_ROWS = 16  # whose logits are made at once: each has the whole vocabulary


@dataclass(frozen=True, slots=True)
class Scales:
    """A hole's context, encoded, and the tokens that a text of it stands between."""

    model: Transformer
    context: Cache  # of both sides, to write behind
    sentinel: int  # what asks for the hole's text
    ends: Collection[int]  # tokens, any of which ends it

    def text(self, ids: Sequence[int]) -> float:
        """Return log P(text, end | both sides) for each token."""
        states = self._read([self.sentinel, *ids], adapted=self.model.has_adapter)
        return (self._logprob(states[:-1], ids) + self._end(states[-1:])) / (len(ids) + 1)

    def seam(self, ids: Sequence[int], behind: Sequence[int]) -> float:
        """Return what log P(behind | before, text) adds, the context ending in front of the hole.

        With that the text's weight is the direct model and its channel, as in arXiv:1908.05731.
        """
        states = self._read([*ids, *behind[:-1]])
        return _SEAM_SHARE * self._logprob(states[len(ids) - 1 :], behind)

    def _read(self, ids: Sequence[int], *, adapted: bool = False) -> Tensor:
        """Return the states (T, D) of tokens behind the context."""
        # As contexts are read: a pass of all tokens of a long text would take more memory.
        length, states = self.context.length, list[Tensor]()
        for start in range(0, len(ids), PASS):
            part = list(ids[start : start + PASS])
            states.append(self.model.encode(part, self.context, adapted=adapted, block=BLOCK))
            self.context.keep(len(part))
        self.context.length = length
        return torch.cat(states)

    def _logprob(self, states: Tensor, ids: Sequence[int]) -> float:
        """Return how likely states (T, D) lead to token ids (T,)."""
        parts = zip(states.split(_ROWS), torch.tensor(list(ids)).split(_ROWS), strict=True)
        total = 0.0
        for rows, wanted in parts:
            wanted = wanted.to(self.model.device)
            total += float(logprobs_of(self.model.logits(rows), wanted).sum())
        return total

    def _end(self, state: Tensor) -> float:
        """Return how likely a state (1, D) leads to an end."""
        logprobs = self.model.logits(state)[0].log_softmax(-1).cpu()
        # A tokenizer may name tokens that its model has no row for.
        return float(logprobs[[end for end in self.ends if end < len(logprobs)]].logsumexp(-1))
