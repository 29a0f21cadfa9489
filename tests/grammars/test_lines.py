import random

import pytest

from grammars.lines import LineIndex, indentation, line_end, with_line_end
from grammars.span import Span


@pytest.mark.parametrize("seed", range(40))
def test_lines_tile_the_text(seed, awkward):
    rng = random.Random(seed)
    text = "".join(awkward(rng) for _ in range(3))
    lines = LineIndex(text)
    spans = [lines.span(n) for n in range(len(lines))]
    assert "".join(s.of(text) for s in spans) == text
    assert len(lines) == len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for n, span in enumerate(spans):
        content = lines.content(n).of(text)
        assert "\n" not in content
        assert "\r" not in content
        assert span.of(text)[len(content) :] in ("", "\n", "\r", "\r\n")
        for offset in range(span.start, span.end):
            assert lines.line_at(offset) == n
    assert lines.line_at(len(text)) == len(lines) - 1


@pytest.mark.parametrize("seed", range(40))
def test_a_text_without_cr_is_indexed_as_one_with(seed, awkward):
    rng = random.Random(seed)
    text = "".join(awkward(rng) for _ in range(3)).replace("\r", "")
    assert LineIndex(text).starts == LineIndex(text + "\r").starts[:-1]


def test_only_line_ends_end_lines():
    text = "a\fb\u2028c\x85d\r\ne\rf\n"
    lines = LineIndex(text)
    assert [lines.content(n).of(text) for n in range(len(lines))] == [
        "a\fb\u2028c\x85d",
        "e",
        "f",
        "",
    ]
    assert LineIndex("").span(0) == Span(0, 0)


def test_line_ends():
    assert line_end("a\r\nb\r\nc\n") == "\r\n"
    assert line_end("a") == "\n"
    assert with_line_end("a\r\nb\rc\nd", "\r\n") == "a\r\nb\r\nc\r\nd"


def test_indentation_is_blanks_and_tabs():
    assert indentation(" \t x") == " \t "
    assert indentation("\u00a0x") == ""
