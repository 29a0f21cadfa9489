"""What protects the user's files: the journal, checks, all or none, git, and kill -9."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_process import start, wait_until_ready

from editor_clients.command_line import files, journal
from editor_clients.command_line.exits import Exit, Stop

QUERY = '((identifier) @it (#eq? @it "x"))'


@pytest.fixture
def tree(tmp_path):
    """Write files that hold a place each; returns their bytes."""
    contents = {f"f{i}.py": f"n = {i}\r\nx\n".encode() for i in range(3)}
    for name, content in contents.items():
        Path(name).write_bytes(content)
    return contents


def current():
    return {path.name: path.read_bytes() for path in Path().glob("*.py")}


def edited(contents):
    return {name: content.replace(b"\nx", b"\nfirst()") for name, content in contents.items()}


def fill(diffill, *options, **more):
    return diffill("fill", ".", "--query", QUERY, *options, **more)


def git(*arguments):
    names = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *names, *arguments], check=True, capture_output=True)


def test_undo_restores_every_byte(diffill, tree):
    Path("f1.py").chmod(0o755)
    assert fill(diffill, "--write").code == 0
    assert current() == edited(tree)
    done = diffill("undo")
    assert (done.code, current()) == (0, tree)
    assert "3 files restored" in done.err
    assert Path("f1.py").stat().st_mode & 0o777 == 0o755
    again = diffill("undo")
    assert (again.code, again.err) == (2, "diffill: there is nothing to undo\n")


def test_undo_takes_back_one_run_after_another(diffill, tree):
    diffill("fill", "f0.py", "--query", QUERY, "--write")
    middle = current()
    diffill("fill", "f0.py", "--lines", "1", "--write")
    assert diffill("undo", "--list").out.count("\n") == 3
    diffill("undo")
    assert current() == middle
    diffill("undo")
    assert current() == tree
    assert diffill("undo", "--list").out.count("undone") == 2
    assert diffill("undo", "--run", "nonsense").code == 2


def test_undo_names_the_files(diffill, tree, monkeypatch):
    for number in range(5):
        Path(f"g{number}.py").write_text("x\n")
    Path("sub").mkdir()
    Path("sub/h.py").write_text("x\n")
    fill(diffill, "--write")
    [_, row] = diffill("undo", "--list").out.splitlines()
    assert row.split(None, 2)[1:] == ["9", "f0.py, f1.py, f2.py and 6 more"]
    assert diffill("undo").err.endswith(": 9 files restored: f0.py, f1.py, f2.py and 6 more\n")
    diffill("fill", "sub/h.py", "f0.py", "--query", QUERY, "--write")
    above = Path("f0.py").absolute()
    monkeypatch.chdir("sub")
    assert f"h.py, {above}\n" in diffill("undo", "--list").out
    [run] = [run for run in journal.runs() if not run.is_undone]
    done = diffill("undo")
    assert done.err == f"diffill: {run.name}: 2 files restored: h.py, {above}\n"


@pytest.mark.parametrize("is_repository", [False, True])
def test_undo_leaves_other_projects_alone(diffill, tree, monkeypatch, is_repository):
    top = Path.cwd()
    for name in ("mine/sub/a.py", "theirs/b.py"):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text("x\n")
    monkeypatch.chdir("mine")
    if is_repository:
        git("init", "-q")
    for name in ("sub/a.py", "../theirs/b.py"):
        done = diffill("fill", name, "--query", QUERY, "--write", "--allow-dirty")
        assert done.code == 0
    theirs = next(journal.runs()).name
    assert f"`diffill undo --run {theirs}` takes that back" in done.err
    monkeypatch.chdir("sub")
    done = diffill("undo")
    assert done.err.endswith(": 1 file restored: a.py\n")
    assert Path("a.py").read_text() == "x\n"
    refused = diffill("undo")
    assert (refused.code, refused.err) == (
        2,
        f"diffill: there is nothing to undo below {top / 'mine' / ('' if is_repository else 'sub')}"
        f"; the last run elsewhere changed {top / 'theirs/b.py'}: "
        f"`diffill undo --run {theirs}` takes it back\n",
    )
    assert (top / "theirs/b.py").read_text() == "first()\n"
    assert diffill("undo", "--run", theirs).code == 0
    assert (top / "theirs/b.py").read_text() == "x\n"
    assert diffill("undo").err == "diffill: there is nothing to undo\n"


def test_undo_refuses_what_changed_since_and_restores_nothing(diffill, tree):
    fill(diffill, "--write")
    Path("f1.py").write_text("mine\n")
    before = current()
    done = diffill("undo")
    assert (done.code, current()) == (1, before)
    assert "f1.py: changed since" in done.err
    Path("f1.py").unlink()
    assert "no such file" in diffill("undo").err


def test_a_damaged_journal_restores_nothing(diffill, tree):
    fill(diffill, "--write")
    [run] = journal.runs()
    (run.folder / "1.before").write_bytes(b"other")
    done = diffill("undo")
    assert (done.code, current()) == (1, edited(tree))
    assert "damaged" in done.err


def test_the_journal_is_private_and_bounded(diffill, tree, monkeypatch):
    monkeypatch.setattr(journal, "MAX_RUNS", 2)
    for line in ("1", "2", "1", "2"):
        diffill("fill", "f0.py", "--lines", line, "--write")
        # Two runs in one second keep their order.
        [newest, *_] = journal.runs()
        assert newest.folder.stat().st_mode & 0o077 == 0
    assert len(list(journal.runs())) == 2


def test_nothing_is_written_without_a_journal(diffill, tree, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIFFILL_STATE", str(tmp_path / "file"))
    done = fill(diffill, "--write")
    assert (done.code, current()) == (1, tree)
    assert "nothing is written without a journal" in done.err


def test_uncommitted_changes_are_refused(diffill, tree):
    git("init", "-q")
    git("add", "f0.py", "f1.py")
    git("commit", "-qm", "all")
    changed = tree | {"f0.py": b"mine = 1\nx\n"}
    Path("f0.py").write_bytes(changed["f0.py"])
    done = fill(diffill, "--write")
    assert done.code == 1
    assert current() == changed | {"f1.py": edited(tree)["f1.py"]}  # f2.py is not even added
    assert "f0.py: has changes that are not committed" in done.err
    assert "f2.py: has changes that are not committed" in done.err
    assert fill(diffill).code == 0  # to look is allowed
    atomic = fill(diffill, "--write", "--atomic", engine="dies")
    assert (atomic.code, current()["f0.py"]) == (1, changed["f0.py"])
    assert fill(diffill, "--write", "--allow-dirty").code == 0
    assert current() == edited(changed)


def test_a_check_that_fails_rolls_its_file_back(diffill, tree):
    check = f"{sys.executable} -c \"import sys; t = open(sys.argv[1]).read(); print('said'); "
    check += "sys.exit('n = 1' in t and 'first' in t)\" {file}"
    done = fill(diffill, "--write", "--check-cmd", check)
    assert done.code == 1
    assert current() == edited(tree) | {"f1.py": tree["f1.py"]}
    assert "f1.py: rolled back" in done.err
    assert "said" in done.err
    assert "without the edit" not in done.err
    diffill("undo")
    assert current() == tree


def test_a_check_that_fails_anyway_is_told_so(diffill, tree):
    done = diffill("fill", "f0.py", "--query", QUERY, "--write", "--check-cmd", "false {file}")
    assert (done.code, current()) == (1, tree)
    assert "it fails without the edit, too" in done.err


def test_a_check_of_all_files_runs_once(diffill, tree):
    count = f"{sys.executable} -c \"open('count', 'a').write('.')\""
    assert fill(diffill, "--write", "--check-cmd", count).code == 0
    assert (Path("count").read_text(), current()) == (".", edited(tree))
    diffill("undo")
    done = fill(diffill, "--write", "--check-cmd", "false", "--json")
    assert (done.code, current()) == (1, tree)
    assert [f["written"] for f in done.json["files"]] == [False] * 3


@pytest.mark.parametrize(
    ("command", "message"),
    [("", "empty"), ("'", "no closing quotation"), ("no-such-program {file}", "no such command")],
)
def test_unusable_checks(diffill, tree, command, message):
    done = fill(diffill, "--write", "--check-cmd", command, engine="dies")
    assert (done.code, current()) == (2, tree)
    assert message in done.err


def test_a_check_that_hangs_is_ended(diffill, tree):
    hang = f"{sys.executable} -c 'import time; time.sleep(600)' {{file}}"
    options = ("--check-cmd", hang, "--check-timeout", "0.2", "--max-spans", "1")
    done = fill(diffill, "--write", *options)
    assert (done.code, current()) == (1, tree)
    assert "took more than 0.2 s" in done.err


def test_all_files_or_none(diffill, tree, monkeypatch):
    write = files.write
    written = []

    def second_fails(file, raw, tag=""):
        written.append(file.name)
        if len(written) == 2:
            raise Stop(Exit.REFUSED, f"{file.name}: cannot be written")
        write(file, raw, tag)

    monkeypatch.setattr(files, "write", second_fails)
    done = fill(diffill, "--write", "--atomic")
    assert (done.code, current()) == (1, tree)
    assert "f1.py: cannot be written" in done.err
    assert "f0.py: not written, for not every edit succeeded" in done.err
    assert "undo" not in done.err


def test_an_engine_that_dies_leaves_what_is_done(diffill, tree):
    done = fill(diffill, "--write", "--json", engine="dies")
    assert (done.code, current(), done.json["files"]) == (3, tree, [])


def test_ctrl_c_says_what_was_done(tree):
    Path("f1.py").write_text("y = SLOW\nx\n")
    options = ("--write", "--no-single-line", "--json=stream")
    process = start("echo", "fill", ".", "--query", QUERY, *options)
    assert json.loads(process.stdout.readline())["written"]
    wait_until_ready(process, "WAITING")
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "diffill: interrupted"
    assert "1 file written" in err
    assert current() == tree | {
        "f0.py": tree["f0.py"].replace(b"\nx", b"\nfirst()\nsecond()"),
        "f1.py": b"y = SLOW\nx\n",
    }


def test_kill_9_never_leaves_half_a_file(diffill, tmp_path):
    contents = {
        f"k{i}.py": (f"n = {i}\n" + '"""' + "filler\n" * 20_000 + '"""\nx\n').encode()
        for i in range(12)
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)
    dice = random.Random(7)
    new = edited(contents)
    mixed = 0
    for _ in range(10):
        process = start("echo", "fill", ".", "--query", QUERY, "--write", start_new_session=True)
        wait_for_a_write(process, contents, dice.random() * 0.3)
        with contextlib.suppress(ProcessLookupError):  # it may have been done already
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
        found = current()
        assert set(found) == set(contents)
        for name, raw in found.items():
            assert raw in (contents[name], new[name])
        changed = found != contents
        mixed += changed and found != new
        is_recorded = any(run.entries() and not run.is_undone for run in journal.runs())
        assert diffill("undo").code == (0 if is_recorded else 2)
        assert current() == contents
        assert [p.name for p in Path().iterdir() if p.suffix == ".diffill"] == []
    assert mixed  # at least one died in the middle of its work


def wait_for_a_write(process, contents, more_s):
    """Wait until the first file is written, then a random while: the moment of the kill."""
    deadline = time.monotonic() + 20
    while process.poll() is None and current() == contents and time.monotonic() < deadline:
        time.sleep(0.002)
    while more_s > 0 and process.poll() is None:
        time.sleep(0.001)
        more_s -= 0.001
