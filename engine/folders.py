"""Where Diffill keeps what is the user's: fetched models and settings. Torch-free."""

from __future__ import annotations

import os
from pathlib import Path


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
