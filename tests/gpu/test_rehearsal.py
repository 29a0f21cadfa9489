"""The checks of a GPU, rehearsed where there is none, so that they run when there is one."""

import json

import pytest

from tests.gpu.__main__ import main


@pytest.mark.model
def test_all_of_it_runs_on_the_cpu(model_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIFFILL_DEVICE", "cpu")  # it sets its own: this puts back what was
    out = tmp_path / "results.json"
    options = ["--device", "cpu", "--contexts", "64", "--holes", "3", "--batches", "2"]
    assert main([*options, "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert all(check["ok"] for check in found["checks"])
    assert [row["batch"] for row in found["writing"]] == [2]
    assert [row["precision"] for row in found["large"]] == ["bfloat16", "int8"]
    assert "tokens/s" in capsys.readouterr().out


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setenv("DIFFILL_DEVICE", "cpu")
    assert main(["--device", "cuda:99"]) == 2
    assert "DIFFILL_DEVICE is 'cuda:99': " in capsys.readouterr().err
