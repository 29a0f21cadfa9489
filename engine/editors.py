"""From a model's name to what edits with it, here or elsewhere. Torch-free until it must not be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from engine import computing, pages
from engine.catalogue import chosen_device, resolve_local
from engine.config import AT_ONCE, Decoding, Precision
from engine.edit import Editor
from engine.family import Family
from engine.remotes import remote_of


def open_editor(
    model: str | None,
    report: Callable[[str, float], None],
    *,
    decoding: Decoding | None = None,
    precision: Precision | None = None,
) -> Editor:
    """Load a model that is on this machine (None: the default one), or get ready to ask a remote.

    Any thread may edit with it at any time.

    Raises:
        EngineError: with the reason and the remedy.
    """
    if remote := remote_of(model):
        from engine.remote_filler import RemoteFiller

        editor = Editor(RemoteFiller(remote))
        report("ready", 1.0)
        return editor
    path = resolve_local(model).path  # a model that is not here is said before torch is loaded
    if chosen_device().startswith("cpu"):
        computing.start()
    from engine.loading import load_editor

    load = partial(load_editor, str(path), report, decoding=decoding, precision=precision)
    return computing.compute(load)


def give_back() -> None:
    """Return to system and GPU what is kept of models that are gone: others may want it."""
    pages.give_back()
    torch = sys.modules.get("torch")  # never imported for a remote
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def at_once_of(model: str | None) -> int:
    """Return how many requests of one priority are best worked on at a time.

    Those of a model that writes from left to right share their passes; any other would be done
    with all of them later, and with none sooner. What a remote works on cannot be held.

    Raises:
        EngineError: if there is no such model.
    """
    if remote_of(model) or not isinstance(resolve_local(model).entry.family, Family):
        return 1
    return AT_ONCE
