"""The switches that tell model families apart; nothing else asks which model runs. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.config import Scoring


@dataclass(frozen=True, slots=True)
class Key:
    """A token that the model's own `config.json` names, by the key it is under."""

    name: str


# A token: by its name, by its number where the name is not known, or as config.json tells.
Token = str | int | Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Fim:
    """The prompt of a model that writes the middle after it has read prefix and suffix."""

    start: str | None = None  # in front of everything
    prefix: str
    suffix: str
    middle: str
    suffix_first: bool = False
    repo_name: str | None = None  # these two put other files in front of the prompt;
    file_sep: str | None = None  # None: no form for them is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """The turns of a conversation: special tokens and text, {} is where the words go."""

    system: str
    user: str
    answer: str  # opens the model's own turn; what it is to begin with follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How an autoregressive family marks holes and ends. Tokens are given by name.

    `void` ends a hole, fills the rest of its canvas, and is read back as a masked position.
    """

    layout: Literal["fim"] = "fim"
    shift: Literal[1] = 1  # the logits at position i are those of token i + 1
    fim: Fim
    void: str
    ends: tuple[str, ...]  # any of them ends sequential decoding
    chat: Chat | None = None  # None: it follows no instructions


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The answers to a mask that change the length of the canvas."""

    expand: Token  # two masks instead of one
    delete: Token  # none


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlace:
    """How a family that sees all of a text at once fills a hole in the middle of it.

    `mask` is of the table, unless the model's own `config.json` tells another.
    """

    layout: Literal["full"] = "full"
    shift: Literal[0, 1]  # 1: the logits at position i are those of token i + 1
    mask: Token
    start: Token  # in front of every text: with shift 1 its first token needs a neighbour
    end: Token | None  # fills the canvas behind the hole's end; None: the length is given
    scoring: Scoring = Scoring.CONFIDENCE
    close: Token | None = None  # behind every text
    resize: Resize | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Editing:
    """How a family that was trained to correct itself reveals and changes tokens.

    At each pass a block's committed tokens give way to others that are surer than `revise`, as
    often as may be; once nothing is masked there are at most `sweeps` more passes.
    """

    commit: float
    revise: float
    sweeps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """How a family fills that sees all blocks of a text so far, and all of the block at hand.

    It sees a suffix only if that stands in front of the hole: in a FIM prompt, or in a question.
    """

    layout: Literal["block_causal"] = "block_causal"
    shift: Literal[0, 1]
    block: int  # tokens; blocks are counted from the start of the text
    part: int | None = None  # denoise so many of a block at a time, from the left
    mask: Token
    ends: tuple[str, ...]  # the first one fills what is behind the end
    prompt: Fim | Chat
    editing: Editing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """How a family fills that makes text of random tokens, a canvas at a time behind a prompt."""

    layout: Literal["causal_ctx+canvas"] = "causal_ctx+canvas"
    ends: tuple[str, ...]
    prompt: Chat


Layout = Family | InPlace | Blocks | Uniform
