"""Where Diffill keeps what is the user's: fetched models and settings. Torch-free."""

from __future__ import annotations

import os
from pathlib import Path

_PATHS = ("DIFFILL_ADAPTER", "DIFFILL_CACHE", "DIFFILL_CONFIG", "DIFFILL_RUNTIME")


def cache_dir() -> Path:
    """Return the folder for fetched models: `DIFFILL_CACHE`, else the user's cache folder."""
    if folder := os.environ.get("DIFFILL_CACHE"):
        return Path(folder).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("diffill", appauthor=False)


def config_dir() -> Path:
    """Return the folder of the user's own settings: `DIFFILL_CONFIG`, else the usual place."""
    if folder := os.environ.get("DIFFILL_CONFIG"):
        return Path(folder).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path("diffill", appauthor=False)


def environment() -> dict[str, str]:
    """Return the environment for a child that works in another folder: its paths are whole."""
    named = {name: os.environ.get(name) for name in _PATHS}
    whole = {name: str(Path(path).expanduser().absolute()) for name, path in named.items() if path}
    return {**os.environ, **whole}
