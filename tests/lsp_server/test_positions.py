from random import Random

import pytest
from lsp_text import ENCODINGS, boundaries, position, random_text
from lsprotocol import types as lsp

from grammars.lines import LineIndex
from grammars.span import Replacement, Span, apply
from lsp_server.positions import Positions


def positions(text, encoding="utf-16"):
    return Positions(LineIndex(text), encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_offset_there_and_back(encoding):
    random = Random(7)
    for _ in range(150):
        text = random_text(random, random.randrange(30))
        converter = positions(text, encoding)
        for offset in boundaries(text):
            there = converter.position(offset)
            expected = position(text, offset, encoding)
            assert (there.line, there.character) == (expected["line"], expected["character"])
            assert converter.offset(there) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_beyond_the_line_or_the_text_is_its_end(encoding):
    converter = positions("a😀\r\nb\f\u2028c", encoding)
    assert converter.offset(lsp.Position(0, 99)) == 2
    assert converter.offset(lsp.Position(1, 99)) == 8
    assert converter.offset(lsp.Position(2, 0)) == 8
    assert positions("", encoding).offset(lsp.Position(0, 1)) == 0


def test_inside_a_surrogate_pair_is_behind_it():
    assert positions("a😀b").offset(lsp.Position(0, 2)) == 2


def test_inside_the_bytes_of_a_character_is_behind_it():
    assert positions("a😀b", "utf-8").offset(lsp.Position(0, 3)) == 2


def test_between_cr_and_lf_is_the_line_end():
    assert positions("ab\r\nc").position(3) == lsp.Position(0, 2)


def test_a_lone_surrogate_counts_as_one_character():
    for encoding, width in (("utf-8", 3), ("utf-16", 1), ("utf-32", 1)):
        assert positions("\ud83dx", encoding).position(1) == lsp.Position(0, width)


def test_an_inverted_range_is_put_right():
    inverted = lsp.Range(lsp.Position(0, 3), lsp.Position(0, 1))
    assert positions("abcd").span(inverted) == Span(1, 3)


@pytest.mark.parametrize("pieces", ["\r\n", "\r\na", "\n😀bc"])
def test_after_changes_the_lines_are_those_of_the_new_text(pieces):
    random = Random(7)

    def some(most):
        return "".join(random.choices(pieces, k=random.randrange(most)))

    for _ in range(300):
        text = some(12)
        converter = positions(text)
        for _ in range(8):
            start, end = sorted(random.choices(range(len(text) + 1), k=2))
            change = Replacement(Span(start, end), some(5))
            text = apply(text, [change])
            converter, anew = converter.after(change, text), positions(text)
            assert (converter.lines.text, converter.lines.starts) == (text, anew.lines.starts)
            assert converter.position(len(text)) == anew.position(len(text))
