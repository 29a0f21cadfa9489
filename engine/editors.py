"""From a model's name to what edits with it, here or elsewhere. Torch-free until it must not be."""

from __future__ import annotations

from collections.abc import Callable

from engine.catalogue import resolve_local
from engine.config import Decoding, Precision
from engine.edit import Editor
from engine.remotes import remote_of


def open_editor(
    model: str | None,
    report: Callable[[str, float], None],
    *,
    decoding: Decoding | None = None,
    precision: Precision | None = None,
) -> Editor:
    """Load a model that is on this machine (None: the default one), or get ready to ask a remote.

    Raises:
        EngineError: with the reason and the remedy.
    """
    if remote := remote_of(model):
        from engine.remote_filler import RemoteFiller

        editor = Editor(RemoteFiller(remote))
        report("ready", 1.0)
        return editor
    path = resolve_local(model).path  # a model that is not here is said before torch is loaded
    from engine.loading import load_editor

    return load_editor(str(path), report, decoding=decoding, precision=precision)
