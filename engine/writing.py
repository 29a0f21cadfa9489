"""A draft while it is written from left to right, until it ends where its hole can end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.cache import Cache, Room
from engine.causal import CausalStep, Draft, NoDraft, Pick, Strand, greedy, passing_over, sampler
from engine.control import Control
from engine.frames import show_written
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Draft as Finished
from engine.tries import draft_of

MAX_REVIEWS = 4
_TEMPERATURE = 0.6


@dataclass(frozen=True, slots=True)
class Pen:
    """What all drafts of a hole are written with."""

    tokenizer: Tokenizer
    shape: HoleShape
    sentinel: int
    ends: frozenset[int]
    max_tokens: int
    control: Control


class Writing:
    """The tokens of a draft so far, and what is to be decoded next.

    It begins with the indentation of what it replaces, where that is known. A text that has come to
    an end is reviewed, and what the review takes back, if only the end itself, is decoded again
    without the token it began with.
    """

    def __init__(self, pen: Pen, how: str, cache: Room, draft: Draft, pick: Pick) -> None:
        """Begin behind what the cache holds."""
        pen.control.begin_draft(how)
        self._pen, self._how, self._number = pen, how, pen.control.draft
        self._cache, self._draft, self._pick = cache, draft, pick
        self._start = cache.length
        # The last blank belongs to the word behind it, as tokenizers cut text.
        self._ids = pen.tokenizer.encode(pen.shape.lead[:-1])
        self._scores = [0.0] * len(self._ids)
        self._revised: set[int] = set()  # places where tokens are others than they were once
        self._refused: dict[int, set[int]] = {}  # by place: what was taken back there
        self._reviews = 0
        self.strand = Strand(cache, [pen.sentinel, *self._ids], draft, pick, self._ids)

    def _resumed(self) -> Strand:
        """Go on behind the tokens there are."""
        place = len(self._ids)
        self._cache.length = self._start + place
        prompt = [self._ids[-1] if place else self._pen.sentinel]
        pick = passing_over(self._refused.get(place, ()), self._pick)
        return Strand(self._cache, prompt, self._draft, pick, self._ids)

    def take(self, step: CausalStep | None) -> Finished | None:
        """Write a step's tokens, None if there is no room; return the draft once it is finished."""
        end = None
        is_over = step is None
        if step is not None:
            # Token by token, as if each had taken a pass: a draft must not change where it ends.
            for token, score in zip(step.tokens, step.logprobs, strict=True):
                self._ids.append(token)
                self._scores.append(score)
                end = self._end()
                is_over = end is not None or len(self._ids) >= self._pen.max_tokens
                if is_over:
                    break
        return self._reviewed(end) if is_over else None

    def show(self) -> None:
        """Send the draft as it is to whoever watches the request."""
        pen = self._pen
        show_written(
            pen.control, pen.tokenizer, self._ids, self._scores, self._number, self._revised
        )

    def _end(self) -> str | None:
        """Return the text if the last token ends it."""
        if self._ids[-1] in self._pen.ends:
            return self._pen.tokenizer.decode(self._ids[:-1])
        return self._pen.shape.end(self._pen.tokenizer.decode(self._ids))

    def _reviewed(self, text: str | None) -> Finished | None:
        """Take a text that ended, or None for one that was cut off, unless its review refuses."""
        review, at = self._pen.shape.review, None
        if text is not None and review and self._reviews < MAX_REVIEWS:
            at = review(text)
        if at is None:
            is_cut_off = text is None
            text = self._pen.tokenizer.decode(self._ids) if text is None else text
            return draft_of(
                self._pen.shape,
                text,
                self._scores,
                self._number,
                self._how,
                is_cut_off=is_cut_off,
            )
        place = self._place_of(at)
        first, ends = self._ids[place], self._pen.ends
        self._refused.setdefault(place, set()).update(ends if first in ends else {first})
        del self._ids[place:], self._scores[place:]
        self._revised.add(place)
        self._reviews += 1
        self.strand = self._resumed()
        return None

    def _place_of(self, at: int) -> int:
        """Return the token that holds character `at` of the text, or follows it."""
        ids, decode = self._ids, self._pen.tokenizer.decode
        place = 0
        while place + 1 < len(ids) and len(decode(ids[: place + 1])) <= at:
            place += 1
        return place


@dataclass(frozen=True, slots=True)
class Opening:
    """Where drafts of a hole begin: behind what a cache holds of a prompt."""

    pen: Pen
    cache: Cache
    length: int  # tokens of the prompt
    guess: Callable[[], Draft]  # what is likely to come, for a draft that can be checked
    branched: Callable[[Cache], Room]

    def greedy(self, how: str, room: Room | None = None) -> Writing:
        """Begin the draft of the likeliest tokens."""
        room = room or self._trunk
        return Writing(self.pen, f"the likeliest tokens, {how}", room, self.guess(), greedy)

    def drawn(self, how: str, number: int, room: Room | None = None) -> Writing:
        """Begin the sample of a number."""
        # Not drafted: that would shift which random number meets which token.
        pick, room = sampler(_TEMPERATURE, number), room or self._trunk
        return Writing(self.pen, f"drawn with seed {number}, {how}", room, NoDraft(), pick)

    def several(self, how: str, count: int, numbers: Iterator[int]) -> list[Writing]:
        """Begin drafts to be written side by side: all but the first one samples."""
        if count == 1:
            return [self.greedy(how)]
        first, *rooms = (self.branched(self._trunk) for _ in range(count))
        drawn = zip(itertools.islice(numbers, count - 1), rooms, strict=True)
        return [self.greedy(how, first), *(self.drawn(how, *each) for each in drawn)]

    @property
    def _trunk(self) -> Cache:
        self.cache.length = self.length
        return self.cache
