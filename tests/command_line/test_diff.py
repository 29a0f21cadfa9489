import random
import re

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


def test_what_steers_a_terminal_is_spelt_out():
    shown = diff.coloured(diff.unified("a.py", "x = '\x1b[2J'\n", "y = '\x1b[2J'\u202e\n"))
    assert "\x1b[2J" not in shown
    assert "\\x1b[2J" in STYLE.sub("", shown)
    assert "\\u202e" in shown
