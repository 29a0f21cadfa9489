"""The messages between a client and the engine: one JSON object a line, UTF-8, in both directions.

Client to engine:
    {"type": "edit", "id": 1, "request": EditRequest}     start; answers come with the same id
    {"type": "cancel", "id": 1}                           drop it within one denoising step
    end of input                                          drop everything and exit
Engine to client:
    {"type": "status", "state": "loading" | "ready", "message": str, "fraction": float | null}
    {"type": "frame", "id": 1, "frame": Frame}            only if the request asked for frames
    {"type": "result", "id": 1, "result": EditResult}     the last message of a request, or
    {"type": "error", "id": 1, "kind": str, "message": str}   kinds are those of `engine.errors`

Offsets are characters of `EditRequest.text`; a span is [start, end). Neither LSP nor torch types
appear here, so that the same messages serve other transports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, cast

from engine.errors import ConfigError
from grammars.span import Replacement, Span
from grammars.surrogates import without_halves
from grammars.verdict import Verdict

PROTOCOL_VERSION = 3
MAX_TEXT_CHARS = 1 << 20
MAX_INSTRUCTION_CHARS = 8_000
MAX_CONTEXT_CHARS = 1 << 16
MAX_CANDIDATES = 16


class Effort(StrEnum):
    """The user's one dial: it sets steps, candidates, repair rounds and deadline together."""

    QUICK = "quick"
    BALANCED = "balanced"
    THOROUGH = "thorough"


class Priority(StrEnum):
    """Who waits for the answer, from the most to the least pressing."""

    TYPING = "typing"  # made unasked at the cursor; a newer one of the same file replaces it
    EXPLICIT = "explicit"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of another file that tells what the text uses: definitions it imports, say."""

    path: str  # shown to the model, as it would be named in the project
    text: str

    def __post_init__(self) -> None:
        _encodable(self, "path", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """Fill spans of a text (no instruction) or rewrite them (with one).

    Half a surrogate pair, which JSON can carry and no tokenizer takes, becomes U+FFFD.

    Raises:
        ConfigError: naming the field, its value and the bound it breaks.
    """

    text: str
    spans: tuple[Span, ...]
    language: str = ""  # LSP language id; "" or unknown works without the syntax gate
    path: str = ""  # shown to the model's prompt and in messages; never opened
    context: tuple[Excerpt, ...] = ()  # the most useful first; what does not fit is left out
    instruction: str | None = None
    mends: bool = False  # refuse what leaves as many syntax errors as there are
    effort: Effort = Effort.BALANCED
    single_line: bool = False  # the fill ends with its first line
    max_tokens: int | None = None  # per span; None leaves it to the effort
    candidates: int | None = None
    seed: int = 0
    deadline_s: float | None = None
    frames: bool = False
    explain: bool = False  # the result tells what was seen and tried, too
    priority: Priority = Priority.EXPLICIT

    def __post_init__(self) -> None:
        _encodable(self, "text", "path", "instruction")
        if len(self.text) > MAX_TEXT_CHARS:
            raise ConfigError(
                f"the text has {len(self.text):,} characters, more than {MAX_TEXT_CHARS:,}"
            )
        if not self.spans:
            raise ConfigError("spans is empty: there is nothing to edit")
        ordered = sorted(self.spans)
        if ordered[-1].end > len(self.text):
            raise ConfigError(f"span ends at {ordered[-1].end}, the text at {len(self.text)}")
        if any(a.end > b.start or a == b for a, b in pairwise(ordered)):
            raise ConfigError("two spans overlap")
        if self.instruction is not None:
            if not self.instruction.strip():
                raise ConfigError("the instruction is empty: say what to change")
            if len(self.instruction) > MAX_INSTRUCTION_CHARS:
                raise ConfigError(
                    f"the instruction has {len(self.instruction):,} characters, "
                    f"more than {MAX_INSTRUCTION_CHARS:,}"
                )
            if not any(len(s) for s in self.spans):
                raise ConfigError("the span is empty: a rewrite needs text to rewrite")
        if (size := sum(len(e.text) for e in self.context)) > MAX_CONTEXT_CHARS:
            raise ConfigError(f"context has {size:,} characters, more than {MAX_CONTEXT_CHARS:,}")
        for name, value, low, high in (
            ("max_tokens", self.max_tokens, 1, 1024),
            ("candidates", self.candidates, 1, MAX_CANDIDATES),
            ("seed", self.seed, 0, 1 << 62),
            ("deadline_s", self.deadline_s, 0.0, 3600.0),
        ):
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} is {value}, not between {low} and {high}")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; a span is a pair."""
        return asdict(self) | {"spans": [[s.start, s.end] for s in self.spans]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EditRequest:
        """Build a request from what crossed the wire.

        Raises:
            ConfigError: if a field is missing, unknown or out of its bounds.
        """
        try:
            fields = dict(data)
            fields["spans"] = tuple(Span(*pair) for pair in fields["spans"])
            fields["context"] = tuple(Excerpt(**e) for e in fields.get("context", ()))
            fields["effort"] = Effort(fields.get("effort", Effort.BALANCED))
            fields["priority"] = Priority(fields.get("priority", Priority.EXPLICIT))
            for name in ("max_tokens", "candidates", "seed"):
                if not isinstance(fields.get(name) or 0, int):
                    kind = type(fields[name]).__name__
                    raise ConfigError(f"{name} is {fields[name]!r}, a {kind}, not a whole number")
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"not an edit request: {error}") from error


