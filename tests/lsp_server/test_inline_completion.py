"""Inline completion by a real server process, with an engine that follows a script."""

import asyncio
import json
from random import Random

import pytest
from lsp_text import ENCODINGS, apply_edits, boundaries, offset, position, random_text
from raw_client import raw_client, script

URI = "file:///project/a.py"
METHOD = "textDocument/inlineCompletion"
INVOKED, AUTOMATIC = 1, 2
NOW = {"clientInfo": {"name": "Neovim"}}  # it waits itself, the server does not


def document(body, **settings):
    """Return a text whose first line is the engine's script, and the offset of its cursor."""
    text = script(**settings) + body
    return text.replace("‸", ""), text.index("‸")


def asking(text, at, kind=AUTOMATIC, encoding="utf-16", **context):
    return {
        "textDocument": {"uri": URI},
        "position": position(text, at, encoding),
        "context": {"triggerKind": kind} | context,
    }


def replaced(version, text):
    return {
        "method": "textDocument/didChange",
        "params": {
            "textDocument": {"uri": URI, "version": version},
            "contentChanges": [{"text": text}],
        },
    }


async def items(client, text, at, kind=AUTOMATIC, **context):
    answer = await client.call(METHOD, asking(text, at, kind, **context))
    assert "error" not in answer, answer
    return [] if answer["result"] is None else answer["result"]["items"]


def requests(client):
    """The requests the engine has got so far."""
    logs = [m["params"]["message"] for m in client.messages if m.get("method") == LOG]
    return [json.loads(log.split(" ", 2)[2]) for log in logs if log.startswith(STARTED)]


LOG, STARTED = "window/logMessage", "engine: started "


async def started(client, count=1):
    await client.until(lambda m: m.get("method") == LOG and len(requests(client)) >= count)


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_the_fill_is_offered_at_the_cursor(encoding):
    async with raw_client() as client:
        general = {"general": {"positionEncodings": [encoding]}}
        capabilities = await client.initialize(general, **NOW)
        assert capabilities["inlineCompletionProvider"] == {}
        text, at = document("é = '😀' + ‸\n", fill="str(1)\n")
        client.open(text)
        answer = await client.call(METHOD, asking(text, at, encoding=encoding))
        here = position(text, at, encoding)
        command = {
            "title": "Diffill: accepted",
            "command": "diffill.accepted",
            "arguments": [{"uri": URI}],
        }
        item = {
            "insertText": "str(1)",
            "range": {"start": here, "end": here},
            "command": command,
        }
        assert answer["result"] == {"items": [item]}


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_any_text_is_completed_within_a_line(encoding):
    random = Random(5)
    async with raw_client() as client:
        await client.initialize({"general": {"positionEncodings": [encoding]}}, **NOW)
        for version in range(1, 40):
            text, at = document("‸", fill="value + 😀")
            text += random_text(random, 12)
            at = random.choice([b for b in boundaries(text) if b >= at])
            client.open(text, version=version)
            answer = await client.call(METHOD, asking(text, at, INVOKED, encoding))
            for item in (answer["result"] or {"items": []})["items"]:
                start, end = item["range"]["start"], item["range"]["end"]
                assert start["line"] == end["line"]
                assert offset(text, start, encoding) == offset(text, end, encoding) == at
                edit = {"range": item["range"], "newText": item["insertText"]}
                assert apply_edits(text, [edit], encoding) == text[:at] + "value + 😀" + text[at:]


@pytest.mark.parametrize(
    ("body", "fill"),
    [
        ("# a comment ‸\n", "of mine"),
        ("x = 'a str‸\n", "ing'"),
        ("x = ‸\n", "   \n"),
        ("f(‸, other)\n", "one, other"),
        ("x = 1\n‸\n", "x = 1"),
    ],
)
async def test_nothing_is_better_than_noise(body, fill):
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document(body, fill=fill)
        client.open(text)
        assert await items(client, text, at) == []


async def test_a_user_who_asks_gets_it_in_a_comment_too():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("# a comment ‸\n", fill="of mine")
        client.open(text)
        assert [i["insertText"] for i in await items(client, text, at, INVOKED)] == ["of mine"]


@pytest.mark.parametrize("script", [{"mode": "refuse", "fill": "("}, {"mode": "die"}])
async def test_an_unasked_failure_is_no_error_and_told_once_at_most(script):
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", **script)
        client.open(text)
        for _ in range(3):
            assert await items(client, text, at) == []
        shown = [m for m in client.messages if m.get("method") == "window/showMessage"]
        assert len(shown) == (script["mode"] == "die")
        if script["mode"] == "die":
            assert "the engine ended unexpectedly" in shown[0]["params"]["message"]
            answer = await client.call(METHOD, asking(text, at, INVOKED))
            assert answer["error"]["code"] == -32803


async def test_a_secret_file_is_left_alone():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", fill="1")
        uri = client.open(text, uri="file:///project/.env", language="python")
        params = asking(text, at, INVOKED) | {"textDocument": {"uri": uri}}
        assert (await client.call(METHOD, params))["result"] is None
        assert requests(client) == []


async def test_typing_what_is_shown_asks_no_model():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", fill="first(second)")
        client.open(text)
        assert [i["insertText"] for i in await items(client, text, at)] == ["first(second)"]
        typed = text[:at] + "first(" + text[at:]
        client.send(replaced(2, typed))
        (item,) = await items(client, typed, at + 6)
        assert item["insertText"] == "second)"
        assert offset(typed, item["range"]["start"], "utf-16") == at + 6
        client.send(replaced(3, text))
        assert [i["insertText"] for i in await items(client, text, at)] == ["first(second)"]
        assert len(requests(client)) == 1


