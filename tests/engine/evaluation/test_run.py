"""The command as a process, on a tiny model of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

import engine
from engine.errors import ConfigError
from engine.evaluation.sandbox import find_sandbox

ROOT = Path(engine.__file__).parents[1]
SOURCE = "".join(
    f"def function_{i}(a, b):\n    total = a + b\n    return total\n\n" for i in range(9)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory, reference):
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return tiny.write_gguf(path, reference(vocab_size=tiny.GGUF_VOCAB))


@pytest.fixture
def evaluate(tmp_path, model):
    held = tmp_path / "held.jsonl"
    rows = [{"package": f"p{i}", "name": "a.py", "text": SOURCE} for i in range(3)]
    rows.append(
        {"package": "r", "name": "a.rs", "text": "fn first() {\n    let value = 1;\n}\n" * 5}
    )
    held.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*args, **environment):
        command = [sys.executable, "-P", "-m", "engine.evaluation", "--model", model, *args]
        return subprocess.run(
            [*map(str, command), "--out", str(tmp_path / "out"), "--effort", "quick"],
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "DIFFILL_CACHE": str(tmp_path / "cache")}
            | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    run.held = held
    run.out = tmp_path / "out"
    return run


def test_held_out_files_then_the_same_again_then_after_a_kill(evaluate):
    first = evaluate("--held", evaluate.held, "--limit", 2)
    assert first.returncode == 0, first.stderr
    assert "| held-out python | base | 2 |" in first.stdout
    assert "| held-out rust | base | 2 |" in first.stdout
    assert (evaluate.out / "report.md").read_text() == first.stdout
    predictions = evaluate.out / "predictions.jsonl"
    kept = predictions.read_text()
    assert len(kept.splitlines()) == 4

    again = evaluate("--held", evaluate.held, "--limit", 2)
    assert (again.stdout, again.stderr) == (first.stdout, "")
    assert predictions.read_text() == kept

    torn = kept[:-30]  # killed while it wrote its last line
    predictions.write_text(torn)
    resumed = evaluate("--held", evaluate.held, "--limit", 2)
    assert resumed.returncode == 0
    assert resumed.stderr.startswith("1 of 4 predictions to make")
    assert predictions.read_text().startswith(torn + "\n")
    assert "| held-out python | base | 2 |" in resumed.stdout

    reseeded = evaluate("--held", evaluate.held, "--limit", 2, "--seed", 1)
    assert reseeded.stderr.startswith("4 of 4 predictions to make")
    assert predictions.read_text().startswith(torn + "\n")


def test_the_tests_of_cases_decide_on_a_pass(evaluate, tmp_path):
    try:
        find_sandbox()
    except ConfigError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    row = {"entry_point": "f", "prompt": "def f():\n    return 1\n\n", "suffix": ""}
    row |= {"canonical_solution": "x\n", "task_id": "RandomSpan/HumanEval/0/1"}
    tests = {"good": "def check(f):\n    assert f() == 1\n", "bad": "def check(f):\n    assert 0\n"}
    for name, test in tests.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row | {"test": test}) + "\n")
    done = evaluate(*(tmp_path / f"{name}.jsonl" for name in tests))
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (evaluate.out / "predictions.jsonl").open()]
    assert [r["set"] for r in records] == ["good", "bad"]
    good, bad = records
    assert good["passed"] == (good["offered"] and good["parses"])
    assert bad["passed"] is False


def test_whole_functions_of_several_files_are_one_set(evaluate, tmp_path):
    try:
        find_sandbox()
    except ConfigError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    row = {"entry_point": "f", "prompt": "def f():\n", "suffix": "    return x\n"}
    row |= {"canonical_solution": "    x = 1\n", "test": "def check(f):\n    assert f() == 1\n"}
    for name, number in (("a", 0), ("b", 0), ("c", 2)):
        task = row | {"task_id": f"{name}/HumanEval/{number}"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(task) + "\n")
    done = evaluate("--functions", *(tmp_path / f"{name}.jsonl" for name in "abc"))
    assert done.returncode == 0, done.stderr
    assert "| functions | base | 2 |" in done.stdout
    records = [json.loads(line) for line in (evaluate.out / "predictions.jsonl").open()]
    assert [r["id"] for r in records] == ["HumanEval/0", "HumanEval/2"]


TASKS = """
[[dev]]
id = "one"
instruction = "Return two."
before = '''
def f():
    return 1
'''
after = '''
def f():
    return 2
'''
test = "assert f() == 2"
"""


def test_edit_tasks_and_again(evaluate, tmp_path):
    try:
        find_sandbox()
    except ConfigError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    (tmp_path / "loops.toml").write_text(TASKS + TASKS.replace("dev", "held").replace("one", "two"))
    first = evaluate("--edits", tmp_path, "--deadline", 300)
    assert first.returncode == 0, first.stderr
    for row in ("| loops | 2 |", "| half dev | 1 |", "| half held | 1 |", "| all | 2 |"):
        assert row in first.stdout
    again = evaluate("--edits", tmp_path, "--deadline", 300)
    assert (again.stdout, again.stderr) == (first.stdout, "")
    half = evaluate("--edits", tmp_path, "--deadline", 300, "--half", "held")
    assert half.stderr == ""
    assert "| all |" not in half.stdout
    sooner = evaluate("--edits", tmp_path, "--deadline", 299)
    assert sooner.stderr.startswith("2 of 2 predictions to make")


def test_without_bubblewrap_cases_are_refused_and_held_out_files_are_not(evaluate, tmp_path):
    row = dict.fromkeys(("task_id", "entry_point", "prompt", "suffix", "canonical_solution"), "x")
    cases = tmp_path / "cases.jsonl"
    cases.write_text(json.dumps(row | {"test": "pass"}) + "\n")
    refused = evaluate(cases, PATH="/nowhere")
    assert refused.returncode == 2
    assert "apt install bubblewrap" in refused.stderr
    assert not evaluate.out.exists()
    assert evaluate("--held", evaluate.held, "--limit", 1, PATH="/nowhere").returncode == 0


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "nothing to evaluate"),
        (("--held", "HELD", "--mode", "guess"), 2, "no mode guess: there are base,"),
        (("--held", "HELD", "--mode", "oracle"), 2, "mode oracle needs an adapter"),
        (("--held", "HELD", "--limit", "0"), 2, "0 is less than 1"),
        (("--held", "HELD", "--adapter", "gone.safetensors"), 3, "gone.safetensors is not a file"),
        (("--held", "missing.jsonl"), 2, "missing.jsonl cannot be read"),
        (("--held", "HELD", "--model", "gone.gguf"), 2, "gone.gguf"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(evaluate, args, code, message):
    done = evaluate(*(evaluate.held if a == "HELD" else a for a in args))
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
