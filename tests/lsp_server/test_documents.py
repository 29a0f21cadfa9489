from pathlib import Path
from random import Random

import pytest
from lsp_text import ENCODINGS, boundaries, position, random_text
from lsprotocol import types as lsp

from grammars.span import Span
from lsp_server.documents import Documents, local_path
from lsp_server.failures import Refused, Stale

URI = "file:///a.py"


def opened(text, encoding="utf-16", version=1, language="python"):
    documents = Documents()
    documents.encoding = encoding
    documents.open(lsp.TextDocumentItem(URI, language, version, text))
    return documents


def partial(text, start, end, new, encoding="utf-16"):
    ends = (lsp.Position(**position(text, at, encoding)) for at in (start, end))
    return lsp.TextDocumentContentChangePartial(range=lsp.Range(*ends), text=new)


def change(documents, version, *changes):
    return documents.change(lsp.VersionedTextDocumentIdentifier(version, URI), changes)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_random_changes_give_the_client_s_text(encoding):
    random = Random(11)
    for _ in range(40):
        text = random_text(random, 20)
        documents = opened(text, encoding)
        for version in range(2, 12):
            changes = []
            for _ in range(random.randrange(1, 4)):
                start, end = sorted(random.choices(boundaries(text), k=2))
                new = random_text(random, random.randrange(6))
                changes.append(partial(text, start, end, new, encoding))
                text = text[:start] + new + text[end:]
            change(documents, version, *changes)
            snapshot = documents.get(URI)
            assert (snapshot.text, snapshot.version) == (text, version)


def test_a_span_keeps_its_text_wherever_changes_move_it():
    random = Random(13)
    for _ in range(300):
        text = random_text(random, 15) + "the span" + random_text(random, 15)
        start = text.index("the span")
        documents = opened(text)
        revision = documents.get(URI).revision
        for version in range(2, 6):
            place = text.index("the span")
            outside = [b for b in boundaries(text) if b < place]
            if not outside or random.random() < 0.5:
                outside = [b for b in boundaries(text) if b > place + 8]
            if not outside:
                continue
            a, b = sorted(random.choices(outside, k=2))
            new = random_text(random, 4)
            change(documents, version, partial(text, a, b, new))
            text = text[:a] + new + text[b:]
        moved = documents.relocate(URI, revision, Span(start, start + 8))
        assert moved == Span(text.index("the span"), text.index("the span") + 8)


def test_a_span_changed_inside_has_no_place():
    random = Random(13)
    for _ in range(300):
        text = random_text(random, 15) + "the span" + random_text(random, 15)
        start = text.index("the span")
        documents = opened(text)
        revision = documents.get(URI).revision
        a = random.choice([b for b in boundaries(text) if b < start + 8])
        b = random.choice([b for b in boundaries(text) if b > max(a, start)])
        change(documents, 2, partial(text, a, b, "!"))
        assert documents.relocate(URI, revision, Span(start, start + 8)) is None


def test_identical_lines_are_told_apart():
    text = "pass\n" * 5
    documents = opened(text)
    revision = documents.get(URI).revision
    change(documents, 2, partial(text, 0, 5, ""))
    assert documents.relocate(URI, revision, Span(10, 15)) == Span(5, 10)
    assert documents.relocate(URI, revision, Span(0, 5)) is None


def test_a_whole_new_text_moves_what_it_does_not_change():
    documents = opened("one\ntwo\n")
    revision = documents.get(URI).revision
    change(documents, 2, lsp.TextDocumentContentChangeWholeDocument("zero\none\ntwo\n"))
    assert documents.relocate(URI, revision, Span(4, 8)) == Span(9, 13)


def test_an_unknown_revision_has_no_place_today():
    documents = opened("one\n")
    revision = documents.get(URI).revision
    assert documents.relocate(URI, revision - 1, Span(0, 3)) is None
    documents.open(lsp.TextDocumentItem(URI, "python", 1, "one\n"))
    assert documents.relocate(URI, revision, Span(0, 3)) is None


