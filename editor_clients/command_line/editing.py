"""Edit the places of one file, from the top; each sees the new text of those above it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from editor_clients.command_line.files import UserFile
from editor_clients.command_line.order import Order
from editor_clients.command_line.outcomes import SpanOutcome, SpanStatus
from editor_clients.command_line.places import Place
from engine.errors import CheckpointError, ConfigError, EngineError, EngineUnavailable
from engine.protocol import EditRequest, EditResult
from grammars.faults import is_mended
from grammars.span import Replacement, Span, apply


@dataclass(frozen=True, slots=True)
class Work:
    """A file and the places in it that are to be edited."""

    file: UserFile
    language: str
    places: Sequence[Place]
    refusal: str = ""  # why it is not to be edited, after all


class Choice(Enum):
    """What to do with an edit that could be made."""

    KEEP = auto()
    LEAVE = auto()  # the place as it is
    AGAIN = auto()  # ask for another one
    STOP = auto()  # leave this place and all that follow


class Choose(Protocol):
    """Decides about each edit."""

    def __call__(self, work: Work, place: Place, text: str) -> Choice:
        """Return what to do with a place's new text."""
        ...


def keep_all(work: Work, place: Place, text: str) -> Choice:
    """Keep every edit."""
    return Choice.KEEP


class Editing:
    """Makes one order at many places, through one engine."""

    def __init__(
        self, order: Order, ask: Callable[[EditRequest], EditResult], choose: Choose
    ) -> None:
        self._order, self._ask, self._choose = order, ask, choose
        self.is_stopped = False
        self._has_answered = False
        self._failures_in_row = 0

    def outcomes(self, work: Work) -> Iterator[SpanOutcome]:
        """Yield what became of each place, as it is done.

        Raises:
            EngineError: if the engine cannot work at all; one place it cannot do is an outcome.
        """
        text, shift = work.file.text, 0
        for place in work.places:
            here = Place(Span(place.span.start + shift, place.span.end + shift), place.what)
            outcome = self._outcome(work, text, here, place)
            if outcome.status is SpanStatus.EDITED:
                text = apply(text, [Replacement(here.span, outcome.text)])
                shift += len(outcome.text) - len(place.span)
            yield outcome
            if self.is_stopped:
                return

    def _outcome(self, work: Work, text: str, here: Place, place: Place) -> SpanOutcome:
        rolls = 0
        while True:
            try:
                order = self._order.rolled_again(rolls)
                request = order.request(text, here, language=work.language, path=work.file.name)
                result = self._ask(request)
            except EngineError as error:
                self._give_up_if_hopeless(error)
                return SpanOutcome(place=place, status=SpanStatus.FAILED, reasons=(str(error),))
            self._has_answered, self._failures_in_row = True, 0
            outcome = _judged(text, here, place, result)
            if self._order.mends and outcome.status is SpanStatus.EDITED:
                outcome = _mending(text, here, outcome, work.language)
            if outcome.status is not SpanStatus.EDITED:
                return outcome
            match self._choose(work, place, outcome.text):
                case Choice.KEEP:
                    return outcome
                case Choice.AGAIN:
                    rolls += 1
                    continue
                case choice:
                    self.is_stopped = choice is Choice.STOP
                    status = SpanStatus.DECLINED
                    return SpanOutcome(place=place, status=status, stats=outcome.stats)

    def _give_up_if_hopeless(self, error: EngineError) -> None:
        """Raise an error that every other place would meet, too."""
        if isinstance(error, ConfigError | CheckpointError) and not self._has_answered:
            raise error
        if isinstance(error, EngineUnavailable):
            self._failures_in_row += 1
            if self._failures_in_row > 1 or not self._has_answered:
                raise error


def _mending(text: str, here: Place, outcome: SpanOutcome, language_id: str) -> SpanOutcome:
    """Refuse an edit that leaves as many syntax errors as there were."""
    new = apply(text, [Replacement(here.span, outcome.text)])
    if is_mended(text, new, language_id):
        return outcome
    return replace(outcome, status=SpanStatus.INVALID, reasons=("the syntax error is still there",))


def _judged(text: str, here: Place, place: Place, result: EditResult) -> SpanOutcome:
    best = result.best
    whole = apply(text, best.replacements)
    new = whole[here.span.start : len(whole) - (len(text) - here.span.end)]
    status = SpanStatus.EDITED if best.verdict.ok else SpanStatus.INVALID
    if new == here.span.of(text):
        status = SpanStatus.UNCHANGED
    return SpanOutcome(
        place=place,
        status=status,
        text=new if status is not SpanStatus.UNCHANGED else "",
        reasons=best.verdict.reasons,
        checked=best.verdict.checked,
        stats=result.stats,
    )
