"""A file's definitions, told briefly: what another file needs to know to use them.

`queries/<language>/definitions.scm` finds those that other files can see. Its captures:
    @definition   the whole of one
    @name         what it is called; one with several names stands for each of them
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from grammars.lines import indentation
from grammars.selection import FUNCTIONS
from grammars.span import Replacement, Span, apply
from grammars.syntax import Node, SyntaxTree, tree_of

# Bodies of so many lines are shown: what a short function does is its best description.
_SHORT_LINES = 3
_MAX_COMMENT_CHARS = 300
MAX_CHARS = 1_500  # of one definition

_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition by its names; `text` is cut, and leaves long function bodies out."""

    names: frozenset[str]
    span: Span
    text: str


# Remembered: the files a user's text imports change seldom.
@lru_cache(maxsize=128)
def outline(text: str, language_id: str) -> tuple[Definition, ...]:
    """Return the definitions of a file in its order; nothing without a grammar."""
    tree = tree_of(text, language_id)
    if tree is None:
        return ()
    found = tree.captures("definitions")
    names = sorted(name.span for name in found.get("name", ()))
    made: list[Definition] = []
    for node in sorted(found.get("definition", ()), key=lambda n: (n.span.start, -n.span.end)):
        span = node.span
        if made and span.end <= made[-1].span.end:
            continue  # a part of the one before
        first, behind = (bisect_left(names, place, key=_start) for place in (span.start, span.end))
        own = {name.of(text) for name in names[first:behind]}
        if own:
            made.append(Definition(frozenset(own), span, _told(tree, node)))
    return tuple(made)


def _told(tree: SyntaxTree, node: Node) -> str:
    """Return a definition with the comment above it, without what is long in it."""
    span = node.span
    cuts = [
        Replacement(Span(r.span.start - span.start, r.span.end - span.start), r.text)
        for r in _cuts(tree, node)
    ]
    told = _comment_above(tree, node) + apply(span.of(tree.text), cuts)
    if len(told) > MAX_CHARS:
        told = told[:MAX_CHARS].rpartition("\n")[0] or told[:MAX_CHARS]
    return told.replace("\r\n", "\n") + "\n"


def _cuts(tree: SyntaxTree, node: Node) -> Iterator[Replacement]:
    """Yield what is left out: the insides of long functions, a docstring excepted."""
    pending = [node]
    while pending:
        one = pending.pop()
        body = one.field("body") if one.type in FUNCTIONS else None
        if body is None:
            pending += one.named_children
            continue
        span = body.span
        if span.of(tree.text).count("\n") < _SHORT_LINES:
            continue
        if span.of(tree.text).startswith("{"):
            yield Replacement(Span(span.start + 1, span.end - 1), " ... ")
            continue
        first = body.named_children[0]
        documented = first.type == "expression_statement" and [
            c.type for c in first.named_children
        ] == ["string"]
        if documented:
            yield Replacement(Span(first.span.end, span.end), "")
        else:
            yield Replacement(span, "...")


def _comment_above(tree: SyntaxTree, node: Node) -> str:
    """Return the comment that ends on the line above a definition, unless it is long."""
    text, start = tree.text, node.span.start
    above = node.previous
    first = start
    while above and "comment" in above.type and text[above.span.end : first].count("\n") <= 1:
        first = above.span.start
        above = above.previous
    comment = text[first:start]
    if len(comment) > _MAX_COMMENT_CHARS or indentation(comment):
        return ""
    return comment
