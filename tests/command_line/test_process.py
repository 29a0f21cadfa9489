"""Signals and pipes, on a real process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import scripted_engine

ROOT = Path(scripted_engine.__file__).parents[2]
START = (
    "import sys, scripted_engine\n"
    "from editor_clients.command_line.main import main\n"
    "open_engine = scripted_engine.opener(sys.argv[1])\n"
    "def said(on_status):\n"
    "    def ready(status):\n"
    "        print('READY' if status.state == 'ready' else '', file=sys.stderr, flush=True)\n"
    "    return open_engine(ready)\n"
    "sys.exit(main(sys.argv[2:], open_engine=said))\n"
)


def start(mode, *args, **options):
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"}
    command = [sys.executable, "-c", START, mode, *map(str, args)]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def wait_until_ready(process):
    for line in process.stderr:
        if line == "READY\n":
            return
    raise AssertionError("the engine never was ready")


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
