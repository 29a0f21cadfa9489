"""The holes of one text that are filled together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, zip_longest

from engine.stopping import HoleShape
from grammars.lines import with_line_end
from grammars.span import Replacement, Span


@dataclass(frozen=True, slots=True)
class Holes:
    """n holes, the n + 1 texts around them, and what stood in them; all of it with LF line ends."""

    around: tuple[str, ...]
    old: tuple[str, ...]
    single_line: bool = False
    language: str = ""

    def __len__(self) -> int:
        return len(self.old)

    @classmethod
    def of(cls, shape: HoleShape) -> Holes:
        """Return a single hole."""
        around, old = (shape.prefix, shape.suffix), (shape.old,)
        return cls(around, old, shape.single_line, shape.language)

    @classmethod
    def in_text(
        cls,
        text: str,
        spans: Sequence[Span],
        made: Sequence[Replacement],
        single_line: bool,
        language: str = "",
    ) -> Holes:
        """Cut spans out of a text in which other spans are replaced already."""
        fills = {r.span: r.text for r in made}
        around, done = [""], 0
        for span in sorted([*spans, *fills]):
            around[-1] += text[done : span.start] + fills.get(span, "")
            if span not in fills:
                around.append("")
            done = span.end
        around[-1] += text[done:]
        old = [span.of(text) for span in sorted(spans)]
        return cls(_with_lf(around), _with_lf(old), single_line, language)

    @property
    def text(self) -> str:
        """All text, with what stood in the holes."""
        return "".join(chain(*zip_longest(self.around, self.old, fillvalue="")))

    @property
    def spans(self) -> list[Span]:
        """Where in it the holes are."""
        pairs = zip(self.around, self.old, strict=False)
        ends = list(accumulate(map(len, chain(*pairs))))
        return [Span(*pair) for pair in zip(ends[::2], ends[1::2], strict=True)]

    def before(self, number: int, fills: Sequence[str]) -> str:
        """Return all text in front of a hole, `fills` being in the holes."""
        above = zip(self.around[:number], fills, strict=False)
        return "".join([*chain(*above), self.around[number]])

    def behind(self, number: int, fills: Sequence[str]) -> str:
        """Return all text behind a hole, `fills` being in the holes."""
        rest = zip_longest(self.around[number + 1 :], fills[number + 1 :], fillvalue="")
        return "".join(chain(*rest))

    def among(self, group: range, fills: Sequence[str]) -> Holes:
        """Return some neighbouring holes, the others filled."""
        first, last = group[0], group[-1]
        around = (self.before(first, fills), *self.around[first + 1 : last + 1])
        around = (*around, self.behind(last, fills))
        return replace(self, around=around, old=self.old[first : last + 1])

    def shape(self, number: int, fills: Sequence[str]) -> HoleShape:
        """Return one hole as the others leave it, `fills` being in them."""
        before, behind = self.before(number, fills), self.behind(number, fills)
        return HoleShape(before, behind, self.old[number], self.single_line, language=self.language)


def _with_lf(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(with_line_end(text, "\n") for text in texts)
