"""Fill a hole with a model that denoises a text block by block, asked through a prompt.

The prompt holds prefix and suffix; the hole's text comes behind it. Blocks that are done are kept
in the cache, which is exact: no later block changes what they look like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from engine.cache import Cache
from engine.canvas import Canvas
from engine.chat import asked_for
from engine.config import DenoiseConfig, EffortConfig
from engine.context import Context
from engine.control import Control
from engine.denoise import DenoiseStep, denoise
from engine.errors import ConfigError
from engine.family import Blocks, Fim
from engine.frames import show_step
from engine.model import Transformer
from engine.special import SpecialTokens
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask, Draft, draft_of

_CHUNK = 512  # tokens of one pass, at most; a cancel waits for one of them


class BlockDenoiser:
    """The model as a denoiser of the open part of one block.

    `fixed` are the block's first tokens, `before` (1, D) is the hidden state of the token in front
    of the block, from which a shifted model reads the block's first one.
    """

    def __init__(
        self,
        model: Transformer,
        family: Blocks,
        mask: int,
        barred: Tensor,
        cache: Cache,
        fixed: Tensor,
        before: Tensor,
    ) -> None:
        self._model, self._family, self._mask = model, family, mask
        self._barred = barred.to(model.device)
        self._cache, self._fixed, self._before = cache, fixed, before

    def __call__(self, canvas: Canvas) -> Tensor:
        """Return logits (L, V), -inf for tokens that no text consists of."""
        ids = torch.cat([self._fixed, torch.where(canvas.masked, self._mask, canvas.ids)])
        hidden = self._model.in_blocks(ids, self._cache, self._family.block)
        if self._family.shift:
            hidden = torch.cat([self._before, hidden[:-1]])
        logits = self._model.logits(hidden[len(self._fixed) :])
        return logits.masked_fill(self._barred, -torch.inf)


class BlockFiller:
    """Everything that filling block by block needs; each request in a thread of its own.

    Raises:
        CheckpointError: if the tokenizer lacks a token of the family.
        ConfigError: if a token is not among the model's, or a block is not whole for its experts.
    """

    def __init__(self, model: Transformer, tokenizer: Tokenizer, family: Blocks) -> None:
        experts = model.config.experts
        if experts and experts.capacity and family.block % experts.block:
            raise ConfigError(
                f"its experts are chosen for {experts.block} tokens at a time, which do not make "
                f"up a block of {family.block}"
            )
        self._model, self._tokenizer, self._family = model, tokenizer, family
        special = SpecialTokens(tokenizer, model.config)
        self.mask = special.id(family.mask)
        self.ends = [special.id(name) for name in family.ends]
        self._barred = special.barred(self.mask, *self.ends)
        if isinstance(family.prompt, Fim):
            self._middle = special.id(family.prompt.middle)

    def tries(self, shape: HoleShape, ask: Ask, control: Control) -> Iterator[Draft]:
        """Yield a draft of the hole. `seed` changes nothing.

        Raises:
            ConfigError: if context and hole are more than the model can hold.
        """
        effort, max_tokens = ask.effort, ask.max_tokens
        context = Context(shape.prefix, shape.suffix)
        sides = context.sides(self._tokenizer, effort.max_prefix, effort.max_suffix)
        before, after = map(self._tokenizer.decode, sides)
        prompt = self._prompt(context, effort, before, after)
        self._model.config.check_room(len(prompt) + max_tokens + self._family.block)
        control.see(before, after, len(prompt))
        control.begin_draft(f"in blocks of {self._family.block} tokens")
        ids: list[int] = []
        scores: list[float] = []
        is_done = False
        for block in self.blocks(prompt, max_tokens, self.sampler(effort.denoise), control):
            found = block.canvas.ids.tolist()
            end = next((i for i, token in enumerate(found) if token in self.ends), len(found))
            ids += found[:end]
            scores += block.sureness[: end + 1].clamp_min(1e-9).log().tolist()
            is_done = end < len(found) or shape.end(self._tokenizer.decode(ids)) is not None
            if is_done:
                break
        text, number, how = self._tokenizer.decode(ids), control.draft, control.how
        yield draft_of(shape, text, scores, number, how, is_cut_off=not is_done)

    def sampler(self, config: DenoiseConfig) -> DenoiseConfig:
        """Return how a block is denoised: as an effort says, unless the family edits tokens.

        LLaDA2.1's rule, arXiv:2602.08676.
        """
        if (editing := self._family.editing) is None:
            return config
        return replace(
            config,
            commit_threshold=editing.commit,
            revise_threshold=editing.revise,
            max_revisions=config.max_steps,  # as often as may be
            max_sweeps=editing.sweeps,
        )

    def blocks(
        self, prompt: list[int], max_tokens: int, config: DenoiseConfig, control: Control
    ) -> Iterator[DenoiseStep]:
        """Yield the last step of each block behind a prompt, until `max_tokens` are written."""
        size = self._family.block
        part = self._family.part or size
        capacity = -(-(len(prompt) + max_tokens) // size) * size
        cache = self._model.new_cache(capacity)
        before = self._read(prompt, cache, control)
        fixed = torch.tensor(prompt[cache.length :], dtype=torch.long)
        while cache.length < capacity:
            canvas = Canvas.blank(size - len(fixed), self.ends[0])
            parts = replace(config, block_length=part, block_offset=len(fixed))
            denoiser = BlockDenoiser(
                self._model, self._family, self.mask, self._barred, cache, fixed, before
            )
            step: DenoiseStep | None = None
            control.check()
            for step in denoise(denoiser, canvas, parts):
                control.forward_calls += 1
                control.steps += 1
                show_step(control, self._tokenizer, canvas, step)
                canvas = step.canvas
                control.check()
            assert step is not None
            yield step
            done = torch.cat([fixed, canvas.ids])
            before = self._model.in_blocks(done, cache, size)[-1:]
            control.forward_calls += 1
            cache.keep(size)
            fixed = fixed[:0]

    def _read(self, prompt: list[int], cache: Cache, control: Control) -> Tensor:
        """Put the prompt's whole blocks into the cache; return the last hidden state (1, D)."""
        size = self._family.block
        whole = len(prompt) // size * size
        model = self._model
        before = torch.zeros(1, model.config.width, dtype=model.dtype, device=model.device)
        step = _CHUNK // size * size
        for start in range(0, whole, step):
            control.check()
            chunk = torch.tensor(prompt[start : min(start + step, whole)])
            before = model.in_blocks(chunk, cache, size)[-1:]
            cache.keep(len(chunk))
            control.forward_calls += 1
        return before

    def _prompt(self, context: Context, effort: EffortConfig, before: str, after: str) -> list[int]:
        if isinstance(prompt := self._family.prompt, Fim):
            return [
                *context.tokens(self._tokenizer, prompt, effort.max_prefix, effort.max_suffix),
                self._middle,
            ]
        return asked_for(self._tokenizer, prompt, before, after)
