"""What a client's edits tell the engine of other files, and the command that shows it."""

import json

import pytest
from lsp_text import position
from raw_client import raw_client, script
from scripted_requests import LAZY, said

SHOP = "class Item:\n    price: int\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / ".env").write_text("KEY=hunter2\n")
    return tmp_path


def document(project):
    text = script(fill="1") + "from shop import Item\n\nx = Item()\n"
    return (project / "main.py").as_uri(), text


def here(uri, text):
    start = position(text, text.index("x ="), "utf-16")
    return {"uri": uri, "range": {"start": start, "end": start}}


async def asked(client):
    message = (await said(client, "asked"))["message"]
    return json.loads(message.removeprefix("engine: asked "))


def at(project, **options):
    folder = {"uri": project.as_uri(), "name": "project"}
    return {"workspaceFolders": [folder], "initializationOptions": options}


async def run(client, name, argument):
    params = {"command": f"diffill.{name}", "arguments": [argument]}
    return await client.call("workspace/executeCommand", params)


async def test_edits_bring_what_the_file_imports(project):
    async with raw_client() as client:
        await client.initialize(LAZY, **at(project))
        uri, text = document(project)
        client.open(text, uri)
        await run(client, "fill", here(uri, text) | {"apply": False})
        assert (await asked(client))["context"] == [{"path": "shop.py", "text": SHOP}]


async def test_completions_bring_it_too(project):
    async with raw_client() as client:
        await client.initialize(LAZY, **at(project))
        uri, text = document(project)
        client.open(text, uri)
        params = {
            "textDocument": {"uri": uri},
            "position": position(text, text.index(")\n"), "utf-16"),
            "context": {"triggerKind": 1},
        }
        await client.call("textDocument/inlineCompletion", params)
        assert (await asked(client))["context"] == [{"path": "shop.py", "text": SHOP}]


async def test_the_folders_follow_the_client(project):
    async with raw_client() as client:
        folder, other = (
            {"uri": path.as_uri(), "name": "a"} for path in (project, project.parent / "other")
        )
        await client.initialize(LAZY, workspaceFolders=[other])
        inner = project / "inner" / "main.py"
        text = "from shop import Item\n\nx = Item()\n"
        client.open(text, inner.as_uri())

        async def shown():
            found = await run(client, "context", here(inner.as_uri(), text))
            return [each["path"] for each in found["result"]]

        def change(**event):
            client.notify("workspace/didChangeWorkspaceFolders", {"event": event})

        assert await shown() == []
        change(added=[folder], removed=[])
        assert await shown() == ["shop.py"]
        change(added=[], removed=[folder])
        assert await shown() == []


async def test_an_open_file_counts_as_it_is_in_the_editor(project):
    async with raw_client() as client:
        await client.initialize(LAZY, **at(project))
        uri, text = document(project)
        client.open(text, uri)
        changed = SHOP.replace("price", "cents")
        client.open(changed, (project / "shop.py").as_uri())
        answer = await run(client, "context", here(uri, text))
        assert answer["result"] == [
            {"path": "shop.py", "names": ["Item"], "reason": "imported", "text": changed}
        ]


@pytest.mark.parametrize("way", ["setting", "ignored", "unsaved"])
async def test_where_nothing_is_to_be_read_nothing_is(project, way):
    if way == "ignored":
        (project / ".gitignore").write_text("shop.py\n")
    async with raw_client() as client:
        await client.initialize(LAZY, **at(project, context=way != "setting"))
        uri, text = document(project)
        uri = "untitled:main.py" if way == "unsaved" else uri
        client.open(text, uri)
        assert (await run(client, "context", here(uri, text)))["result"] == []
        await run(client, "fill", here(uri, text) | {"apply": False})
        assert (await asked(client))["context"] == []


async def test_the_secrets_of_an_open_file_stay_where_they_are(project):
    async with raw_client() as client:
        await client.initialize(LAZY, **at(project))
        uri, text = document(project)
        secret = (project / ".env").as_uri()
        client.open("Item = 'hunter2'\n", secret, language="python")
        client.open(text, uri)
        await run(client, "fill", here(uri, text) | {"apply": False})
        assert "hunter2" not in json.dumps(client.messages)
        refused = await run(client, "context", here(secret, "x =\n"))
        assert "secrets" in refused["error"]["message"]


async def test_a_project_cannot_switch_it_on(project):
    (project / "diffill.toml").write_text("context = true\n")
    async with raw_client(env={"DIFFILL_CONTEXT": ""}) as client:
        await client.initialize(LAZY, **at(project))
        shown = await client.notification("window/showMessage")
        assert "a project may only turn it off" in shown["message"]


@pytest.mark.parametrize("argument", [{}, {"uri": 3}, {"uri": "file:///a.py", "range": 1}])
async def test_bad_arguments_are_told(project, argument):
    async with raw_client() as client:
        await client.initialize(LAZY, **at(project))
        assert (await run(client, "context", argument))["error"]["code"] == -32602
