import json
from dataclasses import dataclass

import pytest
import scripted_engine

from editor_clients.command_line.main import main
from lsp_server.settings import SCHEMA


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No test sees the user's cache, model, colours or network."""
    settings = (f"DIFFILL_{name.upper()}" for name in SCHEMA)
    for name in ("DIFFILL_DEBUG", "NO_COLOR", *settings):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DIFFILL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DIFFILL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def diffill(capfdbinary):
    """Run the command line in this process, on a scripted engine (None: on the real one)."""

    def run(*args, engine="echo"):
        opener = scripted_engine.opener(engine) if engine else None
        code = main([str(a) for a in args], open_engine=opener)
        out, err = capfdbinary.readouterr()
        return Outcome(code, out.decode(), err.decode())

    return run


@pytest.fixture
def sample(tmp_path):
    """Write a file into the working folder and return its name."""

    def write(content, name="a.py"):
        path = tmp_path / "work" / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
