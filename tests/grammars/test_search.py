import pytest

from grammars.languages import language
from grammars.search import QueryError, find_captures, languages_of, may_match, needed_words

PRINTS = '(call function: (identifier) @_f (#eq? @_f "print")) @it'


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (PRINTS, ("print",)),
        ('((call function: (identifier) @_f) @x (#eq? @_f "p?q"))', ("p?q",)),
        ('((a) @x (#eq? @x "b")) ; "c" ?', ("b",)),
        ('((a)? @x (#eq? @x "b"))', ()),
        ('([(a) (b)] @x (#eq? @x "b"))', ()),
        ('((a) @x (#eq? @x "b")) (c) @x', ()),
        ('((a) @x (#not-eq? @x "b"))', ()),
        ('((a) @x (#any-of? @x "b" "c"))', ()),
        ('("async" @x)', ()),
        ('((a) @x (#eq? @x "b\\n"))', ()),
    ],
)
def test_words_a_match_needs(query, words):
    assert needed_words(query) == words


def test_texts_without_the_words_are_passed_over():
    assert may_match("print(1)", PRINTS)
    assert not may_match("log(1)", PRINTS)
    assert may_match("anything", "(call) @it")


def test_captures_in_characters():
    text = "ä = '𝒳'\nprint(ä)\nlog()\n"
    python = language("python")
    [(span, name)] = find_captures(text, python, PRINTS)
    assert (span.of(text), name) == ("print(ä)", "it")
    assert find_captures("log()\n", python, PRINTS) == ()


def test_languages_a_query_fits():
    assert languages_of("(function_item) @it") == ("rust",)
    assert {"javascript", "typescript"} <= set(languages_of("(arrow_function) @it"))
    with pytest.raises(QueryError, match="nonsense"):
        languages_of("(nonsense) @it")
