"""What other files tell about a text: the definitions it imports, and those of open files it names.

Only files of the project are read, and none that hold secrets or that git or Diffill ignores.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from engine.protocol import Excerpt
from grammars.imports import files_of, find_imports
from grammars.languages import language_of_path
from grammars.lines import LineIndex
from grammars.outline import Definition, outline
from grammars.span import Span
from lsp_server.ignoring import ignore_list, is_private

MAX_CHARS = 6_000
MAX_FILES = 32
_MAX_FOLDER_FILES = 16
# Names on so many lines before and behind a place count as near to it.
_NEAR_LINES = 24

_NAME = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True, slots=True)
class Subject:
    """The text that is edited, and where."""

    path: Path
    text: str
    language: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """Where files are looked for: the user's folders; texts of open files count, not the disk."""

    folders: tuple[Path, ...]
    opened: Mapping[Path, str]
    max_bytes: int = 1 << 20
    disabled_languages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A definition that is shown to the model, and why."""

    path: Path
    definition: Definition
    reason: str
    is_near: bool  # the lines around the place name it


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    text: str
    names: frozenset[str]  # imported from it; none: all of it, or it is but open
    is_imported: bool


def candidates(subject: Subject, project: Project) -> list[Chosen]:
    """Return what other files define that the subject may need, the most useful first.

    It reads files and parses them: to be called in a thread.
    """
    sources = [*islice(_sources(subject, project), MAX_FILES)]
    if not sources:
        return []
    used, near = _names(subject)
    ranked: list[tuple[tuple[int, int, int], Chosen]] = []
    for number, source in enumerate(sources):
        definitions = outline(source.text, _language(source.path, subject))
        wanted = (d.text for d in definitions if _is_wanted(source, d))
        mentioned = frozenset(_NAME.findall(" ".join(wanted)))
        for place, definition in enumerate(definitions):
            is_near = not near.isdisjoint(definition.names)
            is_named = not used.isdisjoint(definition.names)
            if _is_wanted(source, definition):
                reason, rank = "imported", 0 if is_near else 1 if is_named else 3
            elif source.is_imported and not mentioned.isdisjoint(definition.names):
                reason, rank = "used by what is imported", 2
            elif is_named and not source.is_imported:
                reason, rank = "in an open file", 1 if is_near else 2
            else:
                continue
            ranked.append(((rank, number, place), Chosen(source.path, definition, reason, is_near)))
    return [chosen for _, chosen in sorted(ranked, key=lambda pair: pair[0])]


def fitting(found: Iterable[Chosen]) -> list[Chosen]:
    """Return the first of them that fit into `MAX_CHARS` together."""
    kept: list[Chosen] = []
    left = MAX_CHARS
    for one in found:
        if len(one.definition.text) <= left:
            kept.append(one)
            left -= len(one.definition.text)
    return kept


def excerpts(chosen: Iterable[Chosen], folders: Iterable[Path]) -> tuple[Excerpt, ...]:
    """Return the chosen definitions, a file each, in the order of its text."""
    files: dict[Path, list[Definition]] = {}
    for one in chosen:
        files.setdefault(one.path, []).append(one.definition)
    return tuple(
        Excerpt(
            shown_path(path, folders),
            "\n".join(d.text for d in sorted(found, key=lambda d: d.span)),
        )
        for path, found in files.items()
    )


def shown_path(path: Path, folders: Iterable[Path]) -> str:
    """Return what a file is called in its project."""
    for folder in folders:
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return path.name


def choose(subject: Subject, project: Project, last: Sequence[Chosen]) -> Sequence[Chosen]:
    """Return the last choice, unless it lacks what the place names or some of it has changed.

    So what stands in front of the prompt stays the same from key to key, and with it all that the
    engine has computed from it. It reads files and parses them: to be called in a thread.
    """
    found = candidates(subject, project)
    chosen, known = fitting(found), {_key(one) for one in found}
    kept = {_key(one) for one in last}
    if kept and kept <= known and kept >= {_key(one) for one in chosen if one.is_near}:
        return last
    return chosen


def _key(chosen: Chosen) -> tuple[Path, str]:
    return chosen.path, chosen.definition.text


def _names(subject: Subject) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names in a text, and those near the spans; words being typed are none yet."""
    text, lines = subject.text, LineIndex(subject.text)
    outside, near = list[str](), list[str]()
    start = 0
    for span in sorted(subject.spans):
        end = span.start
        while end > start and (text[end - 1].isalnum() or text[end - 1] == "_"):
            end -= 1
        outside.append(text[start:end])
        start = span.end
        first = lines.starts[max(lines.line_at(span.start) - _NEAR_LINES, 0)]
        last = lines.span(min(lines.line_at(span.end) + _NEAR_LINES, len(lines) - 1)).end
        near += (text[first:end], text[span.end : last])
    outside.append(text[start:])
    return frozenset(_NAME.findall(" ".join(outside))), frozenset(_NAME.findall(" ".join(near)))


