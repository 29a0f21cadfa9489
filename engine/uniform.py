"""Fill a hole with a model that makes text of random tokens, asked through a prompt.

The prompt holds prefix and suffix; the hole's text comes behind it, a canvas at a time. A context
never looks at the canvas, so it is kept from request to request.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from engine.cache import Cache
from engine.canvas import Canvas
from engine.chat import asked_for
from engine.context import Context
from engine.control import Control
from engine.denoise import DenoiseStep
from engine.family import Uniform
from engine.frames import show_step
from engine.gemma import DiffusionGemma
from engine.prefix_cache import PrefixCache
from engine.renoise import RenoiseConfig, renoise
from engine.special import SpecialTokens
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask, Draft, draft_of


class UniformFiller:
    """Everything that filling out of noise needs; each request in a thread of its own.

    Raises:
        CheckpointError: if the tokenizer lacks a token of the family.
        ConfigError: if a token is not among the model's.
    """

    def __init__(
        self,
        model: DiffusionGemma,
        tokenizer: Tokenizer,
        family: Uniform,
        contexts: PrefixCache,
    ) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        self._contexts = contexts
        special = SpecialTokens(tokenizer, model.config)
        self.ends = [special.id(name) for name in family.ends]
        self._barred = special.barred(None, *self.ends).to(model.device)

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield drafts of the hole without end, each from other noise: of seed, seed + 1 …

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        effort, max_tokens = ask.effort, ask.max_tokens
        context = Context(shape.prefix, shape.suffix)
        sides = context.sides(self._tokenizer, effort.max_prefix, effort.max_suffix)
        before, after = map(self._tokenizer.decode, sides)
        prompt = asked_for(self._tokenizer, self._family.prompt, before, after)
        size = self._model.config.canvas_length
        needed = len(prompt) + -(-max_tokens // size) * size
        self._model.config.check_room(needed)
        control.see(before, after, len(prompt))
        cache = self._contexts.encoded(prompt, needed, control)
        for number in itertools.count(ask.seed):
            control.begin_draft(f"{size} tokens of noise at a time, drawn with seed {number}")
            cache.length = len(prompt)
            ids: list[int] = []
            scores: list[float] = []
            is_done = False
            generator = torch.Generator().manual_seed(number)
            while not is_done and len(ids) < max_tokens:
                *_, step = self.canvas(cache, control, generator)
                found = step.guess.tolist()
                end = next((i for i, token in enumerate(found) if token in self.ends), size)
                ids += found[:end]
                scores += step.sureness[: end + 1].clamp_min(1e-9).log().tolist()
                is_done = end < size or shape.end(self._tokenizer.decode(ids)) is not None
                if not is_done and len(ids) < max_tokens:
                    self._model.encode(found, cache)
                    control.forward_calls += 1
                    cache.keep(size)
            text, number, how = self._tokenizer.decode(ids), control.draft, control.how
            yield draft_of(shape, text, scores, number, how, is_cut_off=not is_done)

    def canvas(
        self, cache: Cache, control: Control, generator: torch.Generator
    ) -> Iterator[DenoiseStep]:
        """Yield the steps of one canvas behind the cache."""
        config = self._model.config
        size, vocab = config.canvas_length, config.vocab_size

        def denoiser(ids: Tensor, before: Tensor | None) -> Tensor:
            control.check()
            logits = self._model.denoise(ids, before, cache)
            return logits.masked_fill(self._barred, -torch.inf)

        canvas = Canvas.blank(size, self.ends[0])
        for step in renoise(denoiser, size, vocab, self.ends[0], RenoiseConfig(), generator):
            control.forward_calls += 1
            control.steps += 1
            show_step(control, self._tokenizer, canvas, step)
            canvas = step.canvas
            yield step
