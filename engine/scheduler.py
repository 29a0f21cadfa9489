"""Whose turn it is: the waiting edits of all clients, and the threads that work on them.

Typing goes before what was asked for, that before batches; among equals the client that was served
longest ago. What is less pressing than another that runs is held, pass by pass, and goes on when
that is done. A newer request at a typist's cursor takes the place of the older one.
"""

from __future__ import annotations

import gc
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from engine.config import EFFORTS
from engine.control import Control
from engine.editors import give_back
from engine.errors import Busy, Cancelled, EngineError, EngineUnavailable, unforeseen
from engine.protocol import EditRequest, Frame, Priority

if TYPE_CHECKING:
    from engine.edit import Editor

log = logging.getLogger(__name__)

Message = dict[str, Any]
Send = Callable[[Message], None]
# Loads the model, reporting what it does and how far it is (0 to 1).
Load = Callable[[Callable[[str, float], None]], "Editor"]
# What a thread is to do next; None is the end.
Desk = SimpleQueue[Callable[[], None] | None]

MAX_WAITING = 128
JOIN_S = 5.0


def error_message(error: EngineError) -> Message:
    """Return what the wire says of an error."""
    return {"type": "error", "kind": error.kind, "message": str(error)}


@dataclass(slots=True, eq=False)
class Job:
    """One edit on its way; `send` gets its frames and at last its result or error."""

    request: EditRequest
    client: str
    send: Send
    control: Control = field(init=False)
    number: int = 0
    released: bool = False

    def __post_init__(self) -> None:
        seconds = self.request.deadline_s
        if seconds is None:
            seconds = EFFORTS[self.request.effort].deadline_s * len(self.request.spans)
        self.control = Control(
            seconds,
            self._frame if self.request.frames else None,
            is_of_work=self.request.deadline_s is None,
        )

    def _frame(self, frame: Frame) -> None:
        self.send({"type": "frame", "frame": frame.to_json()})

    @property
    def rank(self) -> int:
        """How pressing it is; 0 is the most."""
        return list(Priority).index(self.request.priority)

    def replaces(self, other: Job) -> bool:
        """Tell if nobody wants the other any more now that this one is here."""
        return self.request.priority is Priority.TYPING and (
            (self.client, self.request.path, self.request.priority)
            == (other.client, other.request.path, other.request.priority)
        )


