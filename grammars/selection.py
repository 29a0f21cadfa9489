"""From a cursor or a selection to the span a user means: a statement, a body, whole lines."""

from __future__ import annotations

from itertools import pairwise

from grammars.lines import LineIndex
from grammars.span import Span
from grammars.syntax import Node, SyntaxTree, tree_of


def words(text: str) -> frozenset[str]:
    """Return the words of a text: a table that reads like one."""
    return frozenset(text.split())


FUNCTIONS = words("""
    function_definition function_declaration function_expression function_item arrow_function
    generator_function generator_function_declaration method_definition method_declaration
    constructor_declaration compact_constructor_declaration func_literal lambda_expression
    closure_expression
""")
DEFINITIONS = FUNCTIONS | words("""
    class class_definition class_declaration abstract_class_declaration class_specifier
    struct_specifier union_specifier enum_specifier interface_declaration enum_declaration
    record_declaration annotation_type_declaration struct_item union_item enum_item trait_item
    impl_item mod_item internal_module namespace_definition linkage_specification
""")
# Statements whose last part may be what they are about: `export`, `const f = () => {}`.
_WRAPPERS = words("""
    decorated_definition export_statement expression_statement lexical_declaration
    variable_declaration variable_declarator field_definition public_field_definition
    assignment_expression template_declaration declaration init_declarator let_declaration
    local_variable_declaration short_var_declaration expression_list
""")
# Nodes whose children are statements or members.
SEQUENCES = words("""
    module program source_file translation_unit block statement_list statement_block
    compound_statement class_body interface_body object_type enum_body enum_body_declarations
    constructor_body annotation_type_body declaration_list field_declaration_list
    enum_variant_list enumerator_list match_block switch_body switch_block
    switch_block_statement_group switch_case switch_default case_statement expression_case
    default_case communication_case type_case interface_type preproc_if preproc_ifdef
    preproc_else preproc_elif
""")


def select(text: str, language_id: str, span: Span) -> Span:
    """Return the span an edit should cover, given what the user selected.

    A cursor grows to its statement, on the header or last line of a definition to the body, on a
    blank line to its blanks. A selection across lines, or of all a line holds, grows to whole
    lines, indentation and last line end included. A selection within a line stays as it is.
    """
    lines = LineIndex(text)
    if len(span):
        return _snapped(lines, span)
    point = _pointed(lines, span)
    if point is None:
        return lines.content(lines.line_at(span.start))
    tree = tree_of(text, language_id)
    statement = _statement(tree.around(point)) if tree else None
    if tree is None or statement is None:
        return lines.span(lines.line_at(point.start))
    definition = definition_of(statement)
    body = definition and _inside(tree, lines, definition)
    return body or _whole_lines(lines, statement.span)


def body_of(text: str, language_id: str, span: Span) -> Span | None:
    """Return the body of the innermost function around a span, a leading docstring left out.

    The braces stay outside, and so do the lines they are on. None without a function or a grammar.
    """
    lines = LineIndex(text)
    tree = tree_of(text, language_id)
    if tree is None:
        return None
    span = _code(text, span) if len(span) else _pointed(lines, span) or span
    bodies = (_inside(tree, lines, n) for n in tree.around(span) if n.type in FUNCTIONS)
    return next((body for body in bodies if body), None)


def definition_around(text: str, language_id: str, span: Span) -> Span | None:
    """Return the whole lines of the innermost function or class around a span, header included."""
    lines = LineIndex(text)
    tree = tree_of(text, language_id)
    if tree is None:
        return None
    point = _pointed(lines, span)
    around = tree.around(point or span)
    return next((_whole_lines(lines, n.span) for n in around if n.type in DEFINITIONS), None)


def _whole_lines(lines: LineIndex, span: Span) -> Span:
    first = lines.line_at(span.start)
    last = lines.line_at(max(span.start, span.end - 1))
    return Span(lines.span(first).start, lines.span(last).end)


def _snapped(lines: LineIndex, span: Span) -> Span:
    first = lines.content(lines.line_at(span.start))
    if first.start < first.end <= span.start:
        # Only the end of the first line is selected, as when dragging down from it.
        start = lines.span(lines.line_at(span.start)).end
        if start >= span.end:
            return span
        span = Span(start, span.end)
    whole = _whole_lines(lines, span)
    line = lines.content(lines.line_at(span.start))
    everything = span.of(lines.text).strip() == line.of(lines.text).strip()
    return whole if everything or span.end > line.end else span


def _pointed(lines: LineIndex, cursor: Span) -> Span | None:
    """Return the character a cursor points at: outside the line's code, the line's first."""
    content = lines.content(lines.line_at(cursor.start))
    if not content.of(lines.text).strip():
        return None
    code = _code(lines.text, content)
    at = cursor.start if code.start <= cursor.start < code.end else code.start
    return Span(at, at + 1)


def _statement(around: list[Node]) -> Node | None:
    """Return the innermost statement, None where errors hide what it is."""
    for node, parent in pairwise(around):
        if node.type == "ERROR":
            return None
        if parent.type in SEQUENCES and node.type not in SEQUENCES:
            return node
    return None


def definition_of(statement: Node) -> Node | None:
    """Return the definition a statement is about, if it is about one."""
    node = statement
    while node.type in _WRAPPERS and (children := node.named_children):
        node = children[-1]
    return node if node.type in DEFINITIONS else None


def statement_of(definition: Node) -> Node:
    """Return the statement that is about a definition: with its decorators, `export`, `const`."""
    statement = definition
    while statement.parent and statement.parent.type in _WRAPPERS:
        statement = statement.parent
    return statement


def _inside(tree: SyntaxTree, lines: LineIndex, definition: Node) -> Span | None:
    """Return what a definition's body holds: whole lines if it has lines of its own."""
    body = definition.field("body")
    if body is None:
        return None
    text, span = tree.text, body.span
    braced = span.of(text).startswith("{")
    if braced:
        inner = Span(span.start + 1, span.end - span.of(text).endswith("}"))
    elif body.type == "block":
        inner = _indented(definition, body)
    else:
        return span
    first, last = lines.line_at(inner.start), lines.line_at(inner.end)
    if not braced and not inner.of(text).strip():
        at = lines.span(first).end
        return Span(at, at)
    if first == last:
        return _code(text, inner)
    start, end = inner.start, inner.end
    rest = text[start : lines.content(first).end].strip()
    if not rest or rest.startswith((tree.language.line_comment, "/*")):
        start = lines.span(first).end
    if not braced:
        end = lines.span(last).end
    elif not text[lines.span(last).start : end].strip():
        end = lines.span(last).start
    return Span(start, end)


def _indented(definition: Node, block: Node) -> Span:
    """Return a Python block from its colon or docstring on: comments before it are outside it."""
    start = max(c.span.end for c in definition.children if c.type == ":")
    statements = block.named_children
    if statements and is_docstring(statements[0]):
        start = statements[0].span.end
    return Span(start, max(start, block.span.end)) if statements else Span(start, start)


def _code(text: str, span: Span) -> Span:
    """Return a span without the blanks at its ends; one that is all blank stays."""
    code = span.visible(text)
    return code if len(code) else span


def is_docstring(statement: Node) -> bool:
    """Tell whether a statement is a string and no more."""
    inside = [child.type for child in statement.named_children]
    return statement.type == "expression_statement" and inside == ["string"]
