"""The decoders under comparison, each a function from a case to a fill and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.config import CANVAS_BUCKETS, EFFORTS, Decoding
from engine.control import Control
from engine.errors import ConfigError, DeadlineExceeded
from engine.evaluation.cases import Case
from engine.evaluation.edits import EditTask
from engine.evaluation.modes import CAUSAL, DENOISED, FIXED_TOKENS
from engine.evaluation.scores import first_line
from engine.family import Family, Layout
from engine.fill import Filler
from engine.fillers import filler_of
from engine.lengths import LENGTHS
from engine.loading import editor_on
from engine.model import Transformer
from engine.prefix_cache import PrefixCache
from engine.protocol import EditRequest, Effort
from engine.rewrite import Rewriter
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask


@dataclass(frozen=True, slots=True)
class Prediction:
    """A fill or rewrite; refused ones are not offered. `tokens` are the text's and its end.

    `steps` are the forward calls of decoding, `context_calls` those that read context and prompt.
    """

    text: str
    offered: bool
    tokens: int
    steps: int
    context_calls: int
    seconds: float


# Fills a case under a control, which counts; returns the text and whether it would be offered.
Predictor = Callable[[Case, Control], tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Predictors:
    """One loaded model under every mode."""

    model: Transformer
    tokenizer: Tokenizer
    family: Layout
    contexts: PrefixCache
    effort: Effort
    seed: int
    deadline_s: float
    raw: bool  # first drafts alone: no syntax gate, no other indentation or cut, no further try

    def of(self, mode: str) -> Predictor:
        """Return a mode's predictor.

        Raises:
            ConfigError: if the mode needs an adapter and there is none.
        """
        if mode not in CAUSAL and not self.model.has_adapter:
            raise ConfigError(f"mode {mode} needs an adapter: there is none")
        if mode in DENOISED:
            return self._on_canvas(mode)
        decoding = Decoding(mode)
        return self._first_draft(decoding) if self.raw else self._edited(decoding)

    def predict(self, mode: str, case: Case) -> Prediction:
        """Fill a case; out of time, it is as in the editor: nothing is offered."""
        fill = self.of(mode)
        control = Control(self.deadline_s)
        try:
            text, offered = fill(case, control)
        except DeadlineExceeded:
            text, offered = "", False
        seconds = control.seconds
        if case.single_line:
            text = first_line(text)
        return _made(text, offered, self._tokens(text, case), control, seconds)

    def rewrite(self, task: EditTask) -> Prediction:
        """Do an edit task; out of time, it is as in the editor: nothing is offered.

        Raises:
            ConfigError: if the model knows no chat form.
        """
        request = EditRequest(
            text=task.text,
            spans=(task.span,),
            language=task.language,
            instruction=task.instruction,
            effort=self.effort,
            candidates=1,
            seed=self.seed,
        )
        control = Control(self.deadline_s)
        try:
            if self.raw:
                text, offered = self._first_rewrite(request, control), True
            else:
                editor = editor_on(self.model, self.tokenizer, self.family, contexts=self.contexts)
                best = editor.edit(request, control).best
                text, offered = best.replacements[0].text, best.verdict.ok
        except DeadlineExceeded:
            text, offered = "", False
        tokens = len(self.tokenizer.encode(text)) + 1
        return _made(text, offered, tokens, control, control.seconds)

    def _first_rewrite(self, request: EditRequest, control: Control) -> str:
        if not isinstance(self.family, Family):
            raise ConfigError("this model fills holes, but rewrites nothing by instruction")
        (span,) = request.spans
        shape = HoleShape(
            request.text[: span.start], request.text[span.end :], span.of(request.text)
        )
        rewriter = Rewriter(self.model, self.tokenizer, self.family, self.contexts)
        effort = EFFORTS[self.effort]
        assert request.instruction
        tries = rewriter.tries(
            shape, request.language, request.instruction, effort, self.seed, control
        )
        return next(tries).text

    def _tokens(self, text: str, case: Case) -> int:
        r"""Count a text and its end, which for a single line is its line end.

        A line end is often one token with what stands before it, as in "):\n".
        """
        if case.single_line:
            return len(self.tokenizer.encode(text.removesuffix("\n") + "\n"))
        return len(self.tokenizer.encode(text)) + 1

    def _edited(self, decoding: Decoding) -> Predictor:
        """As users get it: through the editor, with its gate and its further tries."""
        editor = editor_on(self.model, self.tokenizer, self.family, decoding, self.contexts)

        def fill(case: Case, control: Control) -> tuple[str, bool]:
            request = EditRequest(
                text=case.text,
                spans=(case.span,),
                language=case.language,
                single_line=case.single_line,
                effort=self.effort,
                seed=self.seed,
            )
            best = editor.edit(request, control).best
            return best.replacements[0].text, best.verdict.ok

        return fill

    def _first_draft(self, decoding: Decoding) -> Predictor:
        filler = filler_of(self.model, self.tokenizer, self.family, decoding, self.contexts)
        effort = EFFORTS[self.effort]

        def fill(case: Case, control: Control) -> tuple[str, bool]:
            ask = Ask(effort, effort.max_fill, self.seed)
            tries = filler.tries(_shape(case), ask, control)
            return next(tries).text, True

        return fill

    def _on_canvas(self, mode: str) -> Predictor:
        """Denoise one canvas whose length is given: the same for all, or the true one."""
        assert isinstance(self.family, Family), "no other has an adapter"
        filler = Filler(self.model, self.tokenizer, self.family, Decoding.PARALLEL, self.contexts)

        def fill(case: Case, control: Control) -> tuple[str, bool]:
            lengths = [FIXED_TOKENS]
            if mode == "oracle":
                true = len(self.tokenizer.encode(case.truth)) + 1
                lengths = [min(true, CANVAS_BUCKETS[-1])]
            elif mode == "probed":
                lengths = [length for length in LENGTHS if length <= FIXED_TOKENS]
            effort = EFFORTS[self.effort]
            return filler.on_canvas(_shape(case), effort, lengths, control).text, True

        return fill


def _made(text: str, offered: bool, tokens: int, control: Control, seconds: float) -> Prediction:
    return Prediction(
        text=text,
        offered=offered,
        tokens=tokens,
        steps=control.steps,
        context_calls=control.forward_calls - control.steps,
        seconds=seconds,
    )


def _shape(case: Case) -> HoleShape:
    return HoleShape(case.prefix, case.suffix, case.old, case.single_line, case.language)
