"""`--interactive`: what is asked, what may be answered, and what is shown meanwhile."""

import contextlib
import io
import os
import pty
import re
import signal
import sys
import threading

import pytest
from command_process import start

CODE = "def f(x):\n    return x\n\n\ndef g():\n    pass\n"


@pytest.fixture
def ask(diffill, sample, monkeypatch):
    """Fill the hole of a file with some answers; returns what was said and the new text."""

    def run(answers, text=CODE):
        path = sample(text)
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{a}\n" for a in answers)))
        place = ("--query", "(pass_statement) @it", "--no-single-line")
        done = diffill("fill", "a.py", *place, "-i", "--write")
        return done, path.read_bytes().decode()

    return run


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Take a Python expression of `text` for the user's editor."""

    def use(expression, variable="EDITOR"):
        script = tmp_path / "editor.py"
        script.write_text(
            "import sys\nfrom pathlib import Path\npath = Path(sys.argv[-1])\n"
            "text = path.read_bytes().decode()\n"
            f"path.write_bytes(({expression}).encode())\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv(variable, f"{sys.executable} '{script}' --wait")

    return use


def test_rolling_again_gives_another_edit_each_time(ask):
    done, text = ask("ry")
    assert text == CODE.replace("pass", "other1()")
    assert ask("rry")[1] == CODE.replace("pass", "other2()")
    assert done.err.count("keep this edit?") == 2


def test_when_there_is_no_other_edit_the_last_is_shown_again(ask):
    done, text = ask("rrry")
    assert text == CODE.replace("pass", "other2()")
    assert "nothing else came of it; this again:" in done.err


@pytest.mark.parametrize("variable", ["EDITOR", "VISUAL"])
def test_what_the_user_writes_is_kept(ask, editor, variable):
    editor("text.replace('first', 'mine')", variable)
    done, text = ask("ey")
    assert text == CODE.replace("pass", "mine()\nsecond()")
    assert "+    mine()" in done.err


def test_what_the_user_writes_is_checked(ask, editor):
    editor("'return (' if 'first' in text else 'return 1'")
    done, text = ask(["e", "y", "y"])
    assert text == CODE.replace("pass", "return 1")
    assert "refused: " in done.err
    editor("'return ('")
    assert ask(["e", "n", "y"])[1] == CODE.replace("pass", "first()\nsecond()")


@pytest.mark.parametrize("content", ["text + '\\n'", "text + '\\r\\n'"])
def test_the_line_end_editors_add_is_not_the_users(ask, editor, content):
    editor(content)
    assert ask("ey")[1] == CODE.replace("pass", "first()\nsecond()")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_the_user_writes_gets_the_line_ends_of_the_file(ask, editor, end):
    editor("'mine()\\nsecond()\\r\\nthird()'")
    code = CODE.replace("\n", end)
    done, text = ask("ey", code)
    assert done.code == 0
    assert text == code.replace("pass", f"mine(){end}second(){end}third()")


def test_an_editor_that_fails_loses_nothing(ask, editor, monkeypatch):
    editor("1 / 0")
    done, text = ask("ey")
    assert "the editor failed: " in done.err
    assert text == CODE.replace("pass", "first()\nsecond()")
    monkeypatch.setenv("VISUAL", "no-such-editor")
    done, text = ask("en")
    assert (text, "no such file" in done.err) == (CODE, True)


def test_each_edit_is_shown_upon_those_before(ask):
    done, text = ask("yy", "def f():\n    pass\n\n\ndef g():\n    pass\n")
    second = done.err.split("keep this edit?")[1]
    assert "@@ -4,4 +4,5 @@" in second, "the first has made it a line longer"
    assert text.count("second()") == 2


def test_the_canvas_is_shown_while_it_is_denoised(sample):
    sample("# SLOW\ndef f():\n    pass\n")
    leader, follower = pty.openpty()
    process = start(
        "echo",
        *("fill", "a.py", "--holes", "-i"),
        more_env={"TERM": "xterm", "COLUMNS": "120"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    limit = threading.Timer(60, process.kill)
    limit.start()
    shown, is_seen = "", False
    with contextlib.suppress(OSError):  # how Linux tells that nobody writes any more
        while piece := os.read(leader, 1 << 16):
            shown += piece.decode()
            if not is_seen and re.search(r"a\.py .*0/1.*\n.*first\(\)", shown):
                is_seen = True
                process.send_signal(signal.SIGINT)
    limit.cancel()
    os.close(leader)
    assert process.wait(timeout=20) == 130
    assert "keep this edit?" not in shown
