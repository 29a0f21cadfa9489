"""Drafts for causal decoding: a rewrite's old text, and what the context itself says twice."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

# Tokens proposed while draft and model agree, and right after they did not.
_ALIGNED_RUN, _LOST_RUN = 24, 2
# So many last tokens tell a place in the old text from another; the first number is sure of it.
_SURE, _LONGEST = 3, 8


class OldTextDraft:
    """Follows the emitted tokens through the old ones; where they part, finds the way back.

    The way back is the place whose tokens before it are the last ones emitted, as many as possible,
    and of equal places the nearest to where the two parted. A wrong one is left again as soon as
    more tokens are known.
    """

    def __init__(self, old: Sequence[int]) -> None:
        self._old = list(old)
        self._seen = 0  # emitted tokens looked at
        self._place = 0  # where in the old text the emitted text stands
        self._parted = 0  # the last place that was sure
        self._agreed = _SURE  # emitted tokens that stand before the place in the old text, too
        self._ends: dict[int, list[int]] = {}  # token: the places behind it
        for place, token in enumerate(self._old, 1):
            self._ends.setdefault(token, []).append(place)

    def propose(self, emitted: Sequence[int], state: Tensor | None = None) -> list[int]:
        """Return the old tokens that would come next; the state says nothing of them."""
        for i in range(self._seen, len(emitted)):
            if self._place < len(self._old) and self._old[self._place] == emitted[i]:
                self._place += 1
                self._agreed += 1
            else:
                self._realign(emitted[: i + 1])
            if self._agreed >= _SURE:
                self._parted = self._place
        self._seen = len(emitted)
        run = _ALIGNED_RUN if self._agreed >= _SURE else _LOST_RUN
        return self._old[self._place : self._place + run]

    def _realign(self, emitted: Sequence[int]) -> None:
        """Find what was just emitted; if it is nowhere, it is an insertion."""
        found = [
            (self._matching(place, emitted), -abs(place - self._parted - 1), place)
            for place in self._ends.get(emitted[-1], ())
        ]
        self._agreed, _, self._place = max(found, default=(0, 0, self._parted))

    def _matching(self, place: int, emitted: Sequence[int]) -> int:
        """Count the last emitted tokens that stand before a place in the old text."""
        most = min(place, len(emitted), _LONGEST)
        return next((n for n in range(most) if self._old[place - 1 - n] != emitted[-1 - n]), most)


# Tokens that must match for what followed them to be proposed again, longest match first.
_NGRAMS = (3, 2, 1)
# A proposal starts short and doubles while the model agrees: a wrong one costs time for nothing.
_FIRST_RUN, _LONGEST_RUN = 2, 16


class ContextDraft:
    """Proposes what followed the last tokens where they stood before (arXiv:2304.04487).

    Looked up in the text behind the hole, before it and in the hole, the nearest place first.
    """

    def __init__(self, before: Sequence[int], behind: Sequence[int]) -> None:
        self._text = list(behind)
        self._seam = len(behind)  # nothing is matched or proposed across it
        self._places: dict[tuple[int, ...], int] = {}  # n-gram: where its last occurrence ends
        self._guess: list[int] = []
        self._run = _FIRST_RUN
        self._seen = 0  # emitted tokens looked at
        for place in range(1, len(self._text)):
            self._note(place, first=0)
        self._append(before)

    def propose(self, emitted: Sequence[int], state: Tensor | None = None) -> list[int]:
        """Return the tokens that followed the longest known ending; none if there is none."""
        new = list(emitted[self._seen :])
        self._seen = len(emitted)
        if self._guess:
            agreed = new[: len(self._guess)] == self._guess
            self._run = min(2 * self._run, _LONGEST_RUN) if agreed else _FIRST_RUN
        self._append(new)
        self._guess = self._following()
        return self._guess

    def _following(self) -> list[int]:
        for size in _NGRAMS:
            if len(self._text) - self._seam < size:
                continue
            place = self._places.get(tuple(self._text[-size:]))
            if place is not None:
                end = place + self._run
                return self._text[place : min(end, self._seam) if place < self._seam else end]
        return []

    def _append(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            # The present end is noted only once something follows it.
            self._note(len(self._text), first=self._seam)
            self._text.append(token)

    def _note(self, place: int, first: int) -> None:
        for size in _NGRAMS:
            if place - size >= first:
                self._places[tuple(self._text[place - size : place])] = place
