"""The arguments of every command. Imports little: `--help` is quick."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from editor_clients.command_line import examples
from editor_clients.command_line.edit_arguments import (
    EDITS,
    FILES,
    add_output,
    add_selectors,
    add_single_line,
    add_sources,
    add_writing,
    count,
    natural,
)

if TYPE_CHECKING:
    from typing import Protocol

    class Commands(Protocol):
        """What `add_subparsers` returns; its type has no public name."""

        def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
            """Add a command."""
            ...

        @property
        def choices(self) -> dict[str, argparse.ArgumentParser]:
            """The commands by name."""
            ...


_EXIT_CODES = """\
exit codes:
  0    done
  1    something was refused, failed or rolled back; with --check: something would change
  2    wrong arguments, or a file that cannot be used
  3    no engine or no model
  4    what the model wrote did not validate, at one place at least
  123  a fault of Diffill
  130  interrupted"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    root = argparse.ArgumentParser(
        prog="diffill",
        description="Fill and rewrite spans of code with a diffusion language model, locally.",
        epilog=f"{examples.epilog(examples.OVERVIEW)}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands: Commands = root.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    model, manners, dials = _shared()

    for name, (what, add_places) in EDITS.items():
        command = commands.add_parser(name, parents=[dials], allow_abbrev=False, help=what)
        add_places(command)
        add_sources(command)
        add_output(command)
        add_writing(command)
    _add_holes(commands, manners)
    _add_check(commands, manners)
    _add_undo(commands, manners)
    _add_explain(commands, dials)
    _add_replay(commands, model, manners)

    batch = commands.add_parser("batch", parents=[dials], help="fill the cases of a JSONL file")
    batch.add_argument("source", metavar="IN.jsonl", help="id, prefix, suffix, …; - is stdin")
    batch.add_argument("target", metavar="OUT.jsonl", help="id, text, verdict, …; - is stdout")
    commands.add_parser("demo", parents=[dials], help="make two edits of sample files, show them")
    _add_eval(commands)
    commands.add_parser("lsp", parents=[model], help="the language server, on stdin and stdout")
    _add_engine(commands, model, manners)
    _add_serve(commands, model, manners)
    _add_model(commands, manners)
    config = commands.add_parser(
        "config", parents=[manners], help="print the settings that count here, and where from"
    )
    config.add_argument("--json", action="store_true", help="one JSON object")
    metrics = commands.add_parser(
        "metrics", parents=[manners], help="print how proposals fared in your editors; only counts"
    )
    forms = metrics.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="one JSON object")
    forms.add_argument("--erase", action="store_true", help="delete them, and begin anew")
    _add_doctor(commands, model)
    completion = commands.add_parser("completion", help="print a script that completes in a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    for name, lines in examples.OF_COMMANDS.items():
        command = commands.choices[name]
        command.epilog = examples.epilog(lines)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
    return root


def _shared() -> tuple[argparse.ArgumentParser, ...]:
    """Return the options of several commands: of the model, of all that print, of the engine."""
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument(
        "--model",
        help="a name of `diffill model list`, a GGUF file, a folder, or ORG/NAME of the hub",
    )
    manners = argparse.ArgumentParser(add_help=False)
    manners.add_argument("-q", "--quiet", action="store_true", help="results and errors only")
    manners.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours (default: on a terminal, unless NO_COLOR is set)",
    )
    dials = argparse.ArgumentParser(add_help=False, parents=[model, manners])
    group = dials.add_argument_group("engine")
    group.add_argument(
        "--effort",
        choices=("quick", "balanced", "thorough"),
        help="how much work an edit may be: thorough chooses a fill among six (default: what "
        "`diffill config` says)",
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of draws; the same one draws the same"
    )
    group.add_argument("--max-tokens", type=int, metavar="N", help="longest fill of a span")
    group.add_argument("--candidates", type=int, metavar="N", help="attempts to choose from")
    group.add_argument("--timeout", type=float, metavar="SECONDS", help="time for one edit")
    return model, manners, dials


def _add_eval(commands: Commands) -> None:
    from engine.evaluation.modes import add_arguments

    what = "score fills of benchmark cases and held-out files, and edit tasks, as one table"
    add_arguments(commands.add_parser("eval", allow_abbrev=False, help=what))


def _add_holes(commands: Commands, manners: argparse.ArgumentParser) -> None:
    command = commands.add_parser(
        "holes", parents=[manners], allow_abbrev=False, help="list what is still to be written"
    )
    add_sources(command)
    command.add_argument("--query", metavar="QUERY", help="list what a query captures, instead")
    command.add_argument("--json", action="store_true", help="one JSON object a line")


