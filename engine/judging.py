"""Whether an edit of one span may be offered, beyond what the syntax gate says of its file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.protocol import EditRequest, Priority
from engine.stopping import HoleShape, Review
from grammars.bodies import computes_nothing, has_two_docstrings
from grammars.endings import breaks_off, comments_out, is_comment, joins, unkept_promise, unreached
from grammars.faults import is_mended
from grammars.holes import is_unwritten
from grammars.lines import indentation, line_end, with_line_end
from grammars.names import unbound_reads
from grammars.span import Replacement, Span, apply, landed
from grammars.symbols import defines, definitions_in
from grammars.validation import validate
from grammars.verdict import Verdict

NOTHING = Verdict(ok=False, reasons=("the model proposes nothing here",))
UNWRITTEN = Verdict(ok=False, reasons=("the model puts a placeholder here",))
NOT_MENDED = Verdict(ok=False, reasons=("the syntax error is still there, or more is changed",))
LOST = Verdict(ok=False, reasons=("the model drops the definition it should edit",))
UNJOINED = Verdict(ok=False, reasons=("it does not go together with the lines around it",))
CUT_OFF = Verdict(ok=False, reasons=("the model's answer is too long and was cut off",))
COMMENTED_OUT = Verdict(ok=False, reasons=("it makes a comment of the code behind it",))
UNREACHED = Verdict(ok=False, reasons=("it adds code that is never reached",))
DOUBLED = Verdict(ok=False, reasons=("it adds a docstring where one is",))
NO_CHANGE = Verdict(ok=False, reasons=("the model would leave it as it is",))
# How an instruction begins that takes nothing away.
_ADDS = re.compile(r"\s*(?:please\s+)?(?:also\s+)?(?:add|insert|append)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judge:
    """What a request asks of the edit of a span of it, those `made` of others being in place."""

    request: EditRequest
    made: Sequence[Replacement]

    def applied(self, replacement: Replacement) -> tuple[str, Span]:
        """Return the text with a replacement, and where it is there."""
        edits = [*self.made, replacement]
        return apply(self.request.text, edits), dict(landed(edits))[replacement.span]

    def verdict(self, replacement: Replacement, *, is_cut_off: bool = False) -> Verdict:
        """Judge a replacement of a span; one that is cut off must not take old text away."""
        request, is_fill = self.request, self.request.instruction is None
        if is_cut_off and not is_fill and replacement.span.of(request.text).strip():
            return CUT_OFF
        if not replacement.text.strip():
            return NOTHING
        if replacement.text == replacement.span.of(request.text):
            return NO_CHANGE
        if is_fill and self._leaves_a_hole(replacement):
            return UNWRITTEN
        if not is_fill and self._loses_definition(replacement):
            return LOST
        verdict = validate(request.text, [*self.made, replacement], request.language)
        if not verdict.ok:
            return verdict
        if is_fill and self._comments_out(replacement):
            return COMMENTED_OUT
        if request.priority is not Priority.TYPING and self._brings(unreached, replacement):
            return UNREACHED
        if not is_fill and self._brings(has_two_docstrings, replacement):
            return DOUBLED
        if dropped := self._dropped(replacement):
            reasons = tuple(f"it drops `{name}`, and was to add something" for name in dropped)
            return Verdict(ok=False, reasons=reasons)
        if request.mends and not self._mends(replacement):
            return NOT_MENDED
        if not self._is_whole:
            return verdict
        if not self.joins(replacement):
            return UNJOINED
        if owed := self._owed(replacement):
            return Verdict(ok=False, reasons=(f"the function never returns its {owed}",))
        return verdict

    def joins(self, replacement: Replacement) -> bool:
        """Tell whether a fill leaves nothing to mend about it."""
        return self._is_unfinished or joins(*self.applied(replacement), self.request.language)

    def is_sound(self, replacement: Replacement) -> bool:
        """Tell whether a fill joins, and leaves no name to be read that nothing binds."""
        return self._is_unfinished or (self.joins(replacement) and not self._unbound(replacement))

    def reviewer(self, span: Span, shape: HoleShape) -> Review | None:
        """Return what looks at a fill when the model ends it; None for a rewrite.

        A placeholder is taken back, and so is a name that nothing binds and, for once, an empty
        value that is all a function of something returns; where syntax or the function's signature
        ask for more, it goes on.
        """
        if self.request.instruction is not None:
            return None
        doubted: set[str] = set()

        def review(text: str) -> int | None:
            fill = with_line_end(shape.fit(text), line_end(self.request.text))
            replacement = Replacement(span, fill)
            if not fill.strip():
                return len(text) if self._is_whole else None
            beginning = len(text) - len(text.lstrip())
            if self._leaves_a_hole(replacement):
                return beginning
            if not self._is_whole:
                return None
            # Of a thousand functions of others four do this: a model is seldom right that does.
            if fill not in doubted and computes_nothing(
                *self.applied(replacement), self.request.language
            ):
                doubted.add(fill)
                return beginning
            if breaks_off(*self.applied(replacement), self.request.language):
                return len(text)
            if not self._is_unfinished and (at := self._first_unbound(replacement)) is not None:
                fitted = with_line_end(fill[:at], "\n")
                begins = text.find(shape.fit(text).rstrip())
                return begins + len(fitted) if begins >= 0 else None
            return len(text) if self._owed(replacement) else None

        return review

    @property
    def _is_unfinished(self) -> bool:
        """Whether what is about an edit may be as it is: who types will go on anyway."""
        return self.request.instruction is not None or self.request.priority is Priority.TYPING

    @property
    def _is_whole(self) -> bool:
        """Whether a fill is to be whole; a line may be as unfinished as its user is."""
        return self.request.instruction is None and not self.request.single_line

    def _leaves_a_hole(self, replacement: Replacement) -> bool:
        """Tell whether a fill, too, is only code that says it is still to be written."""
        span, text = replacement.span, replacement.text

        def is_hole(text: str) -> bool:
            return is_unwritten(*self.applied(Replacement(span, text)), self.request.language)

        # A placeholder moved out of its function, below the docstring, is one as well.
        return is_hole(text) or is_hole(indentation(span.of(self.request.text)) + text.lstrip())

    def _unbound(self, replacement: Replacement) -> tuple[Span, ...]:
        """Return where a fill, or what is behind it, reads a name that nothing binds."""
        return unbound_reads(*self.applied(replacement), self.request.language)

    def _first_unbound(self, replacement: Replacement) -> int | None:
        """Return where in its text a fill reads such a name first, None if it does not."""
        _, place = self.applied(replacement)
        inside = (read.start for read in self._unbound(replacement) if read.end <= place.end)
        return next((start - place.start for start in inside), None)

    def _owed(self, replacement: Replacement) -> str | None:
        """Return what the function that a fill ends promises and does not return."""
        return unkept_promise(*self.applied(replacement), self.request.language)

    def _mends(self, replacement: Replacement) -> bool:
        before, (after, _) = apply(self.request.text, self.made), self.applied(replacement)
        return is_mended(before, after, self.request.language)

    def _comments_out(self, replacement: Replacement) -> bool:
        """Tell whether a fill makes a comment of the code behind it."""
        if is_comment(self.request.text, replacement.span.end, self.request.language):
            return False
        return comments_out(*self.applied(replacement), self.request.language)

    def _brings(self, fault: Callable[[str, Span, str], bool], replacement: Replacement) -> bool:
        """Tell whether an edit has a fault that what it replaces has not."""
        request, (after, place) = self.request, self.applied(replacement)
        return fault(after, place, request.language) and not fault(
            request.text, replacement.span, request.language
        )

    def _dropped(self, replacement: Replacement) -> list[str]:
        """Return the definitions that a rewrite drops which is told to add something, and no more.

        Of those that the instruction names it may do as it is told.
        """
        request, (after, place) = self.request, self.applied(replacement)
        instruction = request.instruction or ""
        if not _ADDS.match(instruction):
            return []
        gone = Counter(definitions_in(request.text, request.language, [replacement.span]))
        gone -= Counter(definitions_in(after, request.language, [place]))
        told = set(re.findall(r"\w+", instruction))
        return [name for _, name in gone if name not in told]

    def _loses_definition(self, replacement: Replacement) -> bool:
        """Tell whether a rewrite leaves none of the definitions it was given."""
        language = self.request.language
        if not defines(self.request.text, language, replacement.span):
            return False
        text, place = self.applied(replacement)
        return not defines(text, language, place)