class Scheduler:
    """Runs the jobs of all clients; any thread may call any method.

    `at_once` of a priority are begun. Those that are held for more pressing ones take no place from
    them, so that typing always begins at once.
    """

    def __init__(
        self, load: Load, announce: Send, unload_s: float | None = None, at_once: int = 1
    ) -> None:
        """Load at once; tell `announce` how far it is; unload after `unload_s` without a job."""
        self._load, self._announce, self._unload_s = load, announce, unload_s
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._at_once = at_once
        self._desks: list[Desk] = [SimpleQueue() for _ in range(at_once * len(Priority))]
        # The one that was left last is taken next: its thread has the contexts of its last job.
        self._free = self._desks.copy()
        self._closed = False
        self._numbers = itertools.count(1)
        self._served: dict[str, int] = {}  # the number of each client's last job that ran
        self._ready_at = 0.0
        self._job_s = 1.0  # what a job takes, on average
        self._active_at = time.monotonic()
        self.state: Message = {}
        self.num_done = 0
        self._set_state("loading", "loading the model", None)
        # Daemons: a pass that takes long keeps no process from ending.
        self._worker = threading.Thread(target=self._work, name="model", daemon=True)
        self._editing = [
            threading.Thread(target=self._edit, args=[desk], name="edit", daemon=True)
            for desk in self._desks
        ]
        for thread in (self._worker, *self._editing):
            thread.start()

    @property
    def num_waiting(self) -> int:
        """How many jobs have not begun."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """How many jobs are being worked on."""
        return len(self._running)

    @property
    def is_alive(self) -> bool:
        """Whether all threads can still work."""
        return all(thread.is_alive() for thread in (self._worker, *self._editing))

    @property
    def idle_s(self) -> float:
        """For how long nobody has wanted anything."""
        busy = self._waiting or self._running or self.state["state"] == "loading"
        return 0.0 if busy else time.monotonic() - self._active_at

    @property
    def retry_after_s(self) -> float:
        """When a place in the queue may be free, by what jobs took so far."""
        return max(1.0, self._job_s * len(self._waiting) / self._at_once / 2)

    def submit(self, job: Job) -> None:
        """Queue a job until it is released.

        Raises:
            Busy: if too many wait. A batch leaves half of the queue to people.
        """
        job.number = next(self._numbers)
        with self._changed:
            for other in [*self._waiting, *self._running]:
                if job.replaces(other):
                    self._drop(other, Cancelled("a newer request took its place"))
            limit = MAX_WAITING // 2 if job.request.priority is Priority.BATCH else MAX_WAITING
            if self._closed:
                raise EngineUnavailable("the engine is stopping")
            if len(self._waiting) >= limit:
                raise Busy(
                    f"the engine is busy, {len(self._waiting)} requests wait; "
                    f"try again in about {self.retry_after_s:.0f} s"
                )
            self._waiting.append(job)
            self._active_at = time.monotonic()

    def release(self, job: Job) -> None:
        """Let a queued job begin: its client has heard that it is accepted.

        Were it to begin before, an engine that dies of it would look like one that never had it.
        """
        with self._changed:
            job.released = True
            self._changed.notify_all()

    def cancel(self, job: Job) -> None:
        """Drop a job that waits, stop one that runs at its next step; one that is done stays."""
        with self._changed:
            self._drop(job, Cancelled("cancelled"))

    def forget(self, client: str) -> None:
        """Drop what is left of a client that has gone."""
        with self._changed:
            for job in [*self._waiting, *self._running]:
                if job.client == client:
                    self._drop(job, Cancelled("cancelled"))
            self._served.pop(client, None)

    def close(self) -> None:
        """Drop everything and end the threads."""
        with self._changed:
            self._closed = True
            for job in self._waiting.copy():
                self._drop(job, EngineUnavailable("the engine was stopped"))
            for job in self._running:
                job.control.cancel()
            self._changed.notify_all()
            is_still = self._changed.wait_for(lambda: not self._running, JOIN_S)
        self._worker.join(JOIN_S)
        for desk in self._desks:
            desk.put(None)
        if is_still:
            for thread in self._editing:
                thread.join(JOIN_S)

    def _drop(self, job: Job, reason: EngineError) -> None:
        job.control.cancel()
        if job in self._waiting:
            self._waiting.remove(job)
            job.send(error_message(reason))

    def _ready(self) -> list[Job]:
        """Return the jobs that could begin now."""
        return [job for job in self._waiting if job.released and self._has_place(job)]

    def _has_place(self, job: Job) -> bool:
        """Tell if a job could begin now, and would not be held at once."""
        if any(map(job.replaces, self._running)):
            return False  # it wants what the other, which is about to stop, has encoded
        ranks = [other.rank for other in self._running]
        return min(ranks, default=job.rank) >= job.rank and ranks.count(job.rank) < self._at_once

    def _turn(self, job: Job) -> tuple[int, int, int]:
        return job.rank, self._served.get(job.client, 0), job.number

    def _hold(self) -> None:
        """Let those wait that are less pressing than another that runs, and the others go on."""
        first = min((job.rank for job in self._running), default=0)
        for job in self._running:
            job.control.hold(job.rank > first)

    def _work(self) -> None:
        editor: Editor | EngineError | None = self._loaded()
        while not self._closed:
            with self._changed:
                while not self._ready() and not self._closed:
                    wait_s = None
                    if editor and self._unload_s is not None and not self._running:
                        wait_s = self._unload_s - self.idle_s
                    if wait_s is not None and wait_s <= 0:
                        editor = None
                        gc.collect()
                        give_back()
                        self._set_state("unloaded", "the model is unloaded", None)
                        continue
                    self._changed.wait(wait_s)
                if self._closed:
                    return
            if editor is None:
                editor = self._loaded()
            with self._changed:
                if not (ready := self._ready()):
                    continue
                job = min(ready, key=self._turn)
                self._waiting.remove(job)
                self._running.append(job)
                self._served[job.client] = job.number
                self._hold()
                desk = self._free.pop()
            desk.put(partial(self._run, job, editor, desk))
            if isinstance(editor, EngineError):
                editor = None  # the next request tries again

    def _edit(self, desk: Desk) -> None:
        for run in iter(desk.get, None):
            run()
            del run  # it holds the model, which may be unloaded before there is another

    def _run(self, job: Job, editor: Editor | EngineError, desk: Desk) -> None:
        began = time.monotonic()
        try:
            if isinstance(editor, EngineError):
                raise editor
            if job.request.deadline_s is None:
                job.control.restart_clock()  # the effort's own limit is of the work alone
            else:
                job.control.started = max(job.control.started, self._ready_at)
            message = {"type": "result", "result": editor.edit(job.request, job.control).to_json()}
        except EngineError as error:
            message = error_message(error)
        except BaseException as error:  # a panic of a library in Rust is no Exception
            log.exception("request %d failed", job.number)
            message = error_message(unforeseen(error))
        with self._changed:
            self._running.remove(job)
            self._free.append(desk)
            self._hold()
            self.num_done += 1
            self._active_at = time.monotonic()
            self._job_s += 0.2 * (self._active_at - began - job.control.held_s - self._job_s)
            self._changed.notify_all()
        job.send(message)

    def _loaded(self) -> Editor | EngineError:
        def report(message: str, fraction: float) -> None:
            self._set_state("ready" if fraction >= 1 else "loading", message, fraction)

        editor: Editor | EngineError
        try:
            editor = self._load(report)
        except EngineError as error:
            editor = error
        except Exception as error:
            log.exception("the model could not be loaded")
            editor = EngineError(f"the model could not be loaded: {error}")
        if isinstance(editor, EngineError):
            self._set_state("failed", str(editor), None)
        self._ready_at = self._active_at = time.monotonic()
        return editor

    def _set_state(self, state: str, message: str, fraction: float | None) -> None:
        self.state = {"type": "status", "state": state, "message": message, "fraction": fraction}
        self._announce(self.state)
