"""Text to token ids and back, without loss.

Special tokens are named, never parsed: a file that contains the text `<|fim_middle|>` gets the
ordinary tokens of these characters. Unlike the published tokenizer ours does not normalise to NFC:
a user's combining marks must come back as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


class Tokenizer:
    """Byte-level BPE with Qwen2's split into words.

    Raises:
        CheckpointError: if a merge is not of tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        vocab = {token: i for i, token in enumerate(vocabulary.tokens)}
        pairs = [(left, right) for left, _, right in (m.partition(" ") for m in vocabulary.merges)]
        try:
            self._backend = Backend(models.BPE(vocab=vocab, merges=pairs))
        except Exception as error:  # the library raises no narrower type
            raise CheckpointError(f"the model's tokenizer is damaged: {error}") from error
        self._backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_WORDS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._backend.decoder = decoders.ByteLevel()
        self._special = dict(vocabulary.special)
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

    def is_special(self, token: int) -> bool:
        """Tell whether an id is a special token."""
        return token in self._special_ids
