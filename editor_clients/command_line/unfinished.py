"""`--resume`: the answers a run got, kept until it ends by itself, so that it can be gone on with.

One file a command line and folder, in the user's state folder; nobody else may read it. A line is
an answer, under the hash of its request, or a file that was written, under the hash of its bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from editor_clients.command_line import journal
from editor_clients.command_line.files import UserFile
from engine import __version__
from engine.protocol import EditRequest, EditResult

MAX_KEPT = 50
RESUME = "--resume"
_CHOICES = ("DIFFILL_MODEL", "DIFFILL_DEVICE", "DIFFILL_PRECISION", "DIFFILL_ADAPTER")


class Unfinished:
    """What a run has done so far; it is kept if there are a command line and a place for it."""

    def __init__(self, argv: Sequence[str] = (), *, resume: bool = False) -> None:
        words = [
            __version__,  # another one, or another model, may answer otherwise
            *(os.environ.get(variable, "") for variable in _CHOICES),
            str(Path.cwd()),
            *(word for word in argv if word != RESUME),
        ]
        name = journal.digest(json.dumps(words).encode("utf-8", "surrogatepass"))
        self._path = journal.state_folder() / "unfinished" / f"{name}.jsonl" if argv else None
        self._answers: dict[str, dict[str, Any]] = {}  # by request
        self._written: dict[str, str] = {}  # by path
        self._file: TextIO | None = None
        # What an earlier run left is given up only once this one has something to keep.
        self._resumes = resume
        if resume:
            self._read()

    def answer(self, request: EditRequest) -> EditResult | None:
        """Return what a request was answered before, if it was."""
        known = self._answers.get(_key(request))
        return EditResult.from_json(known) if known else None

    def keep(self, request: EditRequest, result: EditResult) -> None:
        """Remember an answer."""
        self._add({"asked": _key(request), "result": result.to_json()})

    def wrote(self, path: Path, raw: bytes) -> None:
        """Remember that a file is done."""
        self._add({"written": str(path), "digest": journal.digest(raw)})

    def is_written(self, file: UserFile) -> bool:
        """Whether a file was done before, and is still as it was left."""
        return self._written.get(str(file.target)) == journal.digest(file.raw)

    def end(self) -> None:
        """Forget it all: the run ended by itself."""
        if self._file:
            with contextlib.suppress(OSError):  # what a full disk did not take
                self._file.close()
        self._forget()

    def _forget(self) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        assert self._path
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self._path.read_text("utf-8", "replace").split("\n")
        for line in lines:
            with contextlib.suppress(ValueError):  # cut or damaged by a crash
                match json.loads(line):
                    case {"asked": key, "result": result}:
                        self._answers[key] = result
                    case {"written": path, "digest": digest}:
                        self._written[path] = digest
                    case _:
                        pass

    def _add(self, record: dict[str, Any]) -> None:
        if self._path is None:
            return
        try:
            self._file = self._file or self._opened(self._path)
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError:  # a run need not fail because it cannot be gone on with
            self._path = None

    def _opened(self, path: Path) -> TextIO:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = sorted(path.parent.glob("*.jsonl"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in others[MAX_KEPT:]:
            old.unlink(missing_ok=True)
        if not self._resumes:
            path.unlink(missing_ok=True)
        if path.exists():
            raw = path.read_bytes()
            os.truncate(path, raw.rfind(b"\n") + 1)  # the last line may have been cut by a crash
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w")


def _key(request: EditRequest) -> str:
    asked = request.to_json()
    del asked["priority"]  # it depends on how much is left to do
    return journal.digest(json.dumps(asked, sort_keys=True).encode())
