import json

import tiny

SOURCE = "".join(
    f"def function_{i}(a, b):\n    total = a + b\n    return total\n\n" for i in range(9)
)


def tiny_gguf(folder):
    return tiny.write_gguf(folder / "tiny.gguf", tiny.reference(vocab_size=tiny.GGUF_VOCAB))


def test_eval_runs_in_a_process_of_its_own_and_prints_the_table(diffill, sample, tmp_path):
    model = tiny_gguf(tmp_path)
    held = sample(json.dumps({"package": "p", "name": "a.py", "text": SOURCE}) + "\n", "held.jsonl")
    done = diffill("eval", "--held", held, "--limit", "1", "--model", model, "--effort", "quick")
    assert done.code == 0, done.err
    assert "| held-out python | base | 1 |" in done.out
    assert (tmp_path / "work" / "diffill-eval" / "report.md").read_text() == done.out


def test_eval_refuses_before_it_fetches_a_model(diffill):
    nothing = diffill("eval")
    assert (nothing.code, "nothing to evaluate" in nothing.err) == (2, True)
    missing = diffill("eval", "missing.jsonl")
    assert (missing.code, "missing.jsonl does not exist" in missing.err) == (2, True)
    assert diffill("eval", "--limit", "0").code == 2


def test_eval_passes_the_exit_code_on(diffill, sample, tmp_path):
    model = tiny_gguf(tmp_path)
    done = diffill("eval", sample("[]\n", "cases.jsonl"), "--model", model)
    assert (done.code, "line 1 is not a JSON object" in done.err) == (2, True)
