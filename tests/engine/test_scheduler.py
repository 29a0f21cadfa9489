"""Several jobs at once, without processes: each job tells when it begins, and ends when told."""

import subprocess
import sys
import threading
import weakref

from office import WAIT_S, Held

from engine.protocol import Priority
from engine.scheduler import Scheduler


def test_so_many_are_worked_on_at_once_and_no_more(office):
    two = office(2)
    for path in "abc":
        two.ask(path)
    assert {two.editor.next(), two.editor.next()} == {"a", "b"}
    assert (two.scheduler.num_running, two.scheduler.num_waiting) == (2, 1)
    assert two.editor.begun.empty()
    two.editor.let_go("b")
    assert two.answer() == ("b", "result")
    assert two.editor.next() == "c"
    two.editor.let_go("c")
    assert two.answer() == ("c", "result")
    two.editor.let_go("a")
    assert two.answer() == ("a", "result")


def test_typing_takes_the_next_free_place(office):
    two = office(2)
    for path in "ab":
        two.ask(path)
        two.editor.next()
    two.ask("c", priority=Priority.BATCH)
    two.ask("d", priority=Priority.TYPING)
    two.editor.let_go("a")
    assert two.editor.next() == "d"


def test_a_cancel_stops_one_and_leaves_the_other(office):
    two = office(2)
    jobs = [two.ask(path) for path in "ab"]
    two.editor.next(), two.editor.next()
    two.scheduler.cancel(jobs[0])
    assert two.answer() == ("a", "cancelled")
    two.editor.let_go("b")
    assert two.answer() == ("b", "result")


def test_a_newer_request_at_the_cursor_stops_the_one_that_runs(office):
    two = office(2)
    typing = {"priority": Priority.TYPING}
    two.ask("a", **typing)
    two.editor.next()
    two.ask("a", **typing)
    assert two.answer() == ("a", "cancelled")
    two.editor.next()


def test_the_model_is_unloaded_once_nobody_has_wanted_it_for_so_long(office):
    one = office(2, 0.05)
    one.ask("a")
    one.editor.next()
    one.state("ready")
    one.editor.let_go("a")
    assert one.answer() == ("a", "result")
    one.state("unloaded")
    one.ask("b")
    assert one.editor.next() == "b"


def test_a_model_at_work_is_not_idle(office):
    two = office(2, 60.0)
    for path in "ab":
        two.ask(path)
        two.editor.next()
    two.editor.let_go("a")
    assert two.answer() == ("a", "result")
    assert two.scheduler.idle_s == 0.0


def test_closing_stops_all_that_run(office):
    two = office(2)
    for path in "abc":
        two.ask(path)
    two.editor.next(), two.editor.next()
    two.scheduler.close()
    said = sorted(two.answer() for _ in range(3))
    assert said == [("a", "cancelled"), ("b", "cancelled"), ("c", "unavailable")]
    assert not two.scheduler.is_alive


def test_an_unloaded_model_is_gone(office):
    """Nothing that worked with it keeps it."""
    one, gone = office(2), threading.Event()

    def load(report):
        editor = Held()
        weakref.finalize(editor, gone.set)
        editor._go["a"] = threading.Event()
        editor.let_go("a")
        report("ready", 1.0)
        return editor

    one.scheduler.close()
    one.scheduler = Scheduler(load, one.states.put, 0.05, 2)
    one.ask("a")
    assert one.answer() == ("a", "result")
    assert gone.wait(WAIT_S)


class Panic(BaseException):
    """What a library in Rust raises is no Exception."""


def test_a_panic_fails_its_request_and_leaves_its_place_free(office):
    one = office(1)
    edit = one.editor.edit

    def panicking(request, control):
        if request.path == "a":
            raise Panic("index out of bounds")
        return edit(request, control)

    one.editor.edit = panicking
    one.ask("a")
    assert one.answer() == ("a", "internal")
    one.ask("b")
    assert one.editor.next() == "b"


NEVER_DONE = """
import threading
from engine import scheduler
from grammars.span import Span

scheduler.JOIN_S = 0.1
begun = threading.Event()

class Stuck:
    def edit(self, request, control):
        begun.set()
        threading.Event().wait()

one = scheduler.Scheduler(lambda report: Stuck(), lambda status: None)
request = scheduler.EditRequest(text="", spans=(Span(0, 0),))
job = scheduler.Job(request, "me", print)
one.submit(job)
one.release(job)
begun.wait()
one.close()
"""


def test_a_pass_that_does_not_end_keeps_no_engine_from_ending():
    subprocess.run([sys.executable, "-c", NEVER_DONE], timeout=WAIT_S, check=True)
