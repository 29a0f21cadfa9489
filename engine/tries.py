"""What a model offers for a hole, one try after another, and what asks it to. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from engine.config import EffortConfig
from engine.control import Control
from engine.stopping import HoleShape


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished try: its text, the tokens it took (its end included), mean log-probability."""

    text: str
    tokens: int
    score: float


class FillsHoles(Protocol):
    """A model with its way of filling; one request at a time."""

    def tries(
        self, shape: HoleShape, effort: EffortConfig, max_tokens: int, seed: int, control: Control
    ) -> Iterator[Draft]:
        """Yield drafts of the hole, the likeliest first."""
        ...


class Rewrites(Protocol):
    """A model with its way of rewriting; one request at a time."""

    def tries(
        self,
        shape: HoleShape,
        language: str,
        instruction: str,
        effort: EffortConfig,
        seed: int,
        control: Control,
    ) -> Iterator[Draft]:
        """Yield new texts for the hole's old one, the likeliest first."""
        ...
