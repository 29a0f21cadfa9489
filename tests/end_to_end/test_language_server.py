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
