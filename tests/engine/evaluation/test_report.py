from pathlib import Path

from engine.evaluation.records import Record
from engine.evaluation.report import markdown

GOLDEN = Path(__file__).with_name("report.golden.md").read_text("utf-8")
EDITS = """\
settings

| edit tasks | n | pass@1 | excess lines | blanks kept | parses | offered | tokens a call | calls + context | s p50 | s p95 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| add guard | 2 | 0.0 [0.0, 0.0] | 0.00 | 100.0 | 50.0 | 50.0 | 1.00 | 8.0 + 2.0 | 1.00 | 1.00 |
| loops | 2 | 100.0 [100.0, 100.0] | 2.50 | 50.0 | 100.0 | 100.0 | 1.00 | 8.0 + 2.0 | 1.00 | 1.00 |
| half dev | 2 | 50.0 [0.0, 100.0] | 1.00 | 100.0 | 100.0 | 100.0 | 1.00 | 8.0 + 2.0 | 1.00 | 1.00 |
| half held | 2 | 50.0 [0.0, 100.0] | 3.00 | 0.0 | 50.0 | 50.0 | 1.00 | 8.0 + 2.0 | 1.00 | 1.00 |
| all | 4 | 50.0 [0.0, 100.0] | 1.67 | 66.7 | 75.0 | 75.0 | 1.00 | 8.0 + 2.0 | 1.00 | 1.00 |
"""  # noqa: E501


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


def test_edit_tasks_have_a_table_of_their_own():
    records = []
    for i, half in enumerate(("dev", "held", "dev", "held")):
        at = {"set": "add_guard" if i < 2 else "loops", "id": str(i), "task": str(i), "half": half}
        excess = {"excess": i, "passed": i > 1, "kept": i < 3, "mode": "rewrite"}
        records.append(record(**at, **excess, offered=i != 1, parses=i != 1))
    report = markdown("settings", records, 64)
    assert report.startswith(EDITS)
    assert "| set |" not in report


def test_fills_and_edits_make_two_tables():
    report = markdown("s", [record(), record(half="dev", set="loops")], 64)
    assert "| lines | base | 1 |" in report
    assert "| loops | 1 |" in report
    assert "| all |" not in report, "one half is all"
