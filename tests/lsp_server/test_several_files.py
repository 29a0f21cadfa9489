"""One edit of several documents: all of them or none, each as it is now."""

import json

import pytest
from lsp_text import apply_edits, range_of
from raw_client import raw_client, script
from scripted_requests import LAZY

URIS = ["file:///project/a.py", "file:///project/b.py"]
HOLE = "def f():\n    pass\n"


def text_of(number, **settings):
    return script(fill=f"    return {number}\n", **settings) + HOLE


def opened(client, *texts):
    for uri, text in zip(URIS, texts, strict=True):
        client.open(text, uri)
    return dict(zip(URIS, texts, strict=True))


async def run(client, command="fillAll", **argument):
    params = {"command": f"diffill.{command}", "arguments": [argument]}
    return await client.call("workspace/executeCommand", params)


def asked(client):
    return [
        json.loads(m["params"]["message"].removeprefix("engine: asked "))
        for m in client.messages
        if m.get("method") == "window/logMessage" and "engine: asked" in m["params"]["message"]
    ]


async def test_the_holes_of_several_files_are_one_edit():
    async with raw_client() as client:
        await client.initialize(LAZY)
        texts = opened(client, text_of(1), text_of(2))
        result = (await run(client, uris=URIS, apply=False))["result"]
        edits = {e["textDocument"]["uri"]: e["edits"] for e in result["edit"]["documentChanges"]}
        for number, uri in enumerate(URIS, 1):
            expected = texts[uri].replace("pass", f"return {number}")
            assert apply_edits(texts[uri], edits[uri]) == expected
        assert result["stats"]["forward_calls"] == 2


async def test_a_client_without_document_changes_gets_a_map():
    async with raw_client() as client:
        await client.initialize({"workspace": {"applyEdit": True}})
        opened(client, text_of(1), text_of(2))
        request = client.request(
            "workspace/executeCommand",
            {"command": "diffill.fillAll", "arguments": [{"uris": URIS}]},
        )
        client.send(request)
        apply = await client.until(lambda m: m.get("method") == "workspace/applyEdit")
        assert sorted(apply["params"]["edit"]["changes"]) == URIS
        client.send({"id": apply["id"], "result": {"applied": True}})
        assert (await client.answer(request))["result"] is None


async def test_one_that_is_refused_leaves_all_as_they_are():
    async with raw_client() as client:
        await client.initialize(LAZY | {"experimental": {"diffill": {"frames": True}}})
        opened(client, text_of(1), text_of(2, mode="refuse"))
        result = (await run(client, uris=URIS, apply=False))["result"]
        assert result["edit"] is None
        assert result["reason"] == ("no proposal was good enough for /project/b.py: unclosed '('")
        ends = [m["params"] for m in client.messages if m.get("method") == "diffill/frameEnd"]
        assert sorted((e["uri"], e["outcome"]) for e in ends) == [(u, "refused") for u in URIS]


async def test_a_change_of_the_first_while_the_second_is_made_makes_it_stale():
    async with raw_client() as client:
        await client.initialize(LAZY)
        first, _ = opened(client, text_of(1), text_of(2, mode="wait")).values()
        request = client.request(
            "workspace/executeCommand",
            {"command": "diffill.fillAll", "arguments": [{"uris": URIS, "apply": False}]},
        )
        client.send(request)
        await client.until(lambda m: "return 2" in json.dumps(m) and "started" in json.dumps(m))
        at = first.index("pass")
        change = {"range": range_of(first, at, at + 4), "text": "return 9"}
        document = {"uri": URIS[0], "version": 2}
        params = {"textDocument": document, "contentChanges": [change]}
        client.notify("textDocument/didChange", params)
        client.notify("test/release")
        assert (await client.answer(request))["error"]["code"] == -32801


