"""The syntax errors of a file as a person would name and mend them: by their lines."""

from __future__ import annotations

from dataclasses import dataclass

from grammars.languages import language
from grammars.lines import LineIndex
from grammars.python_source import MAX_CHARS, CompileFault, compile_fault
from grammars.span import Span
from grammars.syntax import SyntaxFault, SyntaxTree

_MAX_LINES = 12


@dataclass(frozen=True, slots=True)
class BrokenLines:
    """The whole lines of a syntax error, without the last line end, and what is wrong there."""

    span: Span
    message: str


def broken_lines(text: str, language_id: str) -> list[BrokenLines]:
    """Return the syntax errors of a text, each by its lines; nothing without a grammar.

    Raises:
        ParseTimeout: if it takes too long to parse.
    """
    faults, refused = _faults(text, language_id)
    lines = LineIndex(text)
    found: list[BrokenLines] = []
    if refused:  # Python's compiler names the very line, and is stricter than the grammar
        line = lines.content(min(refused.line, len(lines) - 1))
        found.append(BrokenLines(line, refused.message))
    # An error may hold others, and all of the file: the innermost are where it went wrong.
    for broken in sorted((_broken(lines, f) for f in faults), key=lambda b: len(b.span)):
        is_known = any(_meet(broken.span, other.span) for other in found)
        if not is_known and broken.span.of(text).count("\n") < _MAX_LINES:
            found.append(broken)
    return sorted(found, key=lambda b: b.span)


def is_mended(text: str, new: str, language_id: str) -> bool:
    """Tell whether an edit, from one text to the other, leaves fewer syntax errors.

    Raises:
        ParseTimeout: if a text takes too long to parse.
    """
    before, refused = _faults(text, language_id)
    after, still_refused = _faults(new, language_id)
    if refused and still_refused is None:
        return len(after) <= len(before)
    if refused == still_refused is not None:
        return False
    return len(after) < len(before)


def _faults(text: str, language_id: str) -> tuple[list[SyntaxFault], CompileFault | None]:
    known = language(language_id)
    faults = SyntaxTree.parse(text, known).faults() if known else []
    is_python = language_id == "python" and len(text) <= MAX_CHARS
    return faults, compile_fault(text) if is_python else None


def _meet(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def _broken(lines: LineIndex, fault: SyntaxFault) -> BrokenLines:
    first, last = lines.line_at(fault.span.start), lines.line_at(fault.span.end)
    span = Span(lines.span(first).start, lines.content(max(first, last)).end)
    missing = fault.kind == "MISSING"
    return BrokenLines(span, f"missing {fault.missing}" if missing else "syntax error")
