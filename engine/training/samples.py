"""From a file of the corpus to one training sample: a context, the hole's tokens, an older text."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.context import laid_out
from engine.errors import ConfigError
from engine.family import Family
from engine.rewrite import common_indentation, rewrite_prompt, without_indentation
from engine.tokenizer import Tokenizer
from engine.training.holes import hole, piece
from engine.training.older import older, renamed

REWRITES = 0.15  # of the samples start from an older text
CHATS = 0.3  # of these are in the layout of a rewrite by instruction
_TRIES = 1_000  # an unlucky draw is drawn again; a corpus of nothing usable is an error
_MAX_CHARS_PER_TOKEN = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One hole. The sentinel stands between context and canvas, as the first canvas input."""

    context: list[int]
    sentinel: int
    text: list[int]
    draft: list[int] | None = None  # what a rewrite starts from


class Corpus:
    """A JSONL file of the corpus builder, read a row at a time.

    Raises:
        ConfigError: if there is no such file, or it is empty.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigError(f"{path} does not exist; `python -m engine.training.corpus` makes it")
        self._path = path
        with path.open("rb") as file:
            lengths = [len(line) for line in file]
        self._ends = np.cumsum(lengths, dtype=np.int64)
        if not lengths:
            raise ConfigError(f"{path} is empty")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> tuple[str, str]:
        """Return a file's text and language."""
        start = int(self._ends[index - 1]) if index else 0
        file = os.open(self._path, os.O_RDONLY)  # of its own: loaders share no file position
        try:
            row = json.loads(os.pread(file, int(self._ends[index]) - start, start))
        finally:
            os.close(file)
        return row["text"], row["language"]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws samples; the same seed and number always give the same one."""

    corpus: Corpus
    tokenizer: Tokenizer
    family: Family
    max_context: int  # tokens, sentinels included
    max_text: int  # tokens, the end included
    seed: int

    def draw(self, number: int) -> Sample:
        """Return sample `number`.

        Raises:
            ConfigError: if the corpus has no file long enough.
        """
        rng = random.Random(f"{self.seed}:{number}")
        for _ in range(_TRIES):
            text, language = self.corpus[rng.randrange(len(self.corpus))]
            text = piece(rng, text)
            if (span := hole(rng, text, language)) is None:
                continue
            before, inside, behind = text[: span.start], span.of(text), text[span.end :]
            if rng.random() >= REWRITES:
                sample = self._fill(rng, before, inside, behind, None)
            elif self.family.chat is None or rng.random() >= CHATS:
                draft = older(rng, inside, before[-500:] + behind[:500])
                sample = self._fill(rng, before, inside, behind, draft)
            else:
                sample = self._chat(rng, before, inside, language)
            if sample and sample.text and len(sample.text) < self.max_text:
                return sample
        raise ConfigError(f"no hole found in {_TRIES:,} tries: the corpus has no usable files")

    def _fill(
        self, rng: random.Random, before: str, inside: str, behind: str, draft: str | None
    ) -> Sample:
        """Lay a hole out as the engine does: prefix, suffix, then the canvas."""
        room = self.max_context - 2 - (self.family.fim.start is not None)
        suffix_room = rng.choice((room // 3, room // 3, room // 2, room // 10, 8, 0))
        suffix = self._ids(behind[: suffix_room * _MAX_CHARS_PER_TOKEN])[:suffix_room]
        prefix_room = room - len(suffix)
        if rng.random() < 0.15:  # a file just begun, or a hole far behind its definitions
            prefix_room = min(prefix_room, rng.randrange(8, 200))
        prefix = self._ids(before[-prefix_room * _MAX_CHARS_PER_TOKEN :])[-prefix_room:]
        fim = self.family.fim
        return Sample(
            laid_out(self.tokenizer, fim, prefix, suffix),
            self.tokenizer.special(fim.middle),
            self._ids(inside),
            None if draft is None else self._ids(draft),
        )

    def _chat(self, rng: random.Random, before: str, inside: str, language: str) -> Sample | None:
        """Lay a renaming out as a rewrite by instruction; None where it does not fit."""
        bare = without_indentation(inside, common_indentation(inside)).strip("\n")
        if (pair := renamed(rng, bare)) is None:
            return None
        prompt = rewrite_prompt(self.tokenizer, self.family, pair.text, language, pair.instruction)
        if len(prompt) > self.max_context:
            return None
        return Sample(
            prompt[:-1],
            prompt[-1],
            self._ids(bare + "\n```"),
            self._ids(pair.text + "\n```"),
        )

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)
