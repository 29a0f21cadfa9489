"""The context of a hole: the text before and behind it, cut to the window at line boundaries.

In front of it go parts of other files, in the form the models learnt repositories in
(arXiv:2409.12186, section 3.2).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from engine.family import Fim
from engine.protocol import Excerpt
from engine.tokenizer import Tokenizer

# No token is longer than a line of code; this many characters a token always suffice.
_MAX_CHARS_PER_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Context:
    """What stands before and behind a hole, whole."""

    prefix: str
    suffix: str

    def tokens(self, tokenizer: Tokenizer, fim: Fim, max_prefix: int, max_suffix: int) -> list[int]:
        """Return `prefix P suffix S`, as `fim` has it; its `middle` goes with the canvas."""
        return laid_out(tokenizer, fim, *self.sides(tokenizer, max_prefix, max_suffix))

    def sides(
        self, tokenizer: Tokenizer, max_prefix: int, max_suffix: int
    ) -> tuple[list[int], list[int]]:
        """Return the tokens before and behind the hole; a short suffix leaves room in front."""
        suffix = _head(tokenizer, self.suffix, max_suffix)
        room = max_prefix + max_suffix - len(suffix)
        return _tail(tokenizer, self.prefix, room, max_prefix // 2), suffix


def laid_out(
    tokenizer: Tokenizer, fim: Fim, before: Sequence[int], behind: Sequence[int]
) -> list[int]:
    """Put the tokens on both sides of a hole into the form that a family learnt."""
    sides = [
        [tokenizer.special(fim.prefix), *before],
        [tokenizer.special(fim.suffix), *behind],
    ]
    start = [] if fim.start is None else [tokenizer.special(fim.start)]
    return [*start, *itertools.chain(*(reversed(sides) if fim.suffix_first else sides))]


def repository(
    tokenizer: Tokenizer, fim: Fim, excerpts: Sequence[Excerpt], path: str, limit: int
) -> list[int]:
    """Return what goes in front of the prompt: excerpts of at most `limit` tokens, a file's name.

    The most useful one, given first, stands nearest to the hole; the last that fits is cut. Nothing
    at all without excerpts, or where the family has no form for them.
    """
    if fim.repo_name is None or fim.file_sep is None:
        return []
    file_sep = tokenizer.special(fim.file_sep)
    parts = [
        [file_sep, *name, *body, *tokenizer.encode("\n")]
        for name, body in _fitting(tokenizer, excerpts, limit)
    ]
    if not parts:
        return []
    return [
        tokenizer.special(fim.repo_name),
        *tokenizer.encode("project\n"),
        *(token for part in reversed(parts) for token in part),
        file_sep,
        *tokenizer.encode("/".join(PurePath(path).parts[-2:]) + "\n"),
    ]


def quoted(tokenizer: Tokenizer, excerpts: Sequence[Excerpt], language: str, limit: int) -> str:
    """Return excerpts of at most `limit` tokens, each behind its file's name, the first last."""
    parts = [
        f"{tokenizer.decode(name)}```{language}\n{tokenizer.decode(body).rstrip()}\n```\n\n"
        for name, body in _fitting(tokenizer, excerpts, limit)
    ]
    return "".join(reversed(parts))


def _fitting(
    tokenizer: Tokenizer, excerpts: Sequence[Excerpt], limit: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield names and texts that fit into `limit` tokens, two more for each; the last is cut."""
    for excerpt in excerpts:
        name = tokenizer.encode(f"{excerpt.path}\n")
        room = limit - len(name) - 2
        body = _head(tokenizer, excerpt.text.rstrip("\n") + "\n", room) if room > 0 else []
        if not body:
            return
        yield name, body
        limit -= len(name) + len(body) + 2


def _tail(tokenizer: Tokenizer, text: str, limit: int, stride: int) -> list[int]:
    """Encode the end of a text that fits, from a line start that stays while the text grows.

    Of a text that is too long it starts at the first line behind a multiple of `stride`
    characters. Were it the first line that fits, each new line would move the start, and with it
    every token: nothing encoded before would be of use.
    """
    near = text[-limit * _MAX_CHARS_PER_TOKEN :]
    ids = tokenizer.encode(near)
    if len(ids) <= limit and len(near) == len(text):
        return ids
    kept = tokenizer.decode(ids[-limit:])
    starts_line = near.endswith("\n" + kept)
    cut = 0 if starts_line else kept.find("\n") + 1
    if not starts_line and not 0 < cut < len(kept):  # all of it is one line
        return tokenizer.encode(kept)[-limit:]
    first = len(text) - len(kept) + cut
    steady = text.find("\n", -(-first // stride) * stride - 1) + 1
    # Very long lines: a window less than half full would be worse than one that moves.
    start = steady if steady and 2 * (len(text) - steady) >= len(text) - first else first
    return tokenizer.encode(text[start:])[-limit:]


def _head(tokenizer: Tokenizer, text: str, limit: int) -> list[int]:
    """Encode the start of a text, up to the last line end that fits."""
    near = text[: limit * _MAX_CHARS_PER_TOKEN]
    ids = tokenizer.encode(near)
    if len(ids) <= limit and len(near) == len(text):
        return ids
    kept = tokenizer.decode(ids[:limit])
    cut = kept.rfind("\n") + 1
    return tokenizer.encode(kept[:cut] if cut else kept)[:limit]
