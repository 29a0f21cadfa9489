"""The argument of a command, as the client sent it, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from lsprotocol import types as lsp

from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.failures import InvalidParams, Stale
from lsp_server.places import MAX_HOLES
from lsp_server.session import Session

EVERYWHERE = frozenset({"uri", "version", "id", "apply"})
SOMEWHERE = EVERYWHERE | {"range", "ranges", "instruction"}
IN_FILES = EVERYWHERE | {"uris"}
AT_ONE_PLACE = EVERYWHERE | {"range"}

MAX_FILES = 64


@dataclass(frozen=True, slots=True)
class Target:
    """What a command is about; see `lsp_server.live`."""

    snapshots: tuple[Snapshot, ...]
    pointers: tuple[Span, ...]
    instruction: str | None
    name: str | None
    apply: bool


def read_target(session: Session, arguments: Sequence[Any] | None, keys: frozenset[str]) -> Target:
    """Read the one argument of a command, an object with some of `keys`.

    Raises:
        InvalidParams: naming the member that is wrong.
        Refused: if the document is not open.
        Stale: if it is not of the version named.
    """
    if not arguments or len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise InvalidParams(f"one object with the keys {', '.join(sorted(keys))} is expected")
    given = cast(dict[str, Any], arguments[0])
    if unknown := given.keys() - keys:
        raise InvalidParams(f"unknown key {', '.join(sorted(unknown))}")
    version, instruction = given.get("version"), given.get("instruction")
    name, apply = given.get("id"), given.get("apply", True)
    uris = _uris(given)
    if version is not None and not isinstance(version, int):
        raise InvalidParams(f"version is {version!r}, not a number")
    if instruction is not None and (not isinstance(instruction, str) or not instruction.strip()):
        raise InvalidParams(f"instruction is {instruction!r}, not a text")
    if name is not None and not isinstance(name, str):
        raise InvalidParams(f"id is {name!r}, not a string")
    if not isinstance(apply, bool):
        raise InvalidParams(f"apply is {apply!r}, neither true nor false")
    ranges = _ranges(given) if "range" in keys else []
    snapshots = tuple(map(session.documents.get, uris))
    if version is not None and version != snapshots[0].version:
        raise Stale
    pointers = tuple(map(snapshots[0].positions.span, ranges))
    return Target(snapshots, pointers, instruction, name, apply)


def read_uri(arguments: Sequence[Any] | None) -> str:
    """Return the document that a command's one argument names, open or not.

    Raises:
        InvalidParams: if it names none.
    """
    match arguments:
        case [{"uri": str(uri)}]:
            return uri
        case _:
            raise InvalidParams("one object with the key uri is expected")


def _uris(given: dict[str, Any]) -> list[str]:
    one, many = given.get("uri"), given.get("uris")
    if many is None:
        if not isinstance(one, str):
            raise InvalidParams(f"uri is {one!r}, not a string")
        return [one]
    if one is not None or given.get("version") is not None:
        raise InvalidParams("uris goes with neither uri nor version")
    uris = cast(list[object], many) if isinstance(many, list) else []
    texts = [uri for uri in uris if isinstance(uri, str)]
    if not 1 <= len(texts) == len(uris) <= MAX_FILES or len(set(texts)) < len(texts):
        raise InvalidParams(f"uris is not a list of 1 to {MAX_FILES} different strings")
    return texts


def _ranges(given: dict[str, Any]) -> list[lsp.Range]:
    one, many = given.get("range"), given.get("ranges")
    if many is None:
        return [_range(one)]
    if one is not None:
        raise InvalidParams("range and ranges are both given")
    if not isinstance(many, list) or not 1 <= len(cast(list[object], many)) <= MAX_HOLES:
        raise InvalidParams(f"ranges is not a list of 1 to {MAX_HOLES} ranges")
    return [_range(item) for item in cast(list[object], many)]


def _range(value: object) -> lsp.Range:
    match value:
        case {"start": start, "end": end}:
            return lsp.Range(_position(cast(object, start)), _position(cast(object, end)))
        case _:
            raise InvalidParams(f"range is {value!r}, not a range")


def _position(value: object) -> lsp.Position:
    match value:
        case {"line": int(line), "character": int(character)} if min(line, character) >= 0:
            return lsp.Position(line, character)
        case _:
            raise InvalidParams(f"{value!r} is not a position")
