import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.evaluation.sandbox import find_sandbox


@pytest.fixture(scope="module")
def sandbox():
    try:
        return find_sandbox()
    except ConfigError as error:
        pytest.skip(f"no sandbox on this machine: {error}")


def test_a_program_passes_if_it_comes_to_its_end(sandbox):
    assert sandbox.passes("assert sum([1, 2]) == 3\nprint('noise' * 1000000)\n")


@pytest.mark.parametrize(
    "program",
    [
        "assert False",
        "syntax error",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "raise SystemExit",
        "import sys; sys.stdout.write('OK')\nraise ValueError",
        "def f(): return f()\nf()",
    ],
)
def test_anything_else_is_no_pass(sandbox, program):
    assert not sandbox.passes(program)


@pytest.mark.parametrize("loop", ["while True: pass", "import time; time.sleep(60)"])
def test_a_program_without_end_is_stopped(sandbox, loop):
    started = time.monotonic()
    assert not replace(sandbox, cpu_s=1, timeout_s=4.0).passes(loop)
    assert time.monotonic() - started < 30


def test_memory_is_limited(sandbox):
    small = replace(sandbox, memory_bytes=256 << 20)
    assert small.passes("bytearray(1 << 20)")
    assert not small.passes("bytearray(512 << 20)")


def test_nothing_is_left_running(sandbox):
    linger = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(3600)\n"
    started = time.monotonic()
    assert sandbox.passes(linger)
    assert time.monotonic() - started < 30  # the sandbox did not wait for the child


def test_there_is_no_network(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = (
            f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        )
        heard = threading.Thread(target=server.accept, daemon=True)
        heard.start()
        assert not sandbox.passes(connect)
        assert heard.is_alive()
        exec(connect)  # what the sandbox kept from it works outside
        heard.join(10)
        assert not heard.is_alive()


def test_nothing_can_be_written(sandbox, tmp_path):
    places = (tmp_path, "/tmp", "/", "/dev", "/dev/shm", "/usr", sys.base_prefix, "/var")
    for path in (Path(place) / "left-behind" for place in places):
        assert not sandbox.passes(f"open({str(path)!r}, 'w')")
        assert not path.exists()


def test_files_and_environment_of_the_user_are_absent(sandbox, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("s")
    assert not sandbox.passes(f"open({str(secret)!r})")
    monkeypatch.setenv("SECRET_OF_THE_USER", "s")
    assert sandbox.passes("import os; assert 'SECRET_OF_THE_USER' not in os.environ")
    assert not sandbox.passes("import torch")


def test_without_bubblewrap_it_refuses_and_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt install bubblewrap"):
        find_sandbox()


def test_a_bubblewrap_that_cannot_work_here_is_refused(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="cannot open a sandbox"):
        find_sandbox()
