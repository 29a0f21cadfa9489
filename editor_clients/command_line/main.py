"""`diffill`: the arguments, and which command they call. Imports little: `--help` is quick."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from editor_clients.command_line import packages
from editor_clients.command_line.exits import Exit, Stop, exit_of

if TYPE_CHECKING:
    from editor_clients.command_line.edit import Dials
    from editor_clients.command_line.engines import OpenEngine
    from editor_clients.command_line.screen import Screen

_EXIT_CODES = """\
exit codes: 0 done; 1 refused, or a line or check failed; 2 wrong arguments or unusable file;
3 no engine or no model; 4 the result did not validate; 123 a fault of Diffill; 130 interrupted"""


def main(argv: Sequence[str] | None = None, *, open_engine: OpenEngine | None = None) -> int:
    """Run `diffill` and return its exit code; `open_engine` replaces the real engine."""
    try:
        if strangers := packages.misplaced():
            raise Stop(
                Exit.UNAVAILABLE,
                f"{', '.join(strangers)}: not the one installed with Diffill; "
                "install Diffill by pipx or uv, so that no other package mixes in",
            )
        argv = sys.argv[1:] if argv is None else argv
        code = _dispatch(_parser().parse_args(argv), argv, open_engine)
        sys.stdout.flush()
        return int(code)
    except SystemExit as end:  # argparse: it has said why
        return end.code if isinstance(end.code, int) else Exit.USAGE
    except KeyboardInterrupt:
        print("diffill: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes at exit and would complain; there is nobody to complain to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception as error:
        if os.environ.get("DIFFILL_DEBUG") == "1":
            raise
        code = exit_of(error)
        fault = f"a fault of Diffill: {type(error).__name__}: {error} (DIFFILL_DEBUG=1 shows more)"
        print(f"diffill: {fault if code == Exit.INTERNAL else error}", file=sys.stderr)
        return code


def _dispatch(args: argparse.Namespace, argv: Sequence[str], open_engine: OpenEngine | None) -> int:
    match args.command:
        case "fill" | "rewrite":
            from editor_clients.command_line import edit

            call = edit.Edit(
                file=args.file,
                target=args.lines or args.range,
                instruction=args.instruction,
                dials=_dials(args),
                language=args.language,
                single_line=args.single_line,
                write=args.write,
                as_json=args.json,
            )
            return edit.run(call, open_engine, _screen(args), args.model)
        case "batch":
            from editor_clients.command_line import batch

            dials, screen = _dials(args), _screen(args)
            return batch.run(args.source, args.target, dials, open_engine, screen, args.model)
        case "demo":
            from editor_clients.command_line import demo

            return demo.run(_dials(args), open_engine, _screen(args), args.model)
        case "doctor":
            from editor_clients.command_line import doctor

            screen, verify, quick = _screen(args), args.verify, args.quick
            return doctor.run(open_engine, screen, args.model, verify=verify, quick=quick)
        case "model":
            from editor_clients.command_line import models

            if args.action == "list":
                return models.show_list(_screen(args))
            act = {"pull": models.pull, "path": models.show_path, "remove": models.remove}
            return act[args.action](args.name, _screen(args))
        case "eval":
            from editor_clients.command_line import evaluation

            arguments = argv[argv.index("eval") + 1 :]
            return evaluation.run(arguments, [*args.cases, *args.held], args.model)
        case "lsp":
            from lsp_server.main import run

            return run(args.model)
        case other:
            raise AssertionError(other)


def _screen(args: argparse.Namespace) -> Screen:
    from editor_clients.command_line.screen import Screen

    return Screen(color=args.color, quiet=args.quiet)


def _dials(args: argparse.Namespace) -> Dials:
    from editor_clients.command_line.edit import Dials
    from engine.protocol import Effort

    return Dials(
        effort=Effort(args.effort),
        seed=args.seed,
        max_tokens=args.max_tokens,
        candidates=args.candidates,
        deadline_s=args.timeout,
    )


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        try:
            print(f"diffill {metadata.version('diffill')}")
        except metadata.PackageNotFoundError:
            print("diffill, not installed")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    from editor_clients.command_line.targets import parse_lines, parse_range
    from engine.evaluation.modes import add_arguments

    parser = argparse.ArgumentParser(
        prog="diffill",
        description="Fill and rewrite spans of code with a diffusion language model, locally.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    model = argparse.ArgumentParser(add_help=False)
    model.add_argument("--model", help="a name of `diffill model list`, or a GGUF file")
    manners = argparse.ArgumentParser(add_help=False)
    manners.add_argument("-q", "--quiet", action="store_true", help="results and errors only")
    manners.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    dials = argparse.ArgumentParser(add_help=False, parents=[model, manners])
    dials.add_argument("--effort", choices=("quick", "balanced", "thorough"), default="balanced")
    dials.add_argument("--seed", type=int, default=0)
    dials.add_argument("--max-tokens", type=int, metavar="N", help="longest text of a span")
    dials.add_argument("--candidates", type=int, metavar="N", help="attempts to choose from")
    dials.add_argument("--timeout", type=float, metavar="SECONDS", help="time for one edit")

    for name, what in (("fill", "fill a span of a file"), ("rewrite", "rewrite one as told")):
        command = commands.add_parser(
            name,
            parents=[dials],
            allow_abbrev=False,
            help=f"{what}; print the diff, or write it",
        )
        command.add_argument("file", metavar="FILE")
        target = command.add_mutually_exclusive_group(required=True)
        target.add_argument("--lines", type=parse_lines, metavar="A-B", help="whole lines, from 1")
        target.add_argument(
            "--range",
            type=parse_range,
            metavar="L:C-L:C",
            help="characters, from 1, the last one not included; L:C is a cursor",
        )
        if name == "rewrite":
            command.add_argument("--instruction", required=True, metavar="TEXT")
        command.add_argument("--language", metavar="ID", help="instead of what the name tells")
        command.add_argument(
            "--single-line",
            action=argparse.BooleanOptionalAction,
            help="end with the first line (default: for a fill within one line)",
        )
        command.add_argument("--write", action="store_true", help="write the file")
        command.add_argument("--json", action="store_true", help="one JSON object, not a diff")
        command.set_defaults(instruction=None)

    batch = commands.add_parser("batch", parents=[dials], help="fill the cases of a JSONL file")
    batch.add_argument("source", metavar="IN.jsonl", help="id, prefix, suffix, …; - is stdin")
    batch.add_argument("target", metavar="OUT.jsonl", help="id, text, verdict, …; - is stdout")

    commands.add_parser("demo", parents=[dials], help="make two edits of sample files, show them")
    what = "score the fills of benchmark cases and held-out files, as one table"
    add_arguments(commands.add_parser("eval", allow_abbrev=False, help=what))

    commands.add_parser("lsp", parents=[model], help="the language server, on stdin and stdout")

    models = commands.add_parser("model", help="the model files: list, pull, path, remove")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, what in (
        ("list", "print the models there are"),
        ("pull", "fetch a model, verify it, print where it is"),
        ("path", "print where a model's file is"),
        ("remove", "delete a fetched model"),
    ):
        action = actions.add_parser(name, parents=[manners], help=what)
        if name != "list":
            action.add_argument("name", nargs="?", metavar="NAME")

    doctor = commands.add_parser("doctor", parents=[model], help="check this installation")
    doctor.add_argument("--verify", action="store_true", help="hash the model's file, too")
    doctor.add_argument("--quick", action="store_true", help="do not start the engine")
    doctor.set_defaults(color="auto", quiet=False)
    return parser
