"""Holes: places where a file says itself that code is still to be written.

`queries/<language>/holes.scm` knows what they look like. Its captures:
    @hole     one wherever a function holds it
    @stub     one where it is all a function does, docstring and comments aside, where a
              function ends with it that promises a value and returns none, or where a
              comment behind it says so
    @comment  any; a hole where it is a task on a line of its own, in a function
    @closed   a part of the file where none of these is a hole
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from grammars.bodies import EMPTY_RETURN, does_nothing, own_statements, statements
from grammars.endings import owes_value
from grammars.lines import LineIndex, indentation
from grammars.selection import FUNCTIONS, is_docstring, statement_of
from grammars.span import Span
from grammars.syntax import Node, SyntaxTree, tree_of

_MAX_SHOWN_CHARS = 40
# Wrappers that add no more than an end to what they hold.
_STATEMENTS = frozenset({"expression_statement"})

# A task wherever a function holds it, and one where the function does nothing else.
_TASK = re.compile(r"TODO:? *[Ii]mplement\b")
_LONE_TASK = re.compile(
    r"\W*(?:TODO|FIXME|(?:[Ww]rite |[Aa]dd |[Pp]ut )?[Yy]our (?:code|solution|implementation)\b"
    r"|[Ii]mplement(?:ation)?\b|[Nn]ot (?:yet )?implemented|[Tt]o be implemented)"
)


@dataclass(frozen=True, slots=True)
class Hole:
    """What is replaced, whole lines where it fills them, and how it reads."""

    span: Span
    what: str  # the statement or comment itself, cut to one line


# Remembered: an editor asks at every movement of the cursor.
@lru_cache(maxsize=16)
def find_holes(text: str, language_id: str, path: str = "") -> tuple[Hole, ...]:
    """Return the holes of a file in the order of the text; they do not overlap.

    None without a grammar, and none in a `.pyi`: there `...` is all there will ever be.
    """
    tree = None if path.lower().endswith(".pyi") else tree_of(text, language_id)
    if tree is None:
        return ()
    found = tree.captures("holes")
    closed = [node.span for node in found.get("closed", ())]
    lines = LineIndex(text)
    nodes = [node for node in found.get("hole", ()) if _function(node)]
    nodes += [
        node
        for node in found.get("stub", ())
        if _is_all(node) or _is_owed(tree, node) or _is_marked(tree, node, lines)
    ]
    spans = {_statement(node).span for node in nodes}
    tasks = [c for c in found.get("comment", ()) if _is_task(tree, c, lines, spans)]
    spans |= {_with_placeholder(tree, task) for task in tasks}
    spans = {s for s in spans if not any(c.holds(s) for c in closed)}
    return tuple(_joined(lines, sorted(spans), tree.language.line_comment))


def is_unwritten(text: str, span: Span, language_id: str) -> bool:
    """Tell whether all that a span holds is holes and functions of nothing else, comments aside."""
    tree = tree_of(text, language_id)
    found = [h.span for h in find_holes(text, language_id) if h.span.overlaps(span)]
    if tree is None or not found:
        return False
    inside = sorted({_with_function(tree, hole, span) for hole in found})
    starts = [span.start, *(hole.end for hole in inside)]
    ends = [*(hole.start for hole in inside), span.end]
    gaps = (text[start:end] for start, end in zip(starts, ends, strict=True))
    return all(_only_comments(gap, tree.language.line_comment) for gap in gaps)


def _with_function(tree: SyntaxTree, hole: Span, span: Span) -> Span:
    """Return a hole with the function that does nothing else, if all of that is in a span."""
    around = list(tree.around(hole.visible(tree.text)))
    function = next((node for node in around if node.type in FUNCTIONS), None)
    if function is None or not all(hole.holds(s.span) for s in own_statements(function)):
        return hole
    whole = statement_of(function).span
    return whole if span.holds(whole) else hole


def unfinished_function(text: str, span: Span, language_id: str) -> Span | None:
    """Return the lines above a span of a function whose code it ends, being unwritten or blank.

    They start with the function's header. None if there is no such function, if the span begins on
    a line of it, or if it is blank and the function may be complete without it.
    """
    tree = tree_of(text, language_id)
    if tree is None or not text[: span.start].endswith("\n"):
        return None
    is_blank = not span.of(text).strip()
    if is_blank:
        task = (
            f"{_indentation_below(text[: span.start])}{tree.language.line_comment} TODO: implement"
        )
        text = text[: span.start] + task + "\n" + text[span.end :]
        span = Span(span.start, span.start + len(task))
        tree = tree_of(text, language_id)
    if tree is None or not is_unwritten(text, span, language_id):
        return None
    lines = LineIndex(text)
    around = list(tree.around(span.visible(text)))
    function = next((node for node in around if node.type in FUNCTIONS), None)
    if "comment" in around[0].type:
        function = _function_about(around[0], lines)
    if function is None:
        return None
    others = [s.span for s in own_statements(function) if not span.holds(s.span)]
    if any(other.end > span.start for other in others):
        return None
    if is_blank and others and not owes_value(tree, function):
        return None
    start = lines.span(lines.line_at(function.span.start)).start
    return Span(start, span.start) if start < span.start else None


def _indentation_below(text: str) -> str:
    """Return the indentation of a line behind a text, one step deeper where a block begins."""
    last = text.rstrip().rpartition("\n")[2]
    step = "\t" if last.startswith("\t") else "    "
    return indentation(last) + step * last.endswith((":", "{"))


def _function(node: Node) -> Node | None:
    """Return the function whose code a node belongs to; a class's own code belongs to none."""
    above = node.parent
    while above and above.type not in FUNCTIONS:
        if above.type == "class_definition":
            return None
        above = above.parent
    return above


