"""Whether code can end where it does: a bracket still open, a block or a value still owed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from grammars.lines import LineIndex
from grammars.python_source import compile_fault
from grammars.selection import FUNCTIONS, SEQUENCES, words
from grammars.span import Span
from grammars.syntax import Node, SyntaxTree, tree_of

# By which field a grammar names what a function returns; JavaScript has none.
_RESULTS = {
    "python": "return_type",
    "typescript": "return_type",
    "typescriptreact": "return_type",
    "rust": "return_type",
    "go": "result",
    "c": "type",
    "cpp": "type",
    "java": "type",
}
# Results that are none, or need not be returned.
_NO_VALUE = re.compile(
    r"None|(?:typing\.)?(?:NoReturn|Never)|void|undefined|never|any|unknown|asserts\b.*|\(\)|!"
    r"|Promise<(?:void|any|unknown|never|undefined)>",
    re.DOTALL,
)
_LEAVING = words("""
    return_statement return_expression raise_statement throw_statement yield yield_statement
    yield_expression co_return_statement co_yield_statement goto_statement loop_expression
""")
# Statements behind which nothing in their block is reached, and what may stand there all the same:
# what has a place of its own, and the `break` that many write behind the `return` of a case.
_LEAVING_ITS_BLOCK = words("""
    return_statement raise_statement throw_statement break_statement continue_statement
""")
_MAY_FOLLOW = re.compile("case|default|label|break|definition|declaration|preproc|clause")
_REST = " \t\r\n});,"  # what may follow the last statement of a function
# Calls after which nothing follows, as names or macros.
_LAST_CALL = re.compile(
    r"(?:\w+(?:\.|::))*"
    r"(?:panic|todo|unimplemented|unreachable|abort|exit|_exit|terminate|Exit|Fatal\w*)!?[(\[{]"
)
_OPENERS, _CLOSERS = "([{", ")]}"


def breaks_off(text: str, place: Span, language_id: str) -> bool:
    """Tell whether the syntax asks for more right behind a place: more could mend its fault."""
    tree = tree_of(text, language_id)
    written = place.of(text).rstrip()
    if tree is None or not written:
        return False
    lines = LineIndex(text)
    last = lines.line_at(place.start + len(written) - 1)
    rest = text[place.end :]
    behind = lines.line_at(place.end + len(rest) - len(rest.lstrip()))
    if language_id == "python" and (fault := compile_fault(text)):
        return last <= fault.line <= behind
    faults = tree.faults()
    if faults and sum(map(written.count, _OPENERS)) > sum(map(written.count, _CLOSERS)):
        return True
    return any(last <= lines.line_at(fault.span.start) <= behind for fault in faults)


def joins(text: str, place: Span, language_id: str) -> bool:
    """Tell whether a place goes together with the lines about it, the next above and two below.

    Whoever asks for a whole fill there does not want a fault there that was there before, either,
    nor code below that nothing leads to.
    """
    tree = tree_of(text, language_id)
    if tree is None:
        return True
    lines = LineIndex(text)
    visible = place.visible(text)
    if unreached(text, place, language_id):
        return False
    first, last = lines.line_at(visible.start), lines.line_at(visible.end)
    first = next((n for n in range(first - 1, -1, -1) if _has_text(lines, n)), first)
    below = (n for n in range(last + 1, len(lines)) if _has_text(lines, n))
    last = max([last, *islice(below, 2)])
    if language_id == "python" and (fault := compile_fault(text)):
        return not first <= fault.line <= last
    return not any(first <= lines.line_at(fault.span.start) <= last for fault in tree.faults())


def unreached(text: str, place: Span, language_id: str) -> bool:
    """Tell whether a statement at a place leaves its block in front of others, which it hides."""
    tree = tree_of(text, language_id)
    pending = tree.around(place.visible(text))[:1] if tree else []
    while pending:
        node = pending.pop()
        if node.type in _LEAVING_ITS_BLOCK and place.holds(node.span) and _is_followed(node):
            return True
        pending += [child for child in node.named_children if child.span.overlaps(place)]
    return False


def _is_followed(statement: Node) -> bool:
    """Tell whether the next statement in its block is one that only this one could lead to."""
    block = statement.parent
    if block is None or block.type not in SEQUENCES:
        return False
    behind = (
        other
        for other in block.named_children
        if other.span.start >= statement.span.end and "comment" not in other.type
    )
    return any(
        not _MAY_FOLLOW.search(other.type) and len(other.span) > 1 for other in islice(behind, 1)
    )


def comments_out(text: str, place: Span, language_id: str) -> bool:
    """Tell whether a place ends with the start of a line comment, which takes what is behind it."""
    tree = tree_of(text, language_id)
    last = place.of(text).rpartition("\n")[2]
    comment = _comment_at(tree, place.end) if tree else None
    return (
        tree is not None
        and comment is not None
        and place.end - len(last) <= comment.span.start < place.end
        and comment.span.of(text).startswith(tree.language.line_comment)
    )


def is_comment(text: str, at: int, language_id: str) -> bool:
    """Tell whether what stands behind a character on its line is part of a comment."""
    tree = tree_of(text, language_id)
    return tree is not None and _comment_at(tree, at) is not None


def _comment_at(tree: SyntaxTree, at: int) -> Node | None:
    """Return the comment that holds the first visible character of a line from `at` on."""
    rest = tree.text[at:].partition("\n")[0]
    start = at + len(rest) - len(rest.lstrip())
    around = tree.around(Span(start, start + 1)) if rest.strip() else []
    return next((node for node in around if "comment" in node.type), None)


def _has_text(lines: LineIndex, line: int) -> bool:
    return bool(lines.content(line).of(lines.text).strip())


def unkept_promise(text: str, place: Span, language_id: str) -> str | None:
    """Return the result that the function ending with a place promises and never returns.

    None if it returns one, promises none, does not end there, or is in no language we know.
    """
    tree = tree_of(text, language_id) if language_id in _RESULTS else None
    if tree is None:
        return None
    function = next((n for n in tree.around(place.visible(text)) if n.type in FUNCTIONS), None)
    if function is None or text[place.end : function.span.end].strip(_REST):
        return None
    declarator = function.field("declarator")  # C: `void *f()` has a type and a pointer to it
    if declarator and (declarator.span.of(text).startswith(("*", "main"))):
        return None
    promised, body = _promised(tree, function), function.field("body")
    return None if body is None or _returns(tree, body) else promised


def owes_value(tree: SyntaxTree, function: Node) -> bool:
    """Tell whether a function promises a value and has no statement that returns or yields one."""
    body = function.field("body")
    if body is None or _promised(tree, function) is None:
        return False
    return not any(node.type.startswith(("return", "yield", "co_")) for node in _own(body))


def _promised(tree: SyntaxTree, function: Node) -> str | None:
    """Return the result in a function's signature, None if it names none or none with a value."""
    field = _RESULTS.get(tree.language.id)
    result = function.field(field) if field else None
    named = result.span.of(tree.text).lstrip(":->").strip() if result else ""
    return named if named and not _NO_VALUE.fullmatch(named) else None


