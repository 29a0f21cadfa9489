"""A large file in parts and back: what a machine that takes small files only needs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine.errors import CheckpointError

_BLOCK = 1 << 20


def split(file: Path, folder: Path, part_bytes: int) -> list[Path]:
    """Write `FILE.part00`, `FILE.part01`, … into a folder and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    with file.open("rb") as source:
        while data := source.read(part_bytes):
            made.append(folder / f"{file.name}.part{len(made):02d}")
            made[-1].write_bytes(data)
    return made


def join(folder: Path, name: str, file: Path, sha256: str | None) -> None:
    """Put the parts of `name` in a folder together again.

    Raises:
        CheckpointError: if there are none, one is missing, or the whole has another hash.
    """
    parts = sorted(folder.glob(f"{name}.part*"))
    wanted = [f"{name}.part{i:02d}" for i in range(len(parts))]
    if not parts:
        raise CheckpointError(f"{folder} holds no parts of {name}")
    if missing := sorted(set(wanted) - {p.name for p in parts}):
        raise CheckpointError(f"{folder} lacks {missing[0]}")
    digest = hashlib.sha256()
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    out.write(block)
    if sha256 and digest.hexdigest() != sha256:
        partial.unlink()
        raise CheckpointError(
            f"the {len(parts)} parts of {name} make SHA-256 {digest.hexdigest()}, not {sha256}"
        )
    partial.replace(file)
