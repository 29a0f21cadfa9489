"""Signals and pipes, on a real process."""

import os
import signal
import subprocess
import sys

import pytest
from command_process import ROOT, START, start, wait_until_ready


@pytest.mark.parametrize("group", [False, True], ids=["this process", "as a terminal does"])
def test_ctrl_c(sample, group):
    path = sample("a\n")
    process = start("slow", "fill", path, "--lines", "1", "--write", start_new_session=True)
    wait_until_ready(process)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    # The pipes close when the engine, which has them too, has ended as well.
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "diffill: interrupted"
    assert "Traceback" not in err
    assert path.read_text() == "a\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.py"]


def test_a_reader_that_leaves_is_no_error(sample):
    case = '{"id": 1, "prefix": "", "suffix": ""}\n'
    source = sample(case * 2000, "in.jsonl")
    process = start("echo", "batch", source, "-")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=20) == 141
    assert "Traceback" not in err
    assert "Broken" not in err


def test_output_is_utf8_in_any_locale(sample):
    path = sample("ä\nx\n")
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    env |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}", "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        [sys.executable, "-c", START, "echo", "fill", path, "--lines", "2"],
        env=env,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0
    assert " ä\n-x\n+first()\n".encode() in ran.stdout
