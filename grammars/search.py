"""A user's tree-sitter query: compiled, run, and what a text must hold for it to match at all."""

from __future__ import annotations

import re
from functools import lru_cache

import tree_sitter

from grammars.languages import LANGUAGES, Language
from grammars.span import Span
from grammars.syntax import SyntaxTree

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|;[^\n]*|\(#[\w-]+[?!]|[()\[\]?*|.]|[^\s"();\[\]?*|.]+')


class QueryError(Exception):
    """A query that cannot be compiled; the message says where and why."""


@lru_cache(maxsize=32)
def compiled(source: str, known: Language) -> tree_sitter.Query:
    """Compile a query for a language.

    Raises:
        QueryError: if it is no query, or names what the language's grammar lacks.
    """
    try:
        query = tree_sitter.Query(known.grammar(), source)
    except ValueError as error:
        raise QueryError(f"{known.id}: {error}") from error
    if not any(not query.capture_name(i).startswith("_") for i in range(query.capture_count)):
        raise QueryError("it captures nothing: mark what to edit, as in `(call) @it`")
    return query


# Remembered: asked for every file that is looked into.
@lru_cache(maxsize=32)
def languages_of(source: str) -> tuple[str, ...]:
    """Return the ids of the languages a query fits.

    Raises:
        QueryError: the first language's, if it fits none.
    """
    fitting: list[str] = []
    errors: list[QueryError] = []
    for known in LANGUAGES:
        try:
            compiled(source, known)
        except QueryError as error:
            errors.append(error)
        else:
            fitting.append(known.id)
    if not fitting:
        raise errors[0]
    return tuple(fitting)


def find_captures(text: str, known: Language, source: str) -> tuple[tuple[Span, str], ...]:
    """Return the spans a query captures, each with its capture's name, in the text's order.

    Captures named `@_like_this` only serve the query's own conditions.

    Raises:
        QueryError: if the query does not fit the language.
        ParseTimeout: if the text takes too long to parse.
    """
    query = compiled(source, known)
    if not may_match(text, source):
        return ()
    captured = SyntaxTree.parse(text, known).captures(query)
    found = {
        (node.span, name)
        for name, nodes in captured.items()
        if not name.startswith("_")
        for node in nodes
    }
    return tuple(sorted(found))


def may_match(text: str, source: str) -> bool:
    """Tell, without parsing, whether a text holds every word that a match needs."""
    return all(word in text for word in needed_words(source))


@lru_cache(maxsize=32)
def needed_words(source: str) -> tuple[str, ...]:
    """Return words that are in every text a query matches; none where that is not plain to see.

    Only a query of one pattern without alternatives and optional parts is understood.
    """
    words: list[str] = []
    depth = patterns = 0
    predicate = ""
    for token in _TOKEN.findall(source):
        if token.startswith(";"):
            continue
        if token in "[]?*|":
            return ()
        if token.startswith("("):
            if token != "(":
                predicate = token[2:]
            patterns += depth == 0
            depth += 1
        elif token == ")":
            depth -= 1
            predicate = ""
        elif token.startswith('"') and predicate == "eq?":
            words.append(token[1:-1])  # other strings are tokens, which a parser may make up
    if patterns != 1 or any("\\" in word for word in words):
        return ()
    return tuple(words)
