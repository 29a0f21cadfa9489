"""Edits as previews and the frames on the way: what `lsp_server.live` promises."""

import pytest
from lsp_text import ENCODINGS, apply_edits, range_of
from raw_client import raw_client, script

URI = "file:///project/a.py"
LIVE = {
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "experimental": {"diffill": {"frames": True}},
}
HOLES = 'def a():\n    ...\n\n\nname = "😀"; b = lambda: 1\n\n\ndef c(): pass\n'


def document(**settings):
    return script(**settings) + HOLES


def hole(text, part="    ...\n", encoding="utf-16"):
    start = text.index(part)
    return range_of(text, start, start + len(part), encoding)


def command(client, name, **argument):
    params = {"command": name, "arguments": [{"uri": URI} | argument]}
    return client.request("workspace/executeCommand", params)


async def run(client, name, **argument):
    request = command(client, name, **argument)
    client.send(request)
    return await client.answer(request)


def sent(client, method):
    return [m["params"] for m in client.messages if m.get("method") == method]


def edited(text, result, encoding="utf-16"):
    (change,) = result["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    return apply_edits(text, change["edits"], encoding)


async def test_a_preview_applies_nothing():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill="    return 1\n")
        client.open(text)
        answer = await run(client, "diffill.fill", range=hole(text), apply=False, id="a1")
        result = answer["result"]
        assert edited(text, result) == text.replace("    ...\n", "    return 1\n")
        assert result["reason"] is None
        assert result["stats"] == {"steps": 1, "forward_calls": 1, "tokens": 1, "seconds": 0.0}
        assert sent(client, "workspace/applyEdit") == []


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_all_holes_are_one_edit(encoding):
    async with raw_client() as client:
        general = {"general": {"positionEncodings": [encoding]}}
        await client.initialize(LIVE | general)
        text = document(fill=["    return '😀'\n", "return 2"]).replace("\n", "\r\n")
        client.open(text)
        result = (await run(client, "diffill.fillAll", apply=False))["result"]
        expected = text.replace("    ...\r\n", "    return '😀'\r\n").replace("pass", "return 2")
        assert edited(text, result, encoding) == expected


async def test_all_holes_are_applied_at_once():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill=["    return 1\n", "return 2"])
        client.open(text)
        request = command(client, "diffill.fillAll", version=1)
        client.send(request)
        apply = await client.until(lambda m: m.get("method") == "workspace/applyEdit")
        assert sent(client, "diffill/frameEnd")[0]["outcome"] == "done", "before the edit"
        assert apply["params"]["label"] == "Diffill: fill all holes"
        assert edited(text, apply["params"]).endswith("def c(): return 2\n")
        client.send({"id": apply["id"], "result": {"applied": True}})
        assert (await client.answer(request))["result"] is None


async def test_several_ranges_are_one_edit():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill=["    return 1\n", "return 2"])
        client.open(text)
        cursor = hole(text, "...")["start"]
        ranges = [hole(text, "pass"), {"start": cursor, "end": cursor}]
        result = (await run(client, "diffill.fill", ranges=ranges, apply=False))["result"]
        expected = text.replace("    ...", "    return 1").replace("pass", "return 2")
        assert edited(text, result) == expected


async def test_ranges_that_mean_the_same_are_one_place():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill=["    return 1\n"])
        client.open(text)
        ranges = [hole(text, "..."), hole(text), hole(text, "..")]
        result = (await run(client, "diffill.fill", ranges=ranges, apply=False))["result"]
        assert edited(text, result) == text.replace("    ...", "    return 1")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"fill": "    (\n", "mode": "refuse"}, "no proposal was good enough: unclosed '('"),
        ({"fill": "    ...\n"}, "leave the text as it is"),
    ],
)
async def test_without_an_edit_there_is_a_reason(script, reason):
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(**script)
        client.open(text)
        result = (await run(client, "diffill.fill", range=hole(text), apply=False))["result"]
        assert result["edit"] is None
        assert reason in result["reason"]
        assert result["stats"]["steps"] == 1
        end = sent(client, "diffill/frameEnd")
        assert [e["outcome"] for e in end] == ["refused" if script.get("mode") else "done"]


async def test_a_file_without_holes_is_refused():
    async with raw_client() as client:
        await client.initialize(LIVE)
        client.open("x = 1\n")
        result = (await run(client, "diffill.fillAll", apply=False))["result"]
        assert (result["edit"], result["stats"]) == (None, {})
        assert "no holes" in result["reason"]
        assert (await run(client, "diffill.fillAll"))["error"]["code"] == -32803
        assert [e["outcome"] for e in sent(client, "diffill/frameEnd")] == ["refused"] * 2


