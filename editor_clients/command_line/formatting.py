"""`--format-cmd`: run the user's formatter on an edited file, keep what it does to edited lines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from editor_clients.command_line.checks import Command
from editor_clients.command_line.outcomes import FileOutcome, SpanOutcome, SpanStatus
from editor_clients.command_line.places import Place
from grammars.span import Replacement, Span
from grammars.validation import validate

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_SHOWN_CHARS = 200

Block = tuple[int, int, int, int]  # lines i1..i2 of one text became lines j1..j2 of another


@dataclass(frozen=True, slots=True)
class Formatter:
    """A command that reads a file's text from standard input and prints it formatted."""

    command: Command

    def format(self, outcome: FileOutcome) -> str:
        """Add what the formatter does to the edited lines; return why nothing could be done.

        Raises:
            Stop: if the command cannot be run.
        """
        if not outcome.is_changed:
            return ""
        text, name = outcome.text, outcome.file.name
        try:
            code, out = self.command.run(name, text.encode(), with_errors=False)
            formatted = out.decode()
        except (TimeoutError, UnicodeDecodeError) as error:
            return f"{name}: not formatted: {error}"
        if code or not formatted.strip():
            why = f"`{self.command.shown(name)}` ended with exit code {code}"
            return f"{name}: not formatted: {why if code else 'it printed nothing'}"
        if "\r\n" in text and "\r\n" not in formatted:
            formatted = formatted.replace("\n", "\r\n")
        made = list(_on_edited_lines(outcome.file.text, text, formatted))
        if not validate(text, made, outcome.language).ok:
            return f"{name}: not formatted: the result would not be valid"
        step = max(span.step for span in outcome.spans) + 1
        outcome.spans += [
            SpanOutcome(
                place=Place(one.span, "format"),
                status=SpanStatus.FORMATTED,
                text=one.text,
                step=step,
            )
            for one in made
        ]
        return ""


def _on_edited_lines(before: str, edited: str, formatted: str) -> Iterator[Replacement]:
    """Yield the changes from `edited` to `formatted` that lie within lines the edit made."""
    old, new, wanted = (_LINE.findall(text) for text in (before, edited, formatted))
    touched = [(j1, j2) for _, _, j1, j2 in _changes(old, new) if j1 < j2]
    starts = [0]
    for line in new:
        starts.append(starts[-1] + len(line))
    for i1, i2, j1, j2 in _by_line(_changes(new, wanted)):
        if any(a <= i1 and i2 <= b for a, b in touched):
            yield Replacement(Span(starts[i1], starts[i2]), "".join(wanted[j1:j2]))


def _changes(a: list[str], b: list[str]) -> Iterator[Block]:
    head = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    head = min(len(a), len(b)) if head is None else head
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    matcher = difflib.SequenceMatcher(
        None, a[head : len(a) - tail], b[head : len(b) - tail], autojunk=False
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            yield i1 + head, i2 + head, j1 + head, j2 + head


def _by_line(blocks: Iterator[Block]) -> Iterator[Block]:
    """Yield blocks of as many lines as before one by one: neighbours may lie outside the edit."""
    for i1, i2, j1, j2 in blocks:
        if i2 - i1 == j2 - j1:
            yield from ((i1 + k, i1 + k + 1, j1 + k, j1 + k + 1) for k in range(i2 - i1))
        else:
            yield i1, i2, j1, j2
