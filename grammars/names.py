"""Names that Python code reads and nothing binds, by the compiler's own account of scopes."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import TypeGuard

from grammars.lines import LineIndex
from grammars.python_source import MAX_CHARS, ONE_AT_A_TIME
from grammars.span import Span

_ALWAYS_BOUND = {
    *dir(builtins),
    *("__annotations__", "__builtins__", "__doc__", "__file__", "__loader__", "__name__"),
    *("__package__", "__path__", "__spec__", "WindowsError"),
}
_IMPORTS_ALL = re.compile(r"^[ \t]*from\s+\S+\s+import\s*\*", re.MULTILINE)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@lru_cache(maxsize=8)  # asked for when a draft ends, and when it is judged
def unbound_reads(text: str, place: Span, language_id: str) -> tuple[Span, ...]:
    """Return where a function reads, at a place or behind it, names that nothing binds.

    What it reads before the place, or another function reads, is left out: something that cannot be
    seen here may bind that. Nothing is known of other languages, of what does not compile, and of a
    file that imports all there is in a module.
    """
    if language_id != "python" or len(text) > MAX_CHARS or _IMPORTS_ALL.search(text):
        return ()
    source = text.removeprefix("\ufeff")
    try:
        with warnings.catch_warnings(), ONE_AT_A_TIME:
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            module = symtable.symtable(source, "<edit>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return ()
    lines, visible = LineIndex(text), place.visible(text)
    first, last = lines.line_at(visible.start) + 1, lines.line_at(visible.end) + 1
    here = {
        (function.name, function.lineno): function
        for function in _functions(tree)
        if function.lineno <= last and first <= (function.end_lineno or 0)
    }
    known = _ALWAYS_BOUND | _bound(module)
    reads, elsewhere = dict[Span, str](), set[str]()
    for scope in _outermost(module):
        names = {name for own in _scopes(scope) for name in _global_reads(own)} - known
        function = here.get((scope.get_name(), scope.get_lineno()))
        if function is None:
            elsewhere |= names
        elif names:
            nodes = (node for node in ast.walk(function) if _reads(node, names))
            own = {_span(node, lines): node.id for node in nodes}
            elsewhere |= {name for span, name in own.items() if span.start < visible.start}
            reads |= own
    return tuple(sorted(span for span, name in reads.items() if name not in elsewhere))


def _bound(module: symtable.SymbolTable) -> set[str]:
    """Return the names of a module that it binds, or a function does that declares them global."""
    return {
        symbol.get_name()
        for scope in _scopes(module)
        for symbol in scope.get_symbols()
        if (scope is module or symbol.is_declared_global())
        and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace())
    }


def _global_reads(scope: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names that a scope reads, and that no function about it binds."""
    for symbol in scope.get_symbols():
        if symbol.is_referenced() and symbol.is_global():
            yield symbol.get_name()


def _scopes(scope: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield a scope and all there are in it."""
    yield scope
    for inner in scope.get_children():
        yield from _scopes(inner)


def _outermost(scope: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield the functions that are in no other."""
    for inner in scope.get_children():
        if inner.get_type() == "function":
            yield inner
        else:
            yield from _outermost(inner)


def _reads(node: ast.AST, names: Collection[str]) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names


def _span(name: ast.Name, lines: LineIndex) -> Span:
    """Return where a name is: the compiler counts in bytes."""
    line = lines.span(name.lineno - 1)
    # Before 3.12 those in a string of several lines may be counted from elsewhere.
    start = line.start + len(
        line.of(lines.text).encode()[: name.col_offset].decode(errors="ignore")
    )
    return Span(start, start + len(name.id))


def _functions(tree: ast.AST) -> Iterator[_Function]:
    """Yield the functions that are in no other."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Function):
            yield node
        else:
            yield from _functions(node)
