"""Two language servers and a command line on one engine; its model is a server of the test."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from lsp_text import range_of
from model_server import server, text
from raw_client import environment, raw_client

from engine.shared import ask_engines

DIFFILL = str(Path(sys.executable).with_name("diffill"))
CODE = "def double(x):\n    return ...\n"
START, END = CODE.index("..."), CODE.index("...") + 3
DEADLINE_S = 60.0


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """Let Diffill ask the test's server; return the environment of its processes."""
    settings = tmp_path / "settings"
    settings.mkdir()
    monkeypatch.setenv("DIFFILL_CONFIG", str(settings))

    def set_up(running):
        url = f"http://127.0.0.1:{running.server_port}/v1"
        (settings / "remotes.toml").write_text(f'[box]\nkind = "openai"\nurl = "{url}"\n')
        return {"DIFFILL_CONFIG": str(settings), "DIFFILL_MODEL": "remote:box"}

    return set_up


def lsp(env):
    return raw_client(server=[DIFFILL, "lsp"], env=env)


async def engines(folder):
    return [status async for status in ask_engines(folder, "GET", "/status")]


async def fill(client, name):
    """Fill the hole of a document as an editor does, and return the answer."""
    uri = client.open(CODE, f"file:///project/{name}.py")
    argument = {"uri": uri, "range": range_of(CODE, START, END), "apply": False}
    params = {"command": "diffill.fill", "arguments": [argument]}
    return await client.call("workspace/executeCommand", params)


async def test_two_servers_and_a_command_line_share_one_engine(remote, engine_folder, tmp_path):
    with server(text("2 * x"), text("x + x"), text("x * 2")) as running:
        env = remote(running)
        async with lsp(env) as first, lsp(env) as second:
            await first.initialize()
            await second.initialize()
            answers = await asyncio.gather(fill(first, "a"), fill(second, "b"))
            (tmp_path / "c.py").write_text(CODE)
            process = await asyncio.create_subprocess_exec(
                *(DIFFILL, "fill", str(tmp_path / "c.py"), "--range", "2:12-2:15"),
                env=environment() | env,  # as the servers have it: an engine serves its own build
                stdout=asyncio.subprocess.PIPE,
            )
            printed, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
            assert process.returncode == 0
            texts = [str(answer["result"]) for answer in answers] + [printed.decode()]
            assert all(any(t in s for t in ("2 * x", "x + x", "x * 2")) for s in texts)
            [status] = await engines(engine_folder)
            assert status["done"] == 3
            assert len(status["clients"]) == 2  # the command line has left
            assert {first.process.pid, second.process.pid} == set(status["clients"])


async def test_an_engine_killed_at_work_is_answered_for_and_started_again(remote, engine_folder):
    with server("wait", text("2 * x")) as running:
        async with lsp(remote(running)) as client:
            await client.initialize()
            asked = asyncio.create_task(fill(client, "a"))
            assert await asyncio.to_thread(running.waiting.wait, DEADLINE_S)
            [status] = await engines(engine_folder)
            os.kill(status["pid"], signal.SIGKILL)
            answer = await asyncio.wait_for(asked, DEADLINE_S)
            assert "ended unexpectedly" in answer["error"]["message"]
            assert "2 * x" in str((await fill(client, "b"))["result"])
            [after] = await engines(engine_folder)
            assert after["pid"] != status["pid"]


async def test_a_killed_server_leaves_nothing_running(remote, engine_folder):
    with server("wait") as running:
        async with lsp(remote(running)) as client:
            await client.initialize()
            asked = asyncio.create_task(fill(client, "a"))
            assert await asyncio.to_thread(running.waiting.wait, DEADLINE_S)
            client.process.kill()
            async with asyncio.timeout(DEADLINE_S):
                while (await engines(engine_folder))[0]["running"]:
                    await asyncio.sleep(0.01)
            [status] = await engines(engine_folder)
            assert (status["clients"], status["waiting"]) == ([], 0)
            with pytest.raises(AssertionError, match="closed stdout"):
                await asked
