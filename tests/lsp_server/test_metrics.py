"""Counting over real server processes, what the file holds, and `diffill metrics`."""

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from lsp_text import position, range_of
from raw_client import raw_client, script
from scripted_requests import LAZY, URI, offered

from editor_clients.command_line.main import main
from lsp_server import metrics
from lsp_server.metrics import Event, Kind, Record


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFILL_STATE", str(tmp_path))
    return {"DIFFILL_STATE": str(tmp_path), "DIFFILL_METRICS": "on"}


async def complete(client, text, at, kind=1):
    params = {
        "textDocument": {"uri": URI},
        "position": position(text, at, "utf-16"),
        "context": {"triggerKind": kind},
    }
    return (await client.call("textDocument/inlineCompletion", params)).get("result")


class Typist:
    """A client that edits one document."""

    def __init__(self, client, text):
        self.client, self.text, self.version = client, text, 1
        client.open(text)

    def replace(self, start, end, new):
        self.version += 1
        change = {"range": range_of(self.text, start, end), "text": new}
        document = {"uri": URI, "version": self.version}
        params = {"textDocument": document, "contentChanges": [change]}
        self.client.notify("textDocument/didChange", params)
        self.text = self.text[:start] + new + self.text[end:]

    def type(self, new):
        self.replace(len(self.text), len(self.text), new)

    async def complete(self):
        return await complete(self.client, self.text, len(self.text))


async def leave(client):
    """End the server as an editor does; on return its counts are in the file."""
    await client.call("shutdown")
    client.notify("exit")
    assert await client.exit_code() == 0


def counts(kind):
    record = metrics.read()
    return {e.value: n for e in Event if (n := record.count(kind, e))}


async def test_a_completion_is_accepted_once_the_document_holds_it(state):
    async with raw_client(env=state) as client:
        await client.initialize(LAZY)
        typist = Typist(client, script(fill="total + 1") + "y = ")
        assert await typist.complete()
        typist.type("total + 1")
        typist.type("\n")
        await leave(client)
    assert counts(Kind.COMPLETION) == {"shown": 1, "accepted": 1}
    assert metrics.read().latency_s(Kind.COMPLETION, 0.5) is not None


async def test_the_command_of_a_completion_counts_as_its_acceptance_once(state):
    async with raw_client(env=state) as client:
        await client.initialize(LAZY)
        typist = Typist(client, script(fill="total + 1") + "y = ")
        (item,) = (await typist.complete())["items"]
        typist.type("total+1")  # as a formatter leaves it
        params = {k: item["command"][k] for k in ("command", "arguments")}
        for _ in range(2):
            assert (await client.call("workspace/executeCommand", params))["result"] is None
        bad = params | {"arguments": [{"uri": 3}]}
        assert (await client.call("workspace/executeCommand", bad))["error"]["code"] == -32602
        await leave(client)
    assert counts(Kind.COMPLETION) == {"shown": 1, "accepted": 1}


async def test_what_is_typed_along_is_still_the_same_proposal(state):
    async with raw_client(env=state) as client:
        await client.initialize(LAZY)
        typist = Typist(client, script(fill="total + 1") + "y = ")
        assert await typist.complete()
        typist.type("tot")
        (item,) = (await typist.complete())["items"]
        assert item["insertText"] == "al + 1"
        typist.type("al + 1")
        await leave(client)
    assert counts(Kind.COMPLETION) == {"shown": 1, "accepted": 1}


async def test_what_is_typed_over_closed_or_left_is_dismissed(state):
    async with raw_client(env=state) as client:
        await client.initialize(LAZY)
        typist = Typist(client, script(fill="total + 1") + "y = ")
        assert await typist.complete()
        typist.type("z\nx = ")
        assert await typist.complete()
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        typist = Typist(client, script(fill="total + 2") + "y = ")
        assert await typist.complete()
        await leave(client)
    assert counts(Kind.COMPLETION) == {"shown": 3, "dismissed": 3}


async def test_an_edit_is_followed_through_changes_elsewhere(state):
    text = script(fill="x = 2\n") + "first = 1\nx = 1\nlast = 1\n"
    async with raw_client(env=state) as client:
        await client.initialize(LAZY)
        typist = Typist(client, text)
        action = await offered(client, text)
        assert "edit" in (await client.call("codeAction/resolve", action))["result"]
        start = text.index("first")
        typist.replace(start, start, "more = 1\n")
        at = typist.text.index("x = 1") + 4
        typist.replace(at, at + 1, "2")
        await leave(client)
    assert counts(Kind.EDIT) == {"shown": 1, "accepted": 1}
    assert metrics.read().latency_s(Kind.EDIT, 0.95) is not None


