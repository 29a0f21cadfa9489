import os
import subprocess
import sys
import time

import pytest

from engine import processors
from engine.processors import Processors

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells")


def tells_nothing():
    reading = processors._read()
    return not reading or not reading.busy_s or reading.processors == 1


@pytest.fixture
def machine(monkeypatch):
    """Four processors; calling it lets a second pass in which ours and others' were so busy.

    `now` many threads are running at its end, and in the moments that follow.
    """
    clock = [0.0, 0.0, 0.0]
    running = [9]
    monkeypatch.setattr(processors, "_read", lambda: processors._Reading(*clock, 4))
    monkeypatch.setattr(
        processors, "_running", lambda: running.pop(0) if running[1:] else running[0]
    )
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def go_on(own, others, seconds=1.0, now=(9,)):
        running[:] = now
        for i, more in enumerate((1, own + others, own)):
            clock[i] += seconds * more

    return go_on


def test_all_are_free_until_others_are_busy_and_when_they_are_done(machine):
    ours = Processors(4)
    found = [ours.free()]
    for own, others in [(4, 0), (0, 0), (4, 0.4), (2.5, 1.5), (0, 0.8), (1, 3), (1, 9), (1, 0)]:
        machine(own, others)
        found.append(ours.free())
    assert found == [4, 4, 4, 4, 2, 3, 1, 1, 4]


def test_there_are_never_more_threads_than_wanted(machine):
    ours = Processors(2)
    machine(2, 1)
    assert ours.free() == 2
    machine(2, 2.6)
    assert ours.free() == 1


def test_a_moment_says_nothing(machine):
    ours = Processors(4)
    machine(1, 3, seconds=processors.WINDOW_S)
    assert ours.free() == 1
    machine(1, 0, seconds=processors.WINDOW_S / 2)
    assert ours.free() == 1
    machine(1, 0, seconds=processors.WINDOW_S / 2)
    assert ours.free() == 4


def test_after_a_pause_it_counts_who_is_still_running(machine):
    ours = Processors(4)
    machine(0, 3, now=[1])  # nobody else
    assert ours.free() == 4
    machine(0, 3, now=[3])
    assert ours.free() == 2
    machine(0, 3, now=[4, 4, 2, 4])  # some were only about to stop
    assert ours.free() == 3
    machine(0, 1, now=[4])  # they have just begun, and may be done at once
    assert ours.free() == 3
    machine(4, 0, seconds=processors.WINDOW_S, now=[4])
    assert ours.free() == 4
    machine(1, 3, seconds=processors.WINDOW_S, now=[1])  # no pause: a moment counts less
    assert ours.free() == 1


def test_a_long_pass_is_no_pause(machine):
    ours = Processors(4)
    machine(2, 2, seconds=3, now=[1])
    assert ours.free() == 2


@linux
def test_where_nobody_says_how_many_run_the_average_counts(monkeypatch, tmp_path):
    for text in (None, "", "0.1 0.2 0.3", "0.1 0.2 0.3 x/9 1"):
        monkeypatch.setattr(processors, "LOADAVG", tmp_path / "loadavg")
        if text is not None:
            processors.LOADAVG.write_text(text)
        assert processors._others_still() == float("inf")


def test_after_a_pause_it_looks_again_soon(machine):
    ours = Processors(4)
    machine(0, 3, now=[4])
    assert ours.free() == 1
    machine(4, 0, seconds=processors.WINDOW_S / 2, now=[4])
    assert ours.free() == 4
    machine(1, 3, seconds=processors.WINDOW_S / 2, now=[4])
    assert ours.free() == 4


def test_where_the_system_does_not_tell_all_are_free(machine, monkeypatch):
    ours = Processors(3)
    machine(0, 4)
    assert ours.free() == 1
    tells = processors._read
    monkeypatch.setattr(processors, "_read", lambda: None)
    machine(0, 4)
    assert ours.free() == Processors(3).free() == 3
    monkeypatch.setattr(processors, "_read", tells)  # and when it tells again
    assert ours.free() == 3
    machine(0, 4)
    assert ours.free() == 1


@linux
def test_only_processors_that_we_may_use_count(monkeypatch, tmp_path):
    monkeypatch.setattr(processors, "STAT", tmp_path / "stat")
    monkeypatch.setattr(processors, "LOADAVG", tmp_path / "loadavg")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 11})
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    lines = ["cpu  9 9 9 9 9 9 9 9 0 0", "cpu0 9 9 9 9 9 9 9 9 0 0"]
    lines += ["cpu1 100 20 3 7000 900 4 50 600 8 8", "cpu11 1000 0 0 1 1 0 0 0 0 0", "intr 9 8 7"]
    processors.STAT.write_text("\n".join(lines))
    processors.LOADAVG.write_text("1.50 0.98 0.77 3/78 3491\n")
    reading = processors._read()
    assert (reading.busy_s, reading.processors, processors._running()) == (17.77, 2, 3)
    processors.STAT.write_text("cpu  9 9 9 9 9 9 9 9 0 0\n")
    assert processors._read() is None


@linux
@pytest.mark.skipif(tells_nothing(), reason="this one does not tell, or has one processor")
def test_busy_processes_are_noticed():
    count = processors._read().processors
    ours, until = Processors(count), time.monotonic() + 30
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        while ours.free() > count // 2:
            assert time.monotonic() < until
    finally:
        for process in busy:
            process.kill()
            process.wait()
