"""What is less pressing waits, pass by pass, for what is more pressing, and then goes on."""

import threading
import time
from dataclasses import replace

import tiny
from office import REQUEST, WAIT_S

from engine.control import Control
from engine.loading import editor_on
from engine.protocol import EditResult, Effort, Priority
from grammars.span import Span

TYPING, EXPLICIT, BATCH = Priority


def until_held(*jobs):
    until = time.monotonic() + WAIT_S
    while not all(job.control.is_waiting for job in jobs):
        assert time.monotonic() < until
        time.sleep(0.001)


def test_what_is_less_pressing_is_held_and_goes_on(office):
    one = office(1)
    batch = one.begin("a", BATCH)
    explicit = one.begin("b", EXPLICIT)
    one.begin("c", TYPING)
    one.editor.let_go("a", "b")
    until_held(batch, explicit)
    assert one.said.empty()
    one.editor.let_go("c")
    assert [one.answer() for _ in range(3)] == [(path, "result") for path in "cba"]


def test_what_is_held_takes_no_place(office):
    two = office(2)
    for path, priority in zip("abcdef", [BATCH] * 2 + [EXPLICIT] * 2 + [TYPING] * 2, strict=True):
        two.begin(path, priority)
    two.ask("g", priority=TYPING)
    two.ask("h", priority=BATCH)
    two.editor.let_go("e")
    assert two.answer() == ("e", "result")
    assert two.editor.next() == "g"
    two.editor.let_go(*"bcdfg")
    assert {two.answer() for _ in range(4)} == {(path, "result") for path in "fgcd"}
    assert two.answer() == ("b", "result")
    assert two.editor.next() == "h"


def test_what_would_be_held_is_not_begun(office):
    two = office(2)
    two.begin("a", TYPING)
    two.ask("b", priority=BATCH)
    two.begin("c", TYPING)
    two.editor.let_go("a", "c")
    assert {two.answer(), two.answer()} == {("a", "result"), ("c", "result")}
    assert two.editor.next() == "b"


def test_what_is_held_can_be_cancelled_and_its_deadline_comes(office):
    two = office(2)
    jobs = [two.begin("a", BATCH), two.begin("b", BATCH, deadline_s=0.2)]
    two.begin("c", TYPING)
    until_held(jobs[0])
    two.scheduler.cancel(jobs[0])
    assert {two.answer(), two.answer()} == {("a", "cancelled"), ("b", "deadline")}
    two.editor.let_go("c")
    assert two.answer() == ("c", "result")


def test_an_error_of_what_goes_before_lets_the_held_go_on(office):
    one = office(1)
    edit = one.editor.edit

    def failing(request, control):
        done = edit(request, control)
        if request.path == "b":
            raise MemoryError("no room")
        return done

    one.editor.edit = failing
    batch = one.begin("a", BATCH)
    one.begin("b", TYPING)
    until_held(batch)
    one.editor.let_go("a", "b")
    assert [one.answer(), one.answer()] == [("b", "internal"), ("a", "result")]


def test_closing_ends_what_is_held(office):
    one = office(1)
    one.begin("a", BATCH)
    one.begin("b", TYPING)
    one.scheduler.close()
    assert {one.answer(), one.answer()} == {("a", "cancelled"), ("b", "cancelled")}


def test_a_newer_request_at_the_cursor_begins_when_the_older_has_stopped(office):
    """It goes on from what that has encoded; others need not wait for it."""
    two, last_pass = office(2), threading.Event()
    edit = two.editor.edit

    def in_a_pass(request, control):
        if two.editor.edit is in_a_pass:
            two.editor.edit = edit
            two.editor.begun.put(request.path)
            assert last_pass.wait(WAIT_S)
        return edit(request, control)

    two.editor.edit = in_a_pass
    two.begin("a", TYPING)
    two.ask("a", priority=TYPING)
    two.begin("b", TYPING)
    last_pass.set()
    assert two.answer() == ("a", "cancelled")


def test_the_thread_that_was_busy_last_goes_on(office):
    """It need not copy the contexts of another."""
    two, seen = office(2), set()
    edit = two.editor.edit

    def noting(request, control):
        seen.add(threading.get_ident())
        two.editor._go[request.path] = go = threading.Event()
        go.set()
        return edit(request, control)

    two.editor.edit = noting
    for path in "abcde":
        two.begin(path, EXPLICIT)
        assert two.answer() == (path, "result")
    assert len(seen) == 1


def test_a_request_that_was_held_is_answered_as_alone(office):
    model = tiny.transformer(tiny.reference(seed=1))
    edits = editor_on(model, tiny.tokenizer(), tiny.FAMILY).edit
    asked = replace(REQUEST, text="value = one\n" * 30, max_tokens=24, effort=Effort.QUICK)
    requests = {
        "batch": replace(asked, path="batch", priority=BATCH, frames=True),
        "typing": replace(asked, path="typing", priority=TYPING, spans=(Span(20, 24),)),
    }
    alone = {path: edits(one, Control()).candidates for path, one in requests.items()}
    two, typing_began = office(2), threading.Event()

    def edit(request, control):
        if request.path == "typing":
            typing_began.set()
        return edits(request, control)

    def send(message):
        if message["type"] != "frame":
            two.said.put(("batch", message))
        elif not typing_began.is_set():
            two.submit(requests["typing"])
            assert typing_began.wait(WAIT_S)

    two.editor.edit = edit
    two.submit(requests["batch"], send=send)
    for path in ("typing", "batch"):
        found, message = two.said.get(timeout=WAIT_S)
        assert (found, message["type"]) == (path, "result")
        assert EditResult.from_json(message["result"]).candidates == alone[path]
