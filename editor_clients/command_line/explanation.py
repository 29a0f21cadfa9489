"""How one edit came about, as a page of text: what the model saw, its drafts, their verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from editor_clients.command_line.diff import visible
from editor_clients.command_line.recording import where
from editor_clients.command_line.screen import Paint, counted, stats_line
from engine.protocol import (
    Attempt,
    EditRequest,
    EditResult,
    Frame,
    FrameToken,
    Sight,
    TokenState,
)
from grammars.lines import LineIndex, with_line_end
from grammars.span import Span

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"
_HIDDEN = (TokenState.MASKED, TokenState.PROVISIONAL)
_AROUND_LINES = 2
_HEAD_LINES, _TAIL_LINES = 4, 4  # of what is too long to show
_DOUBTFUL, _MAX_DOUBTFUL = 0.5, 5


@dataclass(frozen=True, slots=True)
class Page:
    """Explains for a stream with certain colours and so many columns."""

    paint: Paint
    width: int
    all_steps: bool = False  # else the middle ones of many are left out

    def text(self, request: EditRequest, result: EditResult, frames: Sequence[Frame]) -> str:
        """Return the page of an edit whose request said `explain`."""
        return "".join(f"{line}\n" for line in self._lines(request, result, frames))

    def _lines(
        self, request: EditRequest, result: EditResult, frames: Sequence[Frame]
    ) -> Iterator[str]:
        told = result.explanation
        assert told
        what = "fill" if request.instruction is None else f"rewrite: {request.instruction}"
        yield self.paint(visible(f"{where(request)}  {what}"), _BOLD)
        language = request.language or "unknown language"
        yield f"{language}, effort {request.effort}, seed {request.seed}"
        for sight in told.sights:
            yield ""
            yield from self._canvas(request, sight)
            attempts = [a for a in told.attempts if a.span == sight.span]
            first_of = {a.text: a.draft for a in reversed(attempts)}
            for draft, judged in groupby(attempts, key=lambda attempt: attempt.draft):
                own = [f for f in frames if (f.span, f.draft) == (sight.span, draft)]
                done = max((f.step for f in frames if f.draft < draft), default=0)
                yield ""
                yield from self._draft(list(judged), own, done, first_of)
        yield ""
        yield self._outcome(request, result, told.attempts)
        yield stats_line(result.stats)

    def _canvas(self, request: EditRequest, sight: Sight) -> Iterator[str]:
        """Show the span between its neighbours, and say how much of the file the model saw."""
        text, span = request.text, request.spans[sight.span]
        seen = "the instruction and the old text"
        if request.instruction is None:
            seen = _window(sight, text[: span.start], text[span.end :])
        tokens = f": {counted(sight.tokens, 'token')}" if sight.tokens else ""
        yield f"{self._title('canvas')}  the model saw {seen}{tokens}"
        lines = LineIndex(text)
        old = span.of(text)
        end = span.start + len(old.rstrip("\r\n"))  # the mark stands in front of the line end
        first, last = lines.line_at(span.start), lines.line_at(end)
        shown: list[str] = []
        for line in range(max(0, first - _AROUND_LINES), min(len(lines), last + _AROUND_LINES + 1)):
            marked = self._marked(text, lines.content(line), span, end)
            shown.append(f"  {line + 1:5}  {marked}".rstrip())
        yield from _shortened(shown)

    def _marked(self, text: str, line: Span, span: Span, end: int) -> str:
        """Return a line with the part of it that is in the span between brackets."""
        start, stop = max(line.start, span.start), min(line.end, end)
        if start > stop or not line.start <= start <= line.end:
            return visible(line.of(text))
        pieces = (text[line.start : start], text[start:stop], text[stop : line.end])
        before, inside, behind = map(visible, pieces)
        opening = "⟦" if line.start <= span.start else ""
        closing = "⟧" if end <= line.end else ""
        return before + self.paint(opening + inside + closing, _RED) + behind

    def _draft(
        self, attempts: list[Attempt], frames: list[Frame], before: int, first_of: dict[str, int]
    ) -> Iterator[str]:
        first = attempts[0]
        costs = f"{counted(first.tokens, 'token')}, {math.exp(first.score):.0%} sure on average"
        yield f"{self._title(f'draft {first.draft + 1}')}  {first.how}: {costs}"
        yield from self._steps(frames, before)
        if frames and (doubts := _doubts(frames[-1].tokens)):
            yield f"  least sure of {doubts}"
        for attempt in attempts:
            verdict = self._verdict(attempt, is_changed=attempt is not first)
            if (known := first_of[attempt.text]) != attempt.draft:
                yield f"  {verdict}; the same text as of draft {known + 1}"
                continue
            yield f"  {verdict}"
            lines = with_line_end(attempt.text, "\n").removesuffix("\n").split("\n")
            yield from _shortened([f"    {self.paint(visible(line), _DIM)}" for line in lines])

    def _steps(self, frames: list[Frame], before: int) -> Iterator[str]:
        shown: list[str] = []
        last: tuple[FrameToken, ...] = ()
        for frame in frames:
            shown.append(f"  {frame.step - before:5}  {self._step(last, frame.tokens)}")
            last = frame.tokens
        yield from shown if self.all_steps else _shortened(shown, "steps")

    def _step(self, last: tuple[FrameToken, ...], tokens: tuple[FrameToken, ...]) -> str:
        """Show a canvas on one line, what the step committed in green."""
        cells: list[tuple[str, str]] = []
        newest = 0
        for i, token in enumerate(tokens):
            is_hidden = token.state in _HIDDEN
            is_new = not is_hidden and (i >= len(last) or _differs(last[i], token))
            style = _DIM if is_hidden else _GREEN if is_new else ""
            if token.state is TokenState.REVISED and is_new:
                style = _YELLOW
            cells += [(char, style) for char in ("░" if is_hidden else _on_a_line(token.text))]
            newest = len(cells) if is_new else newest
        room = max(20, self.width - 10)
        if len(cells) > room:
            start = max(0, newest - room + 1)
            cells = [("…", _DIM), *cells[start : start + room - 1]] if start else cells[:room]
        runs = groupby(cells, key=lambda cell: cell[1])
        painted = (("".join(char for char, _ in run), style) for style, run in runs)
        return "".join(self.paint(text, style) if style else text for text, style in painted)

    def _verdict(self, attempt: Attempt, *, is_changed: bool) -> str:
        text = "moved or cut" if is_changed else "as it is"
        told = "; ".join(attempt.verdict.reasons)
        if attempt.verdict.ok:
            return f"{text}: {self.paint('accepted', _GREEN)}{f' ({told})' if told else ''}"
        return f"{text}: {self.paint('refused', _RED)}: {visible(told)}"

    def _outcome(
        self, request: EditRequest, result: EditResult, attempts: Sequence[Attempt]
    ) -> str:
        refused = sum(not attempt.verdict.ok for attempt in attempts)
        counts = f"{counted(len(attempts), 'text')} tried, {refused or 'none'} refused"
        counts += "; then the time was up" if result.is_cut else ""
        if not result.best.verdict.ok:
            told = "; ".join(result.best.verdict.reasons)
            return f"{self._title('nothing offered')}  {counts}: {visible(told)}"
        offered = {
            (made.span, made.text): attempt.draft + 1
            for candidate in result.candidates
            if candidate.verdict.ok
            for made in candidate.replacements
            for attempt in attempts
            if (request.spans[attempt.span], attempt.text) == (made.span, made.text)
            if attempt.verdict.ok
        }
        drafts = ", ".join(f"draft {number}" for number in dict.fromkeys(offered.values()))
        return f"{self._title('offered')}  {drafts}; {counts}"

    def _title(self, text: str) -> str:
        return self.paint(text, _BOLD)


def _window(sight: Sight, before: str, after: str) -> str:
    """Say how much of the text around a span was within the model's window."""
    counts = [len(text.splitlines()) for text in (sight.before, before, sight.after, after)]
    if counts[0] >= counts[1] and counts[2] >= counts[3]:
        return "all of the file"
    return "{} of {} lines in front and {} of {} behind".format(*counts)


def _shortened(lines: list[str], what: str = "lines") -> Iterator[str]:
    left_out = len(lines) - _HEAD_LINES - _TAIL_LINES
    if left_out < 2:
        yield from lines
        return
    yield from lines[:_HEAD_LINES]
    yield f"      …  {left_out} more {what}"
    yield from lines[-_TAIL_LINES:]


def _differs(before: FrameToken, after: FrameToken) -> bool:
    return before.state in _HIDDEN or before.text != after.text


def _doubts(tokens: Sequence[FrameToken]) -> str:
    """Name the tokens the model was not sure of."""
    doubtful = sorted((t for t in tokens if t.confidence < _DOUBTFUL), key=lambda t: t.confidence)
    named = (f"{_on_a_line(t.text)!r} ({t.confidence:.0%})" for t in doubtful[:_MAX_DOUBTFUL])
    return ", ".join(named)


def _on_a_line(text: str) -> str:
    return visible(with_line_end(text, "\n").replace("\n", "⏎").replace("\t", "→"))
