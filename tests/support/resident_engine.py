"""A resident engine without a model: the real service, an editor that does what the text says.

Each load appends the process id to FOLDER/loads; an edit of a text with "WAIT" waits for the
cancel and appends "cancelled" to FOLDER/events, "DIE" kills the process, "REFUSE" gets a verdict
that refuses it, "HOLD" waits for FOLDER/release. Each edit appends its text and where its first
span starts to FOLDER/texts, and the names of other files.
"""

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from engine.place import Identity, Place
from engine.shared import Home

IDENTITY = Identity("1", "scripted", "0")


def home(folder):
    command = [sys.executable, "-P", str(Path(__file__).resolve()), str(folder)]
    return Home(Place(Path(folder), "scripted"), IDENTITY, command)


def note(folder, name, word):
    with (Path(folder) / name).open("a") as file:
        file.write(f"{word}\n")


class Editor:
    def __init__(self, folder):
        self.folder = folder

    def edit(self, request, control):
        from scripted_engine import answer

        from engine.errors import EngineError
        from engine.protocol import EditResult, Frame, FrameToken, TokenState

        if control.on_frame:
            control.on_frame(Frame(0, 1, (FrameToken("a", TokenState.COMMITTED, 0.5),)))
        if "DIE" in request.text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "WAIT" in request.text:
            note(self.folder, "events", "started")
            try:
                while True:
                    control.check()
                    time.sleep(0.02)
            except EngineError as error:
                note(self.folder, "events", error.kind)
                raise
        if "HOLD" in request.text:
            note(self.folder, "events", "held")
            while not (Path(self.folder) / "release").exists():
                time.sleep(0.02)
        note(self.folder, "done", request.path)
        mode = "invalid" if "REFUSE" in request.text else "echo"
        note(
            self.folder,
            "texts",
            json.dumps([request.text, request.spans[0].start, *(e.path for e in request.context)]),
        )
        told = {"sights": [{"span": 0, "before": "", "after": "", "tokens": 7}], "attempts": []}
        plain = answer(mode, request.to_json())
        return EditResult.from_json(plain | {"explanation": told if request.explain else None})


def load(folder, report):
    note(folder, "loads", os.getpid())
    report("ready", 1.0)
    return Editor(folder)


def application(folder):
    """Return what a replica serves."""
    from engine.application import Application

    return Application(IDENTITY, partial(load, folder))


def main():
    from engine.server import run

    folder = sys.argv[1]
    at_once = int(os.environ.get("AT_ONCE", "1"))
    run(home(folder).place, IDENTITY, partial(load, folder), at_once=at_once, detach=True)


if __name__ == "__main__":
    main()
