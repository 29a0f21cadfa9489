"""The canvas: the tokens of one hole, or of several that are denoised together; some are masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Canvas:
    """An immutable canvas of L positions; each step of the loop makes a new one.

    `revisions` counts how often a committed token was changed, `seams` tells where the second hole
    and those behind it begin.
    """

    ids: Tensor  # (L,) long; void where masked
    masked: Tensor  # (L,) bool
    revisions: Tensor  # (L,) long
    void: int
    seams: tuple[int, ...] = ()

    @classmethod
    def blank(cls, length: int, void: int) -> Canvas:
        """Return a canvas with every position masked."""
        return cls(
            torch.full((length,), void),
            torch.ones(length, dtype=torch.bool),
            torch.zeros(length, dtype=torch.long),
            void,
        )

    @classmethod
    def of_text(cls, ids: list[int], void: int) -> Canvas:
        """Return a canvas on which all of a text is committed."""
        blank = cls.blank(len(ids), void)
        return replace(blank, ids=torch.tensor(ids), masked=~blank.masked)

    @classmethod
    def joined(cls, parts: Sequence[Canvas]) -> Canvas:
        """Return one canvas of the holes of several, in their order."""
        starts = [0, *accumulate(len(part) for part in parts[:-1])]
        return cls(
            torch.cat([part.ids for part in parts]),
            torch.cat([part.masked for part in parts]),
            torch.cat([part.revisions for part in parts]),
            parts[0].void,
            tuple(starts[1:]),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of positions of each hole."""
        return tuple(b - a for a, b in pairwise((0, *self.seams, len(self))))

    def parts(self) -> list[Canvas]:
        """Return a canvas for each hole."""
        ids, masked, revisions = (
            column.split(self.lengths) for column in (self.ids, self.masked, self.revisions)
        )
        parts = zip(ids, masked, revisions, strict=True)
        return [Canvas(*part, self.void) for part in parts]

    @property
    def is_done(self) -> bool:
        """Whether nothing is masked."""
        return not bool(self.masked.any())

    @property
    def has_end(self) -> bool:
        """Whether a committed void shows where the hole (of several: one of them) ends."""
        return bool((~self.masked & (self.ids == self.void)).any())

    def text_ids(self) -> list[int]:
        """Return the committed tokens in front of the end; masked positions are left out."""
        end = (~self.masked & (self.ids == self.void)).nonzero()
        stop = int(end[0, 0]) if len(end) else len(self)
        return self.ids[:stop][~self.masked[:stop]].tolist()

    def write(self, guess: Tensor, where: Tensor) -> Canvas:
        """Commit `guess` (L,) where `where` (L,) is true; in its hole nothing follows a void."""
        ids = torch.where(where, guess, self.ids)
        masked = self.masked & ~where
        changed = where & ~self.masked & (guess != self.ids)
        ends = ((ids == self.void) & ~masked).split(self.lengths)
        behind_end = torch.cat([end.cumsum(0) for end in ends]) > 0
        return replace(
            self,
            ids=torch.where(behind_end, self.void, ids),
            masked=masked & ~behind_end,
            revisions=self.revisions + changed.long(),
        )

    def mask(self, where: Tensor) -> Canvas:
        """Mask the positions `where` (L,) is true again."""
        return replace(
            self, ids=torch.where(where, self.void, self.ids), masked=self.masked | where
        )

    def revoke(self, where: Tensor) -> Canvas:
        """Take back what was committed `where` (L,) is true; it counts as a revision."""
        return replace(self.mask(where), revisions=self.revisions + where.long())

    def grown(self, length: int) -> Canvas:
        """Return a longer canvas with the same tokens in front and masks behind."""
        tail = Canvas.blank(length - len(self), self.void)
        return Canvas(
            torch.cat([self.ids, tail.ids]),
            torch.cat([self.masked, tail.masked]),
            torch.cat([self.revisions, tail.revisions]),
            self.void,
        )
