"""What became of each span and each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from editor_clients.command_line.exits import Exit
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.places import Place
from engine.protocol import EditStats
from grammars.span import Replacement, apply

NO_STATS = EditStats()


class SpanStatus(StrEnum):
    """How an edit of one span ended."""

    EDITED = "edited"
    UNCHANGED = "unchanged"  # the model would leave it as it is
    INVALID = "invalid"  # what the model wrote did not validate
    DECLINED = "declined"  # by the user
    FAILED = "failed"  # the engine gave no answer
    FORMATTED = "formatted"  # lines of an edit, by the user's formatter


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanOutcome:
    """One span, and the text it got. Offsets are those of the file before its step."""

    place: Place
    status: SpanStatus
    text: str = ""
    reasons: tuple[str, ...] = ()
    checked: bool = True
    stats: EditStats = NO_STATS
    step: int = 0  # of the recipe; the first sees the file as it is, each the work of those before

    @property
    def is_change(self) -> bool:
        """Whether it gives the file other text."""
        return self.status in (SpanStatus.EDITED, SpanStatus.FORMATTED)


@dataclass(slots=True, kw_only=True)
class FileOutcome:
    """One file: its spans, its new text, and whether that was written."""

    file: UserFile
    language: str
    spans: list[SpanOutcome] = field(default_factory=list[SpanOutcome])
    written: bool = False
    refusal: str = ""  # why it was not edited, not written or rolled back

    @property
    def text(self) -> str:
        """The file's text with the edits made."""
        return _applied(self.file.text, self.spans)

    def text_before(self, step: int) -> str:
        """Return the text that a step found: the offsets of its spans are of this text."""
        return _applied(self.file.text, [span for span in self.spans if span.step < step])

    @property
    def is_flawed(self) -> bool:
        """Whether the edit of a span did not succeed."""
        return any(s.status in (SpanStatus.INVALID, SpanStatus.FAILED) for s in self.spans)

    @property
    def is_changed(self) -> bool:
        """Whether the edits change anything."""
        return any(span.is_change for span in self.spans)


def _applied(text: str, spans: Sequence[SpanOutcome]) -> str:
    for _, of_step in groupby(spans, lambda span: span.step):
        text = apply(text, [Replacement(s.place.span, s.text) for s in of_step if s.is_change])
    return text


@dataclass(slots=True)
class Tally:
    """What a run did, in numbers."""

    files: int = 0
    changed: int = 0
    written: int = 0
    refused: int = 0
    failed: int = 0
    invalid: int = 0
    edited: int = 0
    spans: int = 0
    skipped: int = 0  # files that could not be looked into
    interrupted: bool = False
    stats: EditStats = NO_STATS

    def add(self, outcome: FileOutcome) -> None:
        """Count a file."""
        self.files += 1
        self.changed += outcome.is_changed
        self.written += outcome.written
        self.refused += bool(outcome.refusal)
        for span in outcome.spans:
            if span.status is SpanStatus.FORMATTED:
                continue
            self.spans += 1
            self.edited += span.status is SpanStatus.EDITED
            self.invalid += span.status is SpanStatus.INVALID
            self.failed += span.status is SpanStatus.FAILED
            self.stats += span.stats

    def exit(self, *, check: bool) -> Exit:
        """Return the exit code; a refusal counts more than an invalid result."""
        if self.refused or self.failed or (check and self.changed):
            return Exit.REFUSED
        return Exit.INVALID if self.invalid else Exit.DONE
