"""The gate: whether an edit may be offered, judged by what it does to a file's syntax and scopes.

Files are often broken while they are edited, so an edit is compared with the file before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from grammars.languages import Language, language
from grammars.lines import LineIndex
from grammars.python_source import CompileFault, new_fault
from grammars.span import Replacement, Span, apply, landed, minimal
from grammars.symbols import (
    definitions_around,
    definitions_in,
    repeated_beside_itself,
    repeated_inside_itself,
)
from grammars.syntax import ParseTimeout, SyntaxFault, SyntaxTree, tree_of
from grammars.verdict import Verdict

MAX_REASONS = 3

_WORD = re.compile(r"\w{1,40}|[^\w\s]{1,10}")
_LINE_BREAK = re.compile(r"[\r\n]")
_VISIBLE_CONTROLS = "\t\n\r"
# Blank or invisible, yet letters or marks to Unicode; and U+FFFD, which stands for broken bytes.
_INVISIBLE = "\u034f\u115f\u1160\u2800\u3164\uffa0\ufffd"


def validate(text: str, replacements: Iterable[Replacement], language_id: str) -> Verdict:
    """Judge an edit of `text`: no worse syntax, nothing hidden in what it adds.

    Raises:
        ValueError: if replacements overlap or leave the text.
    """
    edit = _Edit(text, replacements)
    known = language(language_id)
    if reasons := _hidden(edit):
        return Verdict(False, reasons, checked=known is not None)
    if known is None:
        name = f"no grammar for '{language_id}'" if language_id else "unknown language"
        return Verdict(True, (f"{name}: syntax not checked",), checked=False)
    try:
        edit = _with_closed_comment(edit, known)
        reasons = _syntax_reasons(edit, known)
    except ParseTimeout as error:
        return Verdict(False, (str(error),), checked=False)
    if not reasons and (fault := _python_fault(edit, known)):
        reasons = (f"Python: {fault.message} (line {fault.line + 1})",)
    reasons = reasons or _repeated(edit, known)
    return Verdict(not reasons, reasons)


def new_errors(text: str, replacements: Iterable[Replacement], language_id: str) -> list[Span]:
    """Return what an edit broke, as spans of the new text: where a repair should look first.

    Empty where something is missing. For a fault only Python's compiler sees, its line.
    """
    edit = _Edit(text, replacements)
    known = language(language_id)
    if known is None:
        return []
    try:
        spans = [fault.span for fault in _compared(edit, known).new]
    except ParseTimeout:
        return []
    if fault := _python_fault(edit, known):
        lines = LineIndex(edit.new)
        line = lines.content(min(fault.line, len(lines) - 1))
        if not any(line.start <= span.start <= line.end for span in spans):
            spans.append(line)
    return sorted(spans)


class _Edit:
    """An edit applied: both texts, and where they differ."""

    def __init__(self, text: str, replacements: Iterable[Replacement]) -> None:
        self.text = text
        self.replacements = sorted(replacements, key=lambda r: r.span)
        self.new = apply(text, self.replacements)
        trimmed = (minimal(text, r) for r in self.replacements)
        self.places = landed(r for r in trimmed if r.text or len(r.span))


@dataclass(frozen=True, slots=True)
class _Comparison:
    new: list[SyntaxFault]  # faults of the new text that none of the baseline accounts for
    after: int  # how many faults the new text has
    allowed: int  # how many it may have


def _with_closed_comment(edit: _Edit, known: Language) -> _Edit:
    """Close the block comment that an edit goes on with: its prose is not to be read as code."""
    if known.line_comment != "//" or len(edit.replacements) != 1:
        return edit
    [replacement] = edit.replacements
    span, before = replacement.span, edit.text[: replacement.span.start]
    if "*/" in replacement.text or before.rfind("/*") <= before.rfind("*/"):
        return edit
    closed = f"{edit.text[: span.end]}*/{edit.text[span.end :]}"
    tree = tree_of(closed, known.id)
    around = tree.around(Span(span.end, span.end + 2)) if tree else []
    is_comment = any("comment" in node.type for node in around)
    return _Edit(closed, edit.replacements) if is_comment else edit


def _syntax_reasons(edit: _Edit, known: Language) -> tuple[str, ...]:
    if not edit.places:
        return ()
    compared = _compared(edit, known)
    lines = LineIndex(edit.new)
    refused = compared.new
    if compared.after <= compared.allowed:
        refused = [fault for fault in refused if _is_near(lines, fault.span, edit.places)]
        if not refused:
            return ()
    told = list(dict.fromkeys(_told(lines, fault) for fault in refused))
    if not told:
        return (f"{compared.after} syntax errors, {compared.allowed} without the edit",)
    rest = len(told) - MAX_REASONS
    return (*told[:MAX_REASONS], f"and {rest} more") if rest > 0 else tuple(told)


def _compared(edit: _Edit, known: Language) -> _Comparison:
    """Compare the faults after an edit with those it cannot be blamed for.

    These are the file's own, except where the edit replaced them. But an ERROR around the edited
    span would excuse anything inside: there the file counts with a neutral text in the span.
    """
    before = _faults(edit.text, known)
    after = SyntaxTree.parse(edit.new, known).faults()
    excused = [f for f in before if not any(_holds(old, f.span) for old, _ in edit.places)]
    allowed = len(before)
    if any(_is_inside_error(before, r.span) for r in edit.replacements):
        neutral = [_neutral(edit.text, r.span, known) for r in edit.replacements]
        faults = _faults(apply(edit.text, neutral), known)
        excused = [_in_old_text(f, landed(neutral)) for f in faults]
        allowed = min(allowed, len(faults))
    new = [f for f in after if not _is_among(_in_old_text(f, edit.places), excused)]
    return _Comparison(new, len(after), allowed)


def _python_fault(edit: _Edit, known: Language) -> CompileFault | None:
    """Return what Python's compiler refuses because of an edit.

    It tells its first fault alone: what stood in the edit's place may have hidden one further on.
    """
    fault = None if known.id != "python" else new_fault(edit.text, edit.new, edit.places)
    if fault is None:
        return None
    neutral = [_neutral(edit.text, r.span, known) for r in edit.replacements]
    pairs = zip(landed(neutral), landed(edit.replacements), strict=True)
    places = [(old, new) for (_, old), (_, new) in pairs]
    return new_fault(apply(edit.text, neutral), edit.new, places)


def _repeated(edit: _Edit, known: Language) -> tuple[str, ...]:
    """Tell which definition the edit repeats: a method answered with its whole class.

    It may stand inside itself, or cut itself in two: a statement answered with its whole function,
    from the first column on. Or it stands beside itself: its neighbour once more.
    """
    new = [new for _, new in edit.places]
    if after := repeated_inside_itself(edit.new, known.id, new):
        before = repeated_inside_itself(edit.text, known.id, [old for old, _ in edit.places])
        more = dict.fromkeys(name for _, name in (Counter(after) - Counter(before)))
        if more:
            return tuple(f"`{name}` is defined again inside itself" for name in more)[:MAX_REASONS]
    repeated: dict[str, None] = {}
    for old, new_place in landed(edit.replacements):
        around = definitions_around(edit.text, known.id, old)
        made = Counter(definitions_in(edit.new, known.id, [new_place]))
        made -= Counter(definitions_in(edit.text, known.id, [old]))
        repeated |= dict.fromkeys(name for kind, name in made if (kind, name) in around)
        beside = Counter(repeated_beside_itself(edit.new, known.id, new_place))
        beside -= Counter(repeated_beside_itself(edit.text, known.id, old))
        repeated |= dict.fromkeys(name for _, name in beside)
    return tuple(f"`{name}` is defined again" for name in repeated)[:MAX_REASONS]


@lru_cache(maxsize=8)
def _faults(text: str, known: Language) -> tuple[SyntaxFault, ...]:
    """Return a text's faults, remembered: all candidates of a request share the text before."""
    return tuple(SyntaxTree.parse(text, known).faults())


