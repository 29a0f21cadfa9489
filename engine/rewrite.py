"""Rewrite a region by instruction: the base's chat form, drafted from the old text.

The answer's fence is written for the model, the region is shown without its base indentation and
indented again afterwards, and lines the model left alone come back byte for byte.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from engine.cache import Cache
from engine.causal import Draft, Pick, Strand, greedy, sampler
from engine.chat import conversation
from engine.config import EffortConfig
from engine.control import Control
from engine.draft import OldTextDraft
from engine.errors import ConfigError
from engine.family import Family
from engine.frames import show_written
from engine.model import Transformer
from engine.passes import Passes
from engine.prefix_cache import PrefixCache
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Draft as Finished
from grammars.lines import indentation

_SYSTEM = (
    "You are a careful programmer. You edit a piece of code as instructed, change nothing else, "
    "and answer with the whole edited code only."
)
# The code around the region is not shown: small models answer with all they see. The second
# wording is for when the first one led to nothing; the two seldom fail together.
QUESTIONS = (
    "Edit this code:\n```{language}\n{code}\n```\n\nInstruction: {instruction}",
    "```{language}\n{code}\n```\n\n{instruction} Change nothing else.",
)
_TEMPERATURE = 0.5
_BRANCHES = 4  # places at which an answer that changes nothing is taken up again
_FENCE_END = re.compile(r"^[ \t]*```", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A decoded answer: its text, and for each token its score and the second choice with its."""

    text: str
    ids: list[int]
    scores: list[float]
    seconds: list[tuple[int, float]]
    is_cut_off: bool = True

    def doubts(self) -> list[int]:
        """Return its positions, the one whose second choice was likeliest first."""
        return sorted(range(len(self.ids)), key=lambda i: -self.seconds[i][1])

    def branch(self, lead: list[int], at: int) -> list[int]:
        """Return the tokens up to a position and the second choice there, behind the lead."""
        return [*lead, *self.ids[:at], self.seconds[at][0]]

    def likelihood(self, branch: int | None = None) -> float:
        """Return the log-probability of all of it, or up to the second choice at a position."""
        if branch is None:
            return sum(self.scores)
        return sum(self.scores[:branch]) + self.seconds[branch][1]


class Rewriter:
    """Everything that rewriting needs from the model; each request in a thread of its own."""

    def __init__(
        self, model: Transformer, tokenizer: Tokenizer, family: Family, contexts: PrefixCache
    ) -> None:
        self._model, self._tokenizer, self._family = model, tokenizer, family
        self._contexts, self._passes = contexts, Passes(model)
        self._ends = {tokenizer.special(name) for name in family.ends}

    def tries(
        self,
        shape: HoleShape,
        language: str,
        instruction: str,
        effort: EffortConfig,
        seed: int,
        control: Control,
    ) -> Iterator[Finished]:
        """Yield new texts for the hole's old one without end: the greedy ones, then samples.

        An answer that changes nothing is taken up again where the model was least sure of it, with
        its second choice there; the likeliest of these answers come next.

        Raises:
            ConfigError: if text and answer are more than the model can hold.
        """
        region = Region.of(shape)
        lead = self._tokenizer.encode(region.lead)
        old_ids = self._tokenizer.encode(region.code + "\n```")
        first, second = (
            rewrite_prompt(
                self._tokenizer, self._family, region.code, language, instruction, question
            )
            for question in QUESTIONS
        )
        room = 2 * len(old_ids) + effort.max_fill
        limit = self._model.config.max_positions
        if (needed := max(len(first), len(second)) + room + 1) > limit:
            raise ConfigError(
                f"the region is too long to rewrite: it takes {needed:,} tokens, "
                f"the model holds {limit:,}"
            )

        control.see(self._tokenizer.decode(first), "", len(first))

        def answer(prompt: list[int], head: list[int], how: str, pick: Pick = greedy) -> _Answer:
            control.begin_draft(how)
            cache = self._contexts.encoded(prompt[:-1], needed, control)
            # Samples are not guessed: that would shift which random number meets which token.
            draft_head = self._model.draft_head if pick is greedy else None
            draft = OldTextDraft(old_ids, draft_head)
            with self._passes.joined(control):
                return self._answer(cache, prompt, head, draft, pick, room, control)

        def draft(made: _Answer) -> Finished:
            score = sum(made.scores) / max(1, len(made.scores))
            text, count = region.read(made.text), len(made.ids)
            return Finished(text, count, score, control.draft, control.how, made.is_cut_off)

        made = answer(first, lead, "the likeliest tokens")
        yield (told := draft(made))
        if told.text == shape.old:
            others = [
                (made.likelihood(at) + other.likelihood(), draft(other))
                for at in made.doubts()[:_BRANCHES]
                for other in [answer(first, made.branch(lead, at), "a second choice")]
            ]
            others = [other for other in others if _differs(other[1].text, shape.old)]
            yield from (other for _, other in sorted(others, key=lambda o: -o[0]))
        yield draft(answer(second, lead, "the likeliest tokens, asked in other words"))
        for drawn in itertools.count(seed):
            how = f"drawn with seed {drawn}"
            yield draft(answer(first, lead, how, sampler(_TEMPERATURE, drawn)))

    def _answer(
        self,
        cache: Cache,
        prompt: list[int],
        head: list[int],
        guess: Draft,
        pick: Pick,
        room: int,
        control: Control,
    ) -> _Answer:
        """Decode an answer that begins with the tokens of `head`, up to its fence or end.

        It has at most `room` tokens: how large the cache is depends on what came before.
        """
        watched = _Watched(pick)
        made = _Answer("", [], [], [])
        text = self._tokenizer.decode(head)
        after = _After(guess, head, room)
        strand = Strand(cache, [prompt[-1], *head], after, watched)
        control.check()
        for step in self._passes.decode(strand):
            control.forward_calls += 1
            control.steps += 1
            made.ids.extend(step.tokens)
            made.scores.extend(step.logprobs)
            made.seconds.extend(watched.seconds[: len(step.tokens)])
            show_written(control, self._tokenizer, made.ids, made.scores, control.draft)
            end = next((i for i, token in enumerate(made.ids) if token in self._ends), None)
            text = self._tokenizer.decode([*head, *made.ids[:end]])
            fence = _FENCE_END.search(text)
            if fence:
                text = text[: fence.start()]
            is_over = bool(fence) or end is not None
            if is_over or len(head) + len(made.ids) >= room:
                return replace(made, text=text, is_cut_off=not is_over)
            control.check()
        return replace(made, text=text)


