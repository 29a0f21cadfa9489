"""The switches that tell model families apart; nothing else asks which model runs. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.config import Scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How one family marks holes and ends. Tokens are given by name, as the tokenizer knows them.

    `void` ends a hole, fills the rest of its canvas, and is read back as a masked position.
    """

    layout: Literal["fim"]
    shift: Literal[1]  # the logits at position i are those of token i + 1
    fim_prefix: str
    fim_suffix: str
    fim_middle: str
    void: str
    ends: tuple[str, ...]  # any of them ends sequential decoding
    chat_start: str
    chat_end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The answers to a mask that change the length of the canvas."""

    expand: str | int  # two masks instead of one
    delete: str | int  # none


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlace:
    """How a family that sees all of a text at once fills a hole in the middle of it.

    Tokens are given by name, or by id where the name is not known; `mask` is of the table, unless
    the model's own `config.json` tells another.
    """

    layout: Literal["full"] = "full"
    shift: Literal[0, 1]  # 1: the logits at position i are those of token i + 1
    mask: str | int
    start: str | int  # in front of every text: with shift 1 its first token needs a neighbour
    end: str | int | None  # fills the canvas behind the hole's end; None: the length is given
    scoring: Scoring = Scoring.CONFIDENCE
    close: str | int | None = None  # behind every text
    resize: Resize | None = None


Layout = Family | InPlace
