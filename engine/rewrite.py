"""Rewrite a region by instruction: the base's chat form, drafted from the old text.

The answer's fence is written for the model, the region is shown without its base indentation and
indented again afterwards, and lines the model left alone come back byte for byte.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator

from engine.causal import decode, greedy, sampler
from engine.chat import conversation
from engine.config import EffortConfig
from engine.control import Control
from engine.draft import OldTextDraft
from engine.errors import ConfigError
from engine.family import Family
from engine.fill import Draft
from engine.model import Transformer
from engine.prefix_cache import PrefixCache
from engine.protocol import Frame, FrameToken, TokenState
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from grammars.lines import indentation

_SYSTEM = (
    "You are a careful programmer. You edit a piece of code as instructed, change nothing else, "
    "and answer with the whole edited code only."
)
_TEMPERATURE = 0.5
_MAX_CONTEXT_LINES = 12
_FENCE_END = re.compile(r"^[ \t]*```", re.MULTILINE)


class Rewriter:
    """Everything that rewriting needs from the model; one request at a time."""

    def __init__(
        self, model: Transformer, tokenizer: Tokenizer, family: Family, contexts: PrefixCache
    ) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        self._contexts = contexts
        self._ends = {tokenizer.special(name) for name in family.ends}

    def tries(
        self,
        shape: HoleShape,
        language: str,
        instruction: str,
        effort: EffortConfig,
        seed: int,
        control: Control,
    ) -> Iterator[Draft]:
        """Yield new texts for the hole's old one without end: the greedy one, then samples.

        Raises:
            ConfigError: if text and answer are more than the model can hold.
        """
        old = shape.old
        base = common_indentation(old)
        bare = without_indentation(old, base).strip("\n")
        old_ids = self._tokenizer.encode(bare + "\n```")
        prompt = rewrite_prompt(
            self._tokenizer, self._family, shape.prefix, bare, language, instruction
        )
        room = 2 * len(old_ids) + effort.max_fill
        limit = self._model.config.max_positions
        if len(prompt) + room + 1 > limit:
            raise ConfigError(
                f"the region is too long to rewrite: it takes {len(prompt) + room + 1:,} tokens, "
                f"the model holds {limit:,}"
            )
        cache = self._contexts.encoded(prompt[:-1], len(prompt) + room + 1, control)
        for number in itertools.count():
            cache.length = len(prompt) - 1
            pick = greedy if number == 0 else sampler(_TEMPERATURE, seed + number - 1)
            ids: list[int] = []
            scores: list[float] = []
            text = ""
            control.check()
            for step in decode(self._model, cache, prompt[-1:], OldTextDraft(old_ids), pick=pick):
                control.forward_calls += 1
                control.steps += 1
                ids += step.tokens
                scores += step.logprobs
                if control.on_frame:
                    control.on_frame(self._frame(control, ids, scores))
                end = next((i for i, token in enumerate(ids) if token in self._ends), None)
                text = self._tokenizer.decode(ids[:end])
                fence = _FENCE_END.search(text)
                if fence:
                    text = text[: fence.start()]
                if fence or end is not None:
                    break
                control.check()
            new = with_indentation(text.strip("\n"), base)
            tail = old[len(old.rstrip("\n")) :]
            yield Draft(
                keep_unchanged(old, new + tail), len(ids), sum(scores) / max(1, len(scores))
            )

    def _frame(self, control: Control, ids: list[int], scores: list[float]) -> Frame:
        tokens = tuple(
            FrameToken(self._tokenizer.decode([i]), TokenState.COMMITTED, min(1.0, 2.718282**s))
            for i, s in zip(ids, scores, strict=True)
        )
        return Frame(control.span, control.steps, tokens)


def rewrite_prompt(
    tokenizer: Tokenizer, family: Family, prefix: str, bare: str, language: str, instruction: str
) -> list[int]:
    """Build the chat; its special tokens are ours, whatever the user's text looks like."""
    above = [line for line in prefix.splitlines() if line.strip()][-_MAX_CONTEXT_LINES:]
    context = ""
    if above:
        context = f"The code stands below these lines:\n```{language}\n" + "\n".join(above)
        context += "\n```\n\n"
    user = (
        f"{context}Edit this code:\n```{language}\n{bare}\n```\n\n"
        f"Instruction: {instruction.strip()}"
    )
    assert family.chat, "a rewrite is asked for in a conversation"
    return conversation(tokenizer, family.chat, _SYSTEM, user, f"```{language}\n")


def common_indentation(text: str) -> str:
    """Return the indentation all non-blank lines share."""
    indents = [indentation(line) for line in text.split("\n") if line.strip()]
    if not indents:
        return ""
    low, high = min(indents), max(indents)
    size = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:size]


def without_indentation(text: str, base: str) -> str:
    """Remove `base` from the lines that start with it."""
    return "\n".join(line.removeprefix(base) for line in text.split("\n"))


def with_indentation(text: str, base: str) -> str:
    """Put `base` in front of every line that is not blank."""
    return "\n".join(base + line if line.strip() else line for line in text.split("\n"))


def keep_unchanged(old: str, new: str) -> str:
    """Return `new` with the old bytes of each line that differs in trailing blanks only."""
    before, after = old.split("\n"), new.split("\n")
    matcher = difflib.SequenceMatcher(
        None, [b.rstrip() for b in before], [a.rstrip() for a in after], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        after[block.b : block.b + block.size] = before[block.a : block.a + block.size]
    return "\n".join(after)
