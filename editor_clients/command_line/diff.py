"""Unified diffs that `git apply` and `patch` take, and their colours."""

from __future__ import annotations

import difflib
import os
import re

_COLOURS = {"@": "36", "-": "31", "+": "32"}
_BOLD, _REVERSE = "1", ";7"
_BLOCK = re.compile(r"(-+)\\?(\++)")  # of the signs: lines that became others
_WORD = re.compile(r"\w+|[^\S\n]+|[^\w\s]|\n")
# Below this the two have too little in common for their words to be compared.
_SIMILAR, _MAX_WORDS = 0.5, 2000
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def unified(name: str, old: str, new: str, *, context: int = 3) -> str:
    """Return the diff from `old` to `new`, empty if they are equal.

    Lines end at LF alone, as for git: the CR of CRLF is part of the line and stays.
    """
    before, after = _lines(old), _lines(new)
    pieces: list[str] = []
    names = _header(name, "a/"), _header(name, "b/")
    for line in difflib.unified_diff(before, after, *names, n=context):
        pieces.append(line)
        if not line.endswith("\n"):
            pieces.append("\n\\ No newline at end of file\n")
    return "".join(pieces)


def git_line(name: str) -> str:
    """Return the line that tells git where a diff's name starts: at the top of the repository.

    Without it `git apply` takes the name from the folder it is called in, or guesses.
    """
    old, new = (_header(name, side).removesuffix("\t") for side in ("a/", "b/"))
    return f"diff --git {old} {new}\n"


def coloured(diff: str) -> str:
    """Return a diff for a terminal, the words that differ between two lines highlighted.

    What would steer the terminal is shown, not sent.
    """
    lines = [line.removesuffix("\r") for line in diff.split("\n")]
    changed = _changed_words(lines)
    return "\n".join(
        _coloured_line(line, _BOLD if number < 2 else _COLOURS.get(line[:1]), changed.get(number))
        for number, line in enumerate(lines)  # the first two are the header
    )


def visible(text: str) -> str:
    """Return a text that steers no terminal: control characters are spelt out."""
    return _CONTROLS.sub(lambda m: ascii(m[0])[1:-1], text)


def _coloured_line(line: str, colour: str | None, words: list[tuple[str, bool]] | None) -> str:
    if not colour:
        return visible(line)
    pieces = [(line[:1], False), *words] if words else [(line, False)]
    return "".join(
        f"\x1b[{colour}{_REVERSE if is_changed else ''}m{visible(piece)}\x1b[0m"
        for piece, is_changed in pieces
        if piece
    )


def _changed_words(lines: list[str]) -> dict[int, list[tuple[str, bool]]]:
    """Split the lines that became others into pieces, each with whether it differs."""
    found: dict[int, list[tuple[str, bool]]] = {}
    body = "".join(line[:1] or " " for line in lines[2:])
    for block in _BLOCK.finditer(body):
        old, new = (range(block.start(side) + 2, block.end(side) + 2) for side in (1, 2))
        before, after = (
            _WORD.findall("\n".join(lines[number][1:] for number in side)) for side in (old, new)
        )
        if max(len(before), len(after)) > _MAX_WORDS:
            continue
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        if matcher.ratio() < _SIMILAR:
            continue
        kept = matcher.get_matching_blocks()
        kept_old = {i for match in kept for i in range(match.a, match.a + match.size)}
        kept_new = {i for match in kept for i in range(match.b, match.b + match.size)}
        for side, words, same in ((old, before, kept_old), (new, after, kept_new)):
            for number, pieces in zip(side, _split(words, same), strict=True):
                if not all(is_changed for _, is_changed in pieces):  # a new line is no word
                    found[number] = pieces
    return found


def _split(words: list[str], same: set[int]) -> list[list[tuple[str, bool]]]:
    """Return the pieces of each line: runs of words that are kept, or are not."""
    lines: list[list[tuple[str, bool]]] = [[]]
    for i, word in enumerate(words):
        if word == "\n":
            lines.append([])
        elif lines[-1] and lines[-1][-1][1] is (i not in same):
            lines[-1][-1] = (lines[-1][-1][0] + word, i not in same)
        else:
            lines[-1].append((word, i not in same))
    return lines


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _header(name: str, side: str) -> str:
    """Write a file name as git does: quoted if it must be, a tab after one with blanks."""
    path = os.path.relpath(name) if _is_below_here(name) else name
    path = path.replace(os.sep, "/")
    raw = os.fsencode(path if path.startswith(("/", "../")) else side + path)
    if any(byte < 0x20 or byte in b'"\\\x7f' for byte in raw) or not _is_utf8(raw):
        plain = (chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\{b:03o}" for b in raw)
        return '"' + "".join(plain) + '"'
    return raw.decode() + ("\t" if b" " in raw else "")


def _is_below_here(name: str) -> bool:
    here = os.path.realpath(".")
    folder = os.path.realpath(os.path.dirname(name) or ".")  # noqa: PTH120 - a name, not a Path
    return folder == here or folder.startswith(here.rstrip(os.sep) + os.sep)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
