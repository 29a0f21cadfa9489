"""What the model was unsure of, remembered of an accepted edit and filled once more."""

import json

import pytest
from lsp_text import apply_edits, position, range_of
from raw_client import raw_client, script
from scripted_requests import LAZY, URI, change, edit_of

from engine.protocol import Frame, FrameToken, TokenState
from lsp_server.doubts import MAX_DOUBTS, Sureness


def frame(tokens, draft=0):
    made = tuple(FrameToken(t, TokenState.COMMITTED, p) for t, p in tokens)
    return Frame(0, 1, made, draft)


def doubts(text, *frames, span=0, start=0):
    sureness = Sureness()
    for each in frames:
        sureness.on_frame(each)
    return [s.of(" " * start + text) for s in sureness.doubts(span, text, start)]


SURE = [("return", 0.9), (" price", 0.3), ("s", 0.9), ("[", 0.9), ("0", 0.2), ("]", 0.9)]


def test_the_words_of_doubtful_tokens_are_doubtful():
    assert doubts("return prices[0]", frame(SURE)) == ["prices", "0"]
    assert doubts("return prices[0]", frame(SURE), start=7) == ["prices", "0"]


@pytest.mark.parametrize(
    "text", ["    return prices[0]\n", "return prices[\n    0]", "return prices"]
)
def test_blanks_and_a_cut_end_do_not_matter(text):
    assert doubts(text, frame(SURE))[0] == "prices"


def test_of_another_text_nothing_is_known():
    assert doubts("return values[0]", frame(SURE)) == []
    assert doubts("return prices[0] + 1", frame(SURE)) == []
    assert doubts("return prices[0]", frame(SURE), span=1) == []
    assert doubts("return prices[0]") == []


def test_the_draft_that_was_taken_counts_though_another_came_after_it():
    other = [("x", 0.1)]
    assert doubts("return prices[0]", frame(SURE[:2]), frame(SURE), frame(other, draft=1)) == [
        "prices",
        "0",
    ]
    assert doubts("x", frame(SURE), frame(other, draft=1)) == ["x"]


def test_there_are_few():
    tokens = [(f"w{n} ", n / 100) for n in range(20)]
    text = "".join(t for t, _ in tokens)
    assert doubts(text, frame(tokens)) == [f"w{n}" for n in range(MAX_DOUBTS)]


TOKENS = [["x", 0.9], [" =", 0.9], [" price", 0.3], ["s", 0.9], ["[", 0.9], ["0", 0.2], ["]", 0.9]]
FILL = "x = prices[0]\n"


def document():
    return script(fill=FILL, tokens=TOKENS) + "first = 1\nx = 1\n"


async def actions(client, text):
    at = position(text, text.index("x ="), "utf-16")
    params = {
        "textDocument": {"uri": URI},
        "range": {"start": at, "end": at},
        "context": {"diagnostics": [], "only": ["refactor.rewrite.diffill.reroll"]},
    }
    return (await client.call("textDocument/codeAction", params))["result"]


async def filled(client, text):
    """Fill the last line as a user does, and return the text then."""
    argument = {"uri": URI, "range": range_of(text, text.index("x = 1"), len(text))}
    params = {"command": "diffill.fill", "arguments": [argument | {"apply": False}]}
    edits = edit_of(await client.call("workspace/executeCommand", params))["edits"]
    new = apply_edits(text, edits)
    client.send(change(2, *({"range": e["range"], "text": e["newText"]} for e in edits)))
    return new


async def test_an_accepted_edit_can_be_rolled_again_where_it_was_doubtful():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document()
        client.open(text)
        assert await actions(client, text) == []
        text = await filled(client, text)
        assert text.endswith(FILL)
        above = "second = 2\n"
        at = text.index("first")
        client.send(change(3, {"range": range_of(text, at, at), "text": above}))
        text = text[:at] + above + text[at:]
        (action,) = await actions(client, text)
        assert action["title"] == (
            "Diffill: roll again what the model was unsure of: `prices`, `0`"
        )
        await client.call("codeAction/resolve", action)
        asked = [
            json.loads(m["params"]["message"].removeprefix("engine: asked "))
            for m in client.messages
            if m.get("method") == "window/logMessage" and "asked" in m["params"]["message"]
        ]
        assert [text[a:b] for a, b in asked[-1]["spans"]] == ["prices", "0"]
        assert (asked[0]["seed"], asked[-1]["seed"], asked[-1]["single_line"]) == (0, 1, True)


async def test_a_part_that_was_changed_by_hand_is_left_out_and_then_nothing_is_left():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document()
        client.open(text)
        text = await filled(client, text)
        start = text.rindex("prices")
        client.send(change(3, {"range": range_of(text, start, start + 6), "text": "costs"}))
        text = text[:start] + "costs" + text[start + 6 :]
        (action,) = await actions(client, text)
        assert action["title"].endswith(": `0`")
        start = text.rindex("0]")
        client.send(change(4, {"range": range_of(text, start, start + 1), "text": "1"}))
        assert await actions(client, text) == []
        params = {"command": "diffill.reroll", "arguments": [{"uri": URI, "apply": False}]}
        result = (await client.call("workspace/executeCommand", params))["result"]
        assert (result["edit"], "was sure" in result["reason"]) == (None, True)
        params = {"command": "diffill.reroll", "arguments": [{"uri": URI}]}
        error = (await client.call("workspace/executeCommand", params))["error"]
        assert (error["code"], "was sure" in error["message"]) == (-32803, True)


async def test_an_edit_that_was_not_accepted_leaves_no_doubts():
    async with raw_client() as client:
        await client.initialize(LAZY)
        text = document()
        client.open(text)
        argument = {"uri": URI, "range": range_of(text, text.index("x = 1"), len(text))}
        params = {"command": "diffill.fill", "arguments": [argument | {"apply": False}]}
        await client.call("workspace/executeCommand", params)
        assert await actions(client, text) == []
