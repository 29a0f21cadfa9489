import threading
import time
from types import SimpleNamespace

import pytest

from engine.control import Control
from engine.errors import Cancelled, DeadlineExceeded

WAIT_S = 30.0


class Worker:
    """A thread that has come to its next pass, and what became of it there."""

    def __init__(self, control):
        self.control, self.error = control, None
        self._thread = threading.Thread(target=self._check)
        self._thread.start()

    def _check(self):
        try:
            self.control.check()
        except Exception as error:
            self.error = error

    def until_it_waits(self):
        until = time.monotonic() + WAIT_S
        while not self.control.is_waiting:
            assert time.monotonic() < until
            self._thread.join(0.001)

    def end(self):
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive() and not self.control.is_waiting
        return self.error


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr("engine.control.time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def held(**options):
    control = Control(**options)
    control.hold()
    return Worker(control)


def test_a_held_request_waits_until_it_may_go_on():
    worker = held()
    worker.until_it_waits()
    worker.control.hold(False)
    assert worker.end() is None


def test_a_held_request_can_be_cancelled_and_is_not_held_again():
    worker = held()
    worker.until_it_waits()
    worker.control.cancel()
    assert isinstance(worker.end(), Cancelled)
    worker.control.hold()
    with pytest.raises(Cancelled):
        worker.control.check()


def test_a_clients_deadline_comes_while_a_request_is_held():
    worker = held(deadline_s=0.05)
    assert isinstance(worker.end(), DeadlineExceeded)


def test_a_deadline_of_the_work_waits_with_it(clock):
    worker = held(deadline_s=5.0, is_of_work=True)
    worker.until_it_waits()
    clock.s += 60.0
    worker.control.hold(False)
    assert worker.end() is None
    assert worker.control.seconds == 0.0
    clock.s += 6.0
    with pytest.raises(DeadlineExceeded):
        worker.control.check()


def test_what_is_on_its_way_elsewhere_is_not_held():
    control = Control()
    control.hold()
    control.raise_if_over()
    control.cancel()
    with pytest.raises(Cancelled):
        control.raise_if_over()
