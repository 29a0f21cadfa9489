"""Fill one hole: the context once, then as many tries on its cache as are wanted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from engine.cache import Cache
from engine.canvas import Canvas
from engine.causal import Draft as Guess
from engine.causal import NoDraft
from engine.chat import asked_to_complete
from engine.config import CANVAS_BUCKETS, Decoding, EffortConfig
from engine.context import Context, quoted, repository
from engine.control import Control
from engine.denoise import DenoiseStep, denoise
from engine.draft import ContextDraft
from engine.errors import DeadlineExceeded
from engine.family import Family
from engine.frames import show_step
from engine.guidance import SyntaxGuide
from engine.holes import Holes
from engine.lengths import calibrated
from engine.model import Transformer
from engine.passes import Passes
from engine.prefix_cache import PrefixCache
from engine.scoring import confidence
from engine.special import ends_line
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask, Draft, draft_of
from engine.weighing import SEAM, Scales
from engine.writing import Opening, Pen, Writing


class FimDenoiser:
    """The model as a denoiser of canvases behind a `fim` context.

    The sentinel and the first L-1 canvas tokens go in, L predictions come out (shift 1). A masked
    position shows the adapter's mask vector, and so does a void: the two look the same.
    """

    def __init__(self, model: Transformer, cache: Cache, sentinel: int) -> None:
        assert model.mask_vector is not None, "a masked canvas needs an adapter"
        self._mask_vector = model.mask_vector
        self._model, self._cache = model, cache
        self._sentinel = model.embed(torch.tensor([sentinel]))

    def __call__(self, canvas: Canvas) -> Tensor:
        """Return logits (L, V)."""
        hidden = (canvas.masked | (canvas.ids == canvas.void)).to(self._model.device)
        x = torch.where(hidden[:, None], self._mask_vector, self._model.embed(canvas.ids))
        x = torch.cat([self._sentinel, x[:-1]])
        return self._model.logits(self._model.canvas(x, self._cache))

    def likeliest(self, lengths: Sequence[int]) -> int:
        """Return the length of blank canvases that the model likes best, in a single pass."""
        masks = [self._mask_vector.expand(length - 1, -1) for length in lengths]
        x = torch.cat([torch.cat([self._sentinel, mask]) for mask in masks])
        logits = self._model.logits(self._model.canvas(x, self._cache, lengths))
        _, sureness = confidence(logits)
        own = dict(zip(lengths, sureness.split(list(lengths)), strict=True))
        return max(own, key=lambda length: calibrated(float(own[length].mean()), length))


class Filler:
    """Everything that filling needs from the model; each request in a thread of its own."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        family: Family,
        decoding: Decoding,
        contexts: PrefixCache,
    ) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        self._decoding, self._contexts, self._passes = decoding, contexts, Passes(model)
        self._sentinel = tokenizer.special(family.fim.middle)
        self._void = tokenizer.special(family.void)
        self._ends = frozenset(tokenizer.special(name) for name in family.ends)

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield drafts of the hole without end: the greedy ones, then samples (seed, seed + 1…).

        The first `wanted` are written side by side, all but one of them samples. With an adapter
        the frozen base gives the next draft: the two seldom fail together. The rest of a function
        is asked for in a conversation first, where the model can hold one.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        numbers, wanted = itertools.count(ask.seed), ask.wanted
        if self._asks_for(shape, ask.effort):
            asked, how = self._conversation(shape, ask, control), "asked to complete the code"
            yield from self._written(asked.several(how, wanted, numbers), False, control)
            wanted = 1
        hole = self._hole(shape, ask, control)
        adapted = self._model.has_adapter and self._decoding is not Decoding.BASE
        how = "with the adapter" if adapted else "by the base alone"
        if self._decoding is Decoding.PARALLEL:
            limit = min(ask.max_tokens + 1, CANVAS_BUCKETS[-1])
            start = CANVAS_BUCKETS[0] if shape.single_line else CANVAS_BUCKETS[1]
            control.begin_draft("the likeliest tokens, in parallel")
            yield self._denoised(hole.cache, shape, ask.effort, min(start, limit), limit, control)
        else:
            yield from self._written(hole.several(how, wanted, numbers), adapted, control)
        if adapted:
            yield from self._written([hole.greedy("by the base alone")], False, control)
        for number in numbers:
            yield from self._written([hole.drawn(how, number)], adapted, control)

    def _asks_for(self, shape: HoleShape, effort: EffortConfig) -> bool:
        """Tell whether a hole is the rest of a function, and the model can be asked for that."""
        if self._family.chat is None or self._decoding is Decoding.PARALLEL:
            return False
        return 0 < len(self._tokenizer.encode(shape.begun)) <= effort.max_prefix

    def _hole(self, shape: HoleShape, ask: Ask, control: Control) -> Opening:
        """Encode what stands about a hole, in the form of one."""
        tokenizer, head = self._tokenizer, self._model.draft_head
        context = self._context(shape, ask.effort)
        needed = len(context) + max(ask.max_tokens + 1, CANVAS_BUCKETS[-1]) + 1
        self._model.config.check_room(needed)
        before, after = self._sides(context)
        control.see(tokenizer.decode(before), tokenizer.decode(after), len(context))
        place = self._last_before(context) if head else None
        cache = self._contexts.encoded(context, needed, control, place)
        in_front = None if place is None else cache.state_at(place)

        def is_last(token: int) -> bool:
            if token in self._ends:
                return True
            return shape.single_line and "\n" in tokenizer.decode([token])

        def guess() -> Guess:
            return ContextDraft(before, after, head, in_front, is_last)

        pen = Pen(tokenizer, shape, self._sentinel, self._ends, ask.max_tokens, control)
        return self._opening(pen, cache, len(context), guess)

    def _conversation(self, shape: HoleShape, ask: Ask, control: Control) -> Opening:
        """Encode the request to complete a function, put to the frozen base.

        It was trained to hold conversations; the answer is begun with the function's lines.
        """
        assert self._family.chat
        tokenizer, effort = self._tokenizer, ask.effort
        sides = Context(shape.prefix, shape.suffix)
        before, behind = (
            tokenizer.decode(side)
            for side in sides.sides(tokenizer, effort.max_prefix, effort.max_suffix)
        )
        prompt = asked_to_complete(
            tokenizer,
            self._family.chat,
            quoted(tokenizer, shape.excerpts, shape.language, effort.max_context),
            before + shape.old + behind,
            shape.language,
            shape.begun,
        )
        needed = len(prompt) + ask.max_tokens + 1
        self._model.config.check_room(needed)
        control.see(before, behind, len(prompt))
        cache = self._contexts.encoded(prompt[:-1], needed, control)

        def guess() -> Guess:
            head = self._model.draft_head
            return ContextDraft(prompt, [], head, is_last=self._ends.__contains__)

        pen = Pen(tokenizer, shape, prompt[-1], self._ends, ask.max_tokens, control)
        return self._opening(pen, cache, len(prompt) - 1, guess)

    def _opening(self, pen: Pen, cache: Cache, length: int, guess: Callable[[], Guess]) -> Opening:
        if self._decoding is not Decoding.VERIFIED:
            guess = NoDraft
        return Opening(pen, cache, length, guess, self._model.branched)

    def _context(self, shape: HoleShape, effort: EffortConfig) -> list[int]:
        beside = repository(
            self._tokenizer, self._family.fim, shape.excerpts, shape.path, effort.max_context
        )
        sides = Context(shape.prefix, shape.suffix)
        return beside + sides.tokens(
            self._tokenizer, self._family.fim, effort.max_prefix, effort.max_suffix
        )

    def _sides(self, context: list[int]) -> tuple[list[int], list[int]]:
        """Return the tokens before and behind the hole, whichever side the prompt begins with."""
        fim = self._family.fim
        before, behind = (
            context.index(self._tokenizer.special(name)) for name in (fim.prefix, fim.suffix)
        )
        if fim.suffix_first:
            return context[before + 1 :], context[behind + 1 : before]
        return context[before + 1 : behind], context[behind + 1 :]

    def _last_before(self, context: list[int]) -> int:
        """Return where the last token in front of the hole is in the prompt."""
        fim = self._family.fim
        if fim.suffix_first:
            return len(context) - 1
        return context.index(self._tokenizer.special(fim.suffix)) - 1

    def weights(
        self, shape: HoleShape, texts: Sequence[str], effort: EffortConfig, control: Control
    ) -> list[float]:
        """Return how well texts fit a hole: its context is encoded already if they came of it."""
        context, own = self._context(shape, effort), [self._tokenizer.encode(t) for t in texts]
        longest, last = max(map(len, own)), self._last_before(context)
        place = last if self._model.draft_head else None
        cache = self._contexts.encoded(context, len(context) + 1 + longest, control, place)
        _, behind = self._sides(context)
        # None if it has been read in front of the text.
        behind = [] if self._family.fim.suffix_first else behind[:SEAM]
        scales = Scales(self._model, cache, self._sentinel, self._ends)
        found: list[float] = []
        for ids in own:
            control.check()
            found.append(scales.text(ids))
            control.forward_calls += 1
        if behind:
            with self._contexts.cut_back(cache, last + 1, longest + len(behind)):
                for i, ids in enumerate(own):
                    control.check()
                    found[i] += scales.seam(ids, behind)
                    control.forward_calls += 1
        return found

    def on_canvas(
        self, shape: HoleShape, effort: EffortConfig, lengths: Sequence[int], control: Control
    ) -> Draft:
        """Denoise one canvas of a length (tokens, the end included) and leave it at that.

        Of several lengths it is the one that the model likes best at first sight.
        """
        context = self._context(shape, effort)
        cache = self._contexts.encoded(context, len(context) + sum(lengths) + 1, control)
        length = lengths[0]
        if len(lengths) > 1:
            length = FimDenoiser(self._model, cache, self._sentinel).likeliest(lengths)
            control.forward_calls += 1
            control.steps += 1
        return self._denoised(cache, shape, effort, length, length, control)

    def _written(
        self, writings: Sequence[Writing], adapted: bool, control: Control
    ) -> Iterator[Draft]:
        """Write drafts side by side, one pass for all of them; yield each when its turn comes.

        Those that are done when the time is up come before the error. With an adapter the model
        knows better where the hole ends.
        """
        done: dict[int, Draft] = {}
        for turn in range(len(writings)):
            if turn:  # what came about beside the others
                writings[turn].show()
            try:
                self._write(writings, turn, done, adapted, control)
            except DeadlineExceeded:
                yield from (done[i] for i in sorted(done) if i > turn)
                raise
            yield done[turn]

    def _write(
        self,
        writings: Sequence[Writing],
        turn: int,
        done: dict[int, Draft],
        adapted: bool,
        control: Control,
    ) -> None:
        """Write on all drafts that are not done until the one whose turn it is is."""
        with self._passes.joined(control):
            while turn not in done:
                control.check()
                left = [i for i in range(len(writings)) if i not in done]
                steps = self._passes.advance([writings[i].strand for i in left], adapted=adapted)
                if any(steps):
                    control.forward_calls += 1
                    control.steps += 1
                for i, step in zip(left, steps, strict=True):
                    if draft := writings[i].take(step):
                        done[i] = draft
                writings[turn].show()

    def _denoised(
        self,
        cache: Cache,
        shape: HoleShape,
        effort: EffortConfig,
        start: int,
        limit: int,
        control: Control,
    ) -> Draft:
        """Denoise a canvas; where no void ends it, double the canvas and keep what is committed."""
        denoiser = FimDenoiser(self._model, cache, self._sentinel)
        guide = SyntaxGuide.of(self._tokenizer, Holes.of(shape))
        ends_line = self._ends_line if effort.denoise.by_line else None
        canvas = Canvas.blank(start, self._void)
        step: DenoiseStep | None = None
        while True:
            control.check()
            for step in denoise(denoiser, canvas, effort.denoise, guide, ends_line):
                control.forward_calls += 1
                control.steps += 1
                show_step(control, self._tokenizer, canvas, step)
                canvas = step.canvas
                control.check()
            if canvas.has_end or len(canvas) >= limit:
                break
            if shape.end(self._tokenizer.decode(canvas.text_ids())) is not None:
                break
            canvas = canvas.grown(min(2 * len(canvas), limit))
        assert step is not None
        ids = canvas.text_ids()[: limit - 1]  # the last place is the end's, found or not
        scores = step.sureness[: len(ids) + 1].clamp_min(1e-9).log().tolist()
        text = self._tokenizer.decode(ids)
        number, how = control.draft, control.how
        return draft_of(shape, text, scores, number, how, is_cut_off=not canvas.has_end)

    @cached_property
    def _ends_line(self) -> Tensor:
        return ends_line(self._tokenizer, self._model.config.vocab_size)
