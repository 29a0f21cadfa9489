"""How sure the model is of its guess at each position.

Logits stay on the model's device; what is found in them goes to the host, in one read a step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import Scoring

_ROWS = 8  # whose logarithms a CPU makes at once: each has the whole vocabulary


def confidence(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeliest token (L,) and its probability (L,) from logits (L, V)."""
    guess = likeliest(logits)
    return on_host(guess, logprobs_of(logits, guess).exp())


def likeliest(logits: Tensor) -> Tensor:
    """Return the likeliest token (L,) of logits (L, V), the first one of equals."""
    if logits.is_cpu:  # numpy compares many at a time, torch one by one
        return torch.from_numpy(logits.float().numpy(force=True).argmax(-1))
    return logits.argmax(-1)


def logprobs_of(logits: Tensor, ids: Tensor) -> Tensor:
    """Return how likely logits (L, V) hold token ids (L,) for, as logarithms (L,)."""
    size = _ROWS if logits.is_cpu else max(1, len(logits))
    parts = zip(logits.split(size), ids.split(size), strict=True)
    return -torch.cat([F.cross_entropy(rows, own, reduction="none") for rows, own in parts])


def on_host(ids: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Bring token ids (T,) and numbers (T,) of them to the host together: each read is a wait."""
    if numbers.is_cpu:
        return ids, numbers
    both = torch.stack([ids.float(), numbers]).cpu()  # exact: no vocabulary has 2^24 tokens
    return both[0].long(), both[1]


class Credit:
    """What earlier steps would have chosen, as a weight in later ones (arXiv:2510.06133).

    A token that stays the likeliest of its position, if only just, comes sooner.
    """

    _DECAY, _POWER = 0.8, 0.2

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._tokens: Tensor | None = None  # (L, S), the guesses of S steps
        self._amounts: Tensor | None = None  # (L, S)

    def added_to(self, logits: Tensor) -> Tensor:
        """Take in a step's logits (L, V); return them with what they have to their credit."""
        guess, sureness = (found.to(logits.device) for found in confidence(logits))
        amount = sureness[:, None] ** self._POWER
        if self._tokens is None or self._amounts is None or len(self._tokens) != len(guess):
            self._tokens, self._amounts = guess[:, None], amount
        else:
            self._tokens = torch.cat([self._tokens, guess[:, None]], 1)
            self._amounts = torch.cat([self._amounts * self._DECAY, amount], 1)
        same = self._tokens[:, :, None] == self._tokens[:, None]  # (L, S, S)
        total = (same * self._amounts[:, None]).sum(-1)  # (L, S): of the same token, the same
        raised = logits.gather(1, self._tokens) + self._weight * total.log1p()
        return logits.scatter(1, self._tokens, raised)


def rank(logits: Tensor, sureness: Tensor, scoring: Scoring) -> Tensor:
    """Return scores (L,) by which positions are committed, the highest first.

    Takes logits (L, V) and what `confidence` says of them.
    """
    match scoring:
        case Scoring.CONFIDENCE:
            return sureness
        case Scoring.MARGIN:
            first, second = logits.softmax(-1).topk(2, -1).values.unbind(-1)
            return (first - second).cpu()
        case Scoring.ENTROPY:  # negative; a barred token, of logit -inf, weighs nothing
            logprobs = logits.log_softmax(-1)
            return (logprobs.exp() * logprobs.clamp_min(-1e9)).sum(-1).cpu()
