"""Rows of a stored matrix, read when they are asked for.

A mapped matrix would do as well, but what was read of it counts as the process's memory: with each
row the 64 KB around it, until it is all of a vocabulary.
"""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor


class StoredRows:
    """The rows of an int8 matrix (N, D) in a safetensors file that stays as it is.

    Raises:
        OSError: if it cannot be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._lock = Lock()  # around a place in the file and what is read there
        size = int.from_bytes(self._file.read(8), "little")
        entry = json.loads(self._file.read(size))[name]
        self._start = 8 + size + entry["data_offsets"][0]
        self._width: int = entry["shape"][1]

    def __call__(self, ids: Tensor) -> Tensor:
        """Return rows (T, D) of these numbers (T,)."""
        rows = torch.empty(len(ids), self._width, dtype=torch.int8)
        with self._lock:
            for place, row in zip(ids.tolist(), rows.numpy(), strict=True):
                self._file.seek(self._start + place * self._width)
                self._file.readinto(row)
        return rows
