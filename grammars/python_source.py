"""What Python itself says of Python source, where the tree-sitter grammar is more lenient.

The grammar accepts empty bodies, dedents to no block and the like; the compiler does not.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from grammars.lines import LineIndex, statements_around
from grammars.span import Span

MAX_CHARS = 1 << 19  # the compiler holds the interpreter's lock, about a second at this size

# Before 3.12 all threads share the count of how deep a tree is (python/cpython#106905).
ONE_AT_A_TIME = Lock()

_ON_LINE = re.compile(r" on line \d+")


@dataclass(frozen=True, slots=True)
class CompileFault:
    """The first thing the compiler refuses."""

    kind: str
    message: str  # without line numbers, so that the same fault stays equal when lines move
    line: int  # from 0


@lru_cache(maxsize=8)
def compile_fault(source: str) -> CompileFault | None:
    """Return why source does not parse, None if it does. It runs no code."""
    if source.startswith("\ufeff"):
        source = source[1:]  # files may start with a byte order mark, strings may not
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with ONE_AT_A_TIME:
                compile(source, "<edit>", "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        message = _ON_LINE.sub("", error.msg)
        return CompileFault(type(error).__name__, message, (error.lineno or 1) - 1)
    except (RecursionError, MemoryError, OverflowError):
        return CompileFault("TooDeep", "nested too deeply", 0)
    except ValueError:
        return CompileFault("NotText", "the source is not text", 0)
    return None


def new_fault(text: str, new: str, places: Sequence[tuple[Span, Span]]) -> CompileFault | None:
    """Return what the compiler refuses in `new` because of an edit of `text`, None if nothing.

    `places` are the edit's spans in `text` and in `new`, in order. Where the file did not compile
    before, the statements around the edit must compile, or the first fault must be the old one.
    """
    if max(len(text), len(new)) > MAX_CHARS:
        return None
    after = compile_fault(new)
    if after is None:
        return None
    before = compile_fault(text)
    if before is None:
        return after
    old_lines, new_lines = LineIndex(text), LineIndex(new)
    for old, at in places:
        if compile_fault(_statements(new_lines, at)) is None:
            continue
        compiled_before = compile_fault(_statements(old_lines, old)) is None
        if compiled_before or not _same(before, after, old_lines, new_lines, places):
            return after
    return None


def _statements(lines: LineIndex, span: Span) -> str:
    """Return the top-level statements a span touches, judged by indentation alone.

    The one before is among them: a line the edit moved to the margin may be missed there.
    """
    before = lines.starts[max(lines.line_at(span.start) - 1, 0)]
    return statements_around(lines, Span(before, span.end)).of(lines.text)


def _same(
    before: CompileFault,
    after: CompileFault,
    old_lines: LineIndex,
    new_lines: LineIndex,
    places: Sequence[tuple[Span, Span]],
) -> bool:
    """Tell whether a fault is an old one outside the edit, on a line that may have moved."""
    if (before.kind, before.message) != (after.kind, after.message):
        return False
    line = old_lines.span(min(before.line, len(old_lines) - 1))
    shift = 0
    for old, new in places:
        if old.end <= line.start:
            shift = new.end - old.end
        elif old.start < line.end:
            return False
    return new_lines.line_at(line.start + shift) == min(after.line, len(new_lines) - 1)
