"""A scheduler without processes: each job tells when it begins, and ends when told."""

import queue
import threading
from dataclasses import replace

from engine.protocol import EditRequest
from engine.scheduler import Job, Scheduler
from grammars.span import Span

WAIT_S = 30.0
REQUEST = EditRequest(text="a = \n", spans=(Span(4, 4),))


class Held:
    """An editor whose edits wait to be let go, by the path they are for."""

    def __init__(self):
        self.begun = queue.Queue()
        self._go = {}

    def edit(self, request, control):
        go = self._go.setdefault(request.path, threading.Event())
        self.begun.put(request.path)
        while not go.wait(0.005):
            control.check()
        control.check()
        return Done(request.path)

    def let_go(self, *paths):
        for path in paths:
            self._go[path].set()

    def next(self):
        return self.begun.get(timeout=WAIT_S)


class Done:
    def __init__(self, path):
        self.path = path

    def to_json(self):
        return self.path


class Office:
    """A scheduler, with what it says to whom."""

    def __init__(self, at_once, unload_s=None):
        self.editor, self.states, self.said = Held(), queue.Queue(), queue.Queue()
        self.scheduler = Scheduler(self.load, self.states.put, unload_s, at_once)

    def load(self, report):
        report("ready", 1.0)
        return self.editor

    def ask(self, path, client="me", **options):
        return self.submit(replace(REQUEST, path=path, **options), client)

    def submit(self, request, client="me", send=None):
        job = Job(request, client, send or (lambda m: self.said.put((request.path, m))))
        self.scheduler.submit(job)
        self.scheduler.release(job)
        return job

    def begin(self, path, priority, **options):
        job = self.ask(path, priority=priority, **options)
        assert self.editor.next() == path
        return job

    def answer(self):
        path, message = self.said.get(timeout=WAIT_S)
        return path, message["type"] if message["type"] == "result" else message["kind"]

    def state(self, name):
        while self.states.get(timeout=WAIT_S)["state"] != name:
            pass
