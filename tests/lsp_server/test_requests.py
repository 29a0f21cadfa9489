"""What a polite client never shows: order, cancelling, stale edits, bad messages, dying engines."""

import json

import pytest
from lsp_text import apply_edits, range_of
from raw_client import raw_client, script
from scripted_requests import (
    EAGER,
    LAZY,
    URI,
    asked_to_apply,
    change,
    document,
    edit_of,
    line_of,
    offered,
    said,
)


async def test_initialize_shutdown_exit():
    async with raw_client() as client:
        capabilities = await client.initialize()
        assert capabilities["codeActionProvider"] == {
            "codeActionKinds": ["refactor.rewrite.diffill", "quickfix.diffill"],
            "resolveProvider": True,
        }
        assert capabilities["textDocumentSync"]["openClose"] is True
        assert capabilities["textDocumentSync"]["change"] == 2
        commands = capabilities["executeCommandProvider"]["commands"]
        names = "accepted context fill fillAll fillOpen repair reroll rewrite"
        assert sorted(commands) == [f"diffill.{name}" for name in names.split()]
        assert (await client.call("shutdown"))["result"] is None
        late = await client.call("workspace/executeCommand", {"command": "diffill.fill"})
        assert late["error"]["code"] == -32600
        client.notify("exit")
        assert await client.exit_code() == 0


async def test_exit_without_shutdown_and_a_closed_connection_end_with_1():
    async with raw_client() as client:
        await client.initialize()
        client.notify("exit")
        assert await client.exit_code() == 1
    async with raw_client() as client:
        await client.initialize()
        client.process.stdin.close()
        assert await client.exit_code() == 1


@pytest.mark.parametrize(
    ("encodings", "chosen"),
    [
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32"], "utf-32"),
        (["utf-7"], "utf-16"),
        (None, "utf-16"),
    ],
)
async def test_the_client_chooses_how_positions_count(encodings, chosen):
    async with raw_client() as client:
        general = {"general": {"positionEncodings": encodings}} if encodings else {}
        capabilities = await client.initialize(LAZY | general)
        assert capabilities["positionEncoding"] == chosen
        text = script(fill="b") + "a = '😀\u2028é', 'a'\f\n"
        client.open(text)
        start = text.index("'a'") + 1
        where = range_of(text, start, start + 1, chosen)
        params = {"textDocument": {"uri": URI}, "range": where, "context": {"diagnostics": []}}
        (action, *_) = (await client.call("textDocument/codeAction", params))["result"]
        edit = edit_of(await client.call("codeAction/resolve", action))
        assert apply_edits(text, edit["edits"], chosen) == text.replace("'a'", "'b'")


async def test_a_request_sees_the_document_of_its_moment():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n", mode="wait")
        client.open(text)
        action = await offered(client, text)
        resolve = client.request("codeAction/resolve", action)
        typed = {"range": line_of(text, "last"), "text": "last = 2\n"}
        client.send(resolve, change(2, typed))
        started = await said(client, "started")
        assert json.loads(started["message"].split(" ", 2)[2]) == text
        client.notify("test/release")
        edit = edit_of(await client.answer(resolve))
        assert edit["textDocument"]["version"] == 2


async def test_an_edit_elsewhere_while_running_moves_the_result():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n", mode="wait")
        client.open(text)
        resolve = client.request("codeAction/resolve", await offered(client, text))
        client.send(resolve)
        await said(client, "started")
        typed = {"range": line_of(text, "first"), "text": "x = 1\n😀 = 1\n"}
        client.send(change(2, typed))
        client.notify("test/release")
        edit = edit_of(await client.answer(resolve))
        today = text.replace("first = 1\n", "x = 1\n😀 = 1\n")
        assert edit["textDocument"] == {"uri": URI, "version": 2}
        assert apply_edits(today, edit["edits"]) == today.replace("😀 = 1\nx = 1", "😀 = 1\nx = 2")


async def test_an_edit_inside_while_running_is_content_modified():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n", mode="wait")
        client.open(text)
        resolve = client.request("codeAction/resolve", await offered(client, text))
        client.send(resolve)
        await said(client, "started")
        client.send(change(2, {"range": line_of(text, "x = 1"), "text": "x = 7\n"}))
        client.notify("test/release")
        assert (await client.answer(resolve))["error"]["code"] == -32801


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("def f():\n", "def g():\n", False),
        ("def f():\n", "", True),
        ("    pass", "x    pass", True),
        ("last = 1", "last = (", False),
    ],
)
async def test_an_edit_that_does_not_fit_any_more_is_content_modified(old, new, stale):
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = script(fill="    return 1\n", mode="wait") + "def f():\n    pass\n\n\nlast = 1\n"
        client.open(text)
        resolve = client.request("codeAction/resolve", await offered(client, text, "    pass"))
        client.send(resolve)
        await said(client, "started")
        at = text.index(old)
        client.send(change(2, {"range": range_of(text, at, at + len(old)), "text": new}))
        client.notify("test/release")
        answer = await client.answer(resolve)
        if stale:
            assert answer["error"]["code"] == -32801
        else:
            today = text.replace(old, new)
            edited = apply_edits(today, edit_of(answer)["edits"])
            assert edited == today.replace("pass", "return 1")


