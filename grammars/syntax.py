"""Syntax trees in characters: the only file that knows tree-sitter counts in bytes."""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import tree_sitter

from grammars.languages import Language, language
from grammars.span import Replacement, Span, apply
from grammars.surrogates import without_halves

DEADLINE_S = 5.0
_CHUNK_BYTES = 1 << 14

# Stretches of characters that take 1, 2, 3 and 4 bytes in UTF-8.
_EQUAL_WIDTH = re.compile("[\0-\x7f]+|[\x80-\u07ff]+|[\u0800-\uffff]+|[\U00010000-\U0010ffff]+")


class ParseTimeout(Exception):
    """A text took longer to parse than its deadline allows."""


class _Utf8:
    """A text as UTF-8, with both conversions of offsets in the logarithm of its runs."""

    def __init__(self, text: str) -> None:
        self._chars, self._bytes, self._widths = [0], [0], [1]
        end = 0
        for run in _EQUAL_WIDTH.finditer(text):
            width = len(run[0][0].encode("utf-8", "surrogatepass"))
            self._chars.append(run.start())
            self._bytes.append(end)
            self._widths.append(width)
            end += width * len(run[0])
        if end > len(text):
            # A lone surrogate has no UTF-8 form; U+FFFD is as wide as it would be.
            text = without_halves(text)
        self.data = text.encode()

    def byte(self, char: int) -> int:
        run = bisect_right(self._chars, char) - 1
        return self._bytes[run] + (char - self._chars[run]) * self._widths[run]

    def char(self, byte: int) -> int:
        """Return the character that holds a byte."""
        run = bisect_right(self._bytes, byte) - 1
        return self._chars[run] + (byte - self._bytes[run]) // self._widths[run]

    def point(self, byte: int) -> tuple[int, int]:
        """Return row and byte column as tree-sitter counts them: only LF ends a row."""
        line_start = self.data.rfind(b"\n", 0, byte) + 1
        return self.data.count(b"\n", 0, line_start), byte - line_start

    def span(self, node: tree_sitter.Node) -> Span:
        return Span(self.char(node.start_byte), self.char(node.end_byte))


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """A place where the parser had to guess: it skipped text, or missed a token."""

    span: Span  # empty where something is missing
    kind: Literal["ERROR", "MISSING"]
    missing: str = ""  # the type of the missing node


class Node:
    """A node of a tree, its place in characters."""

    __slots__ = ("_node", "_utf8")

    def __init__(self, node: tree_sitter.Node, utf8: _Utf8) -> None:
        self._node = node
        self._utf8 = utf8

    def __repr__(self) -> str:
        return f"<{self.type} {self.span.start}..{self.span.end}>"

    @property
    def type(self) -> str:
        """The grammar's name for it; for a token such as `:`, its text."""
        return self._node.type

    @property
    def is_named(self) -> bool:
        """Whether it is more than a token."""
        return self._node.is_named

    @property
    def span(self) -> Span:
        """Its characters, without blanks around them."""
        return self._utf8.span(self._node)

    @property
    def children(self) -> list[Node]:
        """All its children, tokens included."""
        return [Node(child, self._utf8) for child in self._node.children]

    @property
    def named_children(self) -> list[Node]:
        """Its children that are more than a token."""
        return [Node(child, self._utf8) for child in self._node.named_children]

    @property
    def parent(self) -> Node | None:
        """The node it is a child of; None for the root."""
        parent = self._node.parent
        return parent and Node(parent, self._utf8)

    @property
    def previous(self) -> Node | None:
        """Its sibling before it that is more than a token."""
        sibling = self._node.prev_named_sibling
        return sibling and Node(sibling, self._utf8)

    def field(self, name: str) -> Node | None:
        """Return the first child that plays a role ("body", "name") in it."""
        child = self._node.child_by_field_name(name)
        return child and Node(child, self._utf8)


