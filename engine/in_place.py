"""Fill holes in the middle of their text with a model that sees all of the text at once.

Holes that see each other are masked together, on one canvas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor

from engine.canvas import Canvas
from engine.config import EXACT, EffortConfig, Refresh
from engine.context import Context
from engine.control import Control
from engine.denoise import denoise
from engine.family import InPlace
from engine.frames import show_step
from engine.guidance import SyntaxGuide
from engine.holes import Holes
from engine.in_place_denoiser import InPlaceDenoiser
from engine.lengths import LENGTHS, calibrated
from engine.model import Transformer
from engine.repairs import Guide
from engine.scoring import confidence
from engine.special import SpecialTokens
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask, Draft, draft_of

# Where the model can tell the hole's end, a canvas grows until there is one; so long are the first
# canvases of the tries.
_FIRST_LENGTHS = (32, 64, 16)
# A score for every position and token: more than these (1 GiB) are not computed at once.
_MAX_SCORES = 1 << 28


class InPlaceFiller:
    """Everything that filling in place needs; each request in a thread of its own.

    Raises:
        CheckpointError: if the tokenizer lacks a token of the family.
        ConfigError: if a token is not among the model's.
    """

    def __init__(self, model: Transformer, tokenizer: Tokenizer, family: InPlace) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        special = SpecialTokens(tokenizer, model.config)
        self.mask, self._start = special.id(family.mask), special.id(family.start)
        self._end = None if family.end is None else special.id(family.end)
        self._barred = special.barred(self.mask, *(() if self._end is None else (self._end,)))

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield drafts of a single hole: the likeliest length first, then the others.

        `seed` changes nothing: no try draws.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        effort, max_tokens = ask.effort, ask.max_tokens
        holes, spans = Holes.of(shape), [control.span]
        for lengths in self.lengths(holes, effort, max_tokens, control):
            yield from self.fill(holes, lengths, effort, max_tokens, control, spans)

    def lengths(
        self, holes: Holes, effort: EffortConfig, max_tokens: int, control: Control
    ) -> list[tuple[int, ...]]:
        """Return for each try how long the holes' canvases are at first.

        Where the model cannot tell a hole's end, all have one length at a time, and each hole's
        own order is by how sure the model is at first sight (CAL, arXiv:2602.00476).

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        if self._end is not None:
            firsts = dict.fromkeys(min(length, max_tokens) for length in _FIRST_LENGTHS)
            return [(length,) * len(holes) for length in firsts]
        tried = sorted({min(length, max_tokens) for length in LENGTHS})
        orders: list[list[int]] = []
        for group in self._groups(holes, effort, max_tokens):
            around = self.around(holes, holes.old, group, effort, max_tokens)
            denoiser = self.denoiser(around, effort.refresh)
            scores: list[list[float]] = []  # of each length, for every hole
            for length in tried:
                control.check()
                _, sureness = confidence(denoiser(self.blank([length] * len(group))))
                control.forward_calls += 1
                means = [float(part.mean()) for part in sureness.split(length)]
                scores.append([calibrated(mean, length) for mean in means])
            for own in zip(*scores, strict=True):
                ranked = sorted(zip(own, tried, strict=True), key=lambda pair: -pair[0])
                orders.append([length for _, length in ranked])
        return list(zip(*orders, strict=True))

    def fill(
        self,
        holes: Holes,
        lengths: Sequence[int],
        effort: EffortConfig,
        max_tokens: int,
        control: Control,
        spans: Sequence[int],
    ) -> list[Draft]:
        """Return a draft for each hole, starting with canvases of these lengths.

        `spans` are the holes' numbers in the request, for the live view. Holes too far from each
        other to be seen together are filled one group after the other, from the top.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        begun = ", ".join(map(str, lengths))
        control.begin_draft(f"{'a canvas' if len(lengths) == 1 else 'canvases'} of {begun} tokens")
        fills, drafts = list(holes.old), list[Draft]()
        for group in self._groups(holes, effort, max_tokens):
            around = self.around(holes, fills, group, effort, max_tokens)
            for place, number in enumerate(group, 1):
                before, after = (
                    self._tokenizer.decode([*chain(*runs)])
                    for runs in ([around[0][1:], *around[1:place]], around[place:])
                )
                control.see(before, after, sum(map(len, around)), spans[number])
            denoiser = self.denoiser(around, effort.refresh)
            canvas = self.blank([lengths[number] for number in group])
            guide = SyntaxGuide.of(self._tokenizer, holes.among(group, fills))
            parts = self._denoised(
                denoiser, canvas, guide, effort, max_tokens, control, [spans[n] for n in group]
            )
            for number, (part, _) in zip(group, parts, strict=True):
                fills[number] = self._tokenizer.decode(part.text_ids())
            for number, (part, sureness) in zip(group, parts, strict=True):
                shape, text = holes.shape(number, fills), fills[number]
                count = len(part.text_ids()) + part.has_end
                scores = sureness[:count].clamp_min(1e-9).log().tolist()
                drafts.append(draft_of(shape, text, scores, control.draft, control.how))
                fills[number] = drafts[-1].text
        return drafts

    def blank(self, lengths: Sequence[int]) -> Canvas:
        """Return a masked canvas for holes of these lengths.

        Without an end token it has no void: masks are not committed.
        """
        void = self.mask if self._end is None else self._end
        return Canvas.joined([Canvas.blank(length, void) for length in lengths])

    def denoiser(
        self, around: Sequence[Sequence[int]], refresh: Refresh = EXACT
    ) -> InPlaceDenoiser:
        """Return the model as a denoiser of the holes between n + 1 runs of tokens."""
        shift = self._family.shift
        return InPlaceDenoiser(self._model, self.mask, shift, around, self._barred, refresh)

    def around(
        self,
        holes: Holes,
        fills: Sequence[str],
        group: range,
        effort: EffortConfig,
        max_tokens: int,
    ) -> list[list[int]]:
        """Return the runs of tokens around neighbouring holes; the others hold `fills`."""
        first, last = group[0], group[-1]
        prefix, suffix = Context(holes.before(first, fills), holes.behind(last, fills)).sides(
            self._tokenizer, effort.max_prefix, effort.max_suffix
        )
        between = [self._tokenizer.encode(holes.around[number]) for number in group[1:]]
        around = [[self._start, *prefix], *between, suffix]
        self._model.config.check_room(sum(map(len, around)) + max_tokens * len(group))
        return around

    def _groups(self, holes: Holes, effort: EffortConfig, max_tokens: int) -> Iterator[range]:
        """Split the holes where two are out of each other's window, or model or memory are full."""
        window = effort.max_prefix + effort.max_suffix
        most = _MAX_SCORES // (self._model.config.vocab_size * max_tokens)
        room = self._model.config.max_positions - 1 - window
        first, taken = 0, max_tokens
        for number in range(1, len(holes)):
            between = len(self._tokenizer.encode(holes.around[number]))
            taken += between + max_tokens
            if between > window or taken > room or number - first >= most:
                yield range(first, number)
                first, taken = number, max_tokens
        yield range(first, len(holes))

    def _denoised(
        self,
        denoiser: InPlaceDenoiser,
        canvas: Canvas,
        guide: Guide | None,
        effort: EffortConfig,
        max_tokens: int,
        control: Control,
        spans: Sequence[int],
    ) -> list[tuple[Canvas, Tensor]]:
        """Denoise holes together; those that nothing ends are doubled and go on, tokens kept.

        Returns each hole's canvas, and how sure the model was of its tokens at last.
        """
        # No revising: these models never learned to judge a token that they can see.
        config = replace(effort.denoise, scoring=self._family.scoring, max_revisions=0)
        sureness = torch.zeros(len(canvas))
        while True:
            # A token a step, at least: however many holes there are, none is left half masked.
            config = replace(config, max_steps=max(config.max_steps, len(canvas)))
            control.check()
            for step in denoise(denoiser, canvas, config, guide):
                control.forward_calls += 1
                control.steps += 1
                show_step(control, self._tokenizer, canvas, step, spans)
                canvas, sureness = step.canvas, step.sureness
                control.check()
            parts = canvas.parts()
            grown = [self._grown(part, max_tokens) for part in parts]
            if list(map(len, grown)) == list(map(len, parts)):
                return list(zip(parts, sureness.split(canvas.lengths), strict=True))
            canvas = Canvas.joined(grown)

    def _grown(self, part: Canvas, max_tokens: int) -> Canvas:
        """Double a hole's canvas, unless the model ended the hole or was given its length."""
        if self._end is None or part.has_end or len(part) >= max_tokens:
            return part
        return part.grown(min(2 * len(part), max_tokens))
