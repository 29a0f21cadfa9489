"""Models of the Hugging Face hub by their id, and where they lie once fetched. Torch-free.

`ORG/NAME` is the revision that was fetched first; `ORG/NAME@REVISION` a certain one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.recognition import read_json

_ID = re.compile(r"(?P<org>[\w-][\w.-]*)/(?P<name>[\w-][\w.-]*)(@(?P<revision>[\w-][\w.-]*))?")
SOURCE = "diffill-source.json"  # where a folder came from; written when it is whole


@dataclass(frozen=True, slots=True)
class HubId:
    """A model of the hub; `revision` None: the one that is here, else the newest."""

    org: str
    name: str
    revision: str | None

    @property
    def repository(self) -> str:
        """Its name on the hub."""
        return f"{self.org}/{self.name}"

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "")


def hub_id(model: str) -> HubId | None:
    """Read ORG/NAME or ORG/NAME@REVISION; None for anything else, as the path of a file."""
    found = _ID.fullmatch(model)
    if model.endswith((".gguf", ".safetensors")):
        return None
    return HubId(found["org"], found["name"], found["revision"]) if found else None


def folder_of(model: HubId, cache: Path) -> Path | None:
    """Return the folder of a model that has been fetched into a cache."""
    parent = parent_of(model, cache)
    whole = [path.parent for path in parent.glob(f"{model.name}@*/{SOURCE}")]
    if model.revision:
        return next((f for f in whole if _is_of(f, model.revision)), None)
    return min(whole, key=lambda f: (f / SOURCE).stat().st_mtime_ns, default=None)


def fetched(cache: Path) -> list[Path]:
    """Return the folders of all models in a cache."""
    return sorted(path.parent for path in cache.glob(f"hub/*/*/{SOURCE}"))


def source_of(folder: Path) -> dict[str, Any] | None:
    """Return what is known of a fetched folder: repository, revision, files with size and hash."""
    return read_json(folder / SOURCE) if (folder / SOURCE).is_file() else None


def parent_of(model: HubId, cache: Path) -> Path:
    """Return the folder that a model's revisions lie in."""
    return cache / "hub" / model.org


def _is_of(folder: Path, revision: str) -> bool:
    """Tell whether a folder is of a revision: the start of its hash, or a name it was asked by."""
    source = read_json(folder / SOURCE)
    return str(source.get("revision")).startswith(revision) or source.get("asked") == revision
