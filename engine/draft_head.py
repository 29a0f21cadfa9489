"""Guess tokens behind the next one from the state that gave it, without asking the transformer.

A small network steps from a state and the token it led to on to a state that leads to the next
token (MLP speculator, arXiv:2404.19124; Hydra, arXiv:2402.05109), and reads it with a part of the
output's own rows: the tokens that code is made of. Shapes: T tokens, D width, M inner width,
N tokens that can be guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.causal import Draft
from engine.errors import CheckpointError
from engine.int8 import Int8Weight
from engine.linear import Linear

_EPS = 1e-6
# A guess costs a fortieth of a pass, and a token more in a pass a tenth: worth while only if it is
# about as likely right as this, all guesses before it included.
_LIKELY = 0.3
_LONGEST = 8
_SURE = 3  # tokens in a row that the context proposes once it has been right


class DraftHead:
    """The network: states and tokens' vectors in, states out; `logits` reads them."""

    def __init__(self, gate_up: Linear, down: Linear, head: Linear, tokens: Tensor) -> None:
        """Take layers (2M, 2D), (D, M) and (N, D), and the ids (N,) of the tokens that it knows."""
        self._gate_up, self._down, self._head = gate_up, down, head
        self._tokens = tokens

    def step(self, states: Tensor, vectors: Tensor) -> Tensor:
        """Map states (T, D), and the vectors (T, D) of what they led to, to the next states."""
        x = torch.cat([_unit(states), _unit(vectors)], -1)
        gate, up = self._gate_up(x).chunk(2, -1)
        return states + self._down(F.silu(gate) * up)

    @torch.inference_mode()
    def guess(self, state: Tensor, token: int, embed: Callable[[Tensor], Tensor]) -> list[int]:
        """Return the tokens that are likely to follow the one that a state (D,) led to."""
        guesses: list[int] = []
        states, likely = state[None], 1.0
        while len(guesses) < _LONGEST:
            states = self.step(states, embed(torch.tensor([token])))
            best, place = self._head(states)[0].float().softmax(-1).max(-1)
            likely *= float(best)
            if likely < _LIKELY:
                break
            token = int(self._tokens[place])
            guesses.append(token)
        return guesses


class HeadDraft:
    """A draft of the context or the old text where it has proved right, of the head elsewhere."""

    def __init__(self, head: DraftHead, embed: Callable[[Tensor], Tensor], known: Draft) -> None:
        self._head, self._embed, self._known = head, embed, known

    def propose(self, emitted: Sequence[int], state: Tensor | None) -> list[int]:
        """Return the tokens that are likely to come next."""
        known = self._known.propose(emitted, state)
        if state is None or len(known) > _SURE:
            return known
        return self._head.guess(state, emitted[-1], self._embed) or known


def read_draft_head(
    path: Path,
    base_sha256: str,
    embed: Callable[[Tensor], Tensor],
    linear: Callable[[Int8Weight], Linear],
) -> DraftHead:
    """Read a head for a base whose output reads with the vectors of its tokens.

    Raises:
        CheckpointError: if the file is damaged, lacks a tensor, or belongs to another base.
    """
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("base_sha256") != base_sha256:
                raise CheckpointError(f"the draft head {path} was trained on another base model")
            tokens = file.get_tensor("tokens").long()
            gate_up, down = (
                linear(
                    Int8Weight(file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.scale"))
                )
                for name in ("gate_up", "down")
            )
    except (SafetensorError, OSError, KeyError) as error:
        raise CheckpointError(f"{path.name} is not a draft head: {error}") from error
    return DraftHead(gate_up, down, linear(Int8Weight.of(embed(tokens))), tokens)


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + _EPS).rsqrt()