@pytest.mark.parametrize(("part", "stale"), [("first", False), ("x = 1", True)])
async def test_an_edit_between_the_menu_and_the_click(part, stale):
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n")
        client.open(text)
        action = await offered(client, text)
        client.send(change(2, {"range": line_of(text, part), "text": "\n\n"}))
        answer = await client.call("codeAction/resolve", action)
        if stale:
            assert answer["error"]["code"] == -32801
        else:
            today = text.replace("first = 1\n", "\n\n")
            edited = apply_edits(today, edit_of(answer)["edits"])
            assert edited == today.replace("x = 1", "x = 2")


async def test_a_client_that_never_resolves_gets_a_command():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = document(fill="x = 2\n")
        client.open(text)
        action = await offered(client, text)
        assert "edit" not in action
        assert "data" not in action
        assert action["command"]["command"] == "diffill.fill"
        params = {k: action["command"][k] for k in ("command", "arguments")}
        command = client.request("workspace/executeCommand", params)
        client.send(command)
        apply = await client.until(lambda m: m.get("method") == "workspace/applyEdit")
        edits = apply["params"]["edit"]["changes"][URI]
        assert apply_edits(text, edits) == text.replace("x = 1", "x = 2")
        assert not any(m.get("id") == command["id"] for m in client.messages), "not yet applied"
        client.send({"id": apply["id"], "result": {"applied": False, "failureReason": "locked"}})
        error = (await client.answer(command))["error"]
        assert (error["code"], error["message"]) == (
            -32803,
            "the editor did not apply the edit: locked",
        )


async def test_a_client_that_cannot_apply_after_all_is_an_error():
    async with raw_client() as client:
        await client.initialize(EAGER)
        text = document(fill="x = 2\n")
        client.open(text)
        command, apply = await asked_to_apply(client, text)
        client.send({"id": apply["id"], "error": {"code": -32601, "message": "what is that?"}})
        error = (await client.answer(command))["error"]
        assert (error["code"], "what is that?" in error["message"]) == (-32803, True)


@pytest.mark.parametrize(
    ("capabilities", "tells", "code"),
    [(EAGER, "later", -32801), (EAGER, "before", None), (LAZY, "later", None)],
)
async def test_an_edit_without_version_is_not_made_twice(capabilities, tells, code):
    async with raw_client() as client:
        await client.initialize(capabilities)
        text = document(fill="x = 2\n")
        client.open(text)
        command, apply = await asked_to_apply(client, text)
        told = change(2, {"range": line_of(text, "x = 1"), "text": "x = 2\n"})
        if tells == "before":
            client.send(told)
        client.send({"id": apply["id"], "result": {"applied": True}})
        assert (await client.answer(command))["result"] is None
        argument = {"uri": URI, "range": line_of(text, "x = 1"), "apply": False}
        params = {"command": "diffill.fill", "arguments": [argument]}
        answer = await client.call("workspace/executeCommand", params)
        assert answer.get("error", {}).get("code") == code
        if tells == "later":
            client.send(told)
        answer = await client.call("workspace/executeCommand", params)
        assert answer["result"]["reason"] == "Diffill proposes to leave the text as it is"


async def test_the_rewrite_action_lacks_the_instruction_alone():
    async with raw_client() as client:
        await client.initialize(LAZY | {"experimental": {"diffill": {"instructionPrompt": True}}})
        text = document()
        client.open(text)
        where = line_of(text, "x = 1")
        params = {"textDocument": {"uri": URI}, "range": where, "context": {"diagnostics": []}}
        fill, rewrite, *_ = (await client.call("textDocument/codeAction", params))["result"]
        assert "data" in fill
        assert rewrite["command"] == {
            "title": "Diffill: rewrite with instruction…",
            "command": "diffill.rewrite",
            "arguments": [{"uri": URI, "version": 1, "range": where}],
        }
        params = {k: rewrite["command"][k] for k in ("command", "arguments")}
        error = (await client.call("workspace/executeCommand", params))["error"]
        assert (error["code"], "needs an `instruction`" in error["message"]) == (-32602, True)


