from pathlib import Path

from engine.evaluation.records import Record
from engine.evaluation.report import markdown

GOLDEN = Path(__file__).with_name("report.golden.md").read_text("utf-8")


def record(**changes):
    fields = {"run": "r", "case": "c", "set": "lines", "id": "0", "task": "t", "language": "python"}
    fields |= {"mode": "base", "text": "", "offered": True, "passed": False, "exact": False}
    fields |= {"similarity": 0.5, "parses": True, "tokens": 8, "steps": 8, "context_calls": 2}
    return Record(**(fields | {"seconds": 1.0} | changes))


def test_the_report_is_the_golden_one():
    records = []
    for i in range(4):
        at = {"id": str(i), "task": f"t{i // 2}", "seconds": i + 1.0}
        better = {"mode": "parallel", "passed": True, "exact": True, "steps": 2}
        records += [record(**at), record(**at, **better)]
    for i in range(2):
        at = {"set": "held-out go", "id": str(i), "seconds": i + 1.0, "passed": None}
        records += [record(**at, exact=True), record(**at, mode="parallel", steps=2)]
    report = markdown("settings", records, 64)
    assert report.startswith(GOLDEN)
    assert "fixed has 64 tokens" in report


def test_one_mode_is_compared_with_nothing():
    assert "against" not in markdown("s", [record()], 64)


def test_a_paired_difference_pairs_by_case():
    passes = {"0": True, "1": False, "2": True}
    records = [record(id=i, task=i, passed=p) for i, p in passes.items()]
    records += [record(id=i, task=i, passed=p, mode="oracle") for i, p in passes.items()]
    row = next(
        line for line in markdown("s", records, 64).splitlines() if "| oracle | 3 | +" in line
    )
    assert "+0.0 [+0.0, +0.0]" in row


def test_a_mode_that_never_came_to_a_forward_call():
    assert "| 0.0 + 0.0 |" in markdown("s", [record(steps=0, context_calls=0)], 64)
