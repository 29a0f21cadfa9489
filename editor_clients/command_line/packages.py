"""Make sure that the packages Python would import are the ones installed with this command."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_OURS = ("engine", "grammars", "lsp_server")
_HOME = Path(__file__).resolve().parents[2]


def misplaced() -> list[str]:
    """Return which of our packages lie elsewhere. Looks only, imports none of them.

    Their names are common ones: where another project's `engine` comes first on the module path,
    its code would run.
    """
    return [name for name in _OURS if _folder_of(name) != _HOME / name]


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).resolve().parent if spec and spec.origin else None
