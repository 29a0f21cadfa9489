"""The edit tasks themselves: the reference edit passes its test, the file as it was fails it."""

from collections import Counter
from pathlib import Path

import pytest

from engine.evaluation.edits import read_tasks
from grammars.span import Replacement
from grammars.validation import validate

TASKS = read_tasks([Path(__file__).with_name("edits")])


def passes(task, new):
    try:
        exec(compile(task.program(new), f"<{task.id}>", "exec"), {"__name__": "__main__"})
    except Exception:
        return False
    return True


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_reference_passes_and_the_old_text_does_not(task):
    old = task.span.of(task.text)
    assert passes(task, task.expected)
    assert not passes(task, old)
    assert validate(task.text, [Replacement(task.span, task.expected)], task.language).ok
    assert task.text.endswith("\n")


def test_there_are_enough_in_both_halves():
    assert len(TASKS) >= 60
    halves = Counter((task.set, task.half) for task in TASKS)
    assert all(halves[name, "dev"] == halves[name, "held"] for name, _ in halves)
    assert sum(task.language == "python" for task in TASKS) > len(TASKS) / 2