def _add_check(commands: Commands, manners: argparse.ArgumentParser) -> None:
    what = "list what would be edited, and what stands in the way; exit code 1 if there is any"
    command = commands.add_parser("check", parents=[manners], allow_abbrev=False, help=what)
    add_sources(command)
    command.add_argument("--recipe", metavar="RECIPE.toml", help="the places of its steps")
    add_selectors(command)
    command.add_argument("--allow-dirty", action="store_true", help="as if called with it later")
    command.add_argument("--json", action="store_true", help="one JSON object a line")


def _add_undo(commands: Commands, manners: argparse.ArgumentParser) -> None:
    what = "take back the last --write to this repository (without one: to this folder)"
    command = commands.add_parser("undo", parents=[manners], help=what)
    group = command.add_mutually_exclusive_group()
    group.add_argument("--run", metavar="RUN", help="this run, wherever its files are")
    group.add_argument("--list", action="store_true", help="print all runs and their files")


def _add_explain(commands: Commands, dials: argparse.ArgumentParser) -> None:
    what = "show how one edit comes about: what the model sees, its steps, drafts and verdicts"
    command = commands.add_parser("explain", parents=[dials], allow_abbrev=False, help=what)
    add_selectors(command)
    command.add_argument("--instruction", metavar="TEXT", help="a rewrite; without it, a fill")
    add_single_line(command)
    add_sources(command)
    command.add_argument("--replay", metavar="FILE", help="an edit of a replay file, instead")
    command.add_argument("--edit", type=count, metavar="N", help="which one, if there are more")
    command.add_argument("--all-steps", action="store_true", help="leave none of many steps out")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(
        interactive=False, atomic=False, check_cmd=None, lint_cmd=None, resume=False
    )


def _add_replay(
    commands: Commands, model: argparse.ArgumentParser, manners: argparse.ArgumentParser
) -> None:
    what = "make the edits of a replay file again, tell which come out differently"
    command = commands.add_parser("replay", parents=[model, manners], help=what)
    replay = command.add_argument("replay", metavar="FILE", help="what --record left")
    vars(replay).update(complete=FILES)
    command.add_argument("--edit", type=count, metavar="N", help="only this one")
    command.add_argument("--json", action="store_true", help="one JSON object a line")


def _add_engine(
    commands: Commands, model: argparse.ArgumentParser, manners: argparse.ArgumentParser
) -> None:
    what = "the engine all clients share: run it here, status, stop"
    command = commands.add_parser("engine", parents=[model, manners], help=what)
    command.add_argument("action", nargs="?", choices=("run", "status", "stop"), default="run")
    command.add_argument("--json", action="store_true", help="one JSON object a line")


def _add_serve(
    commands: Commands, model: argparse.ArgumentParser, manners: argparse.ArgumentParser
) -> None:
    what = "answer other tools on this machine: llama.cpp's, OpenAI's and Mercury's interface"
    command = commands.add_parser("serve", parents=[model, manners], help=what)
    command.add_argument(
        "--port", type=natural, default=8012, metavar="N", help="of 127.0.0.1 (default: 8012)"
    )
    command.add_argument("--ray", action="store_true", help="on Ray Serve (extra `cluster`)")
    command.add_argument(
        "--replicas", type=count, metavar="N", help="how many engines Ray runs (default: 1)"
    )
    command.add_argument(
        "--batch",
        type=count,
        metavar="N",
        help="how many requests each of them decodes together (default: 4)",
    )


def _add_model(commands: Commands, manners: argparse.ArgumentParser) -> None:
    models = commands.add_parser("model", help="the models: list, info, check, pull, path, remove")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, what in (
        ("list", "print the models there are"),
        ("info", "tell a model's or family's size, memory, licence and what it can do"),
        ("check", "look at a model's files, then fill a hole with it"),
        ("pull", "fetch a model, verify it, print where it is"),
        ("path", "print where a model's file is"),
        ("remove", "delete a fetched model"),
    ):
        action = actions.add_parser(name, parents=[manners], help=what)
        if name != "list":
            action.add_argument("name", nargs="?", metavar="NAME")


def _add_doctor(commands: Commands, model: argparse.ArgumentParser) -> None:
    doctor = commands.add_parser("doctor", parents=[model], help="check this installation")
    doctor.add_argument("--verify", action="store_true", help="hash the model's file, too")
    doctor.add_argument("--quick", action="store_true", help="do not start the engine")
    doctor.set_defaults(color="auto", quiet=False)


class _Version(argparse.Action):
    """Import the version only when it is asked for, after a look at whose `engine` it is."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from engine import __version__

        print(f"diffill {__version__}")
        parser.exit()
