"""Unified diffs that `git apply` and `patch` take, and their colours."""

from __future__ import annotations

import difflib
import os
import re

_COLOURS = {"@": "36", "-": "31", "+": "32"}
_BOLD = "1"
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


def coloured(diff: str) -> str:
    """Return a diff for a terminal; what would steer the terminal is shown, not sent."""
    return "\n".join(
        _coloured_line(line, _BOLD if number < 2 else _COLOURS.get(line[:1]))  # two header lines
        for number, line in enumerate(diff.split("\n"))
    )


def visible(text: str) -> str:
    """Return a text that steers no terminal: control characters are spelt out."""
    return _CONTROLS.sub(lambda m: ascii(m[0])[1:-1], text)


def _coloured_line(line: str, colour: str | None) -> str:
    shown = visible(line.removesuffix("\r"))
    return f"\x1b[{colour}m{shown}\x1b[0m" if colour and shown else shown


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
