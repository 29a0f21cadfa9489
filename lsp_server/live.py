"""The custom part of the protocol: a live view of denoising, and edits as previews.

A client that announces the capability `experimental.diffill.frames: true` is sent, for every edit
it asks for by a command or by resolving a code action, the notification `diffill/frame`:
    {"request": str,        the `id` of the command's argument if it has one, else the uri
     "uri": str,
     "version": int,        of the document `range` refers to
     "range": Range,        the text that is being replaced; it moves with edits elsewhere
     "span": int,           which of the edit's places, from 0 at the top of the file
     "step": int,           forward passes so far
     "draft": int,          the draft this is a step of; a refused one is followed by another
     "tokens": [{"text": str, "state": "masked" | "provisional" | "committed" | "revised",
                 "confidence": float}]}     0 to 1
Of each place at most 20 a second are sent, the newest wins, the last one always. Then comes,
exactly once, before the edit itself, `diffill/frameEnd`:
    {"request": str, "uri": str, "outcome": "done" | "refused" | "cancelled" | "failed"}
A command whose arguments are wrong or out of date has an error for an answer, and neither of them.
Later errors are RequestCancelled, ContentModified (a place was edited meanwhile, or what is around
it so that the edit does not fit: "failed") and RequestFailed.

A client that announces `experimental.diffill.off: true` is sent, when it opens a document that is
left alone, the notification `diffill/off`:
    {"uri": str, "reason": str}

The commands, each with one object as its argument:
    diffill.fill      {"uri", "version"?, "range" or "ranges": [Range], "instruction"?, "id"?,
                       "apply"?: true}
                      fill selections, or the hole or statement at a cursor (start equals end)
    diffill.rewrite   the same; `instruction` says what to change
    diffill.fillAll   {"uri", "version"?, "id"?, "apply"?: true}
                      fill every hole of the file, the first 32 where there are more; with
                      "uris": [str] in place of "uri" and "version", those of several open files,
                      all or none: each has a `frameEnd`
    diffill.fillOpen  {"uri", "version"?, "id"?, "apply"?: true}
                      the same for all open files that have holes and are not left alone, the
                      first 64 of more, that of `uri` before the others
    diffill.repair    {"uri", "version"?, "range", "id"?, "apply"?: true}
                      mend the syntax error on the lines of the range, or the file's first
    diffill.reroll    {"uri", "version"?, "id"?, "apply"?: true}
                      fill once more what the model was unsure of in the file's last edit
    diffill.context   {"uri", "version"?, "range"}
                      change nothing; the result lists the definitions of other files that the
                      model is shown for the place, the most useful first:
                      [{"path", "names": [str], "reason", "text"}]
    diffill.accepted  {"uri"}
                      what an inline completion has as its `command`: it was accepted
Without `version` the document is meant as it is now. The edit arrives as `workspace/applyEdit`, and
the result is null once it is applied. With `"apply": false` nothing is applied; the result is
    {"edit": WorkspaceEdit | null, "reason": str | null, "stats": {...}}
where `reason` says why there is no edit, and `stats` are those of `engine.protocol.EditStats`, {}
if the model was not asked; the edit asks for no confirmation, for the preview does. Commands are
stopped by `$/cancelRequest` and `window/workDoneProgress/cancel`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.errors import Cancelled
from lsp_server.failures import Refused, Stale

if TYPE_CHECKING:
    from types import TracebackType

    from engine.protocol import Frame
    from grammars.span import Span
    from lsp_server.documents import Snapshot
    from lsp_server.session import Session

FRAME = "diffill/frame"
FRAME_END = "diffill/frameEnd"
MIN_INTERVAL_S = 0.05


class LiveView:
    """Sends the frames of one edit, from `with` to its end, if the client wants them."""

    def __init__(self, session: Session, snapshot: Snapshot, request: str | None) -> None:
        self.wanted = session.capabilities.frames
        self.refused = False
        self._session, self._snapshot = session, snapshot
        self._request = snapshot.uri if request is None else request
        self._spans: Sequence[Span] = ()
        self._loop = asyncio.get_running_loop()
        self._last_s = float("-inf")
        self._waiting: dict[int, Frame] = {}  # the newest of each place: they may come in turn
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> LiveView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._flush()
        self._send(FRAME_END, {"outcome": self._outcome(error)})

    def show(self, spans: Sequence[Span]) -> None:
        """Take in where the frames' spans are in the snapshot."""
        self._spans = spans

    def on_frame(self, frame: Frame) -> None:
        """Send a frame, at once or when its time has come."""
        if not self.wanted:
            return
        self._waiting[frame.span] = frame
        due_s = self._last_s + MIN_INTERVAL_S
        if self._loop.time() >= due_s:
            self._flush()
        elif self._timer is None:
            self._timer = self._loop.call_at(due_s, self._flush)

    def _flush(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for frame in waiting.values():
            self._show(frame)

    def _show(self, frame: Frame) -> None:
        if frame.span >= len(self._spans):
            return
        documents, snapshot = self._session.documents, self._snapshot
        try:
            today = documents.get(snapshot.uri)
            place = documents.relocate(snapshot.uri, snapshot.revision, self._spans[frame.span])
        except (Refused, Stale):  # closed or edited meanwhile: there is nothing to show it on
            return
        if place is None:
            return
        self._last_s = self._loop.time()
        self._send(
            FRAME,
            {"version": today.version, "range": today.positions.range(place)} | frame.to_json(),
        )

    def _send(self, method: str, content: Mapping[str, object]) -> None:
        if self.wanted:
            params = {"request": self._request, "uri": self._snapshot.uri, **content}
            self._session.server.protocol.notify(method, params)

    def _outcome(self, error: BaseException | None) -> str:
        if error is None:
            return "refused" if self.refused else "done"
        if isinstance(error, asyncio.CancelledError | Cancelled):
            return "cancelled"
        return "refused" if isinstance(error, Refused) else "failed"
