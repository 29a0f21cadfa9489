"""Text as it is typed: where a completion is welcome, and which are worth showing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from grammars.lines import indentation, line_around
from grammars.span import Span
from grammars.syntax import SyntaxTree, tree_of

# More than this behind the cursor, and somebody edits a line rather than types one.
MAX_BEHIND_CHARS = 8
_MIN_REPEATED_CHARS = 4

_CLOSERS = re.compile(r"[\s)\]}>'\"`,;:]*")
_ENDS = ")]};,:"
_WORD = re.compile(r"\w")
_OPENERS = (":", "{", "(", "[", "=>", "->")
_CODE_IN_STRINGS = ("interpolation", "template_substitution")
_LITERALS = re.compile("string|char_literal|character_literal|rune_literal|regex")


@dataclass(frozen=True)
class CursorLine:
    """The line a cursor is on, and its neighbours."""

    before: str
    behind: str
    above: str  # the next line above that is not blank, "" if there is none
    below: str

    @classmethod
    def of(cls, text: str, at: int) -> CursorLine:
        """Read it around the character `at`, without an index of all the text's lines."""
        line = line_around(text, at)
        above = text[: line.start].rstrip()
        below = text[line.end :].lstrip()
        return cls(
            text[line.start : min(at, line.end)],
            text[at : line.end],
            line_around(text, len(above)).of(text) if above else "",
            line_around(text, len(text) - len(below)).of(text) if below else "",
        )

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing on it."""
        return not (self.before.strip() or self.behind.strip())

    @property
    def opens(self) -> bool:
        """Whether the cursor stands behind what asks for a block on the lines to come."""
        return not self.behind.strip() and self.before.rstrip().endswith((":", "{"))

    def starts_block(self, line_comment: str) -> bool:
        """Whether it is blank where a block starts that has nothing in it yet."""
        if not self.is_blank:
            return False
        above = self.above.rstrip()
        announced = above.endswith((*_OPENERS, '"""', "'''", "*/")) or (
            bool(line_comment) and above.lstrip().startswith(line_comment)
        )
        own = max(len(self.before), len(indentation(self.above)))
        return announced and (not self.below or len(indentation(self.below)) <= own)


def is_welcome(text: str, language_id: str, at: int) -> bool:
    """Tell whether a completion nobody asked for would help: not in comments, strings, words."""
    line = CursorLine.of(text, at)
    if not text.strip() or line.opens:
        return False
    behind = line.behind
    if _WORD.match(behind) or len(_CLOSERS.sub("", behind, count=1)) > MAX_BEHIND_CHARS:
        return False
    tree = tree_of(text, language_id)
    if tree is None:
        return False
    if (prose := _is_prose(tree, at)) is not None:
        return not prose
    return not _has_open_quote(line.before, language_id)


def worth_showing(text: str, at: int, fill: str) -> str:
    """Return a completion without blanks at its end; "" if it only repeats what is there."""
    fill = fill.rstrip()
    line = CursorLine.of(text, at)
    behind = line.behind.strip().rstrip(_ENDS)
    if not fill or (_WORD.search(behind) and behind in fill):
        return ""
    first = (line.before + fill.split("\n")[0]).strip()
    neighbours = (line.above.strip(), line.below.strip())
    return "" if len(first) >= _MIN_REPEATED_CHARS and first in neighbours else fill


def _has_open_quote(before: str, language_id: str) -> bool:
    """Tell whether the line leaves a string open: that one is no string to the parser yet."""
    quotes = '"`' if language_id == "rust" else "\"'`"  # there, ' also begins a lifetime
    opened = ""
    escaped = False
    for char in before:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif opened:
            opened = "" if char == opened else opened
        elif char in quotes:
            opened = char
    return bool(opened)


def _is_prose(tree: SyntaxTree, at: int) -> bool | None:
    """Tell whether a comment or string holds the cursor, None if the tree shows neither."""
    for node in tree.around(Span(max(at - 1, 0), at)):
        if node.type in _CODE_IN_STRINGS:
            return False
        if "comment" in node.type:
            return at < node.span.end or not node.span.of(tree.text).endswith("*/")
        if _LITERALS.search(node.type) and at < node.span.end:
            return True
    return None
