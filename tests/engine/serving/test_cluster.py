"""Two replicas on Ray Serve, one killed under load: no request is lost.

Needs the extra `cluster`: `pip install '.[test,cluster]'`, and about a minute.
"""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import pytest
import resident_engine

from engine.control import Control
from engine.edit import Editor
from engine.protocol import EditRequest
from engine.remote_filler import RemoteFiller
from engine.remotes import Kind, Remote
from engine.serving import cluster
from grammars.span import Span

ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own
DEADLINE_S = 120.0
CLIENTS, REQUESTS = 8, 20
REQUEST = EditRequest(text="a = \n", spans=(Span(4, 4),), single_line=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def port(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        support = Path(resident_engine.__file__).parent
        patch.setenv("PYTHONPATH", f"{support.parents[1]}:{support}")  # of the replicas
        patch.setenv("THE_KEY", "token")
        make = partial(resident_engine.application, str(folder))
        cluster.start(cluster.Cluster(replicas=2, batch=2, port=port, token="token"), make)
        yield port
        if ray.is_initialized():  # the last test has stopped it, if it came so far
            cluster.stop()


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def post(port, prompt, token="token"):
    return httpx2.post(
        f"http://127.0.0.1:{port}/v1/completions",
        json={"prompt": prompt, "suffix": "\n"},
        headers={"authorization": f"Bearer {token}"},
        timeout=DEADLINE_S,
    )


def is_open(port):
    """Tell whether requests are taken; a fill might have to wait behind the one that is held."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=DEADLINE_S).status_code == 200
    except httpx2.TransportError:
        return False


def test_it_answers_as_an_engine_does(port):
    assert post(port, "a = ").json()["choices"][0]["text"].startswith("first()")
    assert post(port, "a = ", token="wrong").status_code == 401
    health = httpx2.get(f"http://127.0.0.1:{port}/health")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})


def test_a_replica_killed_under_load_loses_no_request(port, folder):
    first, _ = loads = lines(folder / "loads")
    url = f"http://127.0.0.1:{port}/v1"
    remote = Remote(name="cluster", kind=Kind.OPENAI, url=url, key_env="THE_KEY", timeout_s=60)
    done = threading.Semaphore(0)

    def work(_):
        editor, texts = Editor(RemoteFiller(remote)), []
        for _ in range(REQUESTS):
            result = editor.edit(REQUEST, Control(DEADLINE_S))
            texts.append(result.best.replacements[0].text)
            done.release()
        return texts

    with ThreadPoolExecutor(CLIENTS) as pool:
        working = pool.map(work, range(CLIENTS))
        for _ in range(2 * CLIENTS):  # so all of them are at it
            assert done.acquire(timeout=DEADLINE_S)
        os.kill(int(first), signal.SIGKILL)
        assert list(working) == [["first()"] * REQUESTS] * CLIENTS
    until(lambda: len(lines(folder / "loads")) > len(loads))  # and another replica starts


def test_it_drains_before_it_ends(port, folder):
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(post, port, "HOLD")
        until(lambda: lines(folder / "events") == ["held"])
        stopping = pool.submit(cluster.stop)
        until(lambda: not is_open(port))
        assert not held.done()
        (folder / "release").touch()
        assert held.result(DEADLINE_S).status_code == 200
        stopping.result(DEADLINE_S)
