"""Without a network everything works, and with one nobody tries it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lsp_text import apply_edits, range_of
from raw_client import raw_client
from scripted_requests import LAZY

SERVER = [str(Path(sys.executable).with_name("diffill")), "lsp"]

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_file")]


def can_be_alone():
    try:
        return subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    monkeypatch.setattr("raw_client.DEADLINE_S", 300.0)  # a slow machine is no failure


async def filled(server, project):
    """Return what the server and the real model make of a hole."""
    text = (project / "prices.py").read_text()
    start = text.index("raise NotImplementedError")
    async with raw_client(server=server) as client:
        await client.initialize(LAZY, rootUri=project.as_uri())
        uri = client.open(text, (project / "prices.py").as_uri())
        where = {"uri": uri, "range": range_of(text, start, start), "apply": False}
        params = {"command": "diffill.fill", "arguments": [where]}
        answer = await client.call("workspace/executeCommand", params)
        (change,) = answer["result"]["edit"]["documentChanges"]
        return apply_edits(text, change["edits"])


@pytest.mark.skipif(not can_be_alone(), reason="needs `unshare -rn` (Linux, user namespaces)")
async def test_without_any_network_interface_a_hole_is_filled(project):
    assert "NotImplementedError" not in await filled(["unshare", "-rn", *SERVER], project)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
async def test_nobody_asks_the_system_for_a_connection(project, tmp_path):
    log = tmp_path / "calls"
    watched = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=socket,connect", "-o", str(log)]
    assert "NotImplementedError" not in await filled([*watched, *SERVER], project)
    calls = log.read_text()
    assert "AF_UNIX" in calls, "the engine was asked"
    assert re.findall(r"(?:socket|connect)\(.*AF_INET.*", calls) == []
