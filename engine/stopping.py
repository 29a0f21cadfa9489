"""Where a fill ends: rules on its text, for a model that seldom stops by itself.

Each rule answers with the text up to the end it found, or None. `HoleShape` knows the hole's
surroundings; all text here has LF line ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine.protocol import Excerpt
from grammars.lines import indentation

# A repeat of the suffix counts once this many of its visible characters have come.
_DISTINCT_CHARS = 10
_MAX_REPEATS, _MAX_LOOP = 3, 4  # of the same lines, and how many these are
_MAX_CUT_LINES = 8
_OPENERS, _CLOSERS = frozenset("([{"), frozenset(")]}")
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


# What a fill that has come to its end still needs: None nothing; else the character from which it
# is to be written otherwise; its length says that it cannot end there.
Review = Callable[[str], int | None]


@dataclass(frozen=True)
class HoleShape:
    """A hole in its text, `old` what stood in it; `single_line` ends it with its first line."""

    prefix: str
    suffix: str
    old: str = ""
    single_line: bool = False
    language: str = ""  # an LSP language id
    begun: str = ""  # the lines above of a function whose code the hole ends
    path: str = ""  # of the text; and what is known of other files
    excerpts: tuple[Excerpt, ...] = ()
    review: Review | None = field(default=None, compare=False)

    @cached_property
    def has_whole_lines(self) -> bool:
        """Whether the fill is made of whole lines, the last line end included."""
        starts_line = not self.prefix or self.prefix.endswith("\n")
        if self.old:
            return starts_line and self.old.endswith("\n")
        return starts_line and not self.suffix.startswith("\n")

    @cached_property
    def _current_line(self) -> str:
        """What stands on the hole's first line in front of it."""
        return self.prefix.rpartition("\n")[2]

    @cached_property
    def lead(self) -> str:
        """The indentation that the fill begins with because the old text does; "" if unknown."""
        first = self.old.partition("\n")[0]
        return "" if self._current_line else indentation(first)

    @cached_property
    def floor(self) -> int:
        """The least indentation a later line of the fill can have without leaving its block."""
        if (old := self._old_indentation) is not None:
            return old
        if self.begun:
            return len(indentation(self.begun)) + 1
        last = self._current_line
        following = next((s for s in self._suffix_lines if s.strip()), "")
        inside = len(indentation(last)) if last.strip() else len(last)
        if not last:
            before = next((p for p in reversed(self.prefix.splitlines()) if p.strip()), "")
            inside = len(indentation(before)) + bool(before.rstrip().endswith((":", "{", "(", "[")))
        return min(inside, max(len(indentation(following)), 1)) if following or inside else 0

    @cached_property
    def _old_indentation(self) -> int | None:
        """The least indentation of the old lines, None where it has none from its start on."""
        if self._current_line:
            return None
        lines = [line for line in self.old.split("\n") if line.strip()]
        return min((len(indentation(line)) for line in lines), default=None)

    @cached_property
    def _suffix_lines(self) -> list[str]:
        """The suffix's lines; the first only if the hole does not end inside it."""
        lines = self.suffix.split("\n")
        return lines if self.has_whole_lines else lines[1:]

    @cached_property
    def _rest_of_line(self) -> str:
        """What stands behind the hole on its last line, blanks in front of it aside."""
        if self.old.endswith("\n"):
            return ""
        return self.suffix.partition("\n")[0].lstrip()

    @cached_property
    def _opening(self) -> str:
        """The start of the suffix that is long enough to be recognised."""
        visible = 0
        for i, char in enumerate(self.suffix):
            visible += not char.isspace()
            if visible >= _DISTINCT_CHARS and (
                char == "\n" or i + 1 == len(self.suffix) or visible >= 3 * _DISTINCT_CHARS
            ):
                return self.suffix[: i + 1].rstrip()
        return self.suffix.rstrip() if visible > 2 else ""

    def end(self, text: str) -> str | None:
        """Return the fill cut at the first end found in `text`, None if it may go on."""
        ends = [
            found
            for rule in (self._line_end, self._suffix_repeat, self._fence, self._dedent, self._loop)
            if (found := rule(text)) is not None
        ]
        return min(ends, key=len) if ends else None

    def _line_end(self, text: str) -> str | None:
        if not self.single_line:
            return None
        # Directly behind code a line end says that the line is complete as it is.
        behind_code = not self.old and self._current_line[-1:].strip()
        blank = 0 if behind_code else len(text) - len(text.lstrip("\n"))
        end = text.find("\n", blank)
        return None if end < 0 else text[:end]

    def _suffix_repeat(self, text: str) -> str | None:
        opening = self._opening
        at = text.find(opening) if opening else -1
        while at >= 0:
            if not self.has_whole_lines or at == 0 or text[at - 1] == "\n":
                return text[:at]
            at = text.find(opening, at + 1)
        return None

    def _fence(self, text: str) -> str | None:
        found = _FENCE.search(text)
        return text[: found.start()] if found else None

    def _dedent(self, text: str) -> str | None:
        start = text.find("\n")
        while start >= 0:
            line_end = text.find("\n", start + 1)
            line = text[start + 1 : line_end if line_end >= 0 else len(text)]
            if line.strip() and len(indentation(line)) < self.floor:
                return text[: start + 1]
            start = line_end
        return None

    def _loop(self, text: str) -> str | None:
        done = text.split("\n")[:-1]
        if not done or not done[-1].strip():
            return None
        for size in range(1, min(_MAX_LOOP, len(done) // _MAX_REPEATS) + 1):
            first = len(done) - _MAX_REPEATS * size
            if done[first + size :] == done[first:-size]:
                return "\n".join([*done[: first + size], ""])
        return None

    def fit(self, text: str) -> str:
        """Give a finished fill the line ends its hole needs at both sides."""
        text = self._tidy(text) if self.begun else text
        if self.has_whole_lines:
            body = text.lstrip("\n").rstrip()
            return f"{body}\n{self._gap}" if body else ""
        if self.single_line:
            text = text.strip("\n")
        if self._current_line.strip() and self._current_line.endswith((" ", "\t")):
            text = text.lstrip(" \t")  # the blank behind the code before it is there already
        if self._rest_of_line.startswith(";"):
            text = text.rstrip().removesuffix(";")  # so is this
        if not self.suffix or self.suffix.startswith("\n"):
            text = text.rstrip()
            text += self._gap if text else ""
        return text

    @property
    def _gap(self) -> str:
        """The blank line that parts a function from what follows, if it is where its code goes."""
        was_blank = not self.old.strip() and (self.old or self.suffix.startswith("\n"))
        following = next(iter(self._suffix_lines), "").strip()
        return "\n" if self.begun and was_blank and following.strip("})];") else ""

    def _tidy(self, text: str) -> str:
        """Drop the lines of a function's end that repeat what they replace, and lone blanks."""
        text = text.lstrip("\n")
        for old in self.old.splitlines():
            first, _, rest = text.partition("\n")
            if not rest.strip() or first.strip() != old.strip():
                break
            text = rest
        return "\n".join(line if line.strip() else "" for line in text.split("\n"))

    def alternatives(self, text: str) -> Iterator[str]:
        """Yield what a refused fill may have meant: less of the suffix, another indentation, less.

        Each is a guess for the syntax gate to judge, the likelier ones first.
        """
        for cut in dict.fromkeys((self._overlap(text), self._closed(text))):
            if cut != text:
                yield cut
        if self.has_whole_lines or not self._current_line:
            yield from self._indented(text)
        lines = text.splitlines(keepends=True)
        for count in range(len(lines) - 1, max(0, len(lines) - 1 - _MAX_CUT_LINES), -1):
            yield "".join(lines[:count])

    def _indented(self, text: str) -> Iterator[str]:
        """Yield the fill moved to the indentations its neighbours suggest."""
        lines = text.split("\n")
        first = next((line for line in lines if line.strip()), "")
        own = indentation(first)
        above = next((p for p in reversed(self.prefix.split("\n")) if p.strip()), "")
        below = next((s for s in self._suffix_lines if s.strip()), "")
        inner = indentation(above) + ("\t" if above.startswith("\t") else "    ")
        tried = {own}
        for wanted in (*map(indentation, (self.old, above, below)), inner):
            if wanted not in tried:
                tried.add(wanted)
                yield "\n".join(
                    wanted + (line.removeprefix(own) if line.startswith(own) else line.lstrip())
                    if line.strip()
                    else line
                    for line in lines
                )

    def _closed(self, text: str) -> str:
        """Return the fill up to the bracket that stands behind it already, if it closes that."""
        closing, depth = self._rest_of_line[:1], 0
        for i, char in enumerate(text if closing in _CLOSERS else ""):
            depth += (char in _OPENERS) - (char in _CLOSERS)
            if depth < 0:
                return text[:i] if char == closing else text
        return text

    def _overlap(self, text: str) -> str:
        """Return the fill without the start of the suffix that it ends with, if it does."""
        for size in range(min(len(text), len(self.suffix)), 0, -1):
            if text.endswith(self.suffix[:size]) and self.suffix[:size].strip():
                return text[:-size]
        return text


def whole_lines(text: str) -> str:
    """Drop the line a fill was cut off in, unless it is the only one."""
    head, newline, _ = text.rpartition("\n")
    return head + newline if head.strip() else text
