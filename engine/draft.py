"""Drafting a rewrite from the old text: unchanged code is proposed, the model only agrees."""

from __future__ import annotations

from collections.abc import Sequence

# Tokens proposed while draft and model agree, and right after they did not.
_ALIGNED_RUN, _LOST_RUN = 24, 4
# How far ahead in the old text a change may end, by the number of tokens that must match.
_REACH = ((2, 64), (1, 12))


class OldTextDraft:
    """Follows the emitted tokens through the old ones; where they part, finds the way back."""

    def __init__(self, old: Sequence[int]) -> None:
        self._old = list(old)
        self._seen = 0  # emitted tokens looked at
        self._place = 0  # where in the old text the emitted text stands
        self._is_aligned = True

    def propose(self, emitted: Sequence[int]) -> list[int]:
        """Return the old tokens that would come next."""
        for i in range(self._seen, len(emitted)):
            if self._place < len(self._old) and self._old[self._place] == emitted[i]:
                self._place += 1
                self._is_aligned = True
            else:
                self._realign(emitted[: i + 1])
        self._seen = len(emitted)
        run = _ALIGNED_RUN if self._is_aligned else _LOST_RUN
        return self._old[self._place : self._place + run]

    def _realign(self, emitted: Sequence[int]) -> None:
        """Look ahead for what was just emitted; if it is nowhere near, it is an insertion."""
        self._is_aligned = False
        for size, reach in _REACH:
            tail = list(emitted[-size:])
            for at in range(self._place, min(self._place + reach, len(self._old) - size + 1)):
                if len(tail) == size and self._old[at : at + size] == tail:
                    self._place = at + size
                    self._is_aligned = True
                    return
