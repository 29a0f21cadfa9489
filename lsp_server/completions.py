"""What a session remembers of completions: those it made, and which request is the newest."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

from lsp_server.failures import Replaced
from lsp_server.typing_pace import TypingPace

MAX_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class _Made:
    texts: tuple[str, ...]
    invoked: bool


class Completions:
    """The state of inline completion; a document's uri and the text around a cursor are its key."""

    def __init__(self) -> None:
        self.pace = TypingPace()
        self._newest: dict[tuple[str, bool], asyncio.Task[object]] = {}
        self._made: OrderedDict[tuple[str, str, str], _Made] = OrderedDict()

    @contextlib.contextmanager
    def newest(self, uri: str, *, invoked: bool) -> Generator[None]:
        """Make the running task the document's newest: older ones are cancelled.

        An automatic one leaves an invoked one alone, for which somebody waits.

        Raises:
            Replaced: in those that are cancelled for a newer one.
        """
        task = asyncio.current_task()
        assert task is not None
        for kind in {False, invoked}:
            if older := self._newest.pop((uri, kind), None):
                older.cancel()
        self._newest[uri, invoked] = task
        try:
            yield
        except asyncio.CancelledError:
            if self._newest.get((uri, invoked)) is not task:
                raise Replaced from None
            raise
        finally:
            if self._newest.get((uri, invoked)) is task:
                del self._newest[uri, invoked]

    def remember(
        self, uri: str, prefix: str, suffix: str, texts: tuple[str, ...], *, invoked: bool
    ) -> None:
        """Keep what was made, nothing too; the oldest is forgotten."""
        key = (uri, prefix, suffix)
        self._made[key] = _Made(texts, invoked)
        self._made.move_to_end(key)
        if len(self._made) > MAX_REMEMBERED:
            self._made.popitem(last=False)

    def find(self, uri: str, prefix: str, suffix: str, *, invoked: bool) -> tuple[str, ...] | None:
        """Return what was made here, or the rest of it where its beginning was typed since.

        None if nothing is known. What was made in haste does not answer one who asks for more.
        """
        for (of, before, behind), made in reversed(self._made.items()):
            if of != uri or behind != suffix or (invoked and not made.invoked):
                continue
            if before == prefix:
                return made.texts
            if prefix.startswith(before):
                typed = prefix[len(before) :]
                rests = (text[len(typed) :] for text in made.texts if text.startswith(typed))
                if rest := tuple(text for text in rests if text.strip()):
                    return rest
        return None
