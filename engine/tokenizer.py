"""Text to token ids and back, without loss.

Special tokens are named, never parsed: a file that contains the text `<|fim_middle|>` gets the
ordinary tokens of these characters. Unlike the published tokenizer ours does not normalise to NFC:
a user's combining marks must come back as they were.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from engine.errors import CheckpointError

# Qwen2's split of text into words, before byte pairs are merged (its tokenizer.json).
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-level BPE tokenizer as data: tokens in the order of their ids, merges "left right"."""

    tokens: Sequence[str]
    merges: Sequence[str]
    special: Mapping[str, int]

    def backend(self) -> Backend:
        """Build the tokenizer, with Qwen2's split into words."""
        vocab = {token: i for i, token in enumerate(self.tokens)}
        pairs = [(left, right) for left, _, right in (m.partition(" ") for m in self.merges)]
        backend = Backend(models.BPE(vocab=vocab, merges=pairs))
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_WORDS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        backend.decoder = decoders.ByteLevel()
        return backend


@dataclass(frozen=True, slots=True)
class TokenizerFile:
    """A published `tokenizer.json`, of which nothing is kept that would change a text.

    Such a file may compose characters, put a blank in front of a text or drop it, and read special
    tokens out of it. A piece of a user's file must come back as it was.
    """

    data: Mapping[str, Any]

    @property
    def special(self) -> Mapping[str, int]:
        """All added tokens: models use some that are not marked as special, too."""
        return {token["content"]: token["id"] for token in self.data["added_tokens"]}

    def backend(self) -> Backend:
        """Build the tokenizer."""
        normalizer, decoder = self.data.get("normalizer"), self.data.get("decoder")
        plain = {
            "added_tokens": [],
            "post_processor": None,
            "normalizer": _without(normalizer, "normalizers", {"NFC", "NFKC", "Prepend"}),
            "decoder": _without(decoder, "decoders", {"Strip"}),
        }
        return Backend.from_str(json.dumps({**self.data, **plain}))


def _without(step: Any, steps: str, kinds: set[str]) -> Any:
    """Drop the steps of some kinds from a (sequence of) normalisers or decoders."""
    if not step or step["type"] in kinds:
        return None
    if step["type"] != "Sequence":
        return step
    return {**step, steps: [s for part in step[steps] if (s := _without(part, steps, kinds))]}


class Buildable(Protocol):
    """A tokenizer as data."""

    @property
    def special(self) -> Mapping[str, int]:
        """The tokens that no text is read as, by name."""
        ...

    def backend(self) -> Backend:
        """Build the tokenizer."""
        ...


class Tokenizer:
    """Text to ids and back; special tokens by name.

    Raises:
        CheckpointError: if the data does not make a tokenizer.
    """

    def __init__(self, vocabulary: Buildable) -> None:
        try:
            self._backend = vocabulary.backend()
            self._special = dict(vocabulary.special)
        except Exception as error:  # the library raises no narrower type
            raise CheckpointError(f"the model's tokenizer is damaged: {error}") from error
        self._special_ids = frozenset(self._special.values())

    def encode(self, text: str) -> list[int]:
        """Return the ids of ordinary text."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; special tokens have none, half a character becomes U+FFFD."""
        return self._backend.decode([i for i in ids if i not in self._special_ids])

    def special(self, name: str) -> int:
        """Return the id of a special token.

        Raises:
            CheckpointError: if the model has no such token.
        """
        if name not in self._special:
            raise CheckpointError(f"the tokenizer has no special token {name}")
        return self._special[name]

    def parts(self, template: str) -> list[int | str]:
        """Split a text of ours into the special tokens it names and what is between them."""
        names = sorted(self._special, key=len, reverse=True)
        pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", template)
        return [self._special.get(piece, piece) for piece in pieces if piece]

    def ordinary(self) -> list[int]:
        """Return the ids of all tokens that are text."""
        known = self._backend.get_vocab(with_added_tokens=False).values()
        return sorted(set(known) - self._special_ids)

    def is_special(self, token: int) -> bool:
        """Tell whether an id is a special token."""
        return token in self._special_ids
