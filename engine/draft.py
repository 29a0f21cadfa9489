"""Drafts for causal decoding: a rewrite's old text, what the context says twice, and guesses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from engine.draft_head import DraftHead

# A token more in a pass costs a tenth of it, a head's guess a thirtieth: worth while if it is about
# as likely right as this, with all guesses before it.
_LIKELY = 0.2
_LONGEST_RUN = 16
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

    def __init__(self, old: Sequence[int], head: DraftHead | None = None) -> None:
        self._old, self._head = list(old), head
        self._seen = 0  # emitted tokens looked at
        self._place = 0  # where in the old text the emitted text stands
        self._parted = 0  # the last place that was sure
        self._agreed = _SURE  # emitted tokens that stand before the place in the old text, too
        self._ends: dict[int, list[int]] = {}  # token: the places behind it
        for place, token in enumerate(self._old, 1):
            self._ends.setdefault(token, []).append(place)

    def propose(self, emitted: Sequence[int], state: Tensor | None = None) -> list[int]:
        """Return the old tokens that would come next, or guesses while it is not known which."""
        for i in range(self._seen, len(emitted)):
            if self._place < len(self._old) and self._old[self._place] == emitted[i]:
                self._place += 1
                self._agreed += 1
            else:
                self._realign(emitted[: i + 1])
            if self._agreed >= _SURE:
                self._parted = self._place
        self._seen = len(emitted)
        if self._agreed >= _SURE:
            return self._old[self._place : self._place + _ALIGNED_RUN]
        guesses: list[int] = []
        if self._head and state is not None:
            guesser = self._head.from_state(state)
            guesses = likely_run(
                lambda guessed: guesser.behind(guessed[-1] if guessed else emitted[-1])
            )
        return guesses or self._old[self._place : self._place + _LOST_RUN]

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


def likely_run(
    following: Callable[[Sequence[int]], tuple[int, float]],
    is_last: Callable[[int], bool] = lambda token: False,
) -> list[int]:
    """Return tokens one behind the other as long as all of it is likely.

    `following` tells what comes behind those proposed so far, and how likely it is; nothing is
    wanted behind a token that `is_last`.
    """
    proposed: list[int] = []
    likely = 1.0
    while len(proposed) < _LONGEST_RUN and not (proposed and is_last(proposed[-1])):
        token, share = following(proposed)
        likely *= share
        if likely < _LIKELY:
            break
        proposed.append(token)
    return proposed


# A place is found by its last three tokens, or else fewer.
_NGRAMS = (3, 2, 1)
# How often what followed there follows again, by the number of last tokens that are the same:
# counted on drafts of 100 holes of HumanEval-Infilling's dev cases.
_AGAIN = (0.0, 0.23, 0.42, 0.60, 0.67, 0.72, 0.74, 0.77, 0.87)
_CERTAIN = 0.6  # so sure of the context, the head is not asked


class ContextDraft:
    """Proposes what followed the last tokens where they stood before (arXiv:2304.04487).

    Looked up in the text behind the hole, before it and in the hole, the nearest place first. Each
    token is looked up behind those proposed; a head's guess is taken instead where it is likelier.
    """

    def __init__(
        self,
        before: Sequence[int],
        behind: Sequence[int],
        head: DraftHead | None = None,
        start: Tensor | None = None,
        is_last: Callable[[int], bool] = lambda token: False,
    ) -> None:
        """Take the context, and the state (D,) of the last token in front of the hole.

        That state leads to the first guess. It has not seen what stands behind the hole. Nothing is
        proposed behind a token that `is_last`.
        """
        self._head, self._start, self._is_last = head, start, is_last
        self._text = list(behind)
        self._seam = len(behind)  # nothing is matched or proposed across it
        self._places: dict[tuple[int, ...], int] = {}  # n-gram: where its last occurrence ends
        self._seen = 0  # emitted tokens looked at
        for place in range(1, len(self._text)):
            self._note(place, first=0)
        self._append(before)

    def propose(self, emitted: Sequence[int], state: Tensor | None = None) -> list[int]:
        """Return the tokens that are likely to come next; none if there is no idea."""
        self._append(emitted[self._seen :])
        self._seen = len(emitted)
        if state is None:
            state, self._start = self._start, None  # if that is taken back, so is what it led to
        guesser = self._head.from_state(state) if self._head and state is not None else None
        last = emitted[-1] if emitted else None

        def following(proposed: Sequence[int]) -> tuple[int, float]:
            nonlocal guesser
            token, share = self._following(proposed)
            if share >= _CERTAIN:
                guesser = None  # it would have to be told of every token
            elif guesser:
                guess, sureness = guesser.behind(proposed[-1] if proposed else last)
                if guess == token:
                    share = 1 - (1 - share) * (1 - sureness)
                elif sureness > share:
                    token, share = guess, sureness
            return token, share

        return likely_run(following, self._is_last)

    def _following(self, proposed: Sequence[int]) -> tuple[int, float]:
        """Return what followed the last tokens, those proposed among them, and how likely it is."""
        last = [*self._text[max(self._seam, len(self._text) - len(_AGAIN)) :], *proposed]
        for size in _NGRAMS:
            place = self._places.get(tuple(last[-size:])) if len(last) >= size else None
            if place is not None:
                first = 0 if place < self._seam else self._seam
                most = min(len(_AGAIN) - 1, len(last), place - first)
                while size < most and self._text[place - size - 1] == last[-size - 1]:
                    size += 1
                return self._text[place], _AGAIN[size]
        return -1, 0.0

    def _append(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            # The present end is noted only once something follows it.
            self._note(len(self._text), first=self._seam)
            self._text.append(token)

    def _note(self, place: int, first: int) -> None:
        for size in _NGRAMS:
            if place - size >= first:
                self._places[tuple(self._text[place - size : place])] = place
