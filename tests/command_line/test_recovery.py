"""What a kill -9 leaves behind, at every moment it could come, and who puts it right."""

import itertools
import os
import random
import signal
import time
from pathlib import Path

import pytest
import scripted_engine
from command_process import start, wait_until_ready

from editor_clients.command_line import journal
from editor_clients.command_line.main import main
from engine.protocol import EditResult

QUERY = '((identifier) @it (#eq? @it "x"))'


class Instant:
    """An engine that answers like scripted_engine's echo, without a process of its own."""

    async def edit(self, request, on_frame=None):
        return EditResult.from_json(scripted_engine.answer("echo", request.to_json()))

    async def close(self):
        pass


def mortal(call, left):
    def called(*args, **options):
        if not next(left):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)

    return called


def killed(lives, *args):
    """Run the command in a process that dies before it syncs, replaces or removes the n-th file.

    False if it lived to its end. A fork: it need not import everything anew.
    """
    child = os.fork()
    if not child:
        code = 99
        try:
            left = itertools.count(lives, -1)
            for name in ("fsync", "replace", "unlink"):
                setattr(os, name, mortal(getattr(os, name), left))
            code = main(list(args), open_engine=lambda on_status: Instant())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


@pytest.fixture
def tree():
    contents = {f"f{i}.py": f"n = {i}\nx\n".encode() for i in range(2)}
    for name, content in contents.items():
        Path(name).write_bytes(content)
    return contents


def current():
    """The bytes of everything but what Python itself leaves."""
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def edited(contents):
    return {name: content.replace(b"\nx", b"\nfirst()") for name, content in contents.items()}


def is_settled():
    return not any(run.is_open for run in journal.runs())


@pytest.mark.parametrize(
    "options", [("--atomic",), ("--check-cmd", "true"), ()], ids=["atomic", "one check", "each"]
)
def test_a_kill_at_any_moment_is_recovered(diffill, tree, options):
    new, outcomes, lives = edited(tree), [], 0
    while killed(lives, "fill", ".", "--query", QUERY, "--write", *options):
        found = current()
        for name, content in tree.items():  # before anybody helps: no half-written file
            assert found[name] in (content, new[name])
        assert diffill("holes").code == 0
        found = current()
        if options:
            assert found in (tree, new)
        assert set(found) == set(tree)  # no new bytes left behind
        for name, content in tree.items():
            assert found[name] in (content, new[name])
        assert is_settled()
        outcomes.append(found != tree)
        if found != tree:
            assert diffill("undo").code == 0
        assert current() == tree
        lives += 1
    assert current() == new
    assert lives > 10
    assert not outcomes[0] and outcomes[-1]


def test_an_undo_killed_at_any_moment_is_finished(diffill, tree):
    new, lives = edited(tree), 0
    while True:
        assert diffill("fill", ".", "--query", QUERY, "--write").code == 0
        if not killed(lives, "undo"):
            break
        diffill("holes")
        assert current() in (tree, new)
        assert is_settled()
        if current() == new:
            assert diffill("undo").code == 0
        assert current() == tree
        lives += 1
    assert current() == tree
    assert lives > 5


def test_all_or_none_when_killed_at_random(diffill):
    contents = {
        f"k{i}.py": (f"n = {i}\n" + '"""' + "filler\n" * 5_000 + '"""\nx\n').encode()
        for i in range(12)
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)
    dice, new, seen = random.Random(11), edited(contents), []
    for _ in range(10):
        process = start(
            "echo", "fill", ".", "--query", QUERY, "--write", "--atomic", start_new_session=True
        )
        written = f"k{dice.randrange(12)}.py"
        # Its bytes alone: the files beside it that are being written come and go.
        while process.poll() is None and Path(written).read_bytes() == contents[written]:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        seen.append(sum(current()[name] == new[name] for name in contents))
        diffill("undo")
        assert current() == contents
    assert any(0 < count < 12 for count in seen)  # some died in the middle of the writing


def test_what_the_user_changed_since_is_left_and_named(diffill, tree):
    lives = 0
    while killed(lives, "fill", ".", "--query", QUERY, "--write", "--atomic"):
        if current()["f1.py"] != tree["f1.py"]:
            break
        diffill("holes")
        lives += 1
    Path("f1.py").write_text("mine\n")
    done = diffill("holes")
    assert "f1.py: changed since" in done.err
    assert current() == tree | {"f1.py": b"mine\n"}
    assert "changed since" not in diffill("holes").err  # told once


def test_a_run_that_goes_on_is_left_alone(diffill, tree):
    Path("slow.py").write_text("y = SLOW\nx\n")
    before = current()
    process = start("echo", "fill", ".", "--query", QUERY, "--write", "--check-cmd", "true")
    wait_until_ready(process, "WAITING")
    while not (
        Path("f0.py").read_bytes() != tree["f0.py"] and Path("f1.py").read_bytes() != tree["f1.py"]
    ):
        time.sleep(0.01)
    middle = current()
    assert diffill("holes").code == 0
    assert current() == middle != before
    refused = diffill("undo")
    assert (refused.code, current()) == (1, middle)
    assert "still goes on" in refused.err
    process.kill()
    process.communicate(timeout=30)
    assert "taken back" in diffill("holes").err
    assert current() == before


def test_undo_after_a_crash_leaves_the_run_before_alone(diffill, tree):
    diffill("fill", "f0.py", "--lines", "1", "--write")
    first = current()
    lives = 0
    while killed(lives, "fill", ".", "--query", QUERY, "--write", "--atomic"):
        is_begun = any(run.is_open for run in journal.runs())
        assert diffill("undo").code == 0
        if is_begun:
            assert current() == first
            return
        diffill("fill", "f0.py", "--lines", "1", "--write")
        lives += 1
    raise AssertionError("it was never killed while it wrote")


def test_undo_after_a_crash_in_another_project_takes_back_what_is_meant(diffill, monkeypatch):
    for name in ("mine/a.py", "theirs/b.py"):
        Path(name).parent.mkdir()
        Path(name).write_text("x\n")
    monkeypatch.chdir("mine")
    diffill("fill", "a.py", "--query", QUERY, "--write")
    monkeypatch.chdir("../theirs")
    lives = 0
    while not any(run.is_open and run.touched() for run in journal.runs()):
        assert killed(lives, "fill", "b.py", "--query", QUERY, "--write", "--atomic")
        lives += 1
    monkeypatch.chdir("../mine")
    done = diffill("undo")
    assert "was interrupted" in done.err
    assert done.err.endswith(": 1 file restored: a.py\n")
    assert (Path("a.py").read_text(), Path("../theirs/b.py").read_text()) == ("x\n", "x\n")


def test_runs_are_in_the_order_of_time_where_a_second_ends(monkeypatch):
    moments = iter([1_700_000_000_999_999_999, 1_700_000_001_000_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(moments))
    begun = [journal.begin(), journal.begin()]
    assert [run.name for run in journal.runs()] == [run.name for run in reversed(begun)]
    seconds = [time.strftime("%S", time.localtime(1_700_000_000 + i)) for i in range(2)]
    assert [run.name[13:15] for run in begun] == seconds
