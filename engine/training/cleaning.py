"""Which files are worth learning from, and which of them a benchmark holds."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import grammars.languages as languages
from engine.errors import ConfigError
from engine.training.licences import is_copyleft_header
from grammars.syntax import ParseTimeout, SyntaxTree

VERSION = 1  # of the rules below: raised with them, so that finished packages are done again

_MIN_CHARS, _MAX_CHARS, _MIN_LINES = 600, 200_000, 15
_MAX_LINE, _MAX_MEAN_LINE = 500, 100  # characters; beyond that it is minified or a table
_MIN_LETTERS = 0.35  # of all characters
_HASHED_CHARS, _HASH_BYTES = 24, 6

_UNWANTED_PATH = re.compile(
    r"(^|/)(_?vendor(ed)?|third[_-]party|node_modules|externals?|extern|testdata|fixtures|locale"
    r"|lib2to3|idlelib|generated|dist|__generated__)/|_pb2\.pyi?$|\.pb\.(go|cc|h)$|\.min\."
    r"|zz_generated|humaneval|human_eval|mbpp|\.d\.[mc]?ts$",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"generated (by|from|automatically)|do not (edit|modify)|auto-?\s?generated"
    r"|@generated|machine[- ]generated",
    re.IGNORECASE,
)
_SPECIAL_TOKEN = re.compile(r"<\|(fim_|im_|endoftext|repo_name|file_sep)")
_CPP = re.compile(
    r"^\s*(class \w|template\s*<|namespace\b|using \w|public:|private:)|\bstd::", re.M
)


class Contamination:
    """Hashes of the long lines of benchmarks; a file with two of them is not for training."""

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines())
        self._hashes = frozenset(line for line in lines if line and not line.startswith("#"))
        bad = next((h for h in self._hashes if not re.fullmatch(r"[0-9a-f]{12}", h)), None)
        if bad is not None or not self._hashes:
            said = f"{bad!r} is no hash" if bad else "it holds no hash"
            raise ConfigError(f"the contamination list is unusable: {said}")
        self.digest = hashlib.sha256("\n".join(sorted(self._hashes)).encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Contamination:
        """Read a list, one hash of 12 hexadecimal digits a line, `#` before a comment.

        Raises:
            ConfigError: if the file cannot be read or is no such list.
        """
        try:
            return cls(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the contamination list {path} cannot be read: {error}") from error

    def holds(self, text: str) -> bool:
        """Tell whether two different long lines of the text are in the list."""
        keys = {line_key(line) for line in text.splitlines()}
        hits = (len(key) >= _HASHED_CHARS and line_hash(key) in self._hashes for key in keys)
        return sum(hits) >= 2


def line_key(line: str) -> str:
    """Return a line without spaces, punctuation and case."""
    return re.sub(r"\W+", "", line).lower()


def line_hash(key: str) -> str:
    """Return what the contamination list holds of a line's key."""
    return hashlib.blake2b(key.encode(), digest_size=_HASH_BYTES).hexdigest()


def language_of(path: str, text: str) -> str:
    """Return the LSP language id of a file, "" if it is none of ours; a header may be C++."""
    found = languages.language_of_path(path)
    return "cpp" if found == "c" and path.endswith(".h") and _CPP.search(text) else found


def is_wanted(path: str) -> bool:
    """Tell by its name whether a file may be source that somebody wrote."""
    return bool(languages.language_of_path(path)) and not _UNWANTED_PATH.search("/" + path)


def decoded(data: bytes) -> str | None:
    """Return UTF-8 text with LF at the end of each line, None if it is something else."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def fault(text: str, language_id: str, contamination: Contamination) -> str:
    """Return in a word or two why a text is not taken, "" if it is."""
    lines = text.splitlines()
    if len(text) < _MIN_CHARS or len(lines) < _MIN_LINES:
        return "short"
    if len(text) > _MAX_CHARS:
        return "huge"
    longest = max(map(len, lines))
    if longest > _MAX_LINE or len(text) > _MAX_MEAN_LINE * len(lines):
        return "minified"
    if sum(map(str.isalpha, text)) < _MIN_LETTERS * len(text) or "\0" in text:
        return "data"
    if _GENERATED.search(text[:2000]):
        return "generated"
    if _SPECIAL_TOKEN.search(text):
        return "special tokens"
    if is_copyleft_header(text):
        return "other licence"
    if contamination.holds(text):
        return "benchmark"
    return "" if language_id != "python" or _parses(text) else "does not parse"


def _parses(text: str) -> bool:
    python = languages.language("python")
    assert python
    try:
        return not SyntaxTree.parse(text, python).faults()
    except ParseTimeout:
        return False
