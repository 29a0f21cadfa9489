"""The tokens that a model is asked with, the same for every engine, and what its answer means.

Peers get what Diffill's engine makes of a request, windows included, and stop by the rules it
stops by: a plain object of JSON, for they run in processes of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.config import EFFORTS
from engine.context import Context
from engine.evaluation.cases import Case
from engine.evaluation.edits import EditTask
from engine.family import Family
from engine.protocol import Effort
from engine.rewrite import Region, rewrite_prompt
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer

EFFORT = EFFORTS[Effort.BALANCED]
MAX_TOKENS = EFFORT.max_fill
TO_THE_LIMIT: Mapping[str, Any] = {}  # no end but the number of tokens
FENCE: Mapping[str, Any] = {"fence": True}
_FENCE_END = re.compile(r"^[ \t]*```", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question, when its answer ends, and how the text in the buffer is made of it."""

    ids: list[int]
    max_tokens: int
    stop: Mapping[str, Any]
    read: Callable[[str], str]


def fill_prompt(tokenizer: Tokenizer, family: Family, case: Case) -> Prompt:
    """Return the fill-in-the-middle prompt of a case."""
    fim = family.fim
    sides = Context(case.prefix, case.suffix)
    context = sides.tokens(tokenizer, fim, EFFORT.max_prefix, EFFORT.max_suffix)
    shape = HoleShape(case.prefix, case.suffix, "", case.single_line)

    def read(text: str) -> str:
        end = shape.end(text)
        return shape.fit(text if end is None else end)

    hole = {"prefix": case.prefix, "suffix": case.suffix, "single_line": case.single_line}
    return Prompt([*context, tokenizer.special(fim.middle)], MAX_TOKENS, {"hole": hole}, read)


def edit_prompt(tokenizer: Tokenizer, family: Family, task: EditTask) -> Prompt:
    """Return the conversation of a rewrite, with its begun answer."""
    old = task.span.of(task.text)
    region = Region.of(HoleShape(task.text[: task.span.start], task.text[task.span.end :], old))
    ids = rewrite_prompt(tokenizer, family, region.code, task.language, task.instruction)

    def read(text: str) -> str:
        answer = region.lead + text
        end = _FENCE_END.search(answer)
        return region.read(answer[: end.start()] if end else answer)

    room = 2 * len(tokenizer.encode(region.code)) + MAX_TOKENS
    return Prompt([*ids, *tokenizer.encode(region.lead)], room, FENCE, read)


def ending(stop: Mapping[str, Any]) -> Callable[[str], bool]:
    """Return what tells whether a text has come to an end."""
    if hole := stop.get("hole"):
        shape = HoleShape(hole["prefix"], hole["suffix"], "", hole["single_line"])
        return lambda text: shape.end(text) is not None
    if stop.get("fence"):
        return lambda text: _FENCE_END.search(text) is not None
    return lambda text: False
