from itertools import pairwise
from random import Random

import pytest
from lsp_text import ENCODINGS, offset, random_text, range_of
from raw_client import raw_client

from grammars.holes import find_holes

URI = "file:///project/a.py"


async def lenses(client):
    params = {"textDocument": {"uri": URI}}
    return (await client.call("textDocument/codeLens", params))["result"]


async def test_every_hole_has_a_lens_and_the_first_one_for_all():
    async with raw_client() as client:
        capabilities = await client.initialize()
        assert capabilities["codeLensProvider"] == {"resolveProvider": False}
        text = "def a():\n    ...\n\n\ndef b(): pass\n"
        client.open(text, version=3)
        where = [range_of(text, 9, 17), range_of(text, 28, 32)]
        starts = [{"start": w["start"], "end": w["start"]} for w in where]
        document = {"uri": URI, "version": 3}
        fills = [
            {
                "range": start,
                "command": {
                    "title": "Diffill: fill",
                    "command": "diffill.fill",
                    "arguments": [document | {"range": w}],
                },
            }
            for start, w in zip(starts, where, strict=True)
        ]
        together = {
            "range": starts[0],
            "command": {
                "title": "Diffill: fill all 2 holes",
                "command": "diffill.fillAll",
                "arguments": [document],
            },
        }
        assert await lenses(client) == [together, *fills]


async def test_of_many_holes_the_first_are_filled_together():
    async with raw_client() as client:
        await client.initialize()
        client.open("def f(): ...\n" * 33)
        titles = [lens["command"]["title"] for lens in await lenses(client)]
        assert titles == ["Diffill: fill the first 32 holes", *["Diffill: fill"] * 33]


@pytest.mark.parametrize(
    ("text", "uri"), [("x = 1\n", URI), ("def a(): ...\n", "file:///project/a.pyi")]
)
async def test_without_holes_there_are_no_lenses(text, uri):
    async with raw_client() as client:
        await client.initialize()
        client.open(text, uri=uri)
        params = {"textDocument": {"uri": uri}}
        assert (await client.call("textDocument/codeLens", params))["result"] == []


async def test_what_is_left_alone_has_no_lenses():
    async with raw_client() as client:
        await client.initialize()
        client.open("def a(): ...\n\0")
        assert await lenses(client) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_lens_points_at_its_hole_in_any_text(encoding):
    random = Random(3)
    async with raw_client() as client:
        await client.initialize({"general": {"positionEncodings": [encoding]}})
        for version in range(1, 9):
            pieces = [f"# {random_text(random, 6)}\ndef f(a='{random.choice('é😀中')}'): pass\n"]
            text = "".join(pieces * 3)
            client.open(text, version=version)
            arguments = [lens["command"]["arguments"][0] for lens in await lenses(client)]
            ranges = [argument["range"] for argument in arguments if "range" in argument]
            spans = [
                (offset(text, r["start"], encoding), offset(text, r["end"], encoding))
                for r in ranges
            ]
            assert spans == [(h.span.start, h.span.end) for h in find_holes(text, "python")]
            assert all(a[1] <= b[0] for a, b in pairwise(spans))
            assert all(text[start:end] == "pass" for start, end in spans)
            assert len(spans) == 3 or "\r" in text or "\n" in pieces[0][:8]
