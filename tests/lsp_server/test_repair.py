"""The syntax error under a diagnostic or the cursor, mended as an action and as a command."""

import json

from lsp_text import apply_edits, position, range_of
from raw_client import raw_client, script
from scripted_requests import EAGER, LAZY, URI, edit_of, said

BROKEN = "def a():\n    x = (1\n    return x\n\n\ny = 1\n"
TITLE = "Diffill: repair the syntax error: '(' was never closed"


async def actions(client, text, part, diagnostics=(), only=None):
    at = position(text, text.index(part), "utf-16")
    context = {"diagnostics": list(diagnostics)} | ({"only": only} if only else {})
    params = {"textDocument": {"uri": URI}, "range": {"start": at, "end": at}, "context": context}
    return (await client.call("textDocument/codeAction", params))["result"]


def diagnostic(text, part):
    start = text.index(part)
    return {"range": range_of(text, start, start + len(part)), "message": "bad", "source": "x"}


async def asked(client):
    message = (await said(client, "asked"))["message"]
    return json.loads(message.removeprefix("engine: asked "))


async def test_the_action_is_there_where_the_error_is_and_tells_what_it_mends():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = script() + BROKEN
        client.open(text)
        here, there = diagnostic(text, "(1"), diagnostic(text, "y = 1")
        (action,) = await actions(client, text, "(1", [here, there], ["quickfix"])
        assert (action["title"], action["kind"]) == (TITLE, "quickfix.diffill")
        assert action["diagnostics"] == [here]
        assert await actions(client, text, "y = 1", [there], ["quickfix"]) == []
        every = await actions(client, text, "(1")
        assert every[0]["title"] == TITLE
        assert len(every) > 3


async def test_resolving_rewrites_the_block_around_it_and_keeps_what_mends():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = script() + BROKEN
        client.open(text)
        (action,) = await actions(client, text, "(1", only=["quickfix"])
        answer = await client.call("codeAction/resolve", action)
        edits = edit_of(answer)["edits"]
        request = await asked(client)
        assert request["mends"] is True
        (start, end) = request["spans"][0]
        assert text[start:end] == "def a():\n    x = (1\n    return x"
        told = request["instruction"]
        assert told.startswith("Fix the syntax error in the line `x = (1`: '(' was never closed.")
        assert told in apply_edits(text, edits), "the scripted engine answers with the instruction"


async def test_the_command_mends_the_first_error_where_there_is_none_at_the_place():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = script() + BROKEN
        client.open(text)
        last = {"uri": URI, "range": range_of(text, len(text), len(text)), "apply": False}
        params = {"command": "diffill.repair", "arguments": [last]}
        result = (await client.call("workspace/executeCommand", params))["result"]
        assert "Fix the syntax error" in json.dumps(result["edit"])


async def test_the_action_of_a_client_that_never_resolves_is_the_command():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = script() + BROKEN
        client.open(text)
        (action,) = await actions(client, text, "(1", only=["quickfix"])
        assert action["command"]["command"] == "diffill.repair"
        params = {k: action["command"][k] for k in ("command", "arguments")}
        command = client.request("workspace/executeCommand", params)
        client.send(command)
        apply = await client.until(lambda m: m.get("method") == "workspace/applyEdit")
        assert apply["params"]["label"] == "Diffill: repair"
        client.send({"id": apply["id"], "result": {"applied": True}})
        assert (await client.answer(command))["result"] is None


async def test_what_mends_nothing_is_refused_and_a_good_file_has_nothing_to_mend():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = script(mode="refuse") + BROKEN
        client.open(text)
        argument = {"uri": URI, "range": range_of(text, 0, 0), "apply": False}
        params = {"command": "diffill.repair", "arguments": [argument]}
        result = (await client.call("workspace/executeCommand", params))["result"]
        assert (result["edit"], "no proposal" in result["reason"]) == (None, True)
        client.open("x = 1\n")
        result = (await client.call("workspace/executeCommand", params))["result"]
        assert (result["edit"], "no syntax error" in result["reason"]) == (None, True)
        del argument["apply"]
        error = (await client.call("workspace/executeCommand", params))["error"]
        assert (error["code"], "no syntax error" in error["message"]) == (-32803, True)
        bad = {"command": "diffill.repair", "arguments": [{"uri": URI}]}
        assert (await client.call("workspace/executeCommand", bad))["error"]["code"] == -32602