def _returns(tree: SyntaxTree, body: Node) -> bool:
    """Tell whether a body leaves with a value somewhere, or by an error, or is the value."""
    if tree.language.id == "rust":
        inside = [c for c in body.named_children if "comment" not in c.type]
        if inside and not _is_no_value(inside[-1], tree.text):
            return True
    elif not body.type.endswith(("block", "compound_statement", "statement_list")):
        return True  # an arrow function that is an expression
    return any(
        node.type in _LEAVING
        or (node.type.startswith(("call", "macro")) and _LAST_CALL.match(node.span.of(tree.text)))
        or (node.type == "for_statement" and tree.language.id == "go" and _is_endless(node))
        for node in _own(body)
    )


def _is_no_value(statement: Node, text: str) -> bool:
    """Tell whether a statement of Rust is no value: a declaration, or ended by a semicolon."""
    if statement.type == "expression_statement":
        return statement.span.of(text).endswith(";")
    return statement.type.endswith(("declaration", "item"))


def _is_endless(loop: Node) -> bool:
    """Tell whether a loop of Go has no condition."""
    return [child.type for child in loop.named_children] == ["block"]


def _own(body: Node) -> Iterator[Node]:
    """Yield the nodes of a body, but for those of functions inside it."""
    pending = [body]
    while pending:
        node = pending.pop()
        yield node
        pending += [c for c in node.named_children if c.type not in FUNCTIONS]
