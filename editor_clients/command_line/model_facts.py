"""`diffill model info` and `diffill model check`: what a model is, and whether it is whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from editor_clients.command_line.doctor import Check, show, try_engine
from editor_clients.command_line.engines import OpenEngine
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, table
from engine import catalogue
from engine.catalogue import LocalModel, ModelEntry
from engine.config import ModelConfig, Precision
from engine.errors import EngineError
from engine.families import FAMILIES, NAMED, OpenFamily, Published, families_named
from engine.family import Blocks, Family, Fim, InPlace, Uniform
from engine.fetch import sha256_of
from engine.footprint import footprint
from engine.hub import hub_id, source_of
from engine.recognition import config_of, family_of, family_of_gguf, read_json


def info(name: str | None, screen: Screen) -> Exit:
    """Print what is known of a model or of a family: sizes, memory, licence, what it can do."""
    if name is None or (entry := catalogue.entry_of(name)):
        entry = catalogue.entry_of(name)
        assert entry
        family = _family_of(entry)
        screen.out(_of_family(family) + _of_file(entry) + "\n" + _models(family))
        return Exit.DONE
    if families := families_named(name):
        screen.out("\n".join(_of_family(f) + "\n" + _models(f) for f in families))
        return Exit.DONE
    if found := _published(name):
        family, model = found
        screen.out(_of_family(family) + "\n" + _models(family, [model]))
        return Exit.DONE
    if not Path(name).exists() and not (hub_id(name) and catalogue.find(name)):
        known = ", ".join(NAMED)
        raise Stop(
            Exit.USAGE,
            f"{name!r} is no model or family that Diffill knows, and no file or folder that is "
            f"here; the families are: {known}",
        )
    local = catalogue.resolve_local(name)
    if local.path.is_dir():
        family = family_of(local.path)
        told = table(list[tuple[str, ...]]([("path", str(local.path)), *_origin(local.path)]))
        tied = read_json(local.path / "config.json").get("tie_word_embeddings") is True
        config = config_of(local.path, family, tied=tied)
    else:
        from engine.checkpoint import Checkpoint  # imports torch

        family = family_of_gguf(local.path, catalogue.gguf_architecture(local.path))
        told, config = _of_file(local.entry), Checkpoint(local.path).config
    row = _row(local.path.name, family, config, _licence(local))
    screen.out(_of_family(family) + told + "\n" + _table([row]))
    return Exit.DONE


def _published(name: str) -> tuple[OpenFamily, Published] | None:
    """Return a published model by its repository, whose owner may be left out."""
    for family in FAMILIES:
        for model in family.models:
            if name.lower() in (model.repository.lower(), model.repository.lower().split("/")[1]):
                return family, model
    return None


def _licence(local: LocalModel) -> str:
    """Return the licence of what was fetched from the hub, where it is known; files tell none."""
    source = source_of(local.path) if local.path.is_dir() else None
    found = _published(source["repository"]) if source else None
    return found[1].licence if found else local.entry.licence


def check(name: str | None, open_engine: OpenEngine | None, screen: Screen) -> Exit:
    """Look at a model's files, then fill a hole with it; exit code 1 if anything is wrong."""
    return show(_checks(name, open_engine, screen), screen)


def _family_of(entry: ModelEntry) -> OpenFamily:
    """Return the family of a model of the catalogue."""
    return next(family for family in FAMILIES if family.layout == entry.family)


def _checks(name: str | None, open_engine: OpenEngine | None, screen: Screen) -> Generator[Check]:
    try:
        local = catalogue.resolve_local(name)
    except EngineError as error:
        yield Check("model", str(error), False)
        return
    yield Check("model", f"{local.entry.title}, {local.path}", True)
    yield _hash(local.path, local.entry)
    command = [sys.executable, "-P", "-m", "engine.inspection", str(local.path)]
    with screen.working("reading the model's files"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield Check("files", done.stderr.strip().rpartition("\n")[2], False)
        return
    found = [Check(**json.loads(line)) for line in done.stdout.splitlines()]
    yield from found
    if all(check.ok for check in found):
        yield try_engine(open_engine, screen, str(local.path))


def _hash(path: Path, entry: ModelEntry) -> Check:
    if path.is_file() and entry.sha256:
        right = sha256_of(path) == entry.sha256
        return Check("hash", "as the catalogue has it" if right else "not the catalogue's", right)
    source = source_of(path) if path.is_dir() else None
    if source is None:
        return Check("hash", "none is known of a file of your own")
    for file, known in source["files"].items():
        if not (path / file).is_file() or sha256_of(path / file) != known["sha256"]:
            remedy = f"`diffill model remove {source['repository']}`, then pull it again"
            return Check("hash", f"{file} is not as it was fetched: {remedy}", False)
    return Check("hash", f"{len(source['files'])} files are as they were fetched", True)


def _origin(folder: Path) -> list[tuple[str, str]]:
    source = source_of(folder)
    return [("from", f"{source['repository']}, revision {source['revision']}")] if source else []


def _of_family(family: OpenFamily) -> str:
    layout = family.layout
    match layout:
        case InPlace():
            fills = "in place: sees all of the text at once"
            if layout.resize:
                fills += ", and finds the hole's length itself"
            elif layout.end is None:
                fills += "; lengths are tried, the likeliest first"
        case Blocks():
            prompt = "a FIM prompt" if isinstance(layout.prompt, Fim) else "a question"
            fills = f"through {prompt}, {layout.block} tokens at a time"
        case Uniform():
            fills = "through a question, out of noise, a canvas at a time"
        case Family():
            fills = "through a FIM prompt, one token at a time"
    rewrites = isinstance(layout, Family) and layout.chat is not None
    rows = [
        ("family", family.name),
        ("fills", fills),
        ("rewrites", "by instruction, where the model is an instructed one" if rewrites else "no"),
    ]
    if family.note:
        rows.append(("note", family.note))
    return table(list[tuple[str, ...]](rows))


def _of_file(entry: ModelEntry) -> str:
    rows = [
        ("model", entry.title),
        ("size", f"{entry.size / 1e6:,.0f} MB"),
        ("licence", entry.licence),
    ]
    return table(list[tuple[str, ...]](rows))


def _models(family: OpenFamily, models: list[Published] | None = None) -> str:
    models = list(family.models) if models is None else models
    if not models:
        return "No published model of it is known to us.\n"
    rows = [
        _row(
            model.repository,
            family,
            family.shape.config(model.config, tied=model.tied) if model.config else None,
            model.licence,
        )
        for model in models
    ]
    return _table(rows)


def _row(
    name: str, family: OpenFamily, config: ModelConfig | None, licence: str
) -> tuple[str, ...]:
    if config is None:
        return (name, "?", *("?" for _ in Precision), licence)
    size = footprint(family.shape, config)
    parameters = f"{size.parameters / 1e9:.2f} B"
    if size.active < size.parameters:
        parameters += f" ({size.active / 1e9:.2f} B)"
    return (name, parameters, *(f"{size.bytes[p] / 1e9:.1f} GB" for p in Precision), licence)


def _table(rows: list[tuple[str, ...]]) -> str:
    names = ("MODEL", "PARAMETERS", *(p.upper() for p in Precision), "LICENCE")
    return (
        table([names, *rows])
        + "Memory is that of the weights, by DIFFILL_PRECISION; the default is int8 on a CPU.\n"
    )
