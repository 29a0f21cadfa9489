"""What a function does, as far as its statements tell."""

from __future__ import annotations

import re
from collections.abc import Collection

from grammars.selection import DEFINITIONS, FUNCTIONS, is_docstring
from grammars.span import Span
from grammars.syntax import Node, SyntaxTree, tree_of

_EMPTY = r"None|nil|null(?:ptr)?|NULL|undefined|[Ff]alse|[Tt]rue|\"\"|''|``|\[\]|\{\}|\(\)|vec!\[\]"
# A value that nobody computed, returned so that the file compiles.
EMPTY_RETURN = re.compile(
    rf"\s*\breturn\b[ \t]*(?:-?[01](?:\.0*)?|{_EMPTY})?[ \t]*;?[ \t]*(?=[\r\n}}]|$)"
)
# A value that nothing was computed for: a literal, or a type made of nothing.
_NOTHING = re.compile(
    rf"""(?:return\b\s*)?(?:
    -?\d+(?:\.\d*)?[fFL]? | {_EMPTY}
    | (?:new\s+)?(?:[A-Z]\w*|dict|list|set|tuple|frozenset|std::\w+|map\[|\[\]|make\()
      [\w\s<>,.:*&\[\]]*(?:\(\)|\{{\}}|(?<=\w|\])\))
    )?\s*;?""",
    re.VERBOSE,
)
# A call and no more, of what is on the same object if on any.
_ARGUMENTS = r"[^()]*(?:\([^()]*\)[^()]*)*"
_CALL = re.compile(
    rf"(?:return\b\s*)?(?:(?:self|Self|cls|this)(?:\.|::))?(\w+)\({_ARGUMENTS}\)\s*;?"
)
# What a function is called on, or C's word for nothing.
_NO_PARAMETER = re.compile(r"self|cls|&?(?:'\w+\s+)?(?:mut\s+)?self|this\b.*|void|_.*", re.DOTALL)


def statements(block: Node) -> list[Node]:
    """Return what a block holds, comments aside."""
    return [child for child in block.named_children if "comment" not in child.type]


def own_statements(function: Node) -> list[Node]:
    """Return what a function does, its docstring aside."""
    body = function.field("body")
    found = statements(body) if body else []
    if [s.type for s in found] == ["statement_list"]:  # Go
        found = statements(found[0])
    return [s for s in found if not is_docstring(s)]


def does_nothing(tree: SyntaxTree, function: Node, unwritten: Collection[Span]) -> bool:
    """Tell whether a function has only what is `unwritten`, or a value that nobody computed."""
    rest = [s for s in own_statements(function) if s.span not in unwritten]
    return not rest or (
        len(rest) == 1 and EMPTY_RETURN.fullmatch(rest[0].span.of(tree.text)) is not None
    )


def computes_nothing(text: str, span: Span, language_id: str) -> bool:
    """Tell whether a span is all of a function that is given something, and no use of that.

    It returns an empty value, or calls itself again.
    """
    tree = tree_of(text, language_id)
    visible = span.visible(text)
    function = tree and next((n for n in tree.around(visible) if n.type in FUNCTIONS), None)
    if tree is None or function is None or not takes_parameters(tree, function):
        return False
    code, name = visible.of(text), function.field("name")
    called = _CALL.fullmatch(code)
    calls_itself = called is not None and name is not None and called[1] == name.span.of(text)
    if not calls_itself and not _NOTHING.fullmatch(code):
        return False
    return [visible.holds(statement.span) for statement in own_statements(function)] == [True]


def has_two_docstrings(text: str, place: Span, language_id: str) -> bool:
    """Tell whether a function or class that meets a place begins with two docstrings."""
    tree = tree_of(text, language_id)
    nodes = tree.nodes() if tree and language_id == "python" else iter(())
    bodies = (n.field("body") for n in nodes if n.type in DEFINITIONS and n.span.overlaps(place))
    first = (statements(body)[:2] for body in bodies if body)
    return any(len(pair) == 2 and all(map(is_docstring, pair)) for pair in first)


def takes_parameters(tree: SyntaxTree, function: Node) -> bool:
    """Tell whether a function is given something beside the object it is called on."""
    if function.field("parameter"):  # JavaScript: `x => …`
        return True
    named: Node | None = function  # C: the declarator has them
    while named and named.field("parameters") is None:
        named = named.field("declarator")
    parameters = named and named.field("parameters")
    return parameters is not None and any(
        "comment" not in p.type and not _NO_PARAMETER.fullmatch(p.span.of(tree.text))
        for p in parameters.named_children
    )
