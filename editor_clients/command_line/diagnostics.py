"""What other tools found, from their output: ruff's JSON, mypy's text, pyright's JSON, SARIF."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop

_MYPY = re.compile(
    r"(?P<file>.+?):(?P<line>\d+):(?:\d+:(?:(?P<end>\d+):\d+:)?)?"
    r" (?P<level>error|warning|note): (?P<message>.*)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in a file and what is wrong there. Lines count from 1, both ends included."""

    file: str
    first: int
    last: int
    message: str


def read_findings(source: str) -> dict[str, tuple[Finding, ...]]:
    """Read a file of findings, by the real paths they are in; `-` is standard input.

    The format tells itself.

    Raises:
        Stop: if it cannot be read, or is none of the formats known.
    """
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{source}: {files.why(error)}") from error
    try:
        found = findings_of(raw)
    except ValueError as error:
        raise Stop(Exit.USAGE, f"{source}: not {error}") from error
    by_path: dict[str, tuple[Finding, ...]] = {}
    for finding in found:
        path = os.path.realpath(finding.file)
        by_path[path] = (*by_path.get(path, ()), finding)
    return by_path


def findings_of(raw: bytes) -> list[Finding]:
    """Return what a tool printed.

    Raises:
        ValueError: naming the formats known, if it is none of them.
    """
    try:
        return list(_parsed(raw.decode("utf-8-sig", "replace")))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError("the output of ruff (JSON), mypy, pyright (JSON), or SARIF") from error


def _parsed(text: str) -> Iterator[Finding]:
    if not text.lstrip().startswith(("[", "{")):
        yield from _mypy(text)
        return
    data = json.loads(text)
    if isinstance(data, list):
        yield from map(_ruff, data)
    elif "runs" in data:
        for run in data["runs"]:
            yield from _sarif(run)
    else:
        yield from map(_pyright, data["generalDiagnostics"])


def _ruff(item: Mapping[str, Any]) -> Finding:
    first, last = item["location"]["row"], item["end_location"]["row"]
    if last > first and item["end_location"]["column"] == 1:
        last -= 1  # it ends before the first character of that line
    code = item.get("code")
    message = f"{code}: {item['message']}" if code else str(item["message"])
    return Finding(str(item["filename"]), int(first), int(last), message)


def _pyright(item: Mapping[str, Any]) -> Finding:
    start, end = item["range"]["start"]["line"], item["range"]["end"]["line"]
    rule = item.get("rule")
    message = f"{item['message']} ({rule})" if rule else str(item["message"])
    return Finding(str(item["file"]), int(start) + 1, int(end) + 1, message)


def _sarif(run: Mapping[str, Any]) -> Iterator[Finding]:
    for result in run.get("results", ()):
        message = str(result["message"].get("text") or result.get("ruleId") or "")
        for location in result.get("locations", ()):
            place = location["physicalLocation"]
            region = place.get("region")
            if region is None or "startLine" not in region:
                continue  # about the file, or counted in bytes
            first = int(region["startLine"])
            yield Finding(
                _path_of(str(place["artifactLocation"]["uri"])),
                first,
                int(region.get("endLine", first)),
                message,
            )


def _path_of(uri: str) -> str:
    parts = urlsplit(uri)
    return unquote(parts.path if parts.scheme == "file" else uri)


def _mypy(text: str) -> Iterator[Finding]:
    lines = [line for line in text.splitlines() if line.strip()]
    matches = [match for line in lines if (match := _MYPY.fullmatch(line))]
    if lines and not matches and not lines[-1].startswith("Success: no issues found"):
        raise ValueError("not one line of it is a finding")
    for match in matches:
        if match["level"] != "note":
            first = int(match["line"])
            last = int(match["end"] or first)
            yield Finding(match["file"], first, max(first, last), match["message"])
