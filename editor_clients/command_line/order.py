"""What the engine is asked for a place: fill it, or rewrite it as told, with these dials."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field

from editor_clients.command_line.places import Place
from engine.protocol import EditRequest, Effort, Priority
from grammars.holes import is_unwritten, unfinished_function
from grammars.selection import body_of
from grammars.span import Span

_MESSAGE = "{message}"
_INDENTED = re.compile(r"[ \t]*\S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dials:
    """The options every command with an engine takes."""

    effort: Effort = Effort.BALANCED
    seed: int = 0
    max_tokens: int | None = None
    candidates: int | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One edit, to be made at many places."""

    instruction: str | None = None  # None fills; "{message}" is what was found at the place
    dials: Dials = field(default_factory=Dials)
    single_line: bool | None = None  # None: as the place is
    mends: bool = False  # keep only what leaves fewer syntax errors
    priority: Priority = Priority.EXPLICIT

    def request(self, text: str, place: Place, *, language: str, path: str) -> EditRequest:
        """Return the request for one place of a text.

        Raises:
            ConfigError: if an option is out of its bounds, or the place cannot be edited so.
        """
        single_line = self.single_line
        if single_line is None:  # a rewrite is held to its old text, not to a number of lines
            single_line = self.instruction is None and not (
                re.search(r"[\r\n]", place.span.of(text))
                or is_unwritten(text, place.span, language)
                or unfinished_function(text, place.span, language)
                or _is_body(text, place.span, language)
                or _is_above_line(text, place.span)
            )
        instruction = self.instruction and self.instruction.replace(_MESSAGE, place.what)
        return EditRequest(
            text=text,
            spans=(place.span,),
            language=language,
            path=os.fsencode(path).decode(errors="replace"),
            instruction=instruction,
            mends=self.mends,
            single_line=single_line,
            priority=self.priority,
            **asdict(self.dials),
        )


def _is_body(text: str, span: Span, language: str) -> bool:
    """Tell whether a span is the whole lines of all that a function does."""
    body = body_of(text, language, span)
    return (
        body is not None
        and body.start == span.start
        and body.of(text).rstrip("\r\n") == span.of(text)
    )


def _is_above_line(text: str, span: Span) -> bool:
    """Tell whether a span is where new lines could begin, above one that has text."""
    starts_line = span.start == 0 or text[span.start - 1] in "\r\n"
    return starts_line and not len(span) and _INDENTED.match(text, span.start) is not None
