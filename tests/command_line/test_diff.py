import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from editor_clients.command_line import diff

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def highlighted(old, new):
    """The words that stand out, by the sign of their line."""
    shown = diff.coloured(diff.unified("a.py", old, new))
    return [
        (line[5:6] if line.startswith("\x1b") else "", re.findall(r"\x1b\[3[12];7m(.*?)\x1b", line))
        for line in shown.split("\n")[3:]
        if STYLE.sub("", line)[:1] in {*"+-"}
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("return a + b\n", "return a - b\n", [["+"], ["-"]]),
        ("def f(a):\n", "def f(a: int) -> int:\n", [[], [": int", " -> int"]]),
        ("print('hello')\n", "log.info('hello')\n", [["print"], ["log.info"]]),
        ("x = 1\n", "x = 1\ny = 2\n", [[]]),  # a new line is no word
        ("for a in b:\n    c\n", "nothing = like_that\n", [[], [], []]),
        ("a = f(x)\r\n", "a = g(x)\r\n", [["f"], ["g"]]),
        ("a = f(x)", "a = g(x)\n", [["f"], ["g"]]),
        ("-- a\n", "-- b\n", [["a"], ["b"]]),
    ],
)
def test_the_words_that_differ_stand_out(old, new, words):
    assert [found for _, found in highlighted(old, new)] == words


@pytest.mark.parametrize("seed", range(20))
def test_colours_change_no_character(seed):
    rng = random.Random(seed)
    pieces = ["a", "b1 ", "(", "\n", "\n", "\t", "é", "  ", "-", "+x", "@@", "\\"]
    old, new = ("".join(rng.choices(pieces, k=40)) for _ in range(2))
    plain = diff.unified("a.py", old, new)
    assert STYLE.sub("", diff.coloured(plain)) == plain


ODD = ["sub/with blank.py", "sub/ü.py"]


@pytest.fixture
def patched(diffill, monkeypatch):
    """Make a patch in one folder of a repository and apply it in another; return what changed."""
    top = Path.cwd() / "top"
    every = [top / name for name in ("a.py", "sub/a.py", *ODD)]
    for path in every:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    (top / "sub/link.py").symlink_to("../a.py")
    (top / "other").mkdir()

    def run(made_in, names, applied_in, *, is_repository=True):
        if is_repository:
            subprocess.run(["git", "init", "-q", top], check=True)
        monkeypatch.chdir(top / made_in)
        done = diffill("fill", *names, "--query", "(identifier) @it", "--patch", top / "p")
        assert done.code == 0, done.err
        monkeypatch.chdir(top / applied_in)
        subprocess.run(["git", "apply", top / "p"], check=True)
        changed = [os.path.relpath(path, top) for path in every if path.read_text() != "x\n"]
        return done.out.splitlines()[0], changed

    return run


@pytest.mark.parametrize(
    ("made_in", "names", "applied_in", "shown", "changed"),
    [
        (".", ("a.py", "sub/a.py"), ".", "a/a.py", ["a.py", "sub/a.py"]),
        ("sub", ("../a.py",), ".", "../a.py", ["a.py"]),
        ("sub", ("link.py",), ".", "a/link.py", ["a.py"]),
        ("sub", ("a.py",), ".", "a/a.py", ["sub/a.py"]),
        ("sub", ("a.py",), "sub", "a/a.py", ["sub/a.py"]),
        ("sub", ("../a.py", "a.py"), "sub", "../a.py", ["sub/a.py"]),  # not sub/a.py twice
        ("sub", ("a.py",), "other", "a/a.py", []),
        ("sub", ("with blank.py", "ü.py"), ".", "a/with blank.py\t", ODD),
        ("..", ("top/sub/a.py",), "sub", "a/top/sub/a.py", ["sub/a.py"]),
    ],
)
def test_git_finds_the_files_of_a_patch(patched, made_in, names, applied_in, shown, changed):
    assert patched(made_in, names, applied_in) == (f"--- {shown}", changed)


def test_a_patch_without_a_repository_counts_from_its_folder(patched):
    assert patched("sub", ("a.py",), "sub", is_repository=False)[1] == ["sub/a.py"]


def test_a_repository_within_counts_as_a_part(patched):
    subprocess.run(["git", "init", "-q", "top/sub"], check=True)
    assert patched(".", ("sub/a.py", "a.py"), ".")[1] == ["a.py", "sub/a.py"]


def test_a_patch_takes_the_place_of_an_older_one_only(diffill, sample):
    sample("x\n")
    for old, code in (("--- a/b\n", 0), ("diff --git a/b b/b\n", 0), ("", 0), ("mine\n", 2)):
        patch = sample(old, "p")
        assert diffill("fill", "a.py", "--lines", "1", "--patch", "p").code == code
        assert patch.read_text().startswith("--- a/a.py\n" if not code else old)


def test_what_steers_a_terminal_is_spelt_out():
    shown = diff.coloured(diff.unified("a.py", "x = '\x1b[2J'\n", "y = '\x1b[2J'\u202e\n"))
    assert "\x1b[2J" not in shown
    assert "\\x1b[2J" in STYLE.sub("", shown)
    assert "\\u202e" in shown