async def test_the_second_is_shown_what_the_first_will_be(tmp_path):
    uris = [(tmp_path / name).as_uri() for name in ("a.py", "b.py")]
    async with raw_client() as client:
        await client.initialize(LAZY, rootUri=tmp_path.as_uri())
        client.open(script(fill="    return 41\n") + "def forty():\n    pass\n", uris[0])
        client.open(text_of(2).replace("def f", "from a import forty\n\n\ndef f"), uris[1])
        assert (await run(client, uris=uris, apply=False))["result"]["edit"]
        first, second = asked(client)
        assert first["context"] == []
        (excerpt,) = second["context"]
        assert excerpt["path"] == "a.py"
        assert excerpt["text"].endswith("def forty():\n    return 41\n")


async def test_the_action_is_offered_where_other_open_files_have_holes_too():
    async with raw_client() as client:
        await client.initialize(LAZY)
        opened(client, text_of(1), "x = 1\n")
        document = {"uri": URIS[0]}
        params = {"textDocument": document, "range": range_of("", 0, 0)}
        params |= {"context": {"diagnostics": []}}

        async def titles():
            found = (await client.call("textDocument/codeAction", params))["result"]
            return {action["title"]: action for action in found}

        title = "Diffill: fill all holes of 2 open files"
        assert title not in await titles()
        client.open(text_of(2), URIS[1])
        action = (await titles())[title]
        assert action["command"]["arguments"] == [{"uris": URIS}]
        assert "data" not in action


@pytest.mark.parametrize("frames", [False, True])
async def test_a_client_that_shows_or_applies_edits_is_offered_it(frames):
    abilities = {"experimental": {"diffill": {"frames": True}}} if frames else {}
    async with raw_client() as client:
        await client.initialize({"workspace": {"applyEdit": not frames}} | abilities)
        opened(client, text_of(1), text_of(2))
        params = {"textDocument": {"uri": URIS[1]}, "range": range_of("", 0, 0)}
        params |= {"context": {"diagnostics": []}}
        found = (await client.call("textDocument/codeAction", params))["result"]
        assert "Diffill: fill all holes of 2 open files" in [each["title"] for each in found]


async def test_of_the_open_files_those_with_holes_are_filled_the_one_named_first():
    async with raw_client() as client:
        await client.initialize(LAZY)
        opened(client, text_of(1), text_of(2))
        client.open("x = 1\n", "file:///project/whole.py")
        client.open(text_of(3), "file:///project/.env")
        result = (await run(client, "fillOpen", uri=URIS[1], apply=False))["result"]
        changes = result["edit"]["documentChanges"]
        assert [each["textDocument"]["uri"] for each in changes] == [URIS[1], URIS[0]]


async def test_where_no_open_file_has_holes_it_is_told():
    async with raw_client() as client:
        await client.initialize(LAZY)
        client.open("x = 1\n")
        client.open(text_of(3), "file:///project/.env")
        result = (await run(client, "fillOpen", uri=URIS[0], apply=False))["result"]
        assert result["edit"] is None
        assert result["reason"].startswith("no open file has holes, such as `pass`")


@pytest.mark.parametrize(
    "argument",
    [
        {"uris": []},
        {"uris": "file:///a.py"},
        {"uris": [3]},
        {"uris": ["file:///a.py"] * 2},
        {"uris": URIS, "uri": URIS[0]},
        {"uris": URIS, "version": 1},
        {"uris": [f"file:///{n}.py" for n in range(65)]},
    ],
)
async def test_bad_lists_are_told(argument):
    async with raw_client() as client:
        await client.initialize(LAZY)
        assert (await run(client, **argument))["error"]["code"] == -32602


async def test_a_file_that_is_not_open_is_an_error():
    async with raw_client() as client:
        await client.initialize(LAZY)
        client.open(text_of(1), URIS[0])
        error = (await run(client, uris=URIS, apply=False))["error"]
        assert (error["code"], "b.py is not open" in error["message"]) == (-32803, True)
