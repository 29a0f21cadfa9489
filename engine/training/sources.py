"""Where the corpus comes from: what is installed, and pinned packages fetched by name.

Fetched archives are read as the data they are: nothing of them is installed, built or run.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import IO, Any, get_args, get_type_hints

from engine.errors import ConfigError, FetchError
from engine.fetch import sha256_of
from engine.training import licences

_MOST_PINS = 40
_DOWNLOAD_S = 900
_WHEEL_TAGS = (  # the same wheel on every machine: it is read, not run
    *("--python-version", "3.11", "--implementation", "cp"),
    *("--abi", "cp311", "--abi", "abi3", "--abi", "none"),
    *(f"--platform=manylinux{glibc}_x86_64" for glibc in ("_2_28", "_2_27", "_2_24", "2014")),
)

# A file's path within its package, and how to read it.
Files = Iterator[tuple[str, Callable[[], bytes]]]


@dataclass(frozen=True, slots=True)
class Package:
    """Something with source files under one licence."""

    name: str
    version: str
    licence: str  # an SPDX expression
    files: Callable[[], Files]

    @property
    def key(self) -> str:
        """Its name and version as a file name."""
        return re.sub(r"[^\w.+-]+", "_", f"{self.name}-{self.version}").strip("_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package of a registry at one version, known by its hash."""

    registry: str  # pypi, npm or debian
    name: str
    version: str
    licence: str
    sha256: str
    only: tuple[str, ...] = ("",)  # prefixes of the paths to take

    def package(self, downloads: Path) -> Package:
        """Return the package; its archive is fetched when its files are asked for.

        Its `files` raises FetchError where the archive cannot be had or is another one.
        """
        return Package(
            self.name, self.version, self.licence, lambda: self._files(self.fetch(downloads))
        )

    def fetch(self, downloads: Path) -> Path:
        """Return the archive, fetched unless an earlier run has it.

        Raises:
            FetchError: if the registry or its client is not there, or the hash is another one.
        """
        archive = downloads / f"{self.registry}-{re.sub(r'[^a-z0-9.+-]+', '_', self.name)}"
        archive = archive.with_name(f"{archive.name}-{self.sha256[:12]}")
        if not archive.is_file():
            downloads.mkdir(parents=True, exist_ok=True)
            # What has its own name is whole: it comes out of `incoming` when it is checked.
            with tempfile.TemporaryDirectory(prefix="incoming-", dir=downloads) as incoming:
                self._download(Path(incoming)).replace(archive)
        return archive

    def _download(self, incoming: Path) -> Path:
        command = _COMMANDS[self.registry](self.name, self.version)
        try:
            done = subprocess.run(
                command,
                cwd=incoming,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_DOWNLOAD_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FetchError(f"{command[0]} cannot be run: {error}") from error
        found = sorted(incoming.iterdir())
        if done.returncode or len(found) != 1:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise FetchError(f"it cannot be downloaded: {said[-1]}")
        if sha256_of(found[0]) != self.sha256:
            raise FetchError("its hash is not the pinned one; the download was discarded")
        return found[0]

    def _files(self, archive: Path) -> Files:
        try:
            for path, read in _READERS[self.registry](archive):
                if path.startswith(self.only):
                    yield path, read
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
            archive.unlink(missing_ok=True)
            raise FetchError(f"its archive is damaged and was deleted: {error}") from error


_COMMANDS: dict[str, Callable[[str, str], list[str]]] = {
    "pypi": lambda name, version: [
        *(sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary", ":all:", "--disable-pip-version-check", "--no-input"),
        *(*_WHEEL_TAGS, f"{name}=={version}"),
    ],
    "npm": lambda name, version: [
        "npm",
        "pack",
        "--silent",
        "--ignore-scripts",
        f"{name}@{version}",
    ],
    "debian": lambda name, version: ["apt-get", "download", "--quiet", f"{name}={version}"],
}


def _wheel(path: Path) -> Files:
    with zipfile.ZipFile(path) as wheel:
        for member in wheel.namelist():
            yield member, lambda member=member: wheel.read(member)


def _tarball(path: Path) -> Files:
    with tarfile.open(path) as tar:
        yield from _members(tar)


def _deb(path: Path) -> Files:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                yield from _members(tar)
        finally:
            process.kill()


def _members(tar: tarfile.TarFile) -> Files:
    for member in tar:
        if member.isfile():
            # A lambda would outlive its turn: a stream can be read once, in its order.
            yield member.name.removeprefix("./"), lambda member=member: _read(tar, member)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file: IO[bytes] | None = tar.extractfile(member)
    return file.read() if file else b""


_READERS: dict[str, Callable[[Path], Files]] = {"pypi": _wheel, "npm": _tarball, "debian": _deb}


def pins(toml: str) -> list[Pin]:
    """Read the list of pinned packages.

    Raises:
        ConfigError: naming the package that is incomplete or not permissively licensed.
    """
    try:
        tables: list[dict[str, Any]] = tomllib.loads(toml).get("package", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the list of pinned packages is not TOML: {error}") from error
    if len(tables) > _MOST_PINS:
        raise ConfigError(f"{len(tables)} pinned packages: at most {_MOST_PINS} are allowed")
    return [_pin(table) for table in tables]


def _pin(table: dict[str, Any]) -> Pin:
    name, hints = table.get("name", "a package without a name"), get_type_hints(Pin)
    for field, hint in hints.items():
        if field not in table and field != "only":
            raise ConfigError(f"pinned package {name}: {field} is missing")
        if field in table and not isinstance(table[field], list if get_args(hint) else str):
            raise ConfigError(f"pinned package {name}: {field} has another type")
    if unknown := table.keys() - hints.keys():
        raise ConfigError(f"pinned package {name}: unknown field {min(unknown)}")
    if table["registry"] not in _COMMANDS:
        raise ConfigError(f"pinned package {name}: registry must be one of {', '.join(_COMMANDS)}")
    if not licences.is_permissive(table["licence"]):
        raise ConfigError(f"pinned package {name}: {table['licence']} is not a permissive licence")
    texts = {field: str(value) for field, value in table.items() if field != "only"}
    return Pin(**texts, only=tuple(map(str, table.get("only", [""]))))


def installed() -> list[Package]:
    """Return the standard library and every installed distribution with a permissive licence."""
    found = {"cpython": Package("cpython", platform.python_version(), "PSF-2.0", _standard_library)}
    for distribution in distributions():
        licence, name = licences.licence_of(distribution), distribution.name
        if licences.is_permissive(licence) and normalised(name) != "diffill":
            package = Package(
                name,
                distribution.version,
                licence,
                lambda distribution=distribution: _distribution_files(distribution),
            )
            found.setdefault(normalised(name), package)
    return [found[name] for name in sorted(found)]


def normalised(name: str) -> str:
    """Return a package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _standard_library() -> Files:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not {"site-packages", "dist-packages", "test", "tests"} & set(parts):
            yield "/".join(parts), path.read_bytes


def _distribution_files(distribution: Distribution) -> Files:
    for file in sorted(distribution.files or [], key=str):
        path = Path(str(distribution.locate_file(file)))
        if ".." not in file.parts and path.is_file():
            yield file.as_posix(), path.read_bytes
