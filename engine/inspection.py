"""Look at a model's files without running it: `python -m engine.inspection PATH`.

One JSON line a check, `{"name", "detail", "ok"}`. A process of its own: its callers load no torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from engine.catalogue import resolve_local
from engine.checkpoint import Checkpoint
from engine.errors import EngineError
from engine.folder import CheckpointFolder
from engine.recognition import family_of
from engine.tokenizer import Tokenizer

# What a tokenizer that was made for prose loses: combining marks, line ends, blanks, characters
# beyond the first plane; and the names of special tokens, which are text in a user's file.
_TEXT = "def Größe(x):\r\n\treturn  x # e\u0301 😀 <|mask|> <|endoftext|> <s> \n"


def inspect(path: Path) -> list[tuple[str, str, bool]]:
    """Return what was looked at, what was found, and whether it is right."""
    model: CheckpointFolder | Checkpoint | None = None

    def tensors() -> str:
        nonlocal model
        if path.is_dir():
            model = CheckpointFolder(path, family_of(path))
            found = model
        else:
            resolve_local(str(path))
            model = Checkpoint(path)
            found = model.tensors()
        return f"{len(found):,} of them, each where its configuration says"

    def tokenizer() -> str:
        assert model
        found = Tokenizer(model.vocabulary())
        ids = found.encode(_TEXT)
        if found.decode(ids) != _TEXT:
            raise EngineError(f"gives {found.decode(ids)!r} for {_TEXT!r}")
        if any(map(found.is_special, ids)):
            raise EngineError("reads a special token out of a text")
        return f"gives a text back as it was, in {len(ids)} tokens"

    done: list[tuple[str, str, bool]] = []
    checks: list[tuple[str, Callable[[], str]]] = [("tensors", tensors), ("tokenizer", tokenizer)]
    for name, check in checks:
        try:
            done.append((name, check(), True))
        except EngineError as error:
            done.append((name, str(error), False))
            break
    return done


def main() -> int:
    """Print the checks of the model whose path is the argument."""
    for name, detail, ok in inspect(Path(sys.argv[1])):
        print(json.dumps({"name": name, "detail": detail, "ok": ok}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