async def test_a_client_of_old_gets_bare_commands():
    async with raw_client() as client:
        await client.initialize({"workspace": {"applyEdit": True}})
        text = document()
        client.open(text)
        assert (await offered(client, text))["command"] == "diffill.fill"


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ({}, -32602),
        ({"uri": 3}, -32602),
        ({"uri": URI}, -32602),
        ({"uri": URI, "range": {"start": 0, "end": 0}}, -32602),
        ({"uri": URI, "range": range_of("ab", 0, 1), "colour": "red"}, -32602),
        ({"uri": URI, "range": range_of("ab", 0, 1), "instruction": " "}, -32602),
        ({"uri": URI, "range": range_of("ab", 0, 1)}, -32602),
        ({"uri": URI, "range": range_of("ab", 0, 1), "version": 9, "instruction": "a"}, -32801),
        ({"uri": "file:///no", "range": range_of("ab", 0, 1), "instruction": "a"}, -32803),
    ],
)
async def test_bad_arguments_are_told(argument, code):
    async with raw_client() as client:
        await client.initialize(EAGER)
        client.open(document())
        params = {"command": "diffill.rewrite", "arguments": [argument]}
        error = (await client.call("workspace/executeCommand", params))["error"]
        assert error["code"] == code, error
        assert len(error["message"]) > 10


async def test_every_request_is_answered():
    async with raw_client() as client:
        early = await client.call("textDocument/codeAction", {})
        assert early["error"]["code"] in (-32002, -32602)
        await client.initialize(LAZY)
        for method, params, code in [
            ("textDocument/codeAction", {"textDocument": 3}, -32602),
            ("textDocument/codeAction", None, -32602),
            ("codeAction/resolve", {"title": "t", "data": {"uri": 3}}, -32602),
            ("codeAction/resolve", {}, -32602),
            ("workspace/executeCommand", {"command": "rm"}, -32602),
            ("workspace/executeCommand", {"command": "diffill.fill"}, -32602),
            ("workspace/executeCommand", {"arguments": []}, -32602),
            ("textDocument/hover", {"textDocument": {"uri": URI}}, -32602),
            ("diffill/unknown", {}, -32601),
            ("diffill/unknown", None, -32601),
        ]:
            answer = await client.call(method, params)
            assert answer["error"]["code"] == code, (method, params, answer)
        answer = await client.call("textDocument/codeAction", {"textDocument": {"uri": URI}})
        assert "required field missing @ $.params.range" in answer["error"]["message"]


async def test_a_proposal_outside_the_span_is_refused():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\n", mode="outside")
        client.open(text)
        answer = await client.call("codeAction/resolve", await offered(client, text))
        assert "outside" in answer["error"]["message"]


async def test_crlf_stays_crlf():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document(fill="x = 2\ny = 3\n").replace("\n", "\r\n")
        client.open(text)
        action = await offered(client, text)
        edit = edit_of(await client.call("codeAction/resolve", action))
        changed = apply_edits(text, edit["edits"])
        assert changed == text.replace("x = 1\r\n", "x = 2\r\ny = 3\r\n")


async def test_a_dead_engine_is_an_error_and_the_next_request_works():
    async with raw_client("--engine-process") as client:
        await client.initialize(LAZY)
        text = document(mode="die")
        client.open(text)
        answer = await client.call("codeAction/resolve", await offered(client, text))
        assert answer["error"]["code"] == -32803
        assert "the engine ended unexpectedly" in answer["error"]["message"]
        healthy = document(mode="live")
        client.send(change(2, {"text": healthy}))
        answer = await client.call("codeAction/resolve", await offered(client, healthy))
        edited = apply_edits(healthy, edit_of(answer)["edits"])
        assert edited == healthy.replace("x = 1", "filled")
        await client.call("shutdown")
        client.notify("exit")
        assert await client.exit_code() == 0


async def test_bad_settings_are_shown():
    async with raw_client() as client:
        await client.initialize(initializationOptions={"effort": "much", "colour": "red"})
        for part in ("`effort` is 'much'", "no setting `colour`"):
            await client.notification(
                "window/showMessage", lambda p, part=part: part in p["message"]
            )


async def test_a_client_that_applies_no_edits_is_told_so():
    able = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    for disabled in (True, False):
        async with raw_client() as client:
            action = able | {"disabledSupport": disabled}
            await client.initialize({"textDocument": {"codeAction": action}})
            client.open("x = 1\n")
            params = {
                "textDocument": {"uri": URI},
                "range": range_of("x = 1\n", 0, 5),
                "context": {"diagnostics": []},
            }
            offered = (await client.call("textDocument/codeAction", params))["result"]
            reason = "this editor does not let a language server apply an edit"
            assert [a["disabled"]["reason"] for a in offered] == [reason] * disabled


async def test_a_command_refuses_what_its_action_would():
    async with raw_client() as client:
        await client.initialize()
        text = "x = 1\n" * 7000
        client.open(text)
        argument = {"uri": URI, "range": range_of(text, 0, 42_000), "instruction": "go"}
        params = {"command": "diffill.rewrite", "arguments": [argument | {"apply": False}]}
        result = (await client.call("workspace/executeCommand", params))["result"]
        reason = "42,000 characters are too many to rewrite, more than 40,000"
        assert (result["edit"], result["reason"]) == (None, reason)
