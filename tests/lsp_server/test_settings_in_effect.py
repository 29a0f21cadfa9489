"""What the settings change, seen from a client of a real server process."""

import json

import pytest
from lsp_text import position
from raw_client import ROOT, SERVER, SUPPORT, raw_client
from scripted_requests import LAZY, URI, document, line_of, offered, said

ABLE = json.loads(json.dumps(LAZY))
ABLE["textDocument"]["codeAction"]["disabledSupport"] = True


async def completion(client, text, uri=URI):
    params = {
        "textDocument": {"uri": uri},
        "position": position(text, len(text), "utf-16"),
        "context": {"triggerKind": 1},
    }
    return (await client.call("textDocument/inlineCompletion", params))["result"]


async def lenses(client, uri=URI):
    return (await client.call("textDocument/codeLens", {"textDocument": {"uri": uri}}))["result"]


async def actions(client, text, uri=URI):
    document = {"uri": uri}
    params = {
        "textDocument": document,
        "range": line_of(text, "x = 1"),
        "context": {"diagnostics": []},
    }
    return (await client.call("textDocument/codeAction", params))["result"]


async def fill(client, text, uri=URI, **more):
    argument = {"uri": uri, "range": line_of(text, "x = 1")} | more
    params = {"command": "diffill.fill", "arguments": [argument]}
    return await client.call("workspace/executeCommand", params)


async def asked(client):
    """The request the engine got, but for its text."""
    message = (await said(client, "asked"))["message"]
    return json.loads(message.removeprefix("engine: asked "))


async def warnings(client):
    """Everything the server has shown until now."""
    await client.call("test/running")
    shown = [m["params"] for m in client.messages if m.get("method") == "window/showMessage"]
    return [params["message"] for params in shown]


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".git").mkdir()
    return tmp_path


async def test_the_sources_in_order(project, tmp_path):
    (project / "diffill.toml").write_text("effort = 'quick'\nmax_file_kb = 1\ncode_lens = 'no'")
    user = tmp_path / "user"
    user.mkdir()
    (user / "config.toml").write_text("code_lens = false\nmax_file_kb = 2")
    env = {"DIFFILL_CONFIG": str(user), "DIFFILL_DISABLED_LANGUAGES": "rust"}
    async with raw_client(env=env) as client:
        folders = [{"uri": project.as_uri(), "name": "project"}]
        options = {"effort": "some", "colour": "red", "debounce_ms": None}
        await client.initialize(LAZY, workspaceFolders=folders, initializationOptions=options)
        assert await warnings(client) == [
            f"Diffill settings: {project / 'diffill.toml'}: `code_lens` is 'no', "
            "not true or false: it is not used",
            "Diffill settings: the editor's settings: `effort` is 'some', "
            "not one of quick, balanced, thorough: it is not used",
            "Diffill settings: the editor's settings: Diffill has no setting `colour`",
        ]
        text = document(fill="x = 2\n") + "def f(): ...\n"
        client.open(text)
        assert await lenses(client) == [], "the user has turned them off"
        action = await offered(client, text)
        await client.call("codeAction/resolve", action)
        assert (await asked(client))["effort"] == "quick", "the project says so"
        large = text + "#" * 1024
        client.open(large)
        error = (await fill(client, large))["error"]
        assert error["message"] == "the file is larger than 1 KB (setting `max_file_kb`)"


async def test_ghost_text_and_lenses_can_be_switched_off():
    text = document(fill="2") + "def f(): ...\ny = "
    async with raw_client() as client:
        await client.initialize(LAZY)
        client.open(text)
        assert await completion(client, text)
        assert await lenses(client)
    async with raw_client() as client:
        options = {"inline_completion": False, "code_lens": False}
        await client.initialize(LAZY, initializationOptions=options)
        client.open(text)
        assert await completion(client, text) is None
        assert await lenses(client) == []
        assert await actions(client, text), "edits are made all the same"


async def test_the_deadline_is_that_of_every_edit_and_the_most_of_a_completion():
    text = document(fill="2") + "y = "
    for seconds, of_completion in ((None, 20), (3, 3), (90, 20)):
        async with raw_client() as client:
            await client.initialize(LAZY, initializationOptions={"deadline_seconds": seconds})
            client.open(text)
            await fill(client, text, apply=False)
            assert (await asked(client))["deadline_s"] == seconds
            client.messages.clear()
            await completion(client, text)
            assert (await asked(client))["deadline_s"] == of_completion


