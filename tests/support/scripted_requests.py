"""What the tests of requests share: two clients, a scripted document, and what is said of it."""

from lsp_text import range_of
from raw_client import script

URI = "file:///project/a.py"
LAZY = {
    "window": {"workDoneProgress": True},
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
        }
    },
}
EAGER = {
    "workspace": {"applyEdit": True},
    "textDocument": {
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    },
}


def document(**settings):
    return script(**settings) + "first = 1\nx = 1\nlast = 1\n"


def line_of(text, part):
    start = text.index(part)
    return range_of(text, start, text.index("\n", start) + 1)


async def offered(client, text, part="x = 1"):
    params = {
        "textDocument": {"uri": URI},
        "range": line_of(text, part),
        "context": {"diagnostics": []},
    }
    answer = await client.call("textDocument/codeAction", params)
    return answer["result"][0]


def change(version, *changes):
    document = {"uri": URI, "version": version}
    return {
        "method": "textDocument/didChange",
        "params": {"textDocument": document, "contentChanges": list(changes)},
    }


def edit_of(answer):
    assert "error" not in answer, answer
    (edit,) = answer["result"]["edit"]["documentChanges"]
    return edit


def said(client, what):
    return client.notification(
        "window/logMessage", lambda p: p["message"].startswith(f"engine: {what}")
    )


async def asked_to_apply(client, text, part="x = 1"):
    """Fill by command; return its message and the server's request to apply the edit."""
    argument = {"uri": URI, "range": line_of(text, part)}
    params = {"command": "diffill.fill", "arguments": [argument]}
    command = client.request("workspace/executeCommand", params)
    client.send(command)
    return command, await client.until(lambda m: m.get("method") == "workspace/applyEdit")
