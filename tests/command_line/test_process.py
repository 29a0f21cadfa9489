"""Signals and pipes, on a real process."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_process import ROOT, START, start, wait_until_ready

from editor_clients.command_line import unfinished


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


def on_a_terminal(*args, **more_env):
    """Run the command with a terminal for everything; returns what it shows."""
    leader, follower = pty.openpty()
    process = start(
        "echo",
        *args,
        more_env={"TERM": "xterm", "COLUMNS": "120"} | more_env,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that nobody writes any more
        while piece := os.read(leader, 1 << 16):
            shown += piece
    os.close(leader)
    assert process.wait(timeout=20) == 0
    return shown.decode()


def test_progress_on_a_terminal(sample):
    for number in range(3):
        sample("x\ny\n", f"a{number}.py")
    query = '((identifier) @it (#eq? @it "x"))'
    shown = on_a_terminal("fill", ".", "--query", query)
    for part in (
        "looking",
        "3/3",
        "files",
        "spans",
        "tokens/s",
        "a2.py (file 3 of 3)",
        "\x1b[32m+first()",
    ):
        assert part in shown
    plain = on_a_terminal("fill", ".", "--query", query, NO_COLOR="1")
    assert "3/3 spans 10.0 tokens/s" in plain
    assert re.findall(r"\x1b\[[0-9;]*m", plain) == []


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


@pytest.mark.parametrize(
    "args",
    [
        ("holes",),
        ("fill", "a.py", "--holes"),
        ("fill", "a.py", "--holes", "--json"),
        ("fill", "a.py", "--holes", "--json=stream"),
        ("fill", "a.py", "--holes", "--sarif"),
        ("fill", "-", "--holes", "--language", "python", "--write"),
        ("check", "--holes"),
        ("explain", "a.py", "--holes"),
        ("undo", "--list"),
        ("config",),
        ("completion", "bash"),
        ("batch", "in.jsonl", "-"),
        ("batch", "in.jsonl", "/dev/full"),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_one_sentence(sample, args):
    hole = sample("def f():\n    pass\n")
    sample('{"id": 1, "prefix": "", "suffix": ""}\n' * 9, "in.jsonl")
    with Path("/dev/full").open("wb") as full, hole.open() as source:
        process = start("echo", *args, stdin=source, stdout=full)
        _, err = process.communicate(timeout=30)
    said = [line for line in err.splitlines() if line.startswith("diffill: ")]
    name = "/dev/full" if args[-1] == "/dev/full" else "standard output"
    assert (process.returncode, said[-1]) == (1, f"diffill: {name}: no space left on the disk")
    for word in ("Traceback", "fault", "Exception", "Error"):
        assert word not in err


def test_answers_that_cannot_be_kept_do_not_matter(diffill, sample, tmp_path, monkeypatch):
    path = sample("def f():\n    pass\n")

    def opened(self, path):
        return Path("/dev/full").open("w")

    monkeypatch.setattr(unfinished.Unfinished, "_opened", opened)
    done = diffill("fill", "a.py", "--holes", "--write")
    assert (done.code, path.read_text()) == (0, "def f():\nfirst()\nsecond()\n")


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