def _is_all(node: Node) -> bool:
    """Tell whether a statement is all that its function does."""
    block = node.parent
    function = block and block.parent
    if block is None or function is None or function.type not in FUNCTIONS:
        return False
    others = [c for c in statements(block) if c.span != node.span]
    return all(is_docstring(other) for other in others)


def _is_owed(tree: SyntaxTree, node: Node) -> bool:
    """Tell whether a statement is the last of a function that returns nothing it promises."""
    block = node.parent
    function = block and block.parent
    if block is None or function is None or function.type not in FUNCTIONS:
        return False
    return block.named_children[-1].span == node.span and owes_value(tree, function)


def _is_marked(tree: SyntaxTree, node: Node, lines: LineIndex) -> bool:
    """Tell whether a comment behind a statement of a function says that code is to come."""
    line = lines.content(lines.line_at(node.span.end))
    rest = tree.text[node.span.end : line.end].strip()
    is_told = _LONE_TASK.match(rest) or _TASK.search(rest)
    return (
        bool(is_told)
        and rest.startswith(tree.language.line_comment)
        and _function(node) is not None
    )


def _is_task(
    tree: SyntaxTree, comment: Node, lines: LineIndex, unwritten: Collection[Span]
) -> bool:
    """Tell whether a comment stands for code to come, `unwritten` being the statements that do."""
    text = comment.span.of(tree.text)
    is_task, is_lone = _TASK.search(text), _LONE_TASK.match(text)
    if not (is_task or is_lone) or (function := _function_about(comment, lines)) is None:
        return False
    return bool(is_task) or does_nothing(tree, function, unwritten)


def _function_about(comment: Node, lines: LineIndex) -> Node | None:
    """Return the function that holds a comment which is the first on its line.

    Where a Python function holds nothing else, the comment is not in it but behind it.
    """
    start = lines.span(lines.line_at(comment.span.start)).start
    before = lines.text[start : comment.span.start]
    if before.strip() and not before.rstrip().endswith("{"):
        return None
    if function := _function(comment):
        return function
    above = comment.previous
    while above and "comment" in above.type:
        above = above.previous
    if above is None or above.type not in (*FUNCTIONS, "decorated_definition"):
        return None
    header = lines.content(lines.line_at(above.span.start)).of(lines.text)
    if len(before) <= len(indentation(header)):
        return None
    return above.field("definition") or above


def _with_placeholder(tree: SyntaxTree, comment: Node) -> Span:
    """Return the span of a comment, with the `return 0` under it that only stands in for code."""
    text, span, function = tree.text, comment.span, _function(comment)
    found = EMPTY_RETURN.match(text, span.end)
    if found is None or function is None:
        return span
    rest = text[found.end() : function.span.end]
    return Span(span.start, found.end()) if not rest.strip(" \t\r\n}") else span


def _statement(node: Node) -> Node:
    """Return the statement a node is all of, else the node."""
    parent = node.parent
    return parent if parent and parent.type in _STATEMENTS else node


def _joined(lines: LineIndex, spans: list[Span], line_comment: str) -> Iterator[Hole]:
    """Yield one hole a place: a comment and the statement under it ask for the same code."""
    text, furthest = lines.text, 0
    for index, span in enumerate(spans):
        furthest = max(furthest, span.end)
        if span.end < furthest:
            continue  # inside one before: `todo!(todo!())`
        if index + 1 < len(spans) and _only_comments(
            text[span.start : spans[index + 1].start], line_comment
        ):
            continue
        start = index
        while start and not text[spans[start - 1].end : span.start].strip():
            start -= 1
        whole = _whole_lines(lines, Span(spans[start].start, span.end), line_comment)
        yield Hole(whole, _shown(span.of(text)))


def _only_comments(between: str, line_comment: str) -> bool:
    """Tell whether a text, from one find to the next, holds nothing but comment lines."""
    return all(
        line.strip().startswith((line_comment, "/*", "*")) or not line.strip()
        for line in between.split("\n")
    )


def _whole_lines(lines: LineIndex, span: Span, line_comment: str) -> Span:
    """Grow a span to its lines, if nothing else but a comment behind it stands on them."""
    first, last = lines.span(lines.line_at(span.start)), lines.span(lines.line_at(span.end))
    before = lines.text[first.start : span.start]
    behind = lines.text[span.end : last.end].strip()
    alone = not before.strip() and (not behind or behind.startswith(line_comment))
    return Span(first.start, last.end) if alone else span


def _shown(source: str) -> str:
    line = " ".join(source.split("\n")[0].split())
    return line if len(line) <= _MAX_SHOWN_CHARS else line[: _MAX_SHOWN_CHARS - 1] + "…"
