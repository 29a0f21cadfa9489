"""A request that is no longer wanted stops the engine, and is answered all the same."""

from raw_client import raw_client
from scripted_requests import EAGER, LAZY, URI, asked_to_apply, document, line_of, offered, said


async def test_cancelling_stops_the_engine():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(mode="wait")
        client.open(text)
        resolve = client.request("codeAction/resolve", await offered(client, text))
        client.send(resolve)
        await said(client, "started")
        client.notify("$/cancelRequest", {"id": resolve["id"]})
        assert (await client.answer(resolve))["error"]["code"] == -32800
        await said(client, "cancelled")


async def test_cancelling_a_command_stops_the_engine():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = document(mode="wait")
        client.open(text)
        argument = {"uri": URI, "range": line_of(text, "x = 1")}
        params = {"command": "diffill.fill", "arguments": [argument]}
        command = client.request("workspace/executeCommand", params)
        client.send(command)
        await said(client, "started")
        client.notify("$/cancelRequest", {"id": command["id"]})
        assert (await client.answer(command))["error"]["code"] == -32800
        await said(client, "cancelled")


async def test_the_cancel_button_of_a_progress_stops_the_engine():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(mode="wait")
        client.open(text)
        resolve = client.request("codeAction/resolve", await offered(client, text))
        client.send(resolve)
        create = await client.until(lambda m: m.get("method") == "window/workDoneProgress/create")
        client.send({"id": create["id"], "result": None})
        begin = await client.notification("$/progress", lambda p: p["value"]["kind"] == "begin")
        assert begin["token"] == create["params"]["token"]
        assert begin["value"]["cancellable"] is True
        await said(client, "started")
        client.notify("window/workDoneProgress/cancel", {"token": begin["token"]})
        assert (await client.answer(resolve))["error"]["code"] == -32800
        await said(client, "cancelled")
        await client.notification("$/progress", lambda p: p["value"]["kind"] == "end")


async def test_shutdown_while_working_answers_everything():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(mode="wait")
        client.open(text)
        resolve = client.request("codeAction/resolve", await offered(client, text))
        client.send(resolve)
        await said(client, "started")
        assert (await client.call("shutdown"))["result"] is None
        assert (await client.answer(resolve))["error"]["code"] == -32800
        client.notify("exit")
        assert await client.exit_code() == 0


async def test_cancelling_while_the_client_applies_does_no_harm():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = document(fill="x = 2\n")
        client.open(text)
        command, apply = await asked_to_apply(client, text)
        client.notify("$/cancelRequest", {"id": command["id"]})
        assert (await client.answer(command))["error"]["code"] == -32800
        client.send({"id": apply["id"], "result": {"applied": True}})
        assert (await offered(client, text))["command"]["command"] == "diffill.fill"