def _is_inside_error(faults: Sequence[SyntaxFault], span: Span) -> bool:
    return any(f.kind == "ERROR" and f.span.holds(span) for f in faults)


def _neutral(text: str, span: Span, known: Language) -> Replacement:
    """Return a replacement that fits wherever good code would: a statement, or a name in a line."""
    lines = LineIndex(text)
    line_start = lines.span(lines.line_at(span.start)).start
    before = text[line_start : span.start]
    after = text[span.end : lines.content(lines.line_at(span.end)).end]
    old = span.of(text)
    if not (old.endswith(("\n", "\r")) or not after.strip()) or before.strip():
        return Replacement(span, "x")
    if known.id != "python":
        return Replacement(span, ";\n")
    if not old.strip():
        return Replacement(span, old)  # nothing tells the indentation of a statement here
    blank = old[: len(old) - len(old.lstrip())]
    return Replacement(span, _LINE_BREAK.split(blank)[-1] + "pass\n")


def _in_old_text(fault: SyntaxFault, places: Sequence[tuple[Span, Span]]) -> SyntaxFault:
    """Return a fault of the new text in the old one; inside new text, over all that it replaced."""
    span = fault.span
    start, end = span.start, span.end
    for old, new in places:
        if span.start > new.start:
            start = old.start if span.start < new.end else span.start - new.end + old.end
        if span.end > new.start:
            end = old.end if span.end < new.end else span.end - new.end + old.end
    return replace(fault, span=Span(start, end))


