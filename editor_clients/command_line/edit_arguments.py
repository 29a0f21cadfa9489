"""The arguments of the commands that edit: their places, files, output and writing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from editor_clients.command_line.targets import Lines, Range

# How shtab completes a file name; it is imported only to print a script.
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}


def _add_fill(command: argparse.ArgumentParser) -> None:
    add_selectors(command)
    command.set_defaults(instruction=None)


def _add_rewrite(command: argparse.ArgumentParser) -> None:
    add_selectors(command)
    command.add_argument(
        "--instruction",
        metavar="TEXT",
        help="what to change; {message} is what was found at the place "
        "(default with --diagnostics: fix it)",
    )


def _add_repair(command: argparse.ArgumentParser) -> None:
    _add_max_spans(command)
    command.set_defaults(
        instruction=None, targets=None, query=None, symbols=None, holes=False, diagnostics=None
    )


def _add_run(command: argparse.ArgumentParser) -> None:
    recipe = command.add_argument("recipe", metavar="RECIPE.toml", help="the steps and checks")
    vars(recipe).update(complete=FILES)
    _add_max_spans(command)
    command.set_defaults(diagnostics=None)


# The commands that edit: what each does, and how it is told the places.
EDITS = {
    "fill": ("fill places of files; print the diff, or write it", _add_fill),
    "rewrite": ("rewrite places of files as told; print the diff, or write it", _add_rewrite),
    "repair": ("rewrite the lines with syntax errors, keep what mends them", _add_repair),
    "run": ("make the edits of a recipe, step by step; print the diff, or write it", _add_run),
}


def add_sources(command: argparse.ArgumentParser) -> None:
    """Add what says where the files are."""
    paths = command.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="a file, a folder, a glob pattern, or - for standard input",
    )
    vars(paths).update(complete=FILES)
    command.add_argument(
        "--stdin-filename", metavar="NAME", help="the name of what - reads; it tells the language"
    )
    command.add_argument(
        "--files-from", metavar="FILE", help="read names from a file, one a line or NUL-ended; -"
    )
    command.add_argument(
        "--changed", action="store_true", help="the files git sees changed, in PATH or here"
    )
    command.add_argument(
        "--since", metavar="COMMIT", help="changed since a commit (implies --changed)"
    )
    command.add_argument("--language", metavar="ID", help="instead of what the name tells")


def add_selectors(command: argparse.ArgumentParser) -> None:
    """Add what says where in them the places are."""
    group = command.add_argument_group("places (at least one; they add up)")
    group.add_argument(
        "--lines",
        dest="targets",
        action="append",
        type=_lines,
        metavar="A-B",
        help="whole lines, from 1",
    )
    group.add_argument(
        "--range",
        dest="targets",
        action="append",
        type=_range,
        metavar="L:C-L:C",
        help="characters, from 1, the last one not included; L:C is a cursor, in front of a "
        "line's code the place above it",
    )
    group.add_argument(
        "--query", metavar="QUERY", help="what a tree-sitter query captures, but for @_names"
    )
    group.add_argument(
        "--symbol",
        dest="symbols",
        action="append",
        metavar="NAME",
        help="a function, method or class, as f or C.f; a fill fills a function's body",
    )
    group.add_argument("--holes", action="store_true", help="what is still to be written")
    group.add_argument(
        "--diagnostics",
        metavar="FILE",
        help="the lines that ruff (JSON), mypy, pyright (JSON) or SARIF report; - is stdin",
    )
    _add_max_spans(command)


def _add_max_spans(command: argparse.ArgumentParser) -> None:
    command.add_argument("--max-spans", type=count, metavar="N", help="no more places than this")


def add_output(command: argparse.ArgumentParser) -> None:
    """Add what says how edits are shown."""
    group = command.add_argument_group("output (default: a unified diff)")
    forms = group.add_mutually_exclusive_group()
    for option, form, what in (
        ("--json", "json", "one JSON object"),
        ("--json=stream", "stream", "one JSON object a line, as each file is done"),
        ("--sarif", "sarif", "SARIF 2.1.0, with the edits as fixes"),
    ):
        forms.add_argument(option, dest="form", action="store_const", const=form, help=what)
    group.add_argument("--context", type=natural, default=3, metavar="N", help="lines of the diff")
    group.add_argument("--patch", metavar="FILE", help="leave a patch for `git apply`, too")
    group.add_argument("--record", metavar="FILE", help="leave what `diffill replay` takes, too")
    group.add_argument("--check", action="store_true", help="exit code 1 if something would change")
    group.add_argument(
        "-i", "--interactive", action="store_true", help="ask about each edit, and show it grow"
    )
    add_single_line(command)
    command.set_defaults(form="diff")


def add_single_line(command: argparse.ArgumentParser) -> None:
    """Add what holds a fill to its line."""
    command.add_argument(
        "--single-line",
        action=argparse.BooleanOptionalAction,
        help="end with the first line (default: for a fill of one line that is no hole)",
    )


def add_writing(command: argparse.ArgumentParser) -> None:
    """Add what says whether and how files are written."""
    group = command.add_argument_group("writing (default: no file changes)")
    group.add_argument("--write", action="store_true", help="write the files; of -, print the text")
    group.add_argument("--atomic", action="store_true", help="all files, or none")
    group.add_argument(
        "--allow-dirty", action="store_true", help="files with uncommitted changes, too"
    )
    group.add_argument(
        "--check-cmd",
        metavar="COMMAND",
        help="keep a file only if this succeeds; without {file} in it, run once for all",
    )
    group.add_argument(
        "--lint-cmd",
        action="append",
        metavar="COMMAND",
        help="a linter or type checker (ruff or pyright as JSON, mypy, SARIF): keep a file only if "
        "this finds nothing new; may be repeated",
    )
    group.add_argument(
        "--check-timeout", type=_seconds, metavar="SECONDS", help="time for one check (default 600)"
    )
    group.add_argument(
        "--format-cmd",
        metavar="COMMAND",
        help="a formatter from standard input to standard output; what it does to edited lines "
        "becomes part of the edit",
    )
    group.add_argument(
        "--deadline", type=_seconds, metavar="SECONDS", help="stop after this; keep what is done"
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on with the same command where it was interrupted or stopped",
    )


def _lines(value: str) -> Lines:
    from editor_clients.command_line.targets import parse_lines

    return parse_lines(value)


def _range(value: str) -> Range:
    from editor_clients.command_line.targets import parse_range

    return parse_range(value)


def natural(value: str) -> int:
    """Read a number from 0."""
    if not value.isascii() or not value.isdigit():
        raise argparse.ArgumentTypeError(f"{value!r} is not a number")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds")
    return seconds


def count(value: str) -> int:
    """Read a number from 1."""
    number = natural(value)
    if not number:
        raise argparse.ArgumentTypeError("0 is less than 1")
    return number
