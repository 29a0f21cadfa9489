from random import Random

import pytest
from lsp_text import ENCODINGS, boundaries, position, random_text
from lsprotocol import types as lsp

from grammars.lines import LineIndex
from grammars.span import Span
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
