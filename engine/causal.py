"""Causal decoding on the shared cache: one token a pass, or a drafted run checked in one pass.

A draft never changes the outcome, only the number of passes: the tokens that come out are those
the model would have chosen one at a time (speculative decoding, arXiv:2211.17192, greedy case).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.cache import Room
from engine.scoring import likeliest, logprobs_of, on_host

# Chooses a token id (T,) for each row of logits (T, V).
Pick = Callable[[Tensor], Tensor]
greedy: Pick = likeliest


class Draft(Protocol):
    """Whoever guesses what comes next."""

    def propose(self, emitted: Sequence[int], state: Tensor | None) -> list[int]:
        """Return tokens that may follow those emitted so far; none if there is no idea.

        `state` (D,) is the hidden state that led to the last of them, None if it is not at hand.
        """
        ...


class NoDraft:
    """Sequential mode: the model alone, one token a pass."""

    def propose(self, emitted: Sequence[int], state: Tensor | None) -> list[int]:
        """Return nothing."""
        return []


@dataclass(frozen=True, slots=True)
class CausalStep:
    """The tokens one forward pass added, and the log-probability of each."""

    tokens: list[int]
    logprobs: list[float]


def sampler(temperature: float, seed: int) -> Pick:
    """Return a pick that draws with a temperature; the same seed draws the same tokens."""
    generator = torch.Generator().manual_seed(seed)

    def pick(logits: Tensor) -> Tensor:
        # Float32 draws favour rare tokens; and on the host a seed draws the same on any machine.
        weights = (logits.cpu().double() / temperature).softmax(-1)
        return torch.multinomial(weights, 1, generator=generator)[:, 0]

    return pick


def passing_over(tokens: Collection[int], pick: Pick) -> Pick:
    """Return a pick that takes none of some tokens in the first row it is shown."""
    left = list(tokens)

    def first(logits: Tensor) -> Tensor:
        if left:
            logits = logits.clone()
            # A tokenizer may name tokens that its model has no row for.
            logits[0, [token for token in left if token < logits.shape[1]]] = -torch.inf
            left.clear()
        return pick(logits)

    return first


class Strand:
    """A text that is being decoded behind its cache, between two passes."""

    def __init__(
        self,
        cache: Room,
        prompt: Sequence[int],
        draft: Draft,
        pick: Pick = greedy,
        emitted: Sequence[int] = (),
    ) -> None:
        """Begin with `prompt`; `emitted` are the tokens the draft is to know of already."""
        self.cache = cache
        self._draft, self._pick = draft, pick
        self._emitted, self._pending = list(emitted), list(prompt)
        self._guess: list[int] = []
        self._state: Tensor | None = None  # (D,), which led to the last emitted token

    def next_run(self) -> list[int]:
        """Return the tokens to run now: those that no pass has seen, and a draft; [] if no room."""
        room = self.cache.capacity - self.cache.length - len(self._pending)
        if room < 0:
            return []
        self._guess = self._draft.propose(self._emitted, self._state)[:room]
        return self._pending + self._guess

    @property
    def num_rows(self) -> int:
        """How many of the last states of a run are to be read."""
        return len(self._guess) + 1

    def take(self, states: Tensor, logits: Tensor) -> CausalStep:
        """Take what a run led to, as far as draft and model agree.

        Its states (num_rows, D), and their logits (num_rows, V).
        """
        chosen = self._pick(logits).to(logits.device)  # a sampler's are the host's
        found = on_host(chosen, logprobs_of(logits, chosen))
        tokens, scores = (column.tolist() for column in found)
        agreed = 0
        while agreed < len(self._guess) and self._guess[agreed] == tokens[agreed]:
            agreed += 1
        self.cache.keep(len(self._pending) + agreed)
        self._state = states[agreed]
        tokens = tokens[: agreed + 1]
        self._emitted += tokens
        self._pending = tokens[-1:]
        return CausalStep(tokens, scores[: agreed + 1])
