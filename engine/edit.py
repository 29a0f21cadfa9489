"""From an edit request to judged candidates: the one place where a request's parts meet."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.config import EFFORTS, EffortConfig, candidates_for
from engine.control import Control
from engine.errors import ConfigError, DeadlineExceeded
from engine.holes import Holes
from engine.judging import NO_CHANGE, UNWRITTEN, Judge
from engine.protocol import Candidate, EditRequest, EditResult, EditStats, Priority
from engine.stopping import HoleShape
from engine.tries import Ask, Draft, FillsHoles, FillsTogether, Rewrites, Weighs
from grammars.holes import unfinished_function
from grammars.lines import line_end, with_line_end
from grammars.span import Replacement, Span
from grammars.validation import validate
from grammars.verdict import Verdict

_WHOLE = 2  # times as many tokens as another fill may have, for the rest of a function


@dataclass(frozen=True, slots=True)
class _Judged:
    """A draft as a replacement, with its verdict, and whether nothing is to be mended about it."""

    replacement: Replacement
    verdict: Verdict
    draft: Draft
    is_sound: bool
    weight: float  # how well it fits, among the others


def _rank(judged: _Judged) -> tuple[bool, bool, bool, float]:
    """Return what sorts the best first: what is offered, sound and ends, then what fits best."""
    ok = judged.verdict.ok
    return not ok, ok and not judged.is_sound, ok and judged.draft.is_cut_off, -judged.weight


def _is_enough(found: Collection[_Judged], wanted: int, num_unsound: int) -> bool:
    """Tell whether there are as many as wanted; one with a flaw is worth one try more.

    But not many: where one draft finds no end, or reads what nothing binds, most do so.
    """
    offered = [judged for judged in found if judged.verdict.ok]
    good = [judged for judged in offered if judged.is_sound]
    return len(good) >= wanted + any(judged.draft.is_cut_off for judged in good) or (
        len(offered) >= wanted < num_unsound
    )


class Editor:
    """A model, here or elsewhere, that edits text; it keeps no request in mind.

    Torch-free: `engine.loading.editor_on` makes one of a loaded model.
    """

    def __init__(self, filler: FillsHoles, rewriter: Rewrites | None = None) -> None:
        self._filler, self._rewriter = filler, rewriter

    def edit(self, request: EditRequest, control: Control) -> EditResult:
        """Edit every span: all together if the model can, else from the top in one or more sweeps.

        One span yields as many candidates as asked for. Several yield one edit of all, which is ok
        only if each span is and the text they make together is, too; a span that is refused leaves
        its old text to those below it, so that their verdicts are their own.

        Raises:
            EngineError: Cancelled, DeadlineExceeded, or a ConfigError for what cannot be edited.
        """
        effort = EFFORTS[request.effort]
        spans = sorted(request.spans)
        if len(spans) == 1:
            judged = self._candidates(request, spans[0], [], effort, control)
            candidates = [Candidate((j.replacement,), j.verdict, j.draft.score) for j in judged]
            tokens = judged[0].draft.tokens
        else:
            if isinstance(self._filler, FillsTogether) and request.instruction is None:
                done = self._jointly(self._filler, request, spans, effort, control)
            else:
                done = self._in_turn(request, spans, effort, control)
            candidates = [_together(request, done)]
            tokens = sum(j.draft.tokens for j in done)
        stats = EditStats(control.steps, control.forward_calls, tokens, control.seconds)
        explanation = control.explanation if request.explain else None
        return EditResult(tuple(candidates), stats, control.is_cut, explanation)

    def _in_turn(
        self, request: EditRequest, spans: Sequence[Span], effort: EffortConfig, control: Control
    ) -> list[_Judged]:
        """Edit from the top, each span as the others have become; fills again until none changes.

        What a later sweep is refused leaves what was there before.
        """
        done: dict[Span, _Judged] = {}
        try:
            for _ in range(effort.sweeps if request.instruction is None else 1):
                before = dict(done)
                for span in spans:
                    control.span = request.spans.index(span)
                    made = [j.replacement for s, j in done.items() if s != span and j.verdict.ok]
                    found = self._candidates(request, span, made, effort, control, wanted=1)[0]
                    if span not in done or found.verdict.ok:
                        done[span] = found
                if before and all(before[s].replacement == done[s].replacement for s in spans):
                    break
        except DeadlineExceeded:
            if len(done) < len(spans):  # otherwise what there is by now is the answer
                raise
            control.is_cut = True
        return [done[span] for span in spans]

    def _jointly(
        self,
        filler: FillsTogether,
        request: EditRequest,
        spans: Sequence[Span],
        effort: EffortConfig,
        control: Control,
    ) -> list[_Judged]:
        """Mask all spans together; then those refused once more, the others being filled."""
        max_tokens = request.max_tokens or effort.max_fill
        done: dict[Span, _Judged] = {}
        pending, made = list(spans), list[Replacement]()
        holes = _holes(request, pending, made)
        try:
            tries = filler.lengths(holes, effort, max_tokens, control)
            for lengths in tries[: 1 + effort.repair_rounds]:
                holes = _holes(request, pending, made)
                own = [lengths[spans.index(span)] for span in pending]
                numbers = [request.spans.index(span) for span in pending]
                drafts = filler.fill(holes, own, effort, max_tokens, control, numbers)
                done |= self._judge_together(request, pending, made, holes, drafts, control)
                made = [j.replacement for j in done.values() if j.verdict.ok]
                pending = [span for span in spans if not done[span].verdict.ok]
                if not pending:
                    break
        except DeadlineExceeded:
            if not done:  # otherwise what there is by now is the answer
                raise
            control.is_cut = True
        return [done[span] for span in spans]

    def _judge_together(
        self,
        request: EditRequest,
        spans: Sequence[Span],
        made: Sequence[Replacement],
        holes: Holes,
        drafts: Sequence[Draft],
        control: Control,
    ) -> dict[Span, _Judged]:
        """Judge drafts with all the others in place; if one fails so, each from the top."""
        fills = [draft.text for draft in drafts]
        end = line_end(request.text)
        new = [Replacement(s, with_line_end(f, end)) for s, f in zip(spans, fills, strict=True)]

        def judged(number: int, others: Sequence[Replacement]) -> Iterator[_Judged]:
            judge = Judge(request, [*made, *others])
            return self._judge(judge, spans[number], holes.shape(number, fills), drafts[number])

        found = [next(judged(i, [*new[:i], *new[i + 1 :]])) for i in range(len(spans))]
        if not all(one.verdict.ok for one in found):
            kept: list[Replacement] = []
            for i in range(len(spans)):
                tried = list(judged(i, kept))
                found[i] = tried[-1] if tried[-1].verdict.ok else tried[0]
                kept += [found[i].replacement] * found[i].verdict.ok
        for span, one in zip(spans, found, strict=True):
            control.span = request.spans.index(span)
            control.judged(one.draft, one.replacement.text, one.verdict)
        return dict(zip(spans, found, strict=True))

    def _candidates(
        self,
        request: EditRequest,
        span: Span,
        made: list[Replacement],
        effort: EffortConfig,
        control: Control,
        wanted: int | None = None,
    ) -> list[_Judged]:
        """Try until enough drafts pass; refused ones come last, so that there is always one."""
        wanted = wanted or candidates_for(request)
        judge = Judge(request, made)
        shape = _shape(judge, span)
        weigher = self._weigher(request, shape)
        drafts = max(wanted, request.candidates or (effort.drafts if weigher else 1))
        found: dict[str, _Judged] = {}
        num_unsound = 0  # of the drafts that are offered; some may be alike
        tries = self._tries(request, shape, effort, control, drafts)
        try:
            for number, draft in enumerate(itertools.islice(tries, drafts + effort.repair_rounds)):
                for judged in self._judge(judge, span, shape, draft):
                    text = judged.replacement.text
                    control.judged(draft, text, judged.verdict)
                    found.setdefault(text, judged)
                    num_unsound += judged.verdict.ok and not judged.is_sound
                if number + 1 >= drafts and _is_enough(found.values(), wanted, num_unsound):
                    break
            if weigher:
                found = _weighed(weigher, shape, found, effort, control)
        except DeadlineExceeded:
            if not found:  # otherwise what there is by now is the answer
                raise
            control.is_cut = True
        return sorted(found.values(), key=_rank)[:wanted]

    def _weigher(self, request: EditRequest, shape: HoleShape) -> Weighs | None:
        """Return what tells which fill is the best, if there is anything that can.

        Not of whole functions: they were asked for, and their own scores say as much (LOG.md,
        2026-11-30).
        """
        is_fill = request.instruction is None and not shape.begun
        return self._filler if is_fill and isinstance(self._filler, Weighs) else None

    def _tries(
        self,
        request: EditRequest,
        shape: HoleShape,
        effort: EffortConfig,
        control: Control,
        wanted: int,
    ) -> Iterator[Draft]:
        if request.instruction is not None and shape.old.strip():
            if self._rewriter is None:
                raise ConfigError("this model fills holes, but rewrites nothing by instruction")
            language, instruction = request.language, request.instruction
            return self._rewriter.tries(shape, language, instruction, effort, request.seed, control)
        most = _WHOLE * effort.max_fill if shape.begun else effort.max_fill
        max_tokens = request.max_tokens or most
        return self._filler.tries(shape, Ask(effort, max_tokens, request.seed, wanted), control)

    def _judge(self, judge: Judge, span: Span, shape: HoleShape, draft: Draft) -> Iterator[_Judged]:
        """Yield the draft with its verdict, then, while refused, alternatives of a fill."""
        request = judge.request
        texts: Iterator[str] = iter([draft.text])
        if request.instruction is None:
            texts = itertools.chain(texts, map(shape.fit, shape.alternatives(draft.text)))
        for text in texts:
            text = with_line_end(text, line_end(request.text))
            replacement = Replacement(span, text)
            verdict = judge.verdict(replacement, is_cut_off=draft.is_cut_off)
            is_sound = not verdict.ok or judge.is_sound(replacement)
            yield _Judged(replacement, verdict, draft, is_sound, draft.score)
            # Moved or cut, a placeholder is still one, and what is there already is no better.
            if verdict.ok or verdict in (UNWRITTEN, NO_CHANGE):
                return


def _shape(judge: Judge, span: Span) -> HoleShape:
    """Return a span as the model sees it, the others' new texts in place.

    The model works on LF; the file's own line ends come back in `Editor._judge`.
    """
    request, old = judge.request, span.of(judge.request.text)
    text, place = judge.applied(Replacement(span, old))
    begun = None
    if (
        request.instruction is None
        and not request.single_line
        and request.priority is not Priority.TYPING
    ):
        begun = unfinished_function(text, place, request.language)
    shape = HoleShape(
        with_line_end(text[: place.start], "\n"),
        with_line_end(text[place.end :], "\n"),
        with_line_end(old, "\n"),
        request.single_line,
        request.language,
        "" if begun is None else with_line_end(begun.of(text), "\n"),
        request.path,
        request.context,
    )
    return replace(shape, review=judge.reviewer(span, shape))


def _weighed(
    weigher: Weighs,
    shape: HoleShape,
    found: dict[str, _Judged],
    effort: EffortConfig,
    control: Control,
) -> dict[str, _Judged]:
    """Weigh what is offered, if there is a choice."""
    offered = {text: judged for text, judged in found.items() if judged.verdict.ok}
    if len(offered) < 2:
        return found
    texts = [with_line_end(text, "\n") for text in offered]
    weights = weigher.weights(shape, texts, effort, control)
    pairs = zip(offered.items(), weights, strict=True)
    return found | {text: replace(judged, weight=weight) for (text, judged), weight in pairs}


def _holes(request: EditRequest, spans: Sequence[Span], made: Sequence[Replacement]) -> Holes:
    return Holes.in_text(request.text, spans, made, request.single_line, request.language)


def _together(request: EditRequest, done: Sequence[_Judged]) -> Candidate:
    """Return the one edit of all spans; its reasons tell which of them were refused."""
    replacements = tuple(j.replacement for j in done)
    verdicts = tuple(j.verdict for j in done)
    reasons = tuple(
        f"place {number} of {len(done)}: {reason}"
        for number, verdict in enumerate(verdicts, 1)
        if not verdict.ok
        for reason in verdict.reasons
    )
    if reasons:
        verdict = Verdict(ok=False, reasons=reasons, checked=all(v.checked for v in verdicts))
    else:
        verdict = validate(request.text, replacements, request.language)
    score = sum(j.draft.score for j in done) / len(done)
    return Candidate(replacements, verdict, score, verdicts)