def rewrite_prompt(
    tokenizer: Tokenizer,
    family: Family,
    code: str,
    language: str,
    instruction: str,
    question: str = QUESTIONS[0],
) -> list[int]:
    """Build the chat; its special tokens are ours, whatever the user's text looks like."""
    user = question.format(language=language, code=code, instruction=instruction.strip())
    assert family.chat, "a rewrite is asked for in a conversation"
    return conversation(tokenizer, family.chat, _SYSTEM, user, f"```{language}\n")


class _Watched:
    """A pick that remembers each row's second choice and its log-probability."""

    def __init__(self, pick: Pick) -> None:
        self._pick = pick
        self.seconds: list[tuple[int, float]] = []

    def __call__(self, logits: Tensor) -> Tensor:
        scores, ids = logits.log_softmax(-1).topk(2)  # (T, 2)
        self.seconds = list(zip(ids[:, 1].tolist(), scores[:, 1].tolist(), strict=True))
        return self._pick(logits)


class _After:
    """A draft that is told of tokens which were not decoded but given, and of the room for all."""

    def __init__(self, draft: Draft, given: list[int], room: int) -> None:
        self._draft, self._given, self._room = draft, given, room

    def propose(self, emitted: Sequence[int], state: Tensor | None) -> list[int]:
        """Return what may follow the given tokens and those emitted, and one more token after."""
        answer = [*self._given, *emitted]
        return self._draft.propose(answer, state)[: max(0, self._room - len(answer) - 1)]


def _differs(new: str, old: str) -> bool:
    """Tell whether more than white space is different."""
    return "".join(new.split()) != "".join(old.split())


@dataclass(frozen=True, slots=True)
class Region:
    """What is rewritten, as the model is shown it: whole lines without their base indentation.

    `lead` is what of them stands before the span; the answer begins with it.
    """

    old: str
    base: str
    code: str
    lead: str
    before: str  # what stands on the first line before the span, and on the last behind it
    behind: str

    @classmethod
    def of(cls, shape: HoleShape) -> Region:
        """Return the region of a hole, with the rest of the lines it begins and ends in."""
        before = shape.prefix.rpartition("\n")[2]
        behind = "" if shape.old.endswith("\n") else shape.suffix.partition("\n")[0]
        whole = before + shape.old + behind
        base = common_indentation(whole)
        lead = before.removeprefix(base).rstrip(" \t")  # the next token has the blank in it
        code = without_indentation(whole, base).strip("\n")
        return cls(shape.old, base, code, lead, before, behind)

    def read(self, answer: str) -> str:
        """Return the span's new text from an answer; unchanged lines are the old ones."""
        new = with_indentation(answer.strip("\n"), self.base)
        if new.startswith(self.before):
            new = new[len(self.before) :]
        elif new.startswith(self.before.rstrip()):
            new = new[len(self.before.rstrip()) :].lstrip(" \t")
        if self.behind.strip() and new.rstrip().endswith(self.behind.rstrip()):
            new = new.rstrip().removesuffix(self.behind.rstrip())
        tail = self.old[len(self.old.rstrip("\n")) :]
        return keep_unchanged(self.old, new + tail)


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
    """Return `new` without trailing blanks, and where no more differs with the bytes of the old."""
    before, after = old.split("\n"), [line.rstrip() for line in new.split("\n")]
    matcher = difflib.SequenceMatcher(None, [b.rstrip() for b in before], after, autojunk=False)
    for block in matcher.get_matching_blocks():
        after[block.b : block.b + block.size] = before[block.a : block.a + block.size]
    return "\n".join(after)