async def test_a_language_that_is_off_is_left_alone():
    text = document(fill="2") + "def f(): ...\ny = "
    async with raw_client() as client:
        await client.initialize(ABLE, initializationOptions={"disabled_languages": ["python"]})
        client.open(text)
        reason = "Diffill is off for python (setting `disabled_languages`)"
        assert await completion(client, text) is None
        assert await lenses(client) == []
        assert {action["disabled"]["reason"] for action in await actions(client, text)} == {reason}
        assert (await fill(client, text))["error"] == {"code": -32803, "message": reason}
        client.open(text, uri="file:///project/a.unknown", language="other")
        assert await completion(client, text, "file:///project/a.unknown")


async def test_the_option_of_the_command_is_a_source_of_its_own():
    code = (
        "import sys, scripted_server as s; from lsp_server.server import create_server\n"
        "s.create_server = lambda engine: create_server(engine, 'from-the-option')\n"
        "sys.exit(s.main())"
    )
    for options, model in (({}, "from-the-option"), ({"model": "the-editor-s"}, "the-editor-s")):
        async with raw_client(
            server=[SERVER[0], "-c", code],
            env={"DIFFILL_MODEL": "from-the-environment", "PYTHONPATH": f"{ROOT}:{SUPPORT}"},
        ) as client:
            await client.initialize(LAZY, initializationOptions=options)
            text = document()
            client.open(text)
            await fill(client, text, apply=False)
            assert (await said(client, "model"))["message"] == f"engine: model {model}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".env", "files of this name may hold secrets: Diffill leaves them alone"),
        ("vault/a.py", "the file is listed in .diffillignore: Diffill leaves it alone"),
    ],
)
@pytest.mark.parametrize("able", [ABLE, LAZY], ids=["shows reasons", "shows none"])
async def test_a_file_that_is_off_limits_never_reaches_the_engine(project, name, reason, able):
    (project / ".diffillignore").write_text("vault\n")
    uri = (project / name).as_uri()
    text = document(fill="2") + "def f(): ...\ny = "
    async with raw_client() as client:
        await client.initialize(able)
        client.open(text, uri=uri)
        assert await completion(client, text, uri) is None
        assert await lenses(client, uri) == []
        shown = await actions(client, text, uri)
        assert [action["disabled"]["reason"] for action in shown] == [reason] * (able is ABLE)
        assert (await fill(client, text, uri))["error"] == {"code": -32803, "message": reason}
        params = {"command": "diffill.fillAll", "arguments": [{"uri": uri, "apply": False}]}
        answer = await client.call("workspace/executeCommand", params)
        assert answer["result"] == {"edit": None, "reason": reason, "stats": {}}
        assert not any("engine:" in str(message) for message in client.messages)


CONFIRMS = json.loads(json.dumps(LAZY))
CONFIRMS["workspace"]["workspaceEdit"]["changeAnnotationSupport"] = {"groupsOnLabel": True}


@pytest.mark.parametrize("able", [CONFIRMS, LAZY], ids=["can ask", "cannot ask"])
@pytest.mark.parametrize("wanted", [True, False], ids=["wanted", "not wanted"])
async def test_edits_are_confirmed_where_the_user_wants_it_and_the_client_can(able, wanted):
    text = document(fill="x = 2\n")
    async with raw_client() as client:
        await client.initialize(able, initializationOptions={"confirm_edits": wanted})
        client.open(text)
        asks = wanted and able is CONFIRMS
        answer = await client.call("codeAction/resolve", await offered(client, text))
        assert annotated(answer["result"]["edit"], "Diffill: fill the selection") is asks

        previewed = await fill(client, text, apply=False)
        assert annotated(previewed["result"]["edit"], "") is False, "the preview is the question"

        argument = {"uri": URI, "range": line_of(text, "x = 1")}
        params = {"command": "diffill.fill", "arguments": [argument]}
        command = client.request("workspace/executeCommand", params)
        client.send(command)
        apply = await client.until(lambda m: m.get("method") == "workspace/applyEdit")
        assert annotated(apply["params"]["edit"], "Diffill: fill") is asks
        client.send({"id": apply["id"], "result": {"applied": True}})
        assert (await client.answer(command))["result"] is None


def annotated(edit, label):
    """Tell whether an edit asks for confirmation; half an annotation is a mistake."""
    (change,) = edit["documentChanges"]
    assert [each["newText"] for each in change["edits"]] == ["2"]
    ids = {each.get("annotationId") for each in change["edits"]}
    if ids == {None}:
        assert "changeAnnotations" not in edit
        return False
    annotation = {"label": label, "needsConfirmation": True}
    assert edit["changeAnnotations"] == {next(iter(ids)): annotation}
    return True
