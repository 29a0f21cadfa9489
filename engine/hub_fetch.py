"""Get a model of the hub into the cache: data files at one revision. Torch-free.

Whatever else the repository holds (Python, pickles) is not even fetched.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from engine.errors import CheckpointError, FetchError
from engine.fetch import (
    NO_SPACE,
    Report,
    alone,
    bytes_in,
    make_room,
    reason_of,
    sha256_of,
    watching,
)
from engine.folders import cache_dir
from engine.hub import SOURCE, HubId, folder_of, parent_of
from engine.recognition import family_of

_WANTED = re.compile(r"[\w.-]+\.(json|safetensors)|merges\.txt")
_TIMEOUT_S = 10.0
_SHA_CHARS = 12


def staging_of(model: HubId) -> Path:
    """Return where a half-fetched model lies. Interrupting leaves it, success removes it."""
    return cache_dir() / "staging" / str(model).replace("/", "--")


def fetch_folder(model: HubId, report: Report) -> Path:
    """Return a model's folder in the cache, fetched from the hub unless it is there.

    Raises:
        FetchError: if the hub does not give it, or there is no room.
        CheckpointError: if it is of no family that can be loaded; no weights are fetched then.
    """
    if found := folder_of(model, cache_dir()):
        return found
    staging = staging_of(model)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with alone(staging.with_name(staging.name + ".lock"), report):
            if found := folder_of(model, cache_dir()):
                return found  # by another process, while we waited
            staging.mkdir(exist_ok=True)
            return _fetch(model, staging, report)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise FetchError(
                f"no space for the model {model} in {cache_dir()}: make room, or set DIFFILL_CACHE "
                "to a folder on another disk"
            ) from error
        raise FetchError(f"the cache {cache_dir()} cannot be written: {error}") from error


def _fetch(model: HubId, staging: Path, report: Report) -> Path:
    import huggingface_hub as hub
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()  # ours shows all sources alike
    report(f"asking the Hugging Face hub for {model}", None)
    try:
        api = hub.HfApi(token=False)  # nobody needs to know who asks
        info = api.model_info(
            model.repository,
            revision=model.revision,
            timeout=_TIMEOUT_S,
            files_metadata=True,
        )
        revision = str(info.sha)
        files = {f.rfilename: f for f in info.siblings or () if _WANTED.fullmatch(f.rfilename)}
        name = f"{model.name}@{revision[:_SHA_CHARS]}"
        folder = staging / name  # its name tells the family of some
        sizes = {file: int(found.size or 0) for file, found in files.items()}
        _check_names(model, list(files))
        total = sum(sizes.values())
        make_room(str(model), total - bytes_in(folder))

        def download(file: str) -> Path:
            return Path(
                api.hf_hub_download(
                    model.repository,
                    file,
                    revision=revision,
                    local_dir=folder,
                    etag_timeout=_TIMEOUT_S,
                )
            )

        download("config.json")
        family = family_of(folder)
        report(f"{model} is a model of the family {family.name}, revision {revision}", None)
        kept: dict[str, dict[str, Any]] = {}
        with watching(folder, str(model), total, report):
            for file in files:
                path = download(file)
                lfs = files[file].lfs
                digest = sha256_of(path)
                if path.stat().st_size != sizes[file] or (lfs and digest != lfs.sha256):
                    path.unlink()
                    raise FetchError(f"{model}: {file} is not what the hub says, it was deleted")
                kept[file] = {"size": sizes[file], "sha256": digest}
    except (FetchError, CheckpointError):
        raise
    except Exception as error:  # whatever its HTTP stack raises
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise
        raise FetchError(
            f"the model {model} could not be fetched from the Hugging Face hub: "
            f"{reason_of(error)}. A copy of its folder works, too: --model FOLDER"
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the library's notes
    source: dict[str, Any] = {"repository": model.repository, "revision": revision, "files": kept}
    if model.revision:
        source["asked"] = model.revision  # a branch or tag stays what it was when it was fetched
    (folder / SOURCE).write_text(json.dumps(source, indent=1), "utf-8")
    target = parent_of(model, cache_dir()) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    shutil.rmtree(staging, ignore_errors=True)
    report(f"{model} is in {target}", 1.0)
    return target


def _check_names(model: HubId, files: list[str]) -> None:
    if "config.json" not in files:
        raise FetchError(f"{model} is no model's repository: it has no config.json")
    if not any(file.endswith(".safetensors") for file in files):
        raise FetchError(
            f"{model} has no safetensors files; pickled weights, which can run code, are never "
            "fetched"
        )