async def test_frames_name_request_place_and_state():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill="    return 1\n")
        client.open(text, version=4)
        await run(client, "diffill.fill", range=hole(text), apply=False, id="a1")
        await run(client, "diffill.fill", range=hole(text), apply=False)
        first, *_, last = sent(client, "diffill/frame")
        assert first == {
            "request": "a1",
            "uri": URI,
            "version": 4,
            "range": hole(text),
            "span": 0,
            "step": 0,
            "draft": 0,
            "tokens": [{"text": "t", "state": "masked", "confidence": 0.5}] * 3,
        }
        states = [token["state"] for token in last["tokens"]]
        assert (last["request"], states) == (URI, ["committed", "committed", "masked"])
        ends = sent(client, "diffill/frameEnd")
        assert [e["request"] for e in ends] == ["a1", URI]


async def test_frames_are_few_and_the_last_of_each_place_comes():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill=["    return 1\n", "return 2"], frames=300)
        client.open(text)
        await run(client, "diffill.fillAll", apply=False)
        frames = sent(client, "diffill/frame")
        assert len(frames) <= 12, "600 in one go"
        for span, where in enumerate((hole(text), hole(text, "pass"))):
            own = [f for f in frames if f["span"] == span]
            assert own[-1]["step"] == 299
            assert all(f["range"] == where for f in own)
        assert [f["span"] for f in frames] == sorted(f["span"] for f in frames)


async def test_a_client_that_does_not_ask_gets_no_frames():
    async with raw_client() as client:
        await client.initialize({k: v for k, v in LIVE.items() if k != "experimental"})
        text = document(fill="    return 1\n")
        client.open(text)
        await run(client, "diffill.fill", range=hole(text), apply=False)
        assert not [m for m in client.messages if "diffill/" in m.get("method", "")]


@pytest.mark.parametrize("by", ["request", "progress"])
async def test_a_cancelled_command_ends_its_frames(by):
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(mode="wait")
        client.open(text)
        request = command(client, "diffill.fillAll", apply=False, id="a1")
        request["params"]["workDoneToken"] = "mine"
        client.send(request)
        await client.notification(
            "window/logMessage", lambda p: p["message"].startswith("engine: started")
        )
        if by == "request":
            client.notify("$/cancelRequest", {"id": request["id"]})
        else:
            client.notify("window/workDoneProgress/cancel", {"token": "mine"})
        assert (await client.answer(request))["error"]["code"] == -32800
        assert sent(client, "diffill/frameEnd") == [
            {"request": "a1", "uri": URI, "outcome": "cancelled"}
        ]
        assert (await client.call("test/running"))["result"] == 0


async def test_a_failure_ends_its_frames():
    async with raw_client() as client:
        await client.initialize(LIVE)
        client.open(document(mode="die"))
        answer = await run(client, "diffill.fillAll", apply=False)
        assert answer["error"]["code"] == -32803
        assert [e["outcome"] for e in sent(client, "diffill/frameEnd")] == ["failed"]


async def test_an_edit_above_moves_all_places_and_one_inside_refuses_them():
    async with raw_client() as client:
        await client.initialize(LIVE)
        text = document(fill=["    return 1\n", "return 2"], mode="wait")
        client.open(text)
        first = command(client, "diffill.fillAll", apply=False, id="first")
        client.send(first)
        start = {"line": 1, "character": 0}
        typed = {"range": {"start": start, "end": start}, "text": "y = '😀'\n"}
        changed = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [typed]}
        client.notify("textDocument/didChange", changed)
        today = text.replace("def a", "y = '😀'\ndef a")
        await client.notification(
            "window/logMessage", lambda p: p["message"].startswith("engine: started")
        )
        client.notify("test/release")
        result = (await client.answer(first))["result"]
        (change,) = result["edit"]["documentChanges"]
        expected = today.replace("    ...", "    return 1").replace("pass", "return 2")
        assert apply_edits(today, change["edits"]) == expected
        frame = sent(client, "diffill/frame")[-1]
        assert (frame["version"], frame["range"]) == (2, hole(today, "pass"))


@pytest.mark.parametrize(
    "argument",
    [
        {"range": hole(HOLES), "ranges": [hole(HOLES)]},
        {"ranges": []},
        {"ranges": [hole(HOLES)] * 33},
        {"ranges": 3},
        {"ranges": [{"start": 3}]},
        {"range": hole(HOLES), "id": 3},
        {"range": hole(HOLES), "apply": "no"},
        {"range": hole(HOLES), "frames": True},
    ],
)
async def test_bad_arguments_are_told(argument):
    async with raw_client() as client:
        await client.initialize(LIVE)
        client.open(document())
        error = (await run(client, "diffill.fill", **argument))["error"]
        assert error["code"] == -32602, error
        assert sent(client, "diffill/frameEnd") == []


async def test_a_client_that_asks_is_told_what_is_left_alone():
    for experimental, told in (({}, []), ({"diffill": {"off": True}}, ["file:///.env"])):
        async with raw_client() as client:
            await client.initialize(LIVE | {"experimental": experimental})
            client.open("x = 1\n", "file:///.env")
            client.open("x = 1\n", "file:///a.py")
            await client.call("textDocument/codeLens", {"textDocument": {"uri": "file:///a.py"}})
            off = sent(client, "diffill/off")
            assert [each["uri"] for each in off] == told
            assert all("secrets" in each["reason"] for each in off)