def _is_among(fault: SyntaxFault, others: Iterable[SyntaxFault]) -> bool:
    """Tell whether a fault is one of others that may have changed their shape since."""
    return any(
        _meet(fault.span, other.span)
        and (fault.kind != other.kind or fault.missing == other.missing)
        for other in others
    )


def _meet(a: Span, b: Span) -> bool:
    """Tell whether two spans overlap, or touch where one is empty."""
    if len(a) and len(b):
        return a.overlaps(b)
    return a.start <= b.end and b.start <= a.end


def _holds(outer: Span, inner: Span) -> bool:
    """Tell whether `inner` lies in `outer`; an empty one at its edge does not."""
    if not len(inner):
        return outer.start < inner.start < outer.end
    return outer.holds(inner)


def _is_near(lines: LineIndex, span: Span, places: Iterable[tuple[Span, Span]]) -> bool:
    first, last = lines.line_at(span.start), lines.line_at(span.end)
    return any(
        first <= lines.line_at(new.end) + 1 and last >= lines.line_at(new.start) - 1
        for _, new in places
    )


def _told(lines: LineIndex, fault: SyntaxFault) -> str:
    line = lines.line_at(fault.span.start) + 1
    if fault.kind == "MISSING":
        name = fault.missing
        return f"line {line}: missing {name if name.isidentifier() else f'`{name}`'}"
    word = _WORD.search(fault.span.of(lines.text))
    return f"line {line}: syntax error" + (f" near `{word[0]}`" if word else "")


def _hidden(edit: _Edit) -> tuple[str, ...]:
    """Return the characters an edit adds that a reader would not see, or not see as they are."""
    lines = LineIndex(edit.new)
    reasons: list[str] = []
    for r, (old, new) in zip(edit.replacements, landed(edit.replacements), strict=True):
        for char in sorted(set(r.text) - set(old.of(edit.text))):
            if _is_hidden(char):
                line = lines.line_at(new.start + r.text.index(char)) + 1
                name = unicodedata.name(char, "a control character")
                reasons.append(f"line {line}: hidden character U+{ord(char):04X} ({name})")
    return tuple(reasons[:MAX_REASONS])


def _is_hidden(char: str) -> bool:
    if char in _VISIBLE_CONTROLS:
        return False
    return char in _INVISIBLE or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
