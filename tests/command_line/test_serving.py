"""`diffill serve` as a user starts, asks and stops it; the model is a server of the test."""

import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from model_server import server, text

DIFFILL = str(Path(sys.executable).with_name("diffill"))
DEADLINE_S = 60.0


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFILL_CONFIG", str(tmp_path))
    monkeypatch.delenv("DIFFILL_TOKEN", raising=False)
    return tmp_path


def diffill(*args):
    return subprocess.run([DIFFILL, *args], capture_output=True, text=True, timeout=DEADLINE_S)


def test_it_serves_until_the_engine_is_stopped(settings):
    with server(text("2 * x"), text("x + x")) as running:
        url = f"http://127.0.0.1:{running.server_port}/v1"
        (settings / "remotes.toml").write_text(f'[box]\nkind = "openai"\nurl = "{url}"\n')
        command = [DIFFILL, "serve", "--port", "0", "--model", "remote:box"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
            said = serving.stderr.readline()
            where, token_file = re.search(r"(http://\S+) answers .* token in (.*)", said).groups()
            token = Path(token_file).read_text().strip()
            answer = httpx2.post(
                f"{where}/v1/completions",
                json={"prompt": "def double(x):\n    return ", "language": "python"},
                headers={"authorization": f"Bearer {token}"},
                timeout=DEADLINE_S,
            )
            assert answer.json()["choices"][0]["text"] == "2 * x"
            status = diffill("engine", "status").stdout
            assert re.search(r"remote-box +ready", status)
            assert diffill("engine", "stop").returncode == 0
            assert serving.wait(DEADLINE_S) == 0
            assert serving.stderr.read() == "diffill: the engine was stopped\n"
        assert token not in " ".join(command)
        assert Path(token_file).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_engine_in_the_foreground_asks_for_large_pages(settings, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    (settings / "remotes.toml").write_text(
        '[box]\nkind = "openai"\nurl = "http://127.0.0.1:9/v1"\n'
    )
    command = [DIFFILL, "engine", "--model", "remote:box"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        assert "listening on" in serving.stderr.readline()
        assert b"glibc.malloc.hugetlb=1" in Path(f"/proc/{serving.pid}/environ").read_bytes()
        assert diffill("engine", "stop").returncode == 0
        assert serving.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--port", "65536"], "port is 65536, not at most 65535"),
        (["--port", "http"], "'http' is not a number"),
        (["--model", "remote:box"], "sets up no remote 'box'"),
        (["--token", "secret"], "unrecognized arguments"),
        (["--replicas", "2"], "--replicas and --batch are for --ray"),
        (["--batch", "4"], "--replicas and --batch are for --ray"),
    ],
)
def test_wrong_input_is_told(settings, args, message):
    done = diffill("serve", *args)
    assert (done.returncode, message in done.stderr, done.stdout) == (2, True, "")


def test_a_token_that_others_can_read_is_not_used(settings):
    (settings / "token").write_text("secret\n")
    (settings / "token").chmod(0o644)
    done = diffill("serve", "--model", "remote:box")
    assert done.returncode == 2
    assert f"{settings / 'token'} is open to other users: `chmod 600` it" in done.stderr


def test_a_project_cannot_choose_a_remote(settings, tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "diffill.toml").write_text('model = "remote:box"\n')
    (settings / "remotes.toml").write_text('[box]\nkind = "openai"\nurl = "http://localhost:9"\n')
    monkeypatch.chdir(project)
    done = diffill("config")
    assert done.returncode == 1
    assert "`model` is 'remote:box', not a model of `diffill model list`" in done.stderr
