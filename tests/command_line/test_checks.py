"""Linters, formatters, resuming and deadlines."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from command_process import start, wait_until_ready

QUERY = '((identifier) @it (#eq? @it "x"))'
# Reports each line with the word, as mypy would.
LINTER = """\
import sys
words = sys.argv[1].split(",")
for name in sys.argv[2:]:
    for number, line in enumerate(open(name), 1):
        for word in words:
            if word in line:
                print(f"{name}:{number}: error: {word} on line {number}")
"""
# Puts blanks around "=", and doubles the first line.
FORMATTER = """\
import sys
lines = sys.stdin.read().splitlines(keepends=True)
sys.stdout.write("".join(line.replace("=", " = ").replace("  ", " ") for line in lines))
"""


@pytest.fixture
def tool(sample):
    def write(source, *args):
        path = sample(source, "tool.txt")
        return " ".join([sys.executable, str(path), *args])

    return write


def fill(diffill, *options, **more):
    return diffill("fill", ".", "--query", QUERY, "--write", *options, **more)


def test_what_a_linter_finds_anew_is_rolled_back(diffill, sample, tool):
    clean, dirty = sample("n\nx\n", "a.py"), sample("n\nfirst\nx\n", "b.py")
    done = fill(diffill, "--lint-cmd", tool(LINTER, "first", "{file}"))
    assert done.code == 1
    assert clean.read_text() == "n\nx\n"
    assert dirty.read_text() == "n\nfirst\nx\n"
    assert "a.py: rolled back" in done.err
    assert "finds something new\n    a.py: first on line …" in done.err


def test_what_a_linter_found_before_may_move(diffill, sample, tool):
    path = sample("x\nold\n")
    done = fill(diffill, "--no-single-line", "--lint-cmd", tool(LINTER, "old,other", "{file}"))
    assert (done.code, path.read_text()) == (0, "first()\nsecond()\nold\n")


def test_a_linter_of_all_files_runs_before_and_after(diffill, sample, tool):
    paths = [sample("n\nx\n", name) for name in ("a.py", "b.py")]
    names = " ".join(path.name for path in paths)
    assert fill(diffill, "--lint-cmd", tool(LINTER, "second", names)).code == 0
    assert diffill("undo").code == 0
    done = fill(diffill, "--lint-cmd", tool(LINTER, "first", names))
    assert (done.code, [p.read_text() for p in paths]) == (1, ["n\nx\n"] * 2)


def test_ruff_and_two_linters(diffill, sample, tool):
    path = sample("import os\nx\n")
    ruff = f"{sys.executable} -m ruff check --isolated --no-cache --output-format json {{file}}"
    mine = tool(LINTER, "second", "{file}")
    done = fill(diffill, "--lint-cmd", ruff, "--lint-cmd", mine)
    # `first` is undefined, as `x` was; another name is another finding.
    assert (done.code, path.read_text()) == (1, "import os\nx\n")
    assert "Undefined name `first`" in done.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo nonsense", "does not print the output of ruff"),
        ("false", "(exit code 1) does not print the output of ruff"),
        ("no-such-program", "--lint-cmd: no-such-program: no such command"),
    ],
)
def test_unusable_linters(diffill, sample, command, message):
    path = sample("n\nx\n")
    done = fill(diffill, "--lint-cmd", command)
    assert (done.code, path.read_text()) == (2, "n\nx\n")
    assert message in done.err


def test_a_formatter_touches_edited_lines_only(diffill, sample, tool):
    path = sample("a=1\nx\nb=2\n")
    told = tool(FORMATTER)
    done = diffill("rewrite", path, "--lines", "2", "--instruction", "-", "--format-cmd", told)
    assert done.out.splitlines()[3:] == [" a=1", "-x", "+X", " b=2"]
    path.write_text("a=1\nx=1\nb=2\n")
    options = ("--lines", "2", "--instruction", "-", "--format-cmd", told, "--write", "--json")
    done = diffill("rewrite", path, *options)
    assert path.read_text() == "a=1\nX = 1\nb=2\n"
    spans = done.json["files"][0]["spans"]
    assert [(s["step"], s["status"], s["text"]) for s in spans] == [
        (0, "edited", "X=1"),
        (1, "formatted", "X = 1\n"),
    ]
    assert done.json["summary"]["spans"] == 1
    diffill("undo")
    assert path.read_text() == "a=1\nx=1\nb=2\n"


def test_ruff_formats_what_was_edited_and_keeps_line_ends(diffill, sample):
    path = sample("a = [1,2]\r\nx = ( 1,2 )\r\nb = [1,2]\r\n")
    ruff = f"{sys.executable} -m ruff format --isolated --no-cache --stdin-filename {{file}} -"
    options = ("--lines", "2", "--instruction", "-", "--format-cmd", ruff, "--write")
    assert diffill("rewrite", path, *options).code == 0
    assert path.read_bytes() == b"a = [1,2]\r\nX = (1, 2)\r\nb = [1,2]\r\n"


@pytest.mark.parametrize("command", ["false", "true", "printf ("])
def test_a_formatter_that_fails_is_told_and_leaves_the_edit(diffill, sample, command):
    path = sample("n\nx\n")
    done = fill(diffill, "--format-cmd", command)
    assert (done.code, path.read_text()) == (0, "n\nfirst()\n")
    assert ("not formatted" in done.err) == (command != "printf (")


def interrupted(*args, sent=signal.SIGINT):
    """Run until the engine is asked something it never answers, then end the run."""
    process = start("tells", *args, start_new_session=True)
    wait_until_ready(process, "WAITING")
    os.killpg(process.pid, sent)
    _, err = process.communicate(timeout=60)
    return err


@pytest.fixture
def three():
    for name, content in (("a.py", "n\nx\n"), ("b.py", "n\nx\ny\nx\n"), ("c.py", "SLOW\nx\n")):
        Path(name).write_text(content)


def asked(err):
    return [json.loads(line[6:])["path"] for line in err.splitlines() if line[:6] == "ASKED "]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("more", [(), ("--write",), ("--write", "--atomic")], ids=" ".join)
def test_an_interrupted_run_goes_on(three, sent, more):
    args = ("fill", ".", "--query", QUERY, *more)
    interrupted(*args, sent=sent)
    Path("c.py").write_text("n\nx\n")
    process = start("tells", *args, "--resume")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert asked(err) == ["c.py"]
    new = ["n\nfirst()\n", "n\nfirst()\ny\nfirst()\n", "n\nfirst()\n"]
    old = ["n\nx\n", "n\nx\ny\nx\n", "n\nx\n"]
    texts = [Path(name).read_text() for name in ("a.py", "b.py", "c.py")]
    assert texts == (new if more else old)


def test_a_run_that_is_done_or_another_one_begins_anew(diffill, three):
    Path("c.py").write_text("n\nx\n")
    assert diffill("fill", ".", "--query", QUERY).code == 0
    done = diffill("fill", ".", "--query", QUERY, "--resume", engine="tells")
    assert asked(done.err) == ["a.py", "b.py", "b.py", "c.py"]


def test_another_model_gives_its_own_answers(diffill, three, monkeypatch):
    interrupted("fill", ".", "--query", QUERY)
    Path("c.py").write_text("n\nx\n")
    monkeypatch.setenv("DIFFILL_MODEL", "another.gguf")
    done = diffill("fill", ".", "--query", QUERY, "--resume", engine="tells")
    assert asked(done.err) == ["a.py", "b.py", "b.py", "c.py"]


def test_ctrl_c_says_how_to_go_on(three):
    err = interrupted("fill", ".", "--query", QUERY, "--write")
    assert "the same command with --resume goes on from here" in err


def test_a_deadline_keeps_what_is_done(diffill, three):
    done = fill(diffill, "--deadline", "3")
    assert done.code == 1
    assert "the 3 s of --deadline are over" in done.err
    assert Path("a.py").read_text() == "n\nfirst()\n"
    assert Path("c.py").read_text() == "SLOW\nx\n"
    assert diffill("fill", ".", "--holes", "--deadline", "0").code == 2


def test_the_next_file_is_asked_for_while_this_one_is_checked(three):
    """The check of a.py waits for the question about b.py."""
    Path("c.py").unlink()
    Path("b.py").write_text("SLOW\nx\n")
    wait = "import pathlib, time\\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)"
    check = f"{sys.executable} -c \"exec('''{wait}''')\" {{file}}"
    process = start("tells", "fill", ".", "--query", QUERY, "--write", "--check-cmd", check)
    wait_until_ready(process, "WAITING")  # only then
    Path("go").touch()
    while "first" not in Path("a.py").read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
