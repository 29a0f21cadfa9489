from random import Random

import pytest
from lsp_text import ENCODINGS, apply_edits, boundaries, random_text
from lsprotocol import types as lsp
from lsprotocol.converters import get_converter

from grammars.lines import line_end, with_line_end
from grammars.span import Replacement, Span, apply
from lsp_server.documents import Snapshot
from lsp_server.edits import Shift, fitted, moved, workspace_edit


def snapshot(text, encoding="utf-16", version=3):
    return Snapshot("file:///a.py", version, text, "python", encoding, 1)


@pytest.mark.parametrize(
    ("span", "change", "expected"),
    [
        (Span(5, 9), Replacement(Span(0, 2), "abcd"), Span(7, 11)),
        (Span(5, 9), Replacement(Span(4, 4), "x"), Span(6, 10)),
        (Span(5, 9), Replacement(Span(10, 12), "x"), Span(5, 9)),
        (Span(5, 9), Replacement(Span(5, 5), "x"), None),
        (Span(5, 9), Replacement(Span(2, 5), ""), None),
        (Span(5, 9), Replacement(Span(9, 9), "x"), None),
        (Span(5, 9), Replacement(Span(9, 11), ""), None),
        (Span(5, 9), Replacement(Span(5, 5), ""), Span(5, 9)),
        (Span(5, 9), Replacement(Span(6, 6), "x"), None),
        (Span(5, 9), Replacement(Span(4, 6), "x"), None),
        (Span(5, 9), Replacement(Span(0, 20), ""), None),
        (Span(5, 5), Replacement(Span(0, 1), ""), Span(4, 4)),
        (Span(5, 5), Replacement(Span(6, 7), ""), Span(5, 5)),
        (Span(5, 5), Replacement(Span(5, 5), "x"), None),
        (Span(5, 5), Replacement(Span(3, 5), ""), None),
        (Span(5, 5), Replacement(Span(5, 6), ""), None),
        (Span(5, 5), Replacement(Span(5, 5), ""), Span(5, 5)),
    ],
)
def test_what_a_change_does_to_a_span(span, change, expected):
    assert moved(span, Shift.of("some text without lines", change)) == expected


@pytest.mark.parametrize(
    ("text", "old", "new", "spared"),
    [
        ("one\n‸[hole\n]two", "", "more\n", True),
        ("‸[hole\n]two", "", "more\r\n", True),
        ("one\ntwo\n‸[hole\n]", "two\n", "", True),
        ("one\n‸[hole\n]", "one\n", "", True),
        ("one\n[hole\n]‸two", "", "more\n", True),
        ("one\n[hole\n]‸two", "", "x", True),
        ("one\n[hole\n]‸two\nthree", "two\n", "", True),
        ("one\n[hole]‸", "", "\n", True),
        ("one\n[hole]‸\ntwo\r\n", "\ntwo", "", True),
        ("one\n‸[hole\n]two", "", "x", False),
        ("one\n‸[hole\n]two", "", "more\n ", False),
        ("one\n‸[hole\n]two", "\n", "", False),
        ("one\n‸[hole\n]two", "e\n", "", False),
        ("one ‸[hole]", "", "x", False),
        ("one ‸[hole]", "", "\n", False),
        ("one\n[hole]‸", "", "x", False),
        ("one\n[hole]‸\ntwo", "\n", "", False),
    ],
)
def test_whole_lines_may_come_and_go_right_beside_a_span(text, old, new, spared):
    at, is_behind = text.index("‸"), "]‸" in text
    text = text.replace("‸", "")
    span = Span(text.index("["), text.index("]") - 1)
    text = text.replace("[", "").replace("]", "")
    start = at - 2 if is_behind else at - len(old)
    change = Replacement(Span(start, start + len(old)), new)
    assert change.span.of(text) == old
    place = moved(span, Shift.of(text, change))
    assert (place is not None) == spared
    if place:
        assert place.of(apply(text, [change])) == span.of(text)


def test_the_text_s_own_line_ends_are_used():
    fit = fitted("a\r\nb\r\nc\r\n", Replacement(Span(3, 6), "x\ny\n"))
    assert fit == Replacement(Span(3, 4), "x\r\ny")


def test_the_range_is_as_small_as_can_be():
    fit = fitted("return a + b\n", Replacement(Span(0, 12), "return a - b"))
    assert fit == Replacement(Span(9, 10), "-")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_applying_the_edit_gives_the_text_meant(encoding):
    random = Random(17)
    for _ in range(200):
        text = random_text(random, 20)
        start, end = sorted(random.choices(boundaries(text), k=2))
        replacement = Replacement(Span(start, end), random_text(random, 5))
        expected = text[:start] + with_line_end(replacement.text, line_end(text)) + text[end:]
        change = snapshot(text, encoding), [fitted(text, replacement)]
        edit = workspace_edit([change], versioned=False)
        edits = get_converter().unstructure(edit)["changes"]["file:///a.py"]
        assert apply_edits(text, edits, encoding) == expected


def test_an_edit_carries_the_version_where_the_client_reads_it():
    made = snapshot("a"), [Replacement(Span(0, 1), "b")]
    edit = workspace_edit([made], versioned=True)
    assert edit.changes is None
    (change,) = edit.document_changes
    assert change.text_document == lsp.OptionalVersionedTextDocumentIdentifier("file:///a.py", 3)
    assert workspace_edit([made], versioned=False).document_changes is None
