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
from engine.config import candidates_for
from engine.errors import CheckpointError, ConfigError, EngineError, EngineUnavailable
from engine.protocol import MAX_CANDIDATES, Candidate, EditRequest, EditResult
from grammars.faults import is_mended
from grammars.span import Replacement, Span, apply
from grammars.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Work:
    """A file and the places in it that are to be edited."""

    file: UserFile  # its text is what the steps before have made of it
    language: str
    places: Sequence[Place]


def request_of(order: Order, work: Work) -> EditRequest:
    """Return what will be asked first.

    Raises:
        ConfigError: if an option is out of its bounds, or the place cannot be edited so.
    """
    first = work.places[0]
    return order.request(work.file.text, first, language=work.language, path=work.file.name)


class Choice(Enum):
    """What to do with an edit that could be made."""

    KEEP = auto()
    LEAVE = auto()  # the place as it is
    AGAIN = auto()  # ask for another one
    STOP = auto()  # leave this place and all that follow


@dataclass(frozen=True, slots=True)
class Offer:
    """An edit that could be made now."""

    name: str  # of the file
    language: str
    text: str  # the file's, with the edits made so far
    replacement: Replacement
    is_repeated: bool = False  # another one was asked for, and there is none


class Choose(Protocol):
    """Decides about each edit."""

    def __call__(self, offer: Offer) -> Choice | str:
        """Return what to do with it, or what to write in its place."""
        ...


def keep_all(offer: Offer) -> Choice:
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
        name, language = work.file.name, work.language
        offered: list[SpanOutcome] = []
        while True:
            try:
                request = self._order.request(text, here, language=language, path=name)
                if offered:  # a seed decides about draws alone, and the best draft is no draw
                    wanted = candidates_for(request) + len(offered)
                    request = replace(request, candidates=min(wanted, MAX_CANDIDATES))
                result = self._ask(request)
            except EngineError as error:
                self._give_up_if_hopeless(error)
                return SpanOutcome(place=place, status=SpanStatus.FAILED, reasons=(str(error),))
            self._has_answered, self._failures_in_row = True, 0
            found = [self._judged(request, here, place, result, c) for c in result.candidates]
            known = {outcome.text for outcome in offered}
            new = [o for o in found if o.status is SpanStatus.EDITED and o.text not in known]
            if not new and not offered:
                return found[0]
            outcome = new[0] if new else offered[-1]
            offered.append(outcome)
            replacement = Replacement(here.span, outcome.text)
            match self._choose(Offer(name, language, text, replacement, is_repeated=not new)):
                case str() as own:
                    return replace(outcome, text=own, reasons=())
                case Choice.KEEP:
                    return outcome
                case Choice.AGAIN:
                    continue
                case choice:
                    self.is_stopped = choice is Choice.STOP
                    status = SpanStatus.DECLINED
                    return SpanOutcome(place=place, status=status, stats=outcome.stats)

    def _judged(
        self,
        request: EditRequest,
        here: Place,
        place: Place,
        result: EditResult,
        candidate: Candidate,
    ) -> SpanOutcome:
        """Return what an edit by a candidate would be."""
        text = request.text
        whole = apply(text, candidate.replacements)
        new = whole[here.span.start : len(whole) - (len(text) - here.span.end)]
        verdict, status = candidate.verdict, SpanStatus.EDITED
        if new == here.span.of(text):
            new, status = "", SpanStatus.UNCHANGED
        elif not verdict.ok:
            status = SpanStatus.INVALID
        elif self._order.mends and not is_mended(text, whole, request.language):
            verdict = Verdict(ok=False, reasons=("the syntax error is still there",))
            status = SpanStatus.INVALID
        return SpanOutcome(
            place=place,
            status=status,
            text=new,
            reasons=verdict.reasons,
            checked=verdict.checked,
            stats=result.stats,
        )

    def _give_up_if_hopeless(self, error: EngineError) -> None:
        """Raise an error that every other place would meet, too."""
        if isinstance(error, ConfigError | CheckpointError) and not self._has_answered:
            raise error
        if isinstance(error, EngineUnavailable):
            self._failures_in_row += 1
            if self._failures_in_row > 1 or not self._has_answered:
                raise error
