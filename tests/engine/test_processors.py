import os
import subprocess
import sys

import pytest

from engine import processors
from engine.processors import Processors


@pytest.fixture
def machine(monkeypatch):
    """Four processors; calling it lets a second pass in which ours and others' were so busy."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    clock = [0.0, 0.0, 0.0]
    monkeypatch.setattr(processors, "_read", lambda: processors._Reading(*clock))
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def go_on(own, others, seconds=1.0):
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
    machine(1, 3)
    assert ours.free() == 1
    machine(1, 0, seconds=processors.WINDOW_S / 2)
    assert ours.free() == 1
    machine(1, 0, seconds=processors.WINDOW_S / 2)
    assert ours.free() == 4


def test_where_the_system_does_not_tell_all_are_free(monkeypatch):
    monkeypatch.setattr(processors, "_read", lambda: None)
    assert Processors(3).free() == 3


@pytest.mark.skipif(not processors.STAT.exists(), reason="Linux alone tells")
def test_busy_processes_are_noticed():
    count = os.cpu_count()
    ours = Processors(count)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        while ours.free() > max(1, count // 2):
            pass
    finally:
        for process in busy:
            process.kill()
            process.wait()
