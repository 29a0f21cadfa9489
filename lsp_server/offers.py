"""What becomes of proposals: accepted once the document holds one of them, else dismissed.

No client tells this in standard LSP, but every client sends what its document has become.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from grammars.span import Replacement, apply
from lsp_server.documents import Documents, Snapshot
from lsp_server.failures import Refused
from lsp_server.metrics import Event, Kind, Metrics

Change = tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class _Offer:
    snapshot: Snapshot
    alternatives: tuple[Change, ...]
    results: frozenset[str]  # the texts the document has if one is accepted

    @classmethod
    def of(cls, snapshot: Snapshot, alternatives: Iterable[Change]) -> _Offer:
        kept = tuple(alternatives)
        return cls(snapshot, kept, frozenset(apply(snapshot.text, change) for change in kept))


class Offers:
    """The open proposals: of each kind, one a document."""

    def __init__(self, documents: Documents, metrics: Metrics) -> None:
        self._documents, self._metrics = documents, metrics
        self._open: dict[tuple[Kind, str], _Offer] = {}

    def show(self, kind: Kind, snapshot: Snapshot, alternatives: Iterable[Change]) -> None:
        """Take note that changes of a document were proposed, one of which may be accepted."""
        if not self._metrics.is_on:
            return
        offer = _Offer.of(snapshot, alternatives)
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
            else:
                self._open[key] = self._moved(offer, today)

    def forget(self, uri: str) -> None:
        """Dismiss what is open in a document."""
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
        return _Offer.of(today, moved)


def _key(kind: Kind, uri: str) -> tuple[Kind, str]:
    return kind, unquote(uri)  # clients do not always quote alike