def _is_wanted(source: _Source, definition: Definition) -> bool:
    """Tell whether an import brings a definition in: by name, or with all of its module."""
    if not source.is_imported:
        return False
    if not source.names or source.path.stem in source.names:
        return True
    return not source.names.isdisjoint(definition.names)


def _sources(subject: Subject, project: Project) -> Iterator[_Source]:
    """Yield the files that are imported, then the open ones, each once."""
    ignore_list.cache_clear()  # the user may have changed the lists since
    folders = _starts(subject.path, project.folders)
    names: dict[Path, set[str]] = {}
    for imported in find_imports(subject.text, subject.language):
        for path in _found(files_of(imported, subject.language, subject.path, folders), project):
            if path != subject.path:
                known = names.setdefault(path, set(imported.names))
                # Taken as a whole as well as by names, it is taken as a whole.
                names[path] = known | set(imported.names) if known and imported.names else set()
    for path, own in names.items():
        if (text := _text(path, subject.path, project)) is not None:
            yield _Source(path, text, frozenset(own), is_imported=True)
    for path in project.opened:
        if path == subject.path or path in names or _language(path, subject) != subject.language:
            continue
        if (text := _text(path, subject.path, project)) is not None:
            yield _Source(path, text, frozenset(), is_imported=False)


def _starts(path: Path, folders: Sequence[Path]) -> list[Path]:
    """Return the folders that module names may start from: those above a file in its project."""
    above = [
        parent
        for parent in path.parents
        if any(parent.is_relative_to(folder) for folder in folders)
    ]
    return [folder for parent in above for folder in (parent, parent / "src")]


def _found(paths: Iterable[Path], project: Project) -> list[Path]:
    """Return the file an import means: the first there is; of a folder, its files."""
    for path in paths:
        path = Path(os.path.normpath(path))
        # Not Path's own: they raise where a folder may not be looked into.
        if path in project.opened or os.path.isfile(path):  # noqa: PTH113
            return [path]
        if not path.suffix and os.path.isdir(path):  # noqa: PTH112
            with contextlib.suppress(OSError):
                return _go_files(path)
    return []


def _go_files(package: Path) -> list[Path]:
    own = sorted(path for path in package.iterdir() if path.suffix == ".go")
    return [path for path in own if not path.stem.endswith("_test")][:_MAX_FOLDER_FILES]


def _language(path: Path, subject: Subject) -> str:
    found = language_of_path(path.name)
    return subject.language if (found, subject.language) == ("c", "cpp") else found


def _text(path: Path, subject: Path, project: Project) -> str | None:
    """Return what is in a file, None if it is not to be read or is no text."""
    real = Path(os.path.realpath(path))
    homes = [Path(os.path.realpath(folder)) for folder in (*project.folders, subject.parent)]
    if language_of_path(path.name) in project.disabled_languages:
        return None
    if not any(real.is_relative_to(home) for home in homes) or is_private(path) or is_private(real):
        return None
    opened = project.opened.get(path)
    if opened is not None:
        return opened if len(opened) <= project.max_bytes else None
    try:
        stat = real.stat()
        if stat.st_size > project.max_bytes:
            return None
        return _read(real, stat.st_mtime_ns, stat.st_size)
    except (OSError, UnicodeDecodeError):
        return None


@lru_cache(maxsize=64)
def _read(path: Path, _mtime_ns: int, _size: int) -> str:
    return path.read_bytes().decode("utf-8-sig")
