"""The engine process: messages of `engine.protocol` on standard input and output.

One thread reads, so that a cancel is seen at once; another works off the queue.
Started by `engine.client`; nothing else may write to the real standard output.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from engine.config import EFFORTS, Decoding, Precision
from engine.control import Control
from engine.edit import Editor
from engine.editors import open_editor
from engine.errors import EngineError, unforeseen
from engine.protocol import EditRequest, Frame

log = logging.getLogger(__name__)

# Loads the model, reporting what it does and how far it is (0 to 1).
Load = Callable[[Callable[[str, float], None]], Editor]


class Service:
    """Answers edit requests from `source` on `sink`, one at a time, until `source` ends."""

    def __init__(self, source: IO[bytes], sink: IO[bytes], load: Load) -> None:
        self._source, self._sink, self._load = source, sink, load
        self._write_lock = threading.Lock()
        self._running: dict[int, Control] = {}
        self._queue: queue.SimpleQueue[tuple[int, EditRequest, Control] | None] = (
            queue.SimpleQueue()
        )

    def run(self) -> None:
        """Read messages until the end of input; then cancel what runs and return."""
        worker = threading.Thread(target=self._work, name="model", daemon=True)
        worker.start()
        for line in self._source:
            try:
                self._receive(json.loads(line))
            except (ValueError, KeyError, TypeError):
                log.exception("not a message: %.200r", line)
        for control in list(self._running.values()):
            control.cancel()
        self._queue.put(None)
        worker.join(timeout=5)

    def _receive(self, message: Mapping[str, Any]) -> None:
        number = int(message["id"])
        if message["type"] == "cancel":
            if number in self._running:
                self._running[number].cancel()
            return
        try:
            request = EditRequest.from_json(message["request"])
        except EngineError as error:
            self._send_error(number, error)
            return
        deadline_s = request.deadline_s
        if deadline_s is None:
            deadline_s = EFFORTS[request.effort].deadline_s * len(request.spans)
        control = Control(deadline_s)
        if request.frames:

            def on_frame(frame: Frame) -> None:
                self._send({"type": "frame", "id": number, "frame": frame.to_json()})

            control.on_frame = on_frame
        self._running[number] = control
        self._queue.put((number, request, control))

    def _work(self) -> None:
        """Load the model, then serve; a model that cannot be loaded fails every request."""

        def report(message: str, fraction: float) -> None:
            state = "ready" if fraction >= 1 else "loading"
            status = {"type": "status", "state": state, "message": message, "fraction": fraction}
            self._send(status)

        editor: Editor | EngineError
        try:
            editor = self._load(report)
        except EngineError as error:
            editor = error
        except Exception as error:
            log.exception("the model could not be loaded")
            editor = EngineError(f"the model could not be loaded: {error}")
        while (job := self._queue.get()) is not None:
            number, request, control = job
            try:
                if isinstance(editor, EngineError):
                    raise editor
                control.restart_clock()  # loading and waiting are not the request's time
                result = editor.edit(request, control)
                self._send({"type": "result", "id": number, "result": result.to_json()})
            except EngineError as error:
                self._send_error(number, error)
            except Exception as error:
                log.exception("request %d failed", number)
                self._send_error(number, unforeseen(error))
            finally:
                self._running.pop(number, None)

    def _send_error(self, number: int, error: EngineError) -> None:
        self._send({"type": "error", "id": number, "kind": error.kind, "message": str(error)})

    def _send(self, message: Mapping[str, Any]) -> None:
        with self._write_lock:
            try:
                self._sink.write(json.dumps(message).encode() + b"\n")
                self._sink.flush()
            except BrokenPipeError:
                os._exit(0)  # nobody is left to answer


def private_stdout() -> IO[bytes]:
    """Return the real standard output and point the public one at standard error.

    A stray print, ours or a library's, must not end up between two messages.
    """
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink


def main() -> int:
    """Run the engine process; see `engine.client.engine_command`."""
    parser = argparse.ArgumentParser(prog="diffill-engine", description=__doc__)
    parser.add_argument("--model", help="name in the catalogue or path of a GGUF file")
    parser.add_argument("--decoding", type=Decoding, choices=list(Decoding))
    parser.add_argument("--precision", type=Precision, choices=list(Precision))
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for our parent to handle
    sink = private_stdout()

    def load(report: Callable[[str, float], None]) -> Editor:
        return open_editor(args.model, report, decoding=args.decoding, precision=args.precision)

    Service(sys.stdin.buffer, sink, load).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
