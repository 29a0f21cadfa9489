"""A real language server whose engine does what the document's first line says.

The line holds `script` and a JSON object:
    fill     what comes in place of the span, or a list: of each span
    others   more candidates for one span
    frames   how many frames a span has, 3 by default
    tokens   [text, confidence] of each token of a last frame
    mode     "wait" for the notification `test/release`, "linger" for it after the frames, "refuse",
             "unchecked", "die" or "outside"
The engine tells what happens to it by window/logMessage: "engine: model NAME", "engine: asked
REQUEST" (JSON, without the text), "engine: started TEXT" (JSON) and "engine: cancelled"; the
request `test/running` returns how many edits are being made, and the notification `test/occupy`
keeps every thread of asyncio's pool busy until the release. It also prints to stdout, which must
not reach the client.

With `--engine-process` the engine is a child process, mortal_engine.py.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from threading import Event

from lsprotocol import types as lsp

from engine.client import EngineProcess, EngineStatus
from engine.errors import EngineUnavailable
from engine.protocol import (
    Candidate,
    EditResult,
    EditStats,
    Frame,
    FrameToken,
    TokenState,
)
from grammars.span import Replacement, Span
from grammars.verdict import Verdict
from lsp_server.main import claim_stdout, serve
from lsp_server.server import create_server


class ScriptedEngine:
    def __init__(self, server, model, on_status):
        self.server = server
        self.model = model
        self.on_status = on_status
        self.released = asyncio.Event()
        self.running = 0

    async def edit(self, request, on_frame=None):
        self.running += 1
        try:
            return await self.answer(request, on_frame)
        finally:
            self.running -= 1

    async def answer(self, request, on_frame):
        print("a stray print")
        os.write(1, b"a stray write\n")
        first = request.text.splitlines()[0]
        script = json.loads(first[first.index("{") :])
        mode = script.get("mode")
        self.tell(f"model {self.model}")
        self.tell(f"asked {json.dumps(request.to_json() | {'text': None})}")
        self.tell(f"started {json.dumps(request.text)}")
        self.on_status(EngineStatus("loading", "loading the model", 0.5))
        try:
            if mode == "wait":
                await self.released.wait()
        except asyncio.CancelledError:
            self.tell("cancelled")
            raise
        if mode == "die":
            raise EngineUnavailable("the engine ended unexpectedly (exit code -9)")
        if on_frame and request.frames:
            for number in range(len(request.spans)):
                for step in range(count := script.get("frames", 3)):
                    states = [TokenState.COMMITTED] * step + [TokenState.MASKED] * (count - step)
                    tokens = tuple(FrameToken("t", state, 0.5) for state in states[-3:])
                    on_frame(Frame(number, step, tokens))
            for number in range(len(request.spans)):
                if told := script.get("tokens"):
                    tokens = (FrameToken(text, TokenState.COMMITTED, p) for text, p in told)
                    on_frame(Frame(number, 9, tuple(tokens)))
        if mode == "linger":
            await self.released.wait()
        verdict = Verdict(
            ok=mode != "refuse",
            reasons=("unclosed '('",) if mode == "refuse" else (),
            checked=mode != "unchecked",
        )
        spans = [Span(0, request.spans[0].end)] if mode == "outside" else request.spans
        fill = request.instruction or script.get("fill", "")
        fills = fill if isinstance(fill, list) else [fill] * len(spans)
        replacements = tuple(map(Replacement, spans, fills))
        candidate = Candidate(replacements, verdict, -0.1)
        others = [
            Candidate((Replacement(spans[0], other),), verdict, -1.0)
            for other in script.get("others", [])
        ]
        return EditResult((candidate, *others), EditStats(1, 1, 1, 0.0))

    async def close(self):
        pass

    def tell(self, message):
        params = lsp.LogMessageParams(lsp.MessageType.Log, f"engine: {message}")
        self.server.window_log_message(params)


def main():
    stdout = claim_stdout()
    engines = []

    def engine(model, on_status):
        if "--engine-process" in sys.argv:
            child = Path(__file__).with_name("mortal_engine.py")
            return EngineProcess(command=[sys.executable, str(child)], on_status=on_status)
        engines.append(ScriptedEngine(server, model, on_status))
        return engines[-1]

    server = create_server(engine)

    released = Event()

    @server.feature("test/occupy")
    def occupy(*_params):
        for _ in range(64):
            asyncio.get_running_loop().run_in_executor(None, released.wait)

    @server.feature("test/release")
    def release(*_params):
        released.set()
        for each in engines:
            each.released.set()

    @server.feature("test/running")
    def running(*_params):
        return sum(each.running for each in engines)

    return serve(server, stdout)


if __name__ == "__main__":
    sys.exit(main())
