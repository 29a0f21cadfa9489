"""The tokens of a model that are not text, by name or by number."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.errors import ConfigError
from engine.family import Key, Token
from engine.tokenizer import Tokenizer


class SpecialTokens:
    """Looks tokens up for a model, which may know fewer than its tokenizer."""

    def __init__(self, tokenizer: Tokenizer, config: ModelConfig) -> None:
        self._tokenizer, self._size = tokenizer, config.vocab_size

    def id(self, named: Token) -> int:
        """Return the number of a token.

        Raises:
            CheckpointError: if the tokenizer lacks it.
            ConfigError: if it is not among the model's.
        """
        assert not isinstance(named, Key), "it was read when the family was told"
        found = named if isinstance(named, int) else self._tokenizer.special(named)
        if found >= self._size:
            raise ConfigError(
                f"the token {named} has number {found}, the model knows {self._size:,}"
            )
        return found

    def barred(self, mask: int | None, *allowed: int) -> Tensor:
        """Tell which tokens a mask cannot become: (V,) bool, true but for text and `allowed`."""
        barred = torch.ones(self._size, dtype=torch.bool)
        barred[[i for i in self._tokenizer.ordinary() if i < self._size]] = False
        if mask is not None:
            barred[mask] = True  # it may be a token that is text elsewhere
        barred[list(allowed)] = False
        return barred


def ends_line(tokenizer: Tokenizer, vocab_size: int) -> Tensor:
    """Return which tokens (V,) bool have a line end in them."""
    ids = [i for i in tokenizer.ordinary() if i < vocab_size]
    flags = torch.zeros(vocab_size, dtype=torch.bool)
    flags[[i for i in ids if "\n" in tokenizer.decode([i])]] = True
    return flags