async def test_a_choice_in_the_menu_is_extended():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = os.‸\n", fill="('a')")
        client.open(text)
        where = {"start": position(text, at, "utf-16"), "end": position(text, at, "utf-16")}
        chosen = {"range": where, "text": "listdir"}
        (item,) = await items(client, text, at, selectedCompletionInfo=chosen)
        assert (item["insertText"], item["range"]) == ("listdir('a')", where)
        assert requests(client) == [text.replace("os.", "os.listdir")]


async def test_who_asks_gets_several_and_who_types_one():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", fill="one", others=["two", "one", " "])
        client.open(text)
        assert [i["insertText"] for i in await items(client, text, at)] == ["one"]
        asked = await items(client, text, at, INVOKED)
        assert [i["insertText"] for i in asked] == ["one", "two"]
        here = position(text, at, "utf-16")
        assert {json.dumps(i["range"]) for i in asked} == {json.dumps({"start": here, "end": here})}


async def test_the_newest_request_replaces_the_older_one():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", mode="wait", fill="1")
        client.open(text)
        older = client.request(METHOD, asking(text, at))
        client.send(older)
        await started(client)
        typed = text.replace("x = ", "xy = ")
        newer = client.request(METHOD, asking(typed, at + 1))
        client.send(replaced(2, typed), newer)
        assert (await client.answer(older))["error"]["code"] == -32802
        await started(client, 2)
        client.notify("test/release")
        assert (await client.answer(newer))["result"]["items"][0]["insertText"] == "1"
        assert (await client.call("test/running"))["result"] == 0


async def test_an_automatic_request_leaves_an_invoked_one_alone():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", mode="wait", fill="1")
        client.open(text)
        invoked, automatic = (
            client.request(METHOD, asking(text, at, kind)) for kind in (INVOKED, AUTOMATIC)
        )
        client.send(invoked, automatic)
        await started(client, 2)
        client.notify("test/release")
        for request in (invoked, automatic):
            (item,) = (await client.answer(request))["result"]["items"]
            assert item["insertText"] == "1"


async def test_a_change_at_the_cursor_makes_an_answer_stale_and_one_above_moves_it():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", mode="wait", fill="1")
        client.open(text)
        first = client.request(METHOD, asking(text, at))
        client.send(first)
        await started(client)
        typed = text.replace("x = ", "y = 2\nx = ")
        client.send(replaced(2, typed))
        client.notify("test/release")
        (item,) = (await client.answer(first))["result"]["items"]
        assert offset(typed, item["range"]["start"], "utf-16") == at + 6

    async with raw_client() as client:
        await client.initialize(**NOW)
        client.open(text)
        second = client.request(METHOD, asking(text, at))
        client.send(second)
        await started(client)
        client.send(replaced(2, text.replace("x = ", "x = 7")))
        client.notify("test/release")
        assert (await client.answer(second))["error"]["code"] == -32801


async def test_a_storm_leaves_nothing_running():
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("x = ‸\n", mode="wait", fill="1")
        client.open(text)
        asked, cancelled = [], []
        for version in range(2, 502):
            text, at = text[:at] + "a" + text[at:], at + 1
            request = client.request(METHOD, asking(text, at, version % 2 + 1))
            asked.append(request)
            client.send(replaced(version, text), request)
            if version % 3:
                client.notify("$/cancelRequest", {"id": request["id"]})
                cancelled.append(request)
            if version % 50 == 0:
                await client.process.stdin.drain()
        last = client.request(METHOD, asking(text, at, INVOKED))
        client.send(last)
        async with asyncio.timeout(60):
            for request in asked:
                answer = await client.answer(request)
                codes = (-32800, -32802) if request in cancelled else (-32802,)
                assert answer["error"]["code"] in codes, answer
        await started(client)
        client.notify("test/release")
        assert (await client.answer(last))["result"]["items"][0]["insertText"] == "1"
        assert (await client.call("test/running"))["result"] == 0
        answers = [m["id"] for m in client.messages if "id" in m and "method" not in m]
        assert len(answers) == len(set(answers)), "one answer a request"


@pytest.mark.parametrize("kind", [0, INVOKED])
async def test_an_invoked_request_of_the_drafts_is_understood(kind):
    async with raw_client() as client:
        await client.initialize(**NOW)
        text, at = document("# note ‸\n", fill="one")
        client.open(text)
        assert len(await items(client, text, at, kind)) == 1


@pytest.mark.parametrize(
    "params",
    [
        None,
        {"textDocument": {"uri": URI}},
        {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 0}},
        {"textDocument": {"uri": URI}, "position": 3, "context": {"triggerKind": 1}},
        {
            "textDocument": {"uri": URI},
            "position": {"line": 1, "character": 0},
            "context": {"triggerKind": 9},
        },
    ],
)
async def test_bad_parameters_get_an_answer(params):
    async with raw_client() as client:
        await client.initialize()
        client.open("x = 1\n")
        assert (await client.call(METHOD, params))["error"]["code"] == -32602


async def test_a_document_that_is_not_open_is_an_error():
    async with raw_client() as client:
        await client.initialize()
        assert (await client.call(METHOD, asking("", 0)))["error"]["code"] == -32803
