"""Guess tokens behind the next one from the state that gave it, without asking the transformer.

A small network steps from a state and the token it led to on to a state that leads to the next
token (MLP speculator, arXiv:2404.19124; Hydra, arXiv:2402.05109), and reads it with a part of the
output's own rows: the tokens that code is made of. Shapes: T tokens, D width, M inner width,
N tokens that can be guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import CheckpointError
from engine.int8 import Int8Linear, Int8Weight
from engine.linear import Linear
from engine.scoring import confidence

Embed = Callable[[Tensor], Tensor]  # token ids (T,) to vectors (T, D)

_EPS = 1e-6
_RIGHT = 0.9  # as often as this a guess is right that the head holds for certain, in new code


class DraftHead:
    """The network: states and tokens' vectors in, states out, which the head reads."""

    def __init__(
        self, gate_up: Linear, down: Linear, head: Linear, tokens: Tensor, embed: Embed
    ) -> None:
        """Take layers (2M, 2D), (D, M) and (N, D), and the ids (N,) of the tokens that it knows."""
        self._gate_up, self._down, self._head = gate_up, down, head
        self._tokens, self._embed = tokens, embed

    def step(self, states: Tensor, vectors: Tensor) -> Tensor:
        """Map states (T, D), and the vectors (T, D) of what they led to, to the next states."""
        x = torch.cat([_unit(states.float()), _unit(vectors.float())], -1)
        gate, up = self._gate_up(x).chunk(2, -1)
        return states + self._down(F.silu(gate) * up)

    def from_state(self, state: Tensor) -> Guesser:
        """Return what guesses on from a state (D,) of the model's."""
        return Guesser(self, state)

    @torch.inference_mode()
    def behind(self, states: Tensor, token: int) -> Tensor:
        """Return the state (1, D) behind a token that a state (1, D) led to."""
        return self.step(states, self._embed(torch.tensor([token])))

    @torch.inference_mode()
    def read(self, states: Tensor) -> tuple[int, float]:
        """Return the token that a state (1, D) leads to, and how likely it is."""
        place, sureness = confidence(self._head(states))
        return int(self._tokens[place]), _RIGHT * float(sureness)


class Guesser:
    """Goes on from a state, token by token."""

    def __init__(self, head: DraftHead, state: Tensor) -> None:
        self._head, self._states = head, state[None].float()

    def behind(self, token: int | None) -> tuple[int, float]:
        """Return the likeliest token behind the next one, and how likely it is.

        Behind none, it is what the first state itself leads to.
        """
        if token is not None:
            self._states = self._head.behind(self._states, token)
        return self._head.read(self._states)


def read_draft_head(path: Path, base_sha256: str, embed: Embed) -> DraftHead:
    """Read a head, for the CPU, of a base whose output reads with the vectors of its tokens.

    Raises:
        CheckpointError: if the file is damaged, lacks a tensor, or belongs to another base.
    """
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("base_sha256") != base_sha256:
                raise CheckpointError(f"the draft head {path} was trained on another base model")
            tokens = file.get_tensor("tokens").long()
            gate_up, down = (
                Int8Weight(file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.scale"))
                for name in ("gate_up", "down")
            )
    except (SafetensorError, OSError, KeyError) as error:
        raise CheckpointError(f"{path} is not a draft head: {error}") from error
    rows = embed(tokens).float()
    (width, inner), hidden = down.values.shape, gate_up.values.shape
    if hidden != (2 * inner, 2 * width) or width != rows.shape[1]:
        raise CheckpointError(f"{path} is not a draft head of this shape")
    head = Int8Linear(Int8Weight.of(rows))
    return DraftHead(Int8Linear(gate_up), Int8Linear(down), head, tokens, embed)


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + _EPS).rsqrt()
