"""What clients send in other words than today's protocol has, or cannot mean."""

import json

import pytest
from lsp_text import apply_edits, range_of
from raw_client import raw_client
from scripted_requests import LAZY, URI, change, document, edit_of, line_of, offered, said


async def test_changes_in_the_wrong_order_are_told_and_stop_editing():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document()
        client.open(text)
        action = await offered(client, text)
        client.send(change(5, {"range": line_of(text, "last"), "text": ""}))
        client.send(change(4, {"range": line_of(text, "last"), "text": ""}))
        shown = await client.notification("window/showMessage")
        assert "close and open the file" in shown["message"]
        assert (await client.call("codeAction/resolve", action))["error"]["code"] == -32803


@pytest.mark.parametrize(
    "bad",
    [
        {"range": range_of("ab", 0, 1)},
        {"range": range_of("ab", 0, 1), "text": None},
        {"range": {"start": {"line": 0, "character": 1 << 31}}, "text": ""},
        3,
    ],
)
async def test_a_change_that_cannot_be_read_stops_editing_until_the_whole_text_comes(bad):
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n")
        client.open(text)
        action = await offered(client, text)
        first = {"range": line_of(text, "first"), "text": ""}
        client.send(change(2, first, bad), change(3, first))
        shown = await client.notification("window/showMessage")
        assert "close and open the file" in shown["message"]
        assert (await client.call("codeAction/resolve", action))["error"]["code"] == -32803
        client.send(change(4, {"text": text}))
        edit = edit_of(await client.call("codeAction/resolve", await offered(client, text)))
        assert apply_edits(text, edit["edits"]) == text.replace("x = 1", "x = 2")
        told = [m for m in client.messages if m.get("method") == "window/showMessage"]
        assert len(told) == 1


@pytest.mark.parametrize("version", [{}, {"version": None}])
async def test_a_version_or_range_that_is_null_is_one_that_is_not_there(version):
    async with raw_client() as client:
        await client.initialize(LAZY)
        client.open("")
        text = document(fill="x = 2\n")
        params = {
            "textDocument": {"uri": URI} | version,
            "contentChanges": [{"range": None, "text": text}],
        }
        client.notify("textDocument/didChange", params)
        edit = edit_of(await client.call("codeAction/resolve", await offered(client, text)))
        assert apply_edits(text, edit["edits"]) == text.replace("x = 1", "x = 2")
        assert not [m for m in client.messages if m.get("method") == "window/showMessage"]


async def test_what_nobody_listens_to_is_ignored_in_silence():
    async with raw_client() as client:
        await client.initialize(LAZY)
        client.send({"method": "$/vendorPing"}, {"method": "$/vendorPing", "params": [1]})
        client.send({"method": "workspace/didChangeConfiguration", "params": {}})
        client.send({"id": 99, "method": "foo/bar"})
        assert (await client.answer({"id": 99}))["error"]["code"] == -32601
        client.send({"id": 100, "method": "shutdown"})
        assert (await client.answer({"id": 100}))["result"] is None
        assert not [m for m in client.messages if m.get("method") == "window/showMessage"]
        client.send({"method": "exit"})
        assert await client.exit_code() == 0


async def test_messages_are_read_while_every_thread_is_busy():
    async with raw_client() as client:
        await client.initialize(LAZY)
        client.notify("test/occupy")
        assert (await client.call("test/running"))["result"] == 0
        client.notify("test/release")


@pytest.mark.parametrize("name", [b"content-length: ", b"Content-Length:", b"CONTENT-LENGTH :\t"])
async def test_a_header_is_read_however_it_is_written(name):
    async with raw_client() as client:
        await client.initialize(LAZY)
        body = json.dumps({"jsonrpc": "2.0", "id": 99, "method": "test/running"}).encode()
        client.process.stdin.write(b"X-Other: 1\r\n%s%d\r\n\r\n%s" % (name, len(body), body))
        assert (await client.answer({"id": 99}))["result"] == 0


async def test_half_a_surrogate_pair_reaches_no_tokenizer():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n") + "# \ud83d 😀\n"
        client.open(text)
        edit = edit_of(await client.call("codeAction/resolve", await offered(client, text)))
        started = await said(client, "started")
        asked = json.loads(started["message"].split(" ", 2)[2])
        assert asked == text.replace("\ud83d", "\ufffd")
        assert apply_edits(text, edit["edits"]) == text.replace("x = 1", "x = 2")
