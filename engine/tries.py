"""What a model offers for a hole, one try after another, and what asks it to. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from engine.config import EffortConfig
from engine.control import Control
from engine.holes import Holes
from engine.stopping import HoleShape, whole_lines


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished try: its text, the tokens it took (its end included), mean log-probability."""

    text: str
    tokens: int
    score: float
    number: int = 0  # among the request's, and how it was made, for a person
    how: str = ""
    is_cut_off: bool = False  # it had all the tokens there may be, and no end


def draft_of(
    shape: HoleShape,
    text: str,
    scores: Sequence[float],
    number: int,
    how: str,
    *,
    is_cut_off: bool = False,
) -> Draft:
    """Make a draft of the text of a try, cut where the hole ends.

    `scores` are the log-probabilities (one a token) it was decoded with; one that `is_cut_off`
    keeps its whole lines, unless the hole ends in them.
    """
    end = shape.end(text)
    is_cut_off = is_cut_off and end is None
    if end is None:
        end = whole_lines(text) if is_cut_off else text
    mean = sum(scores) / max(1, len(scores))
    return Draft(shape.fit(end), len(scores), mean, number, how, is_cut_off)


@dataclass(frozen=True, slots=True)
class Ask:
    """How the tries at a hole are made: each has at most so many tokens."""

    effort: EffortConfig
    max_tokens: int
    seed: int = 0  # of the first draft that is drawn
    wanted: int = 1  # so many drafts will surely be used


class FillsHoles(Protocol):
    """A model with its way of filling; each request in a thread of its own."""

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield drafts of the hole, the likeliest first."""
        ...


@runtime_checkable
class FillsTogether(Protocol):
    """A model that fills several holes of a text at once."""

    def lengths(
        self, holes: Holes, effort: EffortConfig, max_tokens: int, control: Control
    ) -> list[tuple[int, ...]]:
        """Return for each try how long the holes' canvases are at first, in tokens."""
        ...

    def fill(
        self,
        holes: Holes,
        lengths: Sequence[int],
        effort: EffortConfig,
        max_tokens: int,
        control: Control,
        spans: Sequence[int],
    ) -> list[Draft]:
        """Return a draft for each hole; `spans` are their numbers in the request."""
        ...


@runtime_checkable
class Weighs(Protocol):
    """A model that tells which of several texts fits a hole best."""

    def weights(
        self, shape: HoleShape, texts: Sequence[str], effort: EffortConfig, control: Control
    ) -> list[float]:
        """Return how well each text fits, the most the best; comparable for one hole alone."""
        ...


class Rewrites(Protocol):
    """A model with its way of rewriting; each request in a thread of its own."""

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
