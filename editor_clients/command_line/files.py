"""Read and write the user's files: nothing is guessed, nothing is lost.

Bytes in, bytes out: byte order mark, line ends and a missing final newline stay as they are.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from editor_clients.command_line.exits import Exit, Stop, abandon

MAX_FILE_BYTES = 1 << 20
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file as it was when it was read; `text` lacks the byte order mark."""

    name: str  # as the user wrote it
    target: Path  # where the bytes lie, symbolic links followed
    raw: bytes
    text: str

    @property
    def bom(self) -> str:
        """The byte order mark, if the file starts with one."""
        return _BOM if self.raw.startswith(_BOM.encode()) else ""


def read(name: str, max_bytes: int = MAX_FILE_BYTES) -> UserFile:
    """Read a text file.

    Raises:
        Stop: if it is missing, unreadable, no regular file, too large, or no UTF-8 text.
    """
    path = Path(name)
    try:
        raw = _read_bytes(path, max_bytes)
        target = path.resolve(strict=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise Stop(Exit.USAGE, f"{name}: {why(error)}") from error
    return decoded(name, target, raw, max_bytes)


def decoded(name: str, target: Path, raw: bytes, max_bytes: int = MAX_FILE_BYTES) -> UserFile:
    """Return bytes as a file of text.

    Raises:
        Stop: if they are too many, or no UTF-8 text.
    """
    if len(raw) > max_bytes:
        limit = f"{max_bytes >> 10:,} KB (setting `max_file_kb`)"
        raise Stop(Exit.USAGE, f"{name}: larger than {limit}")
    if b"\0" in raw:
        raise Stop(Exit.USAGE, f"{name}: a binary file (it has a NUL byte)")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Stop(Exit.USAGE, f"{name}: not UTF-8 (byte {error.start + 1})") from error
    return UserFile(name, target, raw, text.removeprefix(_BOM))


def output(name: str, *starts: bytes) -> Path:
    """Return where a command may leave a file of its own, which starts with one of `starts`.

    Raises:
        Stop: if there is no such folder, or something else in that place.
    """
    path = Path(name)
    try:
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise Stop(Exit.USAGE, f"{name}: cannot be written: there is no such folder")
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(max(map(len, starts)))
            if start and not start.startswith(starts):
                raise Stop(Exit.USAGE, f"{name}: holds something else, which would be lost")
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{name}: {why(error)}") from error
    return path


@contextlib.contextmanager
def writing(stream: IO[Any], name: str) -> Generator[None]:
    """Write into a stream that is no file of the user's, and say why it takes no more.

    Raises:
        Stop: if the disk is full, say.
        BrokenPipeError: if its reader has left.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon(stream)
        raise Stop(Exit.REFUSED, f"{name}: {why(error)}") from error


def check_writable(file: UserFile) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Raises:
        Stop: if the file is read-only, or its folder is.
    """
    try:
        mode = file.target.stat().st_mode
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{file.name}: {why(error)}, so it was not written") from error
    # The mode itself, too: a new file may replace a read-only one, and root may write anything.
    if not mode & 0o222 or not os.access(file.target, os.W_OK):
        raise Stop(Exit.REFUSED, f"{file.name}: read-only, so it was not written")
    if not os.access(file.target.parent, os.W_OK):
        raise Stop(Exit.REFUSED, f"{file.name}: its folder is read-only, so it was not written")


def encoded(file: UserFile, text: str) -> bytes:
    """Return a file's bytes with another text."""
    return (file.bom + text).encode()


def write(file: UserFile, raw: bytes, tag: str = "") -> None:
    """Replace the file's bytes in one step; its mode and, where allowed, its owner stay.

    `tag` names the new bytes while they are not in place, for whoever finds them after a crash.

    Raises:
        Stop: if it has changed since it was read, or cannot be written; it is then as it was.
    """
    check_writable(file)
    try:
        _replace(file, raw, tag)
    except OSError as error:
        raise Stop(
            Exit.REFUSED, f"{file.name}: {why(error)}, so it was not written and is unchanged"
        ) from error


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def leftovers(target: Path, tag: str) -> list[Path]:
    """Return what a crash left beside a file: new bytes that were never put in place."""
    return list(target.parent.glob(f"{glob.escape(_prefix(target, tag))}*.diffill"))


def _prefix(target: Path, tag: str) -> str:
    return f".{target.name[:64]}.{tag}."


def _replace(file: UserFile, raw: bytes, tag: str) -> None:
    before = file.target.stat()
    handle, temporary = tempfile.mkstemp(
        prefix=_prefix(file.target, tag), suffix=".diffill", dir=file.target.parent
    )
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(out.fileno())
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(temporary, before.st_uid, before.st_gid)
        Path(temporary).chmod(stat.S_IMODE(before.st_mode))  # after chown, which drops setuid
        if file.target.read_bytes() != file.raw:
            raise Stop(
                Exit.REFUSED, f"{file.name}: changed since it was read, so it was not written"
            )
        Path(temporary).replace(file.target)
        sync_folder(file.target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read to the end, or to one byte more than we take."""
    # Opening a named pipe would wait for its writer, before we could see that it is one.
    without_waiting = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, os.O_RDONLY | without_waiting), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(max_bytes + 1)


def why(error: OSError | ValueError) -> str:
    """Say what the system refused, in the middle of a sentence."""
    match getattr(error, "errno", None):
        case errno.ENOENT:
            return "no such file"
        case errno.EACCES | errno.EPERM:
            return "permission denied"
        case errno.EISDIR:
            return "a directory, not a file"
        case errno.ENOSPC:
            return "no space left on the disk"
        case _:
            return str(getattr(error, "strerror", None) or error).lower()
