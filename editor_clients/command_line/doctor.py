"""`diffill doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from importlib import metadata

from editor_clients.command_line import packages
from editor_clients.command_line.engines import OpenEngine, ask, engine_for
from editor_clients.command_line.exits import Exit
from editor_clients.command_line.screen import Screen, table
from engine import __version__, catalogue
from engine.errors import EngineError
from engine.folders import cache_dir
from engine.protocol import EditRequest, Effort
from engine.remotes import remote_of
from grammars.languages import LANGUAGES
from grammars.span import Span

LIBRARIES = ("torch", "tokenizers", "gguf", "tree-sitter", "pygls", "uvicorn", "starlette", "h11")


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table; `ok` is None for what is only told."""

    name: str
    detail: str
    ok: bool | None = None


def run(
    open_engine: OpenEngine | None,
    screen: Screen,
    model: str | None,
    *,
    verify: bool = False,
    quick: bool = False,
) -> Exit:
    """Print the checks; exit code 1 if one fails.

    Nothing is fetched, and nothing sent but two lines of ours to a remote that is the model.
    """
    return show(_checks(open_engine, screen, model, verify, quick), screen)


def show(checks: Iterable[Check], screen: Screen) -> Exit:
    """Print a table of checks; exit code 1 if one fails."""
    checks = list(checks)
    marks = {True: "ok", False: "FAIL", None: ""}
    screen.out(table([(c.name, marks[c.ok], c.detail) for c in checks]))
    return Exit.REFUSED if any(c.ok is False for c in checks) else Exit.DONE


def _checks(
    open_engine: OpenEngine | None, screen: Screen, model: str | None, verify: bool, quick: bool
) -> Generator[Check]:
    yield Check("diffill", __version__)
    yield Check("python", f"{platform.python_version()}, {sys.executable}")
    yield Check("platform", f"{platform.platform()}, {os.cpu_count()} cores, {_memory()}")
    for name in LIBRARIES:
        version = _version(name)  # importing torch to ask it would take seconds
        yield Check(name, version, version != "not installed")
    strangers = packages.misplaced()
    yield Check(
        "packages", f"misplaced: {', '.join(strangers)}" if strangers else "ours", not strangers
    )
    yield _grammars()
    yield _cache()
    yield _device()
    here = _model(model, verify)
    yield here
    if quick:
        return
    if not here.ok and open_engine is None:
        yield Check("engine", "not tried, for there is no model", False)
    else:
        yield try_engine(open_engine, screen, model)


def _grammars() -> Check:
    broken: list[str] = []
    for language in LANGUAGES:
        try:
            language.grammar()
        except Exception as error:  # a wheel that is missing, or built for another version
            broken.append(f"{language.id}: {error}")
    if broken:
        return Check("grammars", "; ".join(broken), False)
    return Check("grammars", ", ".join(language.id for language in LANGUAGES), True)


def _cache() -> Check:
    folder = cache_dir()
    near = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(near, os.W_OK):
        return Check("cache", f"{folder} cannot be written; set DIFFILL_CACHE", False)
    return Check("cache", f"{folder}, {shutil.disk_usage(near).free / 1e9:.1f} GB free", True)


def _device() -> Check:
    try:
        told = f"{catalogue.chosen_device()}, {catalogue.chosen_precision()}"
        if adapter := catalogue.chosen_adapter():
            told += f", adapter {adapter}"
        return Check("device", told)
    except EngineError as error:
        return Check("device", str(error), False)


def _model(model: str | None, verify: bool) -> Check:
    try:
        if remote := remote_of(model):
            return Check("model", f"{remote.name}, elsewhere: {remote.kind} at {remote.url}", True)
        local = catalogue.resolve_local(model)
        if local.path.is_file():
            catalogue.gguf_architecture(local.path)
    except EngineError as error:
        return Check("model", str(error), False)
    if not verify:
        return Check("model", f"{local.entry.name}, {local.path}", True)
    if not local.entry.sha256:
        return Check("model", f"{local.path}, not of the catalogue: no hash to compare", True)
    from engine.fetch import sha256_of

    if sha256_of(local.path) != local.entry.sha256:
        remedy = "`diffill model remove`, then `diffill model pull`"
        return Check("model", f"{local.path} is damaged, its hash is wrong: {remedy}", False)
    return Check("model", f"{local.entry.name}, {local.path}, hash verified", True)


def try_engine(open_engine: OpenEngine | None, screen: Screen, model: str | None) -> Check:
    """Fill a small hole."""
    text = "def one() -> int:\n    return \n"
    request = EditRequest(
        text=text,
        spans=(Span(len(text) - 1, len(text) - 1),),
        language="python",
        effort=Effort.QUICK,
        single_line=True,
        max_tokens=4,
    )
    try:
        open_engine = open_engine or engine_for(model, screen)
        stats = ask(open_engine, request, screen, "trying the engine").stats
    except EngineError as error:
        return Check("engine", str(error), False)
    return Check("engine", f"answers: {stats.tokens} tokens in {stats.seconds:.2f} s", True)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _memory() -> str:
    sysconf: Callable[[str], int] | None = getattr(os, "sysconf", None)
    try:
        assert sysconf
        size = sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES")
    except (AssertionError, ValueError, OSError):
        return "memory unknown"
    return f"{size / 2**30:.0f} GiB memory"
