"""Symbols: the functions, methods and classes of a file, found by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grammars.languages import language
from grammars.lines import LineIndex
from grammars.selection import DEFINITIONS, FUNCTIONS, definition_of, statement_of, words
from grammars.span import Span
from grammars.syntax import Node, SyntaxTree, tree_of

# A name bound to a function value: `const f = () => {}`, `exports.f = function () {}`.
_BINDINGS = words("""
    variable_declarator public_field_definition field_definition assignment_expression
""")
# Definitions that may have parts in several places.
_REPEATABLE = words("""
    impl_item namespace_definition internal_module interface_declaration linkage_specification
""")
_SYMBOLS = DEFINITIONS | {"type_spec"}

Definition = tuple[str, str]  # the node's type, and the name


def find_symbol(text: str, language_id: str, name: str) -> tuple[Span, ...]:
    """Return the definitions with a name, whole but for decorators, indentation included.

    The name is as written ("area") or with what holds it ("Shape.area"). None without a grammar.

    Raises:
        ParseTimeout: if the text takes too long to parse.
    """
    last = name.rpartition(".")[2]
    known = language(language_id)
    if known is None or not last or last not in text:
        return ()
    tree = SyntaxTree.parse(text, known)
    lines = LineIndex(text)
    # A class with its constructor of the same name is two definitions, the first holds the second.
    return tuple(
        _from_indentation(lines, node.span)
        for node in tree.nodes()
        if _defines(node, text, last) and f".{_path(node, text)}".endswith(f".{name}")
    )


def defines(text: str, language_id: str, place: Span) -> bool:
    """Tell whether a named definition stands, whole, at a place.

    False without a grammar, or if the text takes too long to parse.
    """
    tree = tree_of(text, language_id)
    return tree is not None and any(
        place.holds(node.span) and bool(_name(node, text))
        for node in tree.nodes()
        if node.type in _SYMBOLS or _binds_function(node)
    )


def definitions_around(text: str, language_id: str, span: Span) -> set[Definition]:
    """Return the kinds and names of the definitions that a span is a part of, not the whole.

    None without a grammar, or if the text takes too long to parse.
    """
    return {
        definition
        for node, definition, _ in _definitions(text, language_id, [span])
        if node.span.start < span.start and span.end <= node.span.end
    }


def definitions_in(text: str, language_id: str, places: Sequence[Span]) -> list[Definition]:
    """Return the kinds and names of the definitions that start within `places`."""
    return [
        definition
        for node, definition, _ in _definitions(text, language_id, places)
        if any(place.start <= node.span.start < place.end for place in places)
    ]


def repeated_inside_itself(text: str, language_id: str, places: Sequence[Span]) -> list[Definition]:
    """Return the definitions at `places` that stand inside one of their own kind and name."""
    return [
        definition
        for _, definition, above in _definitions(text, language_id, places)
        if definition in above
    ]


def repeated_beside_itself(text: str, language_id: str, place: Span) -> list[Definition]:
    """Return the definitions at a place that have a neighbour elsewhere with the same header."""
    repeated: list[Definition] = []
    for node, definition, _ in _definitions(text, language_id, [place]):
        own = statement_of(node)
        if not place.holds(own.span) or own.parent is None or node.type in _REPEATABLE:
            continue
        header = _header(own, text)
        others = (other for other in own.parent.named_children if not place.holds(other.span))
        if header and any(_header(other, text) == header for other in others):
            repeated.append(definition)
    return repeated


def _header(statement: Node, text: str) -> list[str] | None:
    """Return the words in front of the body of the definition that a statement is about."""
    definition = definition_of(statement)
    body = definition and definition.field("body")
    return text[statement.span.start : body.span.start].split() if body else None


def _definitions(
    text: str, language_id: str, places: Sequence[Span]
) -> Iterator[tuple[Node, Definition, frozenset[Definition]]]:
    """Yield the definitions that share characters with `places`, each with those around it."""
    tree = tree_of(text, language_id)
    if tree is None:
        return
    pending: list[tuple[Node, frozenset[Definition]]] = [(tree.root, frozenset())]
    while pending:
        node, above = pending.pop()
        if node.type in _SYMBOLS and (name := _name(node, text)):
            yield node, (node.type, name), above
            above |= {(node.type, name)}
        pending += [
            (child, above)
            for child in node.named_children
            if any(child.span.start < p.end and p.start < child.span.end for p in places)
        ]


def _defines(node: Node, text: str, name: str) -> bool:
    if node.type not in _SYMBOLS and not _binds_function(node):
        return False
    return _name(node, text).rpartition("::")[2] == name


def _binds_function(node: Node) -> bool:
    if node.type not in _BINDINGS:
        return False
    value = node.field("value") or node.field("right")
    return value is not None and value.type in FUNCTIONS


def _name(node: Node, text: str) -> str:
    """Return what a definition is called, "" if it has no name of its own."""
    named: Node | None = node.field("name") or node.field("property")
    if left := node.field("left"):
        named = left.field("property") or left
    if node.type == "impl_item":
        named = node.field("type")
    inner = node
    while named is None:  # C: the name is the innermost declarator
        declarator = inner.field("declarator")
        if declarator is None:
            named = None if inner.span == node.span else inner
            break
        inner = declarator
    return named.span.of(text) if named else ""


def _path(node: Node, text: str) -> str:
    names = [_name(node, text)]
    above = node.parent
    while above:
        if above.type in DEFINITIONS and (name := _name(above, text)):
            names.append(name)
        above = above.parent
    return ".".join(reversed(names)).replace("::", ".")


def _from_indentation(lines: LineIndex, span: Span) -> Span:
    start = lines.span(lines.line_at(span.start)).start
    before = lines.text[start : span.start]
    return span if before.strip() else Span(start, span.end)
