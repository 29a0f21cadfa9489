"""The man page and `--help`: made from the arguments, with examples that can be called."""

import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from editor_clients.command_line import arguments, examples

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page():
    path = ROOT / "editor_clients/command_line/man_page.py"
    spec = importlib.util.spec_from_file_location("man_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.man_page("1.2.3")


def commands():
    [found] = [a for a in arguments.parser()._actions if a.dest == "command"]
    return found.choices


def test_the_page_tells_every_option_of_every_command(page):
    plain = page.replace("\\-", "-")
    for name, command in commands().items():
        assert f".SS \\fBdiffill {name}\\fR" in plain
        for action in command._actions:
            for option in {*action.option_strings} - {"-h", "--help"}:
                assert option in plain
    for part in ("Diffill 1.2.3", ".SH NAME", ".SH EXAMPLES", ".SH EXIT STATUS", "NO_COLOR"):
        assert part in plain


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_has_nothing_to_complain_about(page):
    command = ["groff", "-man", "-Tutf8", "-ww", "-K", "utf8"]
    ran = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", ran.stdout)
    assert "diffill fill - --stdin-filename a.py --holes --write >b.py" in shown


def calls():
    for lines in (examples.OVERVIEW, *examples.OF_COMMANDS.values()):
        for line in lines.replace("\\\n", "").strip().split("\n"):
            for part in re.split(r"\s\|\s|\s&&\s", line):
                if part.strip().startswith("diffill"):
                    yield re.sub(r"\s[<>]\S+", "", part)


@pytest.mark.parametrize("call", [*calls()])
def test_examples_can_be_called(call):
    _, *argv = shlex.split(call)
    arguments.parser().parse_args(argv)


@pytest.mark.parametrize("name", examples.OF_COMMANDS)
def test_help_ends_with_examples(name):
    shown = commands()[name].format_help()
    assert shown.endswith(examples.epilog(examples.OF_COMMANDS[name]) + "\n")