@pytest.mark.parametrize(("mode", "event"), [("refuse", "refused"), ("die", "failed")])
async def test_refusals_and_failures_are_counted(state, mode, event):
    text = script(fill="x = 2\n", mode=mode) + "x = 1\n"
    async with raw_client(env=state) as client:
        await client.initialize(LAZY)
        client.open(text)
        action = await offered(client, text)
        assert "error" in await client.call("codeAction/resolve", action)
        await complete(client, text, len(text))
        await leave(client)
    assert counts(Kind.EDIT) == {event: 1}
    assert counts(Kind.COMPLETION) == {event: 1}


async def test_nothing_is_written_but_numbers_and_nothing_at_all_if_off(state, tmp_path):
    for on in (False, True):
        async with raw_client(env=state) as client:
            await client.initialize(LAZY, initializationOptions={"metrics": on})
            typist = Typist(client, script(fill="secret_name") + "y = ")
            assert await typist.complete()
            await leave(client)
        assert metrics.path().exists() is on
    data = json.loads(metrics.path().read_text())
    assert set(data) == {"schema", "since", "counts"}
    assert all(type(count) is int for count in data["counts"].values())
    assert "secret" not in metrics.path().read_text()
    assert stat.S_IMODE(metrics.path().stat().st_mode) == 0o600


async def test_servers_at_the_same_time_lose_nothing(state):
    async def one():
        async with raw_client(env=state) as client:
            await client.initialize(LAZY)
            typist = Typist(client, script(fill="total") + "y = ")
            await typist.complete()
            typist.type("total")
            await leave(client)

    await asyncio.gather(one(), one(), one())
    assert counts(Kind.COMPLETION) == {"shown": 3, "accepted": 3}


def test_writers_at_the_same_time_lose_nothing(state):
    name = "completion shown"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: metrics.add(metrics.Counter({name: 2})), range(40)))
    assert metrics.read().counts == {name: 80}
    assert [p.name for p in metrics.path().parent.glob(".metrics.*")] == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[1]", b'{"schema": 1, "since": 3, "counts": {}}']
)
def test_a_damaged_file_holds_nothing_and_is_replaced(state, content):
    metrics.path().write_bytes(content)
    assert metrics.read().counts == {}
    metrics.add(metrics.Counter({"edit shown": 1}))
    assert metrics.read().count(Kind.EDIT, Event.SHOWN) == 1


def test_latencies_are_those_of_their_buckets():
    buckets = {"edit within 0.5 s": 50, "edit within 1 s": 45, "edit within 5 s": 5}
    record = Record("2026-01-01", buckets)
    shares = {share: record.latency_s(Kind.EDIT, share) for share in (0.5, 0.51, 0.95, 0.96, 1.0)}
    assert shares == {0.5: 0.5, 0.51: 1.0, 0.95: 1.0, 0.96: 5.0, 1.0: 5.0}
    assert record.latency_s(Kind.COMPLETION, 0.5) is None


def test_the_command_prints_and_erases(state, capfd):
    metrics.add(metrics.Counter({"edit shown": 3, "edit accepted": 2, "edit within 0.5 s": 3}))
    assert main(["metrics"]) == 0
    out, err = capfd.readouterr()
    rows = {line[:12].strip(): line[12:].split() for line in out.splitlines()}
    assert rows[""] == ["completions", "edits"]
    assert (rows["shown"], rows["accepted"], rows["failed"]) == (["0", "3"], ["0", "2"], ["0", "0"])
    assert rows["latency p95"] == ["-", "within", "0.5", "s"]
    assert str(metrics.path()) in err
    assert main(["metrics", "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert (data["edit"]["shown"], data["edit"]["latency_p50_s"]) == (3, 0.5)
    assert main(["metrics", "--erase"]) == 0
    assert not metrics.path().exists()
    assert main(["metrics", "--erase"]) == 0
    assert "was not there" in capfd.readouterr().err
    assert main(["metrics", "--erase", "--json"]) == 2


def test_without_a_place_to_write_the_server_says_so_in_its_log(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIFFILL_STATE", str(tmp_path / "file" / "state"))

    async def count():
        counting = metrics.Metrics()
        counting.is_on = True
        counting.count(Kind.EDIT, Event.SHOWN)
        await counting.write()
        assert "cannot be written" in caplog.text
        monkeypatch.setenv("DIFFILL_STATE", str(tmp_path / "state"))
        await counting.write()

    asyncio.run(count())
    assert metrics.read().count(Kind.EDIT, Event.SHOWN) == 1, "it was kept"
