"""LSP positions to character offsets and back: the one place that counts code units."""

from __future__ import annotations

from collections.abc import Callable

from lsprotocol import types as lsp

from grammars.lines import LineIndex
from grammars.span import Replacement, Span


def _utf8(char: str) -> int:
    # By code point, not by encoding: a lone surrogate, which JSON can carry, does not encode.
    code = ord(char)
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def _utf16(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def _utf32(_char: str) -> int:
    return 1


_WIDTHS: dict[str, Callable[[str], int]] = {
    lsp.PositionEncodingKind.Utf8: _utf8,
    lsp.PositionEncodingKind.Utf16: _utf16,
    lsp.PositionEncodingKind.Utf32: _utf32,
}


class Positions:
    """Converts between the positions of one text, in one encoding, and its characters."""

    def __init__(self, lines: LineIndex, encoding: lsp.PositionEncodingKind | str) -> None:
        self.lines = lines
        self._encoding = encoding
        self._width = _WIDTHS[encoding]

    def after(self, change: Replacement, text: str) -> Positions:
        """Return the converter for `text`, which a change makes of this one's."""
        return Positions(self.lines.after(change, text), self._encoding)

    def offset(self, position: lsp.Position) -> int:
        """Return the character a position stands before.

        Beyond a line's end it is that end, beyond the last line the end of the text; inside a
        character (half of a surrogate pair) it is the end of that character.
        """
        if position.line >= len(self.lines):
            return len(self.lines.text)
        content = self.lines.content(position.line)
        text = content.of(self.lines.text)
        if text.isascii() or self._width is _utf32:
            return content.start + min(position.character, len(text))
        units = 0
        for index, char in enumerate(text):
            if units >= position.character:
                return content.start + index
            units += self._width(char)
        return content.end

    def position(self, offset: int) -> lsp.Position:
        """Return the position of a character; between CR and LF it is the line's end."""
        line = self.lines.line_at(offset)
        content = self.lines.content(line)
        before = self.lines.text[content.start : min(offset, content.end)]
        return lsp.Position(line, sum(map(self._width, before)))

    def span(self, lsp_range: lsp.Range) -> Span:
        """Return the characters of a range, whichever of its ends comes first."""
        ends = self.offset(lsp_range.start), self.offset(lsp_range.end)
        return Span(min(ends), max(ends))

    def range(self, span: Span) -> lsp.Range:
        """Return the range of a span."""
        return lsp.Range(self.position(span.start), self.position(span.end))
