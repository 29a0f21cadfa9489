"""`diffill`: which command the arguments call. Imports little: `--help` is quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from editor_clients.command_line import arguments, packages
from editor_clients.command_line.exits import Exit, Stop, abandon, exit_of

if TYPE_CHECKING:
    import argparse

    from editor_clients.command_line.engines import OpenEngine
    from editor_clients.command_line.screen import Screen

_WITH_SETTINGS = {
    *("fill", "rewrite", "repair", "run", "holes", "check", "explain"),
    *("batch", "demo", "doctor"),
}
_WITH_FILES = {"fill", "rewrite", "repair", "run", "holes", "check", "explain"}


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
        code = _dispatch(arguments.parser().parse_args(argv), argv, open_engine)
        _flush()
        return int(code)
    except SystemExit as end:  # argparse: it has said why
        return end.code if isinstance(end.code, int) else Exit.USAGE
    except KeyboardInterrupt:
        print("diffill: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        abandon(sys.stdout)  # there is nobody to complain to
        return Exit.BROKEN_PIPE
    except Exception as error:
        if os.environ.get("DIFFILL_DEBUG") == "1":
            raise
        code = exit_of(error)
        fault = f"a fault of Diffill: {type(error).__name__}: {error} (DIFFILL_DEBUG=1 shows more)"
        print(f"diffill: {fault if code == Exit.INTERNAL else error}", file=sys.stderr)
        return code


def _dispatch(args: argparse.Namespace, argv: Sequence[str], open_engine: OpenEngine | None) -> int:
    # A replay file says itself which model, and how.
    if args.command in _WITH_SETTINGS and not getattr(args, "replay", None):
        from editor_clients.command_line import configuration

        configuration.fill_in(args, _screen(args))
    if args.command in _WITH_FILES:
        from editor_clients.command_line import recovery

        recovery.recover(_screen(args))  # before anybody looks at what a crash left half done
    match args.command:
        case "fill" | "rewrite" | "repair" | "run":
            from editor_clients.command_line import calls, refactor

            return refactor.run(calls.edit_of(args, argv), open_engine, _screen(args), args.model)
        case "check":
            from editor_clients.command_line import calls, forecast

            return forecast.run(calls.forecast_of(args), _screen(args), as_json=args.json)
        case "holes":
            from editor_clients.command_line import calls, listing

            return listing.run(calls.listing_of(args), _screen(args), as_json=args.json)
        case "explain":
            from editor_clients.command_line import calls, explain

            question, screen = calls.question_of(args), _screen(args)
            options = {"as_json": args.json, "all_steps": args.all_steps}
            return explain.run(question, open_engine, screen, args.model, **options)
        case "replay":
            from editor_clients.command_line import replay

            screen, model = _screen(args), args.model
            return replay.run(args.replay, args.edit, open_engine, screen, model, as_json=args.json)
        case "undo":
            from editor_clients.command_line import undo

            return undo.show_runs(_screen(args)) if args.list else undo.run(args.run, _screen(args))
        case "batch":
            from editor_clients.command_line import batch, calls

            dials, screen = calls.dials_of(args), _screen(args)
            return batch.run(args.source, args.target, dials, open_engine, screen, args.model)
        case "demo":
            from editor_clients.command_line import calls, demo

            return demo.run(calls.dials_of(args), open_engine, _screen(args), args.model)
        case "doctor":
            from editor_clients.command_line import doctor

            screen, verify, quick = _screen(args), args.verify, args.quick
            return doctor.run(open_engine, screen, args.model, verify=verify, quick=quick)
        case "engine":
            from editor_clients.command_line import resident

            if args.action == "run":
                return resident.run(args.model, _screen(args))
            act = {"status": resident.status, "stop": resident.stop}
            return act[args.action](_screen(args), as_json=args.json)
        case "serve":
            from editor_clients.command_line import serving

            if args.ray:
                return serving.run_on_ray(
                    args.model, args.port, args.replicas, args.batch, _screen(args)
                )
            if args.replicas or args.batch:
                raise Stop(Exit.USAGE, "--replicas and --batch are for --ray")
            return serving.run(args.model, args.port, _screen(args))
        case "model":
            from editor_clients.command_line import models

            if args.action == "list":
                return models.show_list(_screen(args))
            if args.action in ("info", "check"):
                from editor_clients.command_line import model_facts

                if args.action == "info":
                    return model_facts.info(args.name, _screen(args))
                return model_facts.check(args.name, open_engine, _screen(args))
            act = {"pull": models.pull, "path": models.show_path, "remove": models.remove}
            return act[args.action](args.name, _screen(args))
        case "config":
            from editor_clients.command_line import configuration

            return configuration.run(_screen(args), as_json=args.json)
        case "metrics":
            from editor_clients.command_line import measured

            return measured.run(_screen(args), as_json=args.json, erase=args.erase)
        case "completion":
            import shtab

            from editor_clients.command_line.screen import Screen

            Screen().out(shtab.complete(arguments.parser(), shell=args.shell) + "\n")
            return Exit.DONE
        case "eval":
            from editor_clients.command_line import evaluation

            options = argv[argv.index("eval") + 1 :]
            return evaluation.run(options, [*args.cases, *args.held, *args.edits], args.model)
        case "lsp":
            from lsp_server.main import run

            return run(args.model)
        case other:
            raise AssertionError(other)


def _flush() -> None:
    from editor_clients.command_line import files, screen

    with files.writing(sys.stdout, screen.STDOUT):  # of libraries that print
        sys.stdout.flush()


def _screen(args: argparse.Namespace) -> Screen:
    from editor_clients.command_line.screen import Screen

    return Screen(color=args.color, quiet=args.quiet)
