"""From `textDocument/codeAction` to a validated edit, by `diffill lsp` and the real model."""

import sys
from pathlib import Path

import pytest
from lsp_text import apply_edits, range_of
from raw_client import raw_client

from grammars.validation import validate

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_file")]

SERVER = [str(Path(sys.executable).with_name("diffill")), "lsp"]
CAPABILITIES = {
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
        }
    },
}


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    monkeypatch.setattr("raw_client.DEADLINE_S", 300.0)  # a slow machine is no failure


STATES = {"masked", "provisional", "committed", "revised"}


async def test_a_fill_becomes_a_versioned_edit(project):
    text = (project / "prices.py").read_text()
    hole = "    raise NotImplementedError\n"
    start = text.index(hole)
    async with raw_client(server=SERVER) as client:
        await client.initialize(CAPABILITIES)
        uri = client.open(text, (project / "prices.py").as_uri(), version=7)
        params = {
            "textDocument": {"uri": uri},
            "range": range_of(text, start, start + len(hole)),
            "context": {"diagnostics": []},
        }
        action, *_ = (await client.call("textDocument/codeAction", params))["result"]
        resolved = (await client.call("codeAction/resolve", action))["result"]
        [change] = resolved["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": uri, "version": 7}
        after = apply_edits(text, change["edits"])
        assert after.startswith(text[:start])
        assert after.endswith(text[start + len(hole) :])
        assert "NotImplementedError" not in after
        assert validate(after, [], "python").ok
        await client.call("shutdown")
        client.notify("exit")
        assert await client.exit_code() == 0


SHOP = '''\
"""A shop's sums."""


def total(prices: list[float]) -> float:
    """Return the sum of the prices."""
    raise NotImplementedError


def mean(prices: list[float]) -> float:
    """Return the arithmetic mean of the prices."""
    ...


def cheapest(prices: list[float]) -> float:
    """Return the lowest of the prices."""
    # TODO: implement
    pass
'''


async def test_all_holes_of_a_file_are_filled_and_work(tmp_path):
    async with raw_client(server=SERVER) as client:
        await client.initialize(CAPABILITIES | {"experimental": {"diffill": {"frames": True}}})
        uri = client.open(SHOP, (tmp_path / "shop.py").as_uri())
        argument = {"uri": uri, "version": 1, "id": "shop", "apply": False}
        params = {"command": "diffill.fillAll", "arguments": [argument]}
        request = client.request("workspace/executeCommand", params)
        client.send(request)
        end = await client.notification("diffill/frameEnd")
        result = (await client.answer(request))["result"]
        assert (end["outcome"], result["reason"]) == ("done", None)
        [change] = result["edit"]["documentChanges"]
        after = apply_edits(SHOP, change["edits"])
        names: dict = {}
        exec(compile(after, "shop.py", "exec"), names)
        prices = [3.0, 1.0, 5.0]
        sums = [names[name](prices) for name in ("total", "mean", "cheapest")]
        assert sums == [9.0, 3.0, 1.0], after
        frames = [m["params"] for m in client.messages if m.get("method") == "diffill/frame"]
        assert sorted({frame["span"] for frame in frames}) == [0, 1, 2]
        assert {token["state"] for frame in frames for token in frame["tokens"]} <= STATES


async def test_a_line_is_completed_from_both_sides(tmp_path):
    # The model is sure of this one; behind a lone `return` a zero is as likely as the sum.
    text = SHOP.replace("    raise NotImplementedError\n", "    return round(, 2)\n", 1)
    at = text.index(", 2)")
    async with raw_client(server=SERVER) as client:
        await client.initialize(CAPABILITIES)
        uri = client.open(text, (tmp_path / "shop.py").as_uri())
        where = range_of(text, at, at)
        params = {
            "textDocument": {"uri": uri},
            "position": where["start"],
            "context": {"triggerKind": 1},
        }
        result = (await client.call("textDocument/inlineCompletion", params))["result"]
        item = result["items"][0]
        assert (item["insertText"], item["range"]) == ("sum(prices)", where)