class SyntaxTree:
    """An immutable text with its tree. Trees of edited texts share what did not change."""

    def __init__(self, text: str, language: Language, utf8: _Utf8, tree: tree_sitter.Tree) -> None:
        self.text = text
        self.language = language
        self._utf8 = utf8
        self._tree = tree

    @classmethod
    def parse(cls, text: str, language: Language, deadline_s: float = DEADLINE_S) -> SyntaxTree:
        """Parse a text from scratch.

        Raises:
            ParseTimeout: if it takes longer than the deadline.
        """
        utf8 = _Utf8(text)
        return cls(text, language, utf8, _parse(utf8.data, language, None, deadline_s))

    def edited(self, replacement: Replacement, deadline_s: float = DEADLINE_S) -> SyntaxTree:
        """Return the tree after a replacement, parsing again only what it touches.

        Raises:
            ParseTimeout: if it takes longer than the deadline.
            ValueError: if the replacement leaves the text.
        """
        # `apply` refuses what would leave the text: tree-sitter may hang on wrong coordinates.
        text = apply(self.text, [replacement])
        utf8 = _Utf8(text)
        start = self._utf8.byte(replacement.span.start)
        old_end = self._utf8.byte(replacement.span.end)
        new_end = utf8.byte(replacement.span.start + len(replacement.text))
        tree = self._tree.copy()
        tree.edit(
            start,
            old_end,
            new_end,
            self._utf8.point(start),
            self._utf8.point(old_end),
            utf8.point(new_end),
        )
        tree = _parse(utf8.data, self.language, tree, deadline_s)
        return SyntaxTree(text, self.language, utf8, tree)

    @property
    def root(self) -> Node:
        """The node of the whole text."""
        return Node(self._tree.root_node, self._utf8)

    def faults(self) -> list[SyntaxFault]:
        """Return every ERROR and MISSING node in the order of the text, nested ones too."""
        found: list[SyntaxFault] = []
        for node in _walk(self._tree.root_node, lambda node: node.has_error):
            if node.is_missing:
                found.append(SyntaxFault(self._utf8.span(node), "MISSING", node.type))
            elif node.is_error:
                found.append(SyntaxFault(self._utf8.span(node), "ERROR"))
            elif node.has_error and not any(child.has_error for child in node.children):
                at = self._utf8.char(_hidden_gap(self._utf8.data, node))
                found.append(SyntaxFault(Span(at, at), "MISSING", "newline"))
        return found

    def nodes(self) -> Iterator[Node]:
        """Yield every node, parents first, in the order of the text."""
        return (Node(node, self._utf8) for node in _walk(self._tree.root_node, lambda _: True))

    def captures(self, query: str | tree_sitter.Query) -> dict[str, list[Node]]:
        """Return what a query captures, by the names of its captures; a name is one of ours."""
        if isinstance(query, str):
            query = self.language.query(query)
        cursor = tree_sitter.QueryCursor(query)
        captured = cursor.captures(self._tree.root_node)
        return {
            name: [Node(node, self._utf8) for node in nodes] for name, nodes in captured.items()
        }

    def around(self, span: Span) -> list[Node]:
        """Return the named nodes that cover a span, the smallest first, the root last.

        An empty span belongs to the node that starts there rather than the one that ends there.
        """
        start, end = self._utf8.byte(span.start), self._utf8.byte(span.end)
        found = [Node(self._tree.root_node, self._utf8)]
        cursor = self._tree.walk()
        while cursor.goto_first_child_for_byte(start) is not None:
            node = _current(cursor)
            if node.start_byte > start or node.end_byte < end:
                break
            if node.is_named:
                found.append(Node(node, self._utf8))
        return found[::-1]


# Remembered: a cursor's movement asks several questions about the same text.
@lru_cache(maxsize=4)
def tree_of(text: str, language_id: str) -> SyntaxTree | None:
    """Return the tree of a text, None without a grammar or if it takes too long to parse."""
    known = language(language_id)
    try:
        return known and SyntaxTree.parse(text, known)
    except ParseTimeout:
        return None


def _parse(
    data: bytes, language: Language, old: tree_sitter.Tree | None, deadline_s: float
) -> tree_sitter.Tree:
    deadline = time.monotonic() + deadline_s

    def read(offset: int, _: tree_sitter.Point) -> bytes:
        return data[offset : offset + _CHUNK_BYTES]

    def late(_offset: int, _has_error: bool) -> bool:
        return time.monotonic() > deadline

    # A parser is cheap, and one that never outlives its parse needs neither locks nor resets.
    parser = tree_sitter.Parser(language.grammar())
    try:
        if old is None:
            return parser.parse(read, encoding="utf8", progress_callback=late)
        return parser.parse(read, old, encoding="utf8", progress_callback=late)
    except ValueError as error:
        raise ParseTimeout(f"parsing took more than {deadline_s:g} s") from error


def _hidden_gap(data: bytes, node: tree_sitter.Node) -> int:
    """Return where a node misses a line end: grammars hide that token, so no child tells."""
    for left, right in pairwise(node.children):
        gap = data[left.end_byte : right.start_byte]
        if right.is_named and b"\n" not in gap and b";" not in gap:
            return left.end_byte
    return node.end_byte


def _walk(
    root: tree_sitter.Node, enter: Callable[[tree_sitter.Node], bool]
) -> Iterator[tree_sitter.Node]:
    """Yield nodes, parents first. It never recurses: source may nest deeper than a stack does."""
    cursor = root.walk()
    while True:
        node = _current(cursor)
        yield node
        if enter(node) and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _current(cursor: tree_sitter.TreeCursor) -> tree_sitter.Node:
    node = cursor.node
    assert node is not None, "a cursor always stands on a node"
    return node
