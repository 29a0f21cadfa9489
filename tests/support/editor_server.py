"""A language server that answers an editor by script: no model, no documents but their versions.

The notification `test/script` says how to answer from now on:
    items    the items of an inline completion
    edits    the text edits of a command with `apply` false; left out: there is none, for `reason`
    frames   `diffill/frame` notifications sent before, all but what names the request and document
    error    {"code", "message"} in place of an answer
    version  that of the answered edit, if not that of the document the request saw
    hold     a request is answered only after `test/release`
What the editor sends is told back to it as `test/seen` {"method", "params"}.
"""

import json
import sys

CAPABILITIES = {
    "textDocumentSync": {"openClose": True, "change": 1},
    "executeCommandProvider": {"commands": ["diffill.fill", "diffill.fillAll", "diffill.rewrite"]},
    "inlineCompletionProvider": {},
    "codeActionProvider": {"codeActionKinds": ["refactor.rewrite.diffill"]},
}
CANCELLED = -32800


def read():
    length = 0
    while header := sys.stdin.buffer.readline().strip():
        name, _, value = header.partition(b":")
        if name == b"Content-Length":
            length = int(value)
    return json.loads(sys.stdin.buffer.read(length)) if length else None


def send(**message):
    body = json.dumps({"jsonrpc": "2.0"} | message).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    sys.stdout.buffer.flush()


class Server:
    def __init__(self):
        self.script = {}
        self.versions = {}
        self.held = {}

    def run(self):
        while message := read():
            method, params = message.get("method"), message.get("params") or {}
            if method == "exit":
                return
            if method is None:
                continue
            if not method.startswith("test/"):
                send(method="test/seen", params={"method": method, "params": params})
            if "id" not in message:
                self.notified(method, params)
            elif method in ("workspace/executeCommand", "textDocument/inlineCompletion"):
                answer = self.work(method, params)
                if self.script.get("hold"):
                    self.held[message["id"]] = answer
                else:
                    send(id=message["id"], **answer)
            else:
                send(id=message["id"], result=self.plain(method, params))

    def notified(self, method, params):
        document = params.get("textDocument", {})
        if method in ("textDocument/didOpen", "textDocument/didChange"):
            self.versions[document["uri"]] = document["version"]
        elif method == "$/cancelRequest" and self.held.pop(params["id"], None):
            send(id=params["id"], error={"code": CANCELLED, "message": "cancelled"})
        elif method == "test/script":
            self.script = params
        elif method == "test/release":
            for request, answer in self.held.items():
                send(id=request, **answer)
            self.held.clear()

    def plain(self, method, params):
        if method == "initialize":
            return {"capabilities": CAPABILITIES, "serverInfo": {"name": "script", "version": "1"}}
        if method == "textDocument/codeAction":
            uri = params["textDocument"]["uri"]
            argument = {"uri": uri, "version": self.versions[uri], "range": params["range"]}
            command = {"title": "fill", "command": "diffill.fill", "arguments": [argument]}
            return [{"title": "fill", "kind": "refactor.rewrite.diffill", "command": command}]
        return None

    def work(self, method, params):
        if "error" in self.script:
            return {"error": self.script["error"]}
        if method == "textDocument/inlineCompletion":
            return {"result": {"items": self.script.get("items", [])}}
        (argument,) = params["arguments"]
        uri, version = argument["uri"], self.versions[argument["uri"]]
        for frame in self.script.get("frames", []):
            about = {"request": argument["id"], "uri": uri, "version": version}
            send(method="diffill/frame", params=about | frame)
        edit = None
        if "edits" in self.script:
            document = {"uri": uri, "version": self.script.get("version", version)}
            edit = {"documentChanges": [{"textDocument": document, "edits": self.script["edits"]}]}
        return {"result": {"edit": edit, "reason": self.script.get("reason"), "stats": {}}}


if __name__ == "__main__":
    Server().run()
