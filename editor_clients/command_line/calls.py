"""From parsed arguments to what a command is called with."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from editor_clients.command_line import recipes
from editor_clients.command_line.checks import Check, Command, MustSucceed, NothingNew
from editor_clients.command_line.diagnostics import read_findings
from editor_clients.command_line.discovery import Sources
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.explain import Question
from editor_clients.command_line.forecast import Forecast
from editor_clients.command_line.formatting import Formatter
from editor_clients.command_line.order import Dials, Order
from editor_clients.command_line.places import Search, Selectors
from editor_clients.command_line.refactor import Call, Output
from editor_clients.command_line.survey import STDIN, Survey
from editor_clients.command_line.unfinished import Unfinished
from editor_clients.command_line.writing import Manner
from engine.protocol import Effort
from lsp_server.rewrites import MEND

_CHECK_S = 600.0
_FIX = "Fix this: {message}"
_MEND = MEND.format("{message}")


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


def edit_of(args: argparse.Namespace, argv: Sequence[str]) -> Call:
    """Return the call of `fill`, `rewrite`, `repair` or `run`; `argv` is how it was called.

    Raises:
        Stop: if options are missing, or do not go together.
    """
    recipe = recipes.read(args.recipe) if args.command == "run" else None
    if recipe:
        _fill_in(args, recipe)
        steps = [_step_of(step, args) for step in recipe.steps]
    else:
        steps = [(_selectors(args), _order(args))]
    sources = sources_of(args)
    _check_inputs(args, sources)
    if not sources and not args.diagnostics:
        raise Stop(Exit.USAGE, "which files? Say PATH, --files-from or --changed")
    return Call(
        survey=_survey(args, sources, [selectors for selectors, _ in steps]),
        orders=tuple(order for _, order in steps),
        manner=Manner(
            write=args.write,
            atomic=args.atomic,
            allow_dirty=args.allow_dirty,
            checks=_checks(args),
        ),
        output=Output(
            form=args.form,
            context=args.context,
            patch=args.patch,
            record=args.record,
            check=args.check,
            interactive=args.interactive,
        ),
        formatter=Formatter(_command("--format-cmd", args.format_cmd, args))
        if args.format_cmd
        else None,
        unfinished=Unfinished(() if STDIN in sources.paths else argv, resume=args.resume),
        deadline_s=args.deadline,
    )


def question_of(args: argparse.Namespace) -> Question:
    """Return which edit `explain` is to explain.

    Raises:
        Stop: if options are missing, or do not go together.
    """
    if args.replay is not None:
        if args.paths or args.targets or args.instruction:
            raise Stop(Exit.USAGE, "--replay has its places and instructions in its file")
        return Question(replay=args.replay, edit=args.edit)
    sources = sources_of(args)
    _check_inputs(args, sources)
    if not sources and not args.diagnostics:
        raise Stop(Exit.USAGE, "which files? Say PATH, --files-from or --changed")
    survey = _survey(args, sources, [_selectors(args)])
    return Question(survey=survey, order=_order(args), edit=args.edit)


def forecast_of(args: argparse.Namespace) -> Forecast:
    """Return what `check` looks for, and where: here, if nothing is said.

    Raises:
        Stop: if no places are named, or the recipe is none.
    """
    recipe = recipes.read(args.recipe) if args.recipe else None
    if recipe:
        if args.targets or args.query or args.symbols or args.holes or args.diagnostics:
            raise Stop(Exit.USAGE, "--recipe names the places: no other option does")
        args.paths = args.paths or list(recipe.paths)
        steps = [_step_of(step, args)[0] for step in recipe.steps]
        names = [step.get("name", "") for step in recipe.steps]
    else:
        steps, names = [_selectors(args)], [""]
    sources = sources_of(args)
    if not sources and not args.diagnostics:
        sources = Sources(paths=(".",))
    survey = _survey(args, sources, steps)
    return Forecast(survey, tuple(names), Manner(write=True, allow_dirty=args.allow_dirty))


def _survey(args: argparse.Namespace, sources: Sources, steps: Iterable[Selectors]) -> Survey:
    return Survey(
        sources=sources,
        steps=tuple(steps),
        stdin_filename=args.stdin_filename or "",
        max_spans=args.max_spans,
    )


def _selectors(args: argparse.Namespace) -> Selectors:
    search = Search(
        query=args.query,
        symbols=tuple(args.symbols or ()),
        bodies=args.command in ("fill", "explain") and args.instruction is None,
        holes=args.holes,
        faults=args.command == "repair",
        language=args.language,
        max_bytes=args.max_bytes,
    )
    if not (args.targets or args.diagnostics or search):
        raise Stop(
            Exit.USAGE,
            "which places? Say --lines, --range, --query, --symbol, --holes or --diagnostics",
        )
    return Selectors(
        targets=tuple(args.targets or ()),
        findings=read_findings(args.diagnostics) if args.diagnostics else {},
        search=search,
    )


def _order(args: argparse.Namespace) -> Order:
    instruction = args.instruction
    if args.command == "rewrite" and instruction is None:
        if not args.diagnostics:
            raise Stop(Exit.USAGE, "rewrite to what? Say --instruction")
        instruction = _FIX
    mends = args.command == "repair"
    return Order(
        instruction=_MEND if mends else instruction,
        dials=dials_of(args),
        single_line=args.single_line,
        mends=mends,
    )


def _step_of(step: Mapping[str, Any], args: argparse.Namespace) -> tuple[Selectors, Order]:
    """Return what a step of a recipe says; what it leaves open the command line decides."""
    mends = step.get("repair", False)
    instruction = step.get("instruction")
    search = Search(
        query=step.get("query"),
        symbols=tuple(step.get("symbols", ())),
        bodies=instruction is None,
        holes=step.get("holes", False),
        faults=mends,
        language=args.language,
        max_bytes=args.max_bytes,
    )
    order = Order(
        instruction=_MEND if mends else instruction,
        single_line=step.get("single-line"),
        mends=mends,
    )
    if args.command == "run":
        dials = dials_of(args)
        order = replace(
            order,
            dials=Dials(
                effort=Effort(step.get("effort", dials.effort)),
                seed=step.get("seed", dials.seed),
                max_tokens=step.get("max-tokens", dials.max_tokens),
                candidates=step.get("candidates", dials.candidates),
                deadline_s=step.get("timeout", dials.deadline_s),
            ),
        )
    return Selectors(search=search), order


def _fill_in(args: argparse.Namespace, recipe: recipes.Recipe) -> None:
    """Let a recipe say what the command line left open; checks are for what is written."""
    args.paths = args.paths or list(recipe.paths)
    lint = recipe.checks.get("lint-cmd")
    said = {
        "check_cmd": recipe.checks.get("check-cmd") if args.write else None,
        "lint_cmd": ([lint] if isinstance(lint, str) else lint) if args.write else None,
        "check_timeout": recipe.checks.get("check-timeout"),
        "format_cmd": recipe.checks.get("format-cmd"),
    }
    for name, value in said.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def _checks(args: argparse.Namespace) -> tuple[Check, ...]:
    lints = [NothingNew(_command("--lint-cmd", one, args)) for one in args.lint_cmd or ()]
    if args.check_cmd is None:
        return tuple(lints)
    return (*lints, MustSucceed(_command("--check-cmd", args.check_cmd, args)))


def _command(option: str, source: str, args: argparse.Namespace) -> Command:
    seconds = _CHECK_S if args.check_timeout is None else args.check_timeout
    return Command.parse(option, source, seconds)


def listing_of(args: argparse.Namespace) -> Survey:
    """Return what `holes` looks for, and where: here, if nothing is said."""
    sources = sources_of(args)
    search = Search(
        query=args.query,
        holes=not args.query,
        language=args.language,
        max_bytes=args.max_bytes,
    )
    return Survey(
        sources=sources or Sources(paths=(".",)),
        steps=(Selectors(search=search),),
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
    if STDIN in sources.paths:
        for option in ("atomic", "check_cmd", "lint_cmd", "resume"):
            if getattr(args, option):
                name = f"--{option.replace('_', '-')}"
                raise Stop(Exit.USAGE, f"{name} is for files, not for standard input")
