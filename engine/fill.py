"""Fill one hole: the context once, then as many tries on its cache as are wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from engine.cache import Cache
from engine.canvas import Canvas
from engine.causal import CausalStep, NoDraft, Pick, decode, greedy, passing_over, sampler
from engine.causal import Draft as TokenDraft
from engine.config import Decoding, EffortConfig
from engine.context import Context, repository
from engine.control import Control
from engine.denoise import DenoiseStep, denoise
from engine.draft import ContextDraft
from engine.family import Family
from engine.frames import show_step
from engine.guidance import SyntaxGuide
from engine.holes import Holes
from engine.lengths import calibrated
from engine.model import Transformer
from engine.prefix_cache import PrefixCache
from engine.protocol import Frame, FrameToken, TokenState
from engine.scoring import confidence
from engine.special import ends_line
from engine.stopping import HoleShape, whole_lines
from engine.tokenizer import Tokenizer
from engine.tries import Draft, draft_of

CANVAS_BUCKETS = (16, 32, 64, 128, 256)
_TEMPERATURE = 0.6
_MAX_REVIEWS = 4  # of a draft


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
        hidden = canvas.masked | (canvas.ids == canvas.void)
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
    """Everything that filling needs from the model; one request at a time."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        family: Family,
        decoding: Decoding,
        contexts: PrefixCache,
    ) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        self._decoding, self._contexts = decoding, contexts
        self._sentinel = tokenizer.special(family.fim.middle)
        self._void = tokenizer.special(family.void)
        self._ends = {tokenizer.special(name) for name in family.ends}

    def tries(
        self, shape: HoleShape, effort: EffortConfig, max_tokens: int, seed: int, control: Control
    ) -> Iterator[Draft]:
        """Yield drafts of the hole without end: the greedy ones, then samples (seed, seed + 1…).

        With an adapter the frozen base gives the second draft: the two seldom fail together.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        context = self._context(shape, effort)
        needed = len(context) + max(max_tokens + 1, CANVAS_BUCKETS[-1]) + 1
        self._model.config.check_room(needed)
        before, after = self._sides(context)
        control.see(self._tokenizer.decode(before), self._tokenizer.decode(after), len(context))
        cache = self._contexts.encoded(context, needed, control)
        adapted = self._model.has_adapter and self._decoding is not Decoding.BASE

        def sequential(adapted: bool, pick: Pick, how: str) -> Draft:
            control.begin_draft(f"{how}, {'with the adapter' if adapted else 'by the base alone'}")
            cache.length = len(context)
            draft = NoDraft()
            # A draft shifts which random number meets which token: samples keep to their seed.
            if pick is greedy and self._decoding is Decoding.VERIFIED:
                draft = ContextDraft(before, after)
            return self._sequential(cache, shape, max_tokens, draft, adapted, pick, control)

        if self._decoding is Decoding.PARALLEL:
            limit = min(max_tokens + 1, CANVAS_BUCKETS[-1])
            start = CANVAS_BUCKETS[0] if shape.single_line else CANVAS_BUCKETS[1]
            control.begin_draft("the likeliest tokens, in parallel")
            yield self._denoised(cache, shape, effort, min(start, limit), limit, control)
        else:
            yield sequential(adapted, greedy, "the likeliest tokens")
        if adapted:
            yield sequential(False, greedy, "the likeliest tokens")
        for number in itertools.count(seed):
            yield sequential(adapted, sampler(_TEMPERATURE, number), f"drawn with seed {number}")

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

    def _sequential(
        self,
        cache: Cache,
        shape: HoleShape,
        max_tokens: int,
        draft: TokenDraft,
        adapted: bool,
        pick: Pick,
        control: Control,
    ) -> Draft:
        """Decode from left to right; the adapter knows better where the hole ends.

        A text that has come to an end is reviewed, and what the review takes back, if only the end
        itself, is decoded again without the token it began with.
        """
        written, start = _Written(), cache.length
        refused: dict[int, set[int]] = {}  # by place: what was taken back there
        reviews = 0
        while True:
            place = len(written.ids)
            cache.length = start + place
            steps = decode(
                self._model,
                cache,
                [written.ids[-1] if place else self._sentinel],
                draft,
                adapted=adapted,
                pick=passing_over(refused.get(place, ()), pick),
                emitted=written.ids,
            )
            text = self._until_an_end(steps, shape, max_tokens, written, control)
            at = None
            if text is not None and shape.review and reviews < _MAX_REVIEWS:
                at = shape.review(text)
            if at is None:
                if text is None:
                    text = whole_lines(self._tokenizer.decode(written.ids))
                return draft_of(shape, text, written.scores, control)
            place = self._place_of(written.ids, at)
            first = written.ids[place]
            again = refused.setdefault(place, set())
            again |= self._ends if first in self._ends else {first}
            written.cut(place)
            reviews += 1

    def _until_an_end(
        self,
        steps: Iterator[CausalStep],
        shape: HoleShape,
        max_tokens: int,
        written: _Written,
        control: Control,
    ) -> str | None:
        """Write tokens until the hole ends and return its text; None if it does not."""
        control.check()
        for step in steps:
            control.forward_calls += 1
            control.steps += 1
            # Token by token, as if each had taken a pass: a draft must not change where it ends.
            for token, score in zip(step.tokens, step.logprobs, strict=True):
                written.add(token, score)
                if token in self._ends:
                    self._show(control, written)
                    return self._tokenizer.decode(written.ids[:-1])
                end = shape.end(self._tokenizer.decode(written.ids))
                if end is not None:
                    self._show(control, written)
                    return end
                if len(written.ids) >= max_tokens:
                    break
            self._show(control, written)
            if len(written.ids) >= max_tokens:
                break
            control.check()
        return None

    def _place_of(self, ids: Sequence[int], at: int) -> int:
        """Return the token that holds character `at` of a text, or follows it."""
        place = 0
        while place + 1 < len(ids) and len(self._tokenizer.decode(ids[: place + 1])) <= at:
            place += 1
        return place

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
        return draft_of(shape, self._tokenizer.decode(ids), scores, control)

    @cached_property
    def _ends_line(self) -> Tensor:
        return ends_line(self._tokenizer, self._model.config.vocab_size)

    def _show(self, control: Control, written: _Written) -> None:
        if control.on_frame:
            sureness = torch.tensor(written.scores).exp().tolist()
            tokens = tuple(
                FrameToken(self._tokenizer.decode([token]), written.state(place), p)
                for place, (token, p) in enumerate(zip(written.ids, sureness, strict=True))
            )
            control.on_frame(Frame(control.span, control.steps, tokens, control.draft))


@dataclass(slots=True)
class _Written:
    """The tokens of a draft so far, and where they are others than they were once."""

    ids: list[int] = field(default_factory=list[int])
    scores: list[float] = field(default_factory=list[float])
    revised: set[int] = field(default_factory=set[int])

    def add(self, token: int, score: float) -> None:
        self.ids.append(token)
        self.scores.append(score)

    def cut(self, place: int) -> None:
        del self.ids[place:], self.scores[place:]
        self.revised.add(place)

    def state(self, place: int) -> TokenState:
        return TokenState.REVISED if place in self.revised else TokenState.COMMITTED
