"""What becomes of proposals: accepted once the document holds one of them, else dismissed.

Of the last edit that was accepted in a document it is remembered what the model was unsure of.

No client tells this in standard LSP, but every client sends what its document has become.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from grammars.span import Replacement, Span, apply, landed
from lsp_server.documents import Documents, Snapshot
from lsp_server.failures import Refused
from lsp_server.metrics import Event, Kind, Metrics

Change = tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class _Offer:
    snapshot: Snapshot
    alternatives: tuple[Change, ...]
    results: frozenset[str]  # the texts the document has if one is accepted
    doubts: tuple[Span, ...]  # in the result, if there is but one

    @classmethod
    def of(
        cls, snapshot: Snapshot, alternatives: Iterable[Change], doubts: Iterable[Span]
    ) -> _Offer:
        kept = tuple(alternatives)
        results = frozenset(apply(snapshot.text, change) for change in kept)
        return cls(snapshot, kept, results, tuple(doubts))


@dataclass(frozen=True, slots=True)
class _Doubts:
    """What was doubtful in a document when an edit had been accepted, and how often it was."""

    snapshot: Snapshot
    spans: tuple[Span, ...]
    rolls: int


class Offers:
    """The open proposals: of each kind, one a document."""

    def __init__(self, documents: Documents, metrics: Metrics) -> None:
        self._documents, self._metrics = documents, metrics
        self._open: dict[tuple[Kind, str], _Offer] = {}
        self._doubts: dict[str, _Doubts] = {}

    def show(
        self,
        kind: Kind,
        snapshot: Snapshot,
        alternatives: Iterable[Change],
        doubts: Iterable[Span] = (),
    ) -> None:
        """Take note that changes of a document were proposed, one of which may be accepted."""
        offer = _Offer.of(snapshot, alternatives, doubts)
        key = _key(kind, snapshot.uri)
        older = self._open.get(key)
        # The rest of what was shown before, now that the user has typed its beginning, is not new.
        if older is None or not older.results & offer.results:
            self._dismiss(key)
            self._metrics.count(kind, Event.SHOWN)
        self._open[key] = offer

    def follow(self, uri: str) -> None:
        """See whether a change of a document was an acceptance."""
        try:
            today = self._documents.get(uri)
        except Refused:  # out of sync: nobody knows its text
            return
        for kind in Kind:
            key = _key(kind, uri)
            offer = self._open.get(key)
            if offer is None:
                continue
            if today.text in offer.results:
                del self._open[key]
                self._metrics.count(kind, Event.ACCEPTED)
                if kind is Kind.EDIT:
                    older = self._doubts.get(key[1])
                    rolls = older.rolls + 1 if older else 0
                    self._doubts[key[1]] = _Doubts(today, offer.doubts, rolls)
            else:
                self._open[key] = self._moved(offer, today)

    def accept(self, kind: Kind, uri: str) -> None:
        """Take the client's word for it that a proposal was accepted, if it is still open."""
        if self._open.pop(_key(kind, uri), None):
            self._metrics.count(kind, Event.ACCEPTED)

    def doubts(self, uri: str) -> tuple[tuple[Span, ...], int]:
        """Return what is left of the doubtful parts of a document's last edit, where they are now.

        And a number that grows with every edit: a seed by which they may turn out differently.
        """
        known = self._doubts.get(unquote(uri))
        if known is None:
            return (), 0
        today, revision = self._documents.get(uri), known.snapshot.revision
        places = ((self._documents.relocate(uri, revision, s), s) for s in known.spans)
        kept = (p for p, s in places if p and p.of(today.text) == s.of(known.snapshot.text))
        return tuple(kept), known.rolls + 1

    def forget(self, uri: str) -> None:
        """Dismiss what is open in a document."""
        self._doubts.pop(unquote(uri), None)
        for kind in Kind:
            self._dismiss(_key(kind, uri))

    def forget_all(self) -> None:
        """Dismiss all that is open."""
        for key in list(self._open):
            self._dismiss(key)

    def _dismiss(self, key: tuple[Kind, str]) -> None:
        if self._open.pop(key, None):
            self._metrics.count(key[0], Event.DISMISSED)

    def _moved(self, offer: _Offer, today: Snapshot) -> _Offer:
        """Return an offer after a change elsewhere; as it was, if the change was inside.

        It may have been but the first half of the acceptance, or the beginning typed by hand.
        """
        moved: list[Change] = []
        for change in offer.alternatives:
            replacements: list[Replacement] = []
            for made in change:
                span = self._documents.relocate(today.uri, offer.snapshot.revision, made.span)
                if span is None:
                    return offer
                replacements.append(Replacement(span, made.text))
            moved.append(tuple(replacements))
        return _Offer.of(today, moved, _shifted(offer, moved))


def _shifted(offer: _Offer, moved: Sequence[Change]) -> list[Span]:
    """Return the doubts of an offer whose places have moved."""
    doubts: list[Span] = []
    for old, new in zip(landed(offer.alternatives[0]), landed(moved[0]), strict=True):
        shift = new[1].start - old[1].start
        doubts += [Span(d.start + shift, d.end + shift) for d in offer.doubts if old[1].holds(d)]
    return doubts


def _key(kind: Kind, uri: str) -> tuple[Kind, str]:
    return kind, unquote(uri)  # clients do not always quote alike
