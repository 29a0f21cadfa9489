"""The syntax errors of a file as a person would name and mend them: by their lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from grammars.lines import LineIndex, statements_around
from grammars.python_source import MAX_CHARS, CompileFault, compile_fault
from grammars.span import Span
from grammars.syntax import SyntaxFault, tree_of

# An error over more lines than this says nothing of where it is.
_MAX_LINES = 12
_MAX_BLOCK_LINES = 40
# What mends a syntax error adds or takes a token or two; what does more changes the code.
_MAX_LINES_CHANGED = 3


@dataclass(frozen=True, slots=True)
class BrokenLines:
    """A syntax error: its lines, without the last line end, and what is wrong there."""

    span: Span
    message: str
    block: Span  # the statement around it, as far as indentation tells: what to rewrite

    def told(self, text: str) -> str:
        """Return it as a part of an instruction: "`x = 1)`: unmatched ')'"."""
        line = self.span.of(text).strip().split("\n")[0].rstrip("\r")
        return f"`{line}`: {self.message}"


def broken_lines(text: str, language_id: str, *, strictly: bool = True) -> list[BrokenLines]:
    """Return the syntax errors of a text, each by its lines.

    Nothing without a grammar, or if it takes too long to parse. Of errors that Python finds where
    the grammar finds none, nothing unless `strictly`: its compiler holds the interpreter's lock.
    """
    faults = _faults(text, language_id)
    refused = _refused(text, language_id) if faults or strictly else None
    lines = LineIndex(text)
    found: list[tuple[Span, str]] = []
    told: set[int] = set()  # lines
    if refused:  # Python's compiler names the very line, and is stricter than the grammar
        told.add(min(refused.line, len(lines) - 1))
        found.append((lines.content(*told), refused.message))
    # An error may hold others, and all of the file: the innermost are where it went wrong.
    for fault in sorted(faults, key=lambda fault: len(fault.span)):
        first, last = lines.line_at(fault.span.start), lines.line_at(fault.span.end)
        own = range(first, last + 1)
        if len(own) <= _MAX_LINES and told.isdisjoint(own):
            told.update(own)
            span = Span(lines.span(first).start, lines.content(last).end)
            missing = fault.kind == "MISSING"
            found.append((span, f"missing {fault.missing}" if missing else "syntax error"))
    return [BrokenLines(span, what, _block(lines, span)) for span, what in sorted(found)]


def is_mended(text: str, new: str, language_id: str) -> bool:
    """Tell whether an edit, from one text to the other, mends a syntax error and does no more."""
    old_lines, new_lines = (Counter(t.split("\n")) for t in (text, new))
    changes = ((old_lines - new_lines).total(), (new_lines - old_lines).total())
    if max(changes) > _MAX_LINES_CHANGED:
        return False
    before, after = (_faults(t, language_id) for t in (text, new))
    refused, still_refused = (_refused(t, language_id) for t in (text, new))
    if refused and still_refused is None:
        return len(after) <= len(before)
    if refused == still_refused is not None:
        return False
    return len(after) < len(before)


def _faults(text: str, language_id: str) -> list[SyntaxFault]:
    tree = tree_of(text, language_id)
    return tree.faults() if tree else []


def _refused(text: str, language_id: str) -> CompileFault | None:
    is_python = language_id == "python" and len(text) <= MAX_CHARS
    return compile_fault(text) if is_python else None


def _block(lines: LineIndex, span: Span) -> Span:
    """Return the lines from the margin to the margin around a span, or a piece of them."""
    around = statements_around(lines, span, _MAX_BLOCK_LINES // 2)
    return Span(around.start, around.start + len(around.of(lines.text).rstrip()))
