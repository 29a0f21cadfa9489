"""The trainer on the real base, as the README starts it: one step, then the picture."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

pytestmark = pytest.mark.model
SOURCE = Path(__file__).parents[2] / "grammars" / "lines.py"


def test_one_step_leaves_an_adapter_a_state_and_curves(tmp_path, model_file):
    for name in ("train", "held"):
        row = {"text": SOURCE.read_text("utf-8"), "language": "python"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    run = tmp_path / "run"
    module = [sys.executable, "-m", "engine.training"]
    size = ["--context", "64", "--batch", "1", "--copies", "2", "--held", "1", "--log-every", "1"]
    command = [*module, "train", "--corpus", tmp_path, "--run-folder", run, "--steps", "1", *size]
    subprocess.run(command, check=True, timeout=600)
    with safe_open(run / "adapter.safetensors", "pt") as file:
        assert file.metadata()["step"] == "1"
        assert "mask_embedding" in file.keys()  # noqa: SIM118
    assert (run / "state.safetensors").exists()
    picture = tmp_path / "curves.png"
    subprocess.run([*module, "curves", run / "log.jsonl", picture], check=True, timeout=60)
    assert picture.stat().st_size > 1000
