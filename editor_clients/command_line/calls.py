"""From parsed arguments to what a command is called with."""

from __future__ import annotations

import argparse

from editor_clients.command_line.checks import CheckCommand
from editor_clients.command_line.diagnostics import read_findings
from editor_clients.command_line.discovery import Sources
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.order import Dials, Order
from editor_clients.command_line.places import Search, Selectors
from editor_clients.command_line.refactor import Call, Output
from editor_clients.command_line.survey import STDIN, Survey
from editor_clients.command_line.writing import Manner
from engine.protocol import Effort
from lsp_server.rewrites import MEND

_FIX = "Fix this: {message}"


def dials_of(args: argparse.Namespace) -> Dials:
    """Return the engine's options."""
    return Dials(
        effort=Effort(args.effort),
        seed=args.seed,
        max_tokens=args.max_tokens,
        candidates=args.candidates,
        deadline_s=args.timeout,
    )


def sources_of(args: argparse.Namespace) -> Sources:
    """Return where the files come from."""
    changed_since = args.since or ("HEAD" if args.changed else None)
    return Sources(paths=tuple(args.paths), files_from=args.files_from, changed_since=changed_since)


def edit_of(args: argparse.Namespace) -> Call:
    """Return the call of `fill`, `rewrite` or `repair`.

    Raises:
        Stop: if options are missing, or do not go together.
    """
    is_rewrite, is_repair = args.command == "rewrite", args.command == "repair"
    sources = sources_of(args)
    search = Search(
        query=args.query,
        symbols=tuple(args.symbols or ()),
        bodies=not is_rewrite,
        holes=args.holes,
        faults=is_repair,
        language=args.language,
        max_bytes=args.max_bytes,
    )
    _check_inputs(args, sources)
    selectors = Selectors(
        targets=tuple(args.targets or ()),
        findings=read_findings(args.diagnostics) if args.diagnostics else {},
        search=search,
    )
    if not (selectors.targets or args.diagnostics or search):
        raise Stop(
            Exit.USAGE,
            "which places? Say --lines, --range, --query, --symbol, --holes or --diagnostics",
        )
    if not (sources.paths or sources.files_from or sources.changed_since or args.diagnostics):
        raise Stop(Exit.USAGE, "which files? Say PATH, --files-from or --changed")
    instruction = args.instruction
    if is_rewrite and instruction is None:
        if not args.diagnostics:
            raise Stop(Exit.USAGE, "rewrite to what? Say --instruction")
        instruction = _FIX
    if is_repair:
        instruction = MEND.format("{message}")
    check = args.check_cmd
    return Call(
        survey=Survey(
            sources=sources,
            selectors=selectors,
            stdin_filename=args.stdin_filename or "",
            max_spans=args.max_spans,
        ),
        order=Order(
            instruction=instruction,
            dials=dials_of(args),
            single_line=args.single_line,
            mends=is_repair,
        ),
        manner=Manner(
            write=args.write,
            atomic=args.atomic,
            allow_dirty=args.allow_dirty,
            check=None if check is None else CheckCommand.parse(check, args.check_timeout),
        ),
        output=Output(
            form=args.form,
            context=args.context,
            patch=args.patch,
            check=args.check,
            interactive=args.interactive,
        ),
    )


def listing_of(args: argparse.Namespace) -> Survey:
    """Return what `holes` looks for, and where: here, if nothing is said."""
    sources = sources_of(args)
    return Survey(
        sources=Sources(paths=(".",)) if sources == Sources() else sources,
        selectors=Selectors(
            search=Search(
                query=args.query,
                holes=not args.query,
                language=args.language,
                max_bytes=args.max_bytes,
            )
        ),
        stdin_filename=args.stdin_filename or "",
    )


def _check_inputs(args: argparse.Namespace, sources: Sources) -> None:
    if STDIN in sources.paths and len(sources.paths) > 1:
        raise Stop(Exit.USAGE, "-: standard input cannot be edited along with other files")
    readers = {
        "-": STDIN in sources.paths,
        "--files-from -": sources.files_from == STDIN,
        "--diagnostics -": args.diagnostics == STDIN,
        "--interactive": args.interactive,
    }
    names = [name for name, reads in readers.items() if reads]
    if len(names) > 1:
        raise Stop(Exit.USAGE, f"{' and '.join(names)} would both read standard input")
    if STDIN in sources.paths and (sources.files_from or sources.changed_since):
        raise Stop(Exit.USAGE, "-: standard input cannot be edited along with other files")
    if STDIN in sources.paths and (args.atomic or args.check_cmd):
        raise Stop(Exit.USAGE, "--atomic and --check-cmd are for files, not for standard input")
