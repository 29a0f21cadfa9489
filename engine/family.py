"""The switches that tell model families apart; nothing else asks which model runs. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