def test_a_snapshot_does_not_change():
    documents = opened("old")
    snapshot = documents.get(URI)
    change(documents, 2, partial("old", 0, 3, "new"))
    assert (snapshot.text, snapshot.version) == ("old", 1)


def test_changes_in_the_wrong_order_stop_until_the_whole_text_arrives():
    documents = opened("abc", version=5)
    assert "close and open" in change(documents, 4, partial("abc", 0, 1, "x"))
    with pytest.raises(Refused, match="wrong order"):
        documents.get(URI)
    assert change(documents, 6, partial("abc", 0, 1, "y")) is None, "it is said once"
    assert change(documents, 7, lsp.TextDocumentContentChangeWholeDocument("whole")) is None
    assert documents.get(URI).text == "whole"


def test_a_change_that_was_lost_stops_until_the_whole_text_arrives():
    documents = opened("abc")
    assert "close and open" in documents.lose(URI)
    assert documents.lose(URI) is None, "it is said once"
    change(documents, 3, partial("abc", 0, 1, "x"))
    with pytest.raises(Refused, match="could not be read"):
        documents.get(URI)
    change(documents, 4, lsp.TextDocumentContentChangeWholeDocument("whole"))
    assert documents.get(URI).text == "whole"


def test_a_change_without_a_version_leaves_it_as_it_was():
    documents = opened("abc", version=7)
    nameless = lsp.OptionalVersionedTextDocumentIdentifier(URI)
    assert documents.change(nameless, [partial("abc", 0, 1, "x")]) is None
    assert (documents.get(URI).text, documents.get(URI).version) == ("xbc", 7)


def test_a_document_of_which_the_client_has_another_text_waits_for_it():
    documents = opened("abc")
    documents.expect(documents.get(URI), "xbc")
    with pytest.raises(Stale):
        documents.get(URI)
    change(documents, 2, partial("abc", 0, 1, "x"))
    assert documents.get(URI).text == "xbc"


def test_nothing_is_waited_for_that_came_already_or_is_no_change():
    documents = opened("abc")
    before = documents.get(URI)
    documents.expect(before, "abc")
    assert documents.get(URI) == before
    change(documents, 2, partial("abc", 0, 1, "x"))
    documents.expect(before, "xbc")
    assert documents.get(URI).text == "xbc"
    documents.close(URI)
    documents.expect(before, "xbc")


def test_a_client_that_does_not_count_is_taken_at_its_order():
    documents = opened("abc", version=0)
    assert change(documents, 0, partial("abc", 0, 1, "x")) is None
    assert documents.get(URI).text == "xbc"


def test_a_document_that_is_not_open_is_named():
    documents = opened("abc")
    documents.close(URI)
    with pytest.raises(Refused, match=r"file:///a\.py is not open"):
        documents.get(URI)


def test_the_uri_may_be_escaped_differently():
    documents = Documents()
    documents.open(lsp.TextDocumentItem("file:///c%3A/a.py", "python", 1, ""))
    assert documents.get("file:///c:/a.py").uri == "file:///c%3A/a.py"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///p/a%20b.py", Path("/p/a b.py")),
        ("FILE:///p/a.py", Path("/p/a.py")),
        ("file:/p/a.py", Path("/p/a.py")),
        ("file://LocalHost/p/a.py", Path("/p/a.py")),
        ("file:///p/../a.py", Path("/a.py")),
        ("file:///a%00b.py", None),
        ("file://[scratch]", None),
        ("http://[x/y", None),
        ("untitled:Untitled-1", None),
        ("", None),
    ],
)
def test_only_a_file_of_this_machine_has_a_path(uri, path):
    assert local_path(uri) == path


def test_a_document_whose_uri_is_none_spoils_no_other():
    documents = opened("abc")
    documents.open(lsp.TextDocumentItem("file://[scratch]", "python", 1, "x"))
    assert documents.texts() == {Path("/a.py"): "abc"}
    assert documents.get("file://[scratch]").path == "file://[scratch]"


def test_the_file_name_tells_the_language_where_the_client_does_not():
    assert opened("", language="").get(URI).language == "python"
    assert opened("", language="rust").get(URI).language == "rust"