def _encodable(made: EditRequest | Excerpt, *names: str) -> None:
    for name in names:
        text = getattr(made, name)
        if isinstance(text, str) and not text.isascii():
            object.__setattr__(made, name, without_halves(text))


class TokenState(StrEnum):
    """What a canvas position is, in the live view."""

    MASKED = "masked"
    PROVISIONAL = "provisional"  # the model's guess, not yet committed
    COMMITTED = "committed"
    REVISED = "revised"  # committed, then changed


@dataclass(frozen=True, slots=True)
class FrameToken:
    """One canvas position of a frame."""

    text: str
    state: TokenState
    confidence: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of the denoising of one span, for a live view. Clients may drop frames."""

    span: int  # index into EditRequest.spans
    step: int
    tokens: tuple[FrameToken, ...]
    draft: int = 0  # which of the request's drafts this is a step of

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Frame:
        """Build a frame from what crossed the wire."""
        tokens = tuple(
            FrameToken(t["text"], TokenState(t["state"]), t["confidence"]) for t in data["tokens"]
        )
        return cls(data["span"], data["step"], tokens, data.get("draft", 0))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to make the edit, with its verdict. Offer it only if the verdict is ok."""

    replacements: tuple[Replacement, ...]
    verdict: Verdict
    score: float  # mean log-probability a token; higher is surer
    # Of an edit of several spans: each span's own, in the order of the replacements.
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class EditStats:
    """What an edit cost. `tokens` are those of the best candidate's text, its end included."""

    steps: int = 0
    forward_calls: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: EditStats) -> EditStats:
        """Return what both edits cost together."""
        return EditStats(
            self.steps + other.steps,
            self.forward_calls + other.forward_calls,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Sight:
    """What the model was given for one span."""

    span: int
    before: str  # of the text in front, what the window holds; of a rewrite, the whole prompt
    after: str
    tokens: int  # of both; 0 if only a remote model knows


@dataclass(frozen=True, slots=True)
class Attempt:
    """A text that was judged for one span, offered or not."""

    span: int
    draft: int  # the number its frames bear; the parser may be shown several texts of one draft
    how: str  # how the draft was made, for a person
    text: str
    verdict: Verdict
    score: float  # of the draft, as in `Candidate`
    tokens: int  # of the draft
    forward_calls: int  # of the request, until then


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an edit came about: what was seen and tried, in order."""

    sights: tuple[Sight, ...]
    attempts: tuple[Attempt, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Explanation:
        """Build an explanation from what crossed the wire."""
        attempts = (Attempt(**a | {"verdict": _verdict(a["verdict"])}) for a in data["attempts"])
        return cls(tuple(Sight(**sight) for sight in data["sights"]), tuple(attempts))


@dataclass(frozen=True, slots=True)
class EditResult:
    """All candidates, best first (never empty), and what they cost."""

    candidates: tuple[Candidate, ...]
    stats: EditStats
    is_cut: bool = False  # the deadline ended the search for more and better ones
    explanation: Explanation | None = None  # if the request asked for it

    @property
    def best(self) -> Candidate:
        """The candidate to offer, if its verdict is ok."""
        return self.candidates[0]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "candidates": [
                {
                    "replacements": [[r.span.start, r.span.end, r.text] for r in c.replacements],
                    "verdict": _plain(c.verdict),
                    "score": c.score,
                    "verdicts": [_plain(verdict) for verdict in c.verdicts],
                }
                for c in self.candidates
            ],
            "stats": asdict(self.stats),
            "is_cut": self.is_cut,
            "explanation": self.explanation and asdict(self.explanation),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EditResult:
        """Build a result from what crossed the wire."""
        candidates = tuple(
            Candidate(
                tuple(Replacement(Span(a, b), text) for a, b, text in c["replacements"]),
                _verdict(c["verdict"]),
                c["score"],
                tuple(_verdict(verdict) for verdict in c["verdicts"]),
            )
            for c in cast(list[Mapping[str, Any]], data["candidates"])
        )
        told = data.get("explanation")
        explanation = Explanation.from_json(told) if told else None
        stats = EditStats(**data["stats"])
        return cls(candidates, stats, data.get("is_cut", False), explanation)


def _plain(verdict: Verdict) -> dict[str, Any]:
    return asdict(verdict) | {"reasons": list(verdict.reasons)}


def _verdict(data: Mapping[str, Any]) -> Verdict:
    return Verdict(ok=data["ok"], reasons=tuple(data["reasons"]), checked=data["checked"])
