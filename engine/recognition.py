"""Which family a model's files are of. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from engine.config import ModelConfig
from engine.errors import CheckpointError, EngineError
from engine.families import FAMILIES, OpenFamily
from engine.family import Key, Layout

_MAX_CONFIG_BYTES = 1 << 20


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file of a checkpoint folder.

    Raises:
        CheckpointError: if there is no such file, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            data = json.loads(file.read())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return data


def family_of(folder: Path) -> OpenFamily:
    """Return the family of a checkpoint folder, with the tokens its `config.json` names.

    Raises:
        CheckpointError: if it is none, or of no family that is known.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a model's folder: it has no config.json")
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise CheckpointError(f"{path} is too large to be a model's configuration")
    config = read_json(path)
    kind, classes = config.get("model_type"), config.get("architectures")
    named = {str(c) for c in classes} if isinstance(classes, list) else set[str]()
    candidates = [f for f in FAMILIES if named & set(f.classes)] or [
        f for f in FAMILIES if kind in f.model_types
    ]
    family = _told(candidates, folder.name, f"{folder}: its model_type is {kind!r}")
    return replace(family, layout=_with_tokens(family.layout, config, path))


def family_of_gguf(path: Path, architecture: str) -> OpenFamily:
    """Return the family of a GGUF file.

    Raises:
        CheckpointError: if its architecture is of no family that is known.
    """
    candidates = [f for f in FAMILIES if architecture in f.gguf]
    return _told(candidates, path.name, f"{path} holds a {architecture!r} model")


def _told(candidates: Sequence[OpenFamily], name: str, found: str) -> OpenFamily:
    """Choose by a file's or folder's name; without a hint in it, the family that needs none."""
    name = name.lower().replace("_", "-")
    told = [f for f in candidates if any(part in name for part in f.told_by)]
    if chosen := told or [f for f in candidates if not f.told_by]:
        return chosen[0]
    hint = ""
    if candidates:
        parts = " or ".join(repr(p) for f in candidates for p in f.told_by)
        hint = f", and its name, which would tell a family, has no {parts} in it"
    known = ", ".join(f.name for f in FAMILIES)
    raise CheckpointError(f"{found}{hint}; the families are: {known}")


def _with_tokens(layout: Layout, config: dict[str, Any], path: Path) -> Layout:
    """Put in the tokens that `config.json` tells: the mask, and those of the table's `Key`s."""
    changed: dict[str, Any] = {}
    for field in fields(layout):
        value = getattr(layout, field.name)
        key = value.name if isinstance(value, Key) else None
        if field.name == "mask" and config.get("mask_token_id") is not None:
            key = "mask_token_id"
        if key is None:
            continue
        token = config.get(key)
        if isinstance(token, bool) or not isinstance(token, int) or token < 0:
            raise CheckpointError(f"{path}: {key} is {token!r}, not a token")
        changed[field.name] = token
    return replace(layout, **changed) if changed else layout


def config_of(folder: Path, family: OpenFamily, *, tied: bool) -> ModelConfig:
    """Read a folder's sizes.

    Raises:
        CheckpointError: naming the folder and the key.
    """
    try:
        return family.shape.config(read_json(folder / "config.json"), tied=tied)
    except EngineError as error:
        raise CheckpointError(f"{folder}: {error}") from error
