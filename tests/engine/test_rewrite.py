import random

import pytest

from engine.rewrite import (
    common_indentation,
    keep_unchanged,
    with_indentation,
    without_indentation,
)


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("", ""),
        ("\n  \n", ""),
        ("a\n  b", ""),
        ("  a\n    b\n", "  "),
        ("    a\n\n  b\n \n   c", "  "),
        ("\ta\n\t\tb", "\t"),
        ("\t  a\n\t\tb", "\t"),
        ("\ta\n  b", ""),
        ("  a", "  "),
    ],
)
def test_the_indentation_all_lines_share(text, base):
    assert common_indentation(text) == base


def random_lines(rng):
    """Lines with distinct content, tabs, trailing blanks, and blank lines that hold blanks."""
    lines = []
    for number in range(rng.randrange(1, 12)):
        content = rng.choice([f"line {number}", f"x{number}:\t# 😀", ""])
        blanks = rng.choice(["", "", " ", "\t", "  \t"])
        lines.append(rng.choice(["", "  ", "\t"]) + content + blanks)
    return lines


@pytest.mark.parametrize("seed", range(10))
def test_indentation_comes_back(seed):
    rng = random.Random(seed)
    for _ in range(50):
        lines = random_lines(rng)
        base = rng.choice(["    ", "\t", "\t  "])
        text = "\n".join(base + line if line.strip() else "" for line in lines)
        shared = common_indentation(text)
        assert shared.startswith(base) or not text.strip()
        assert with_indentation(without_indentation(text, shared), shared) == text


def test_only_lines_with_the_indentation_lose_it():
    assert without_indentation("    a\n  b\n\n      c", "    ") == "a\n  b\n\n  c"
    assert with_indentation("a\n\n \nb", "  ") == "  a\n\n \n  b"


@pytest.mark.parametrize("seed", range(10))
def test_a_text_that_lost_its_trailing_blanks_comes_back_whole(seed):
    rng = random.Random(seed)
    for _ in range(50):
        lines = random_lines(rng)
        stripped = [line.rstrip() for line in lines]
        assert keep_unchanged("\n".join(lines), "\n".join(stripped)) == "\n".join(lines)


@pytest.mark.parametrize("seed", range(10))
def test_lines_that_stay_are_byte_identical(seed):
    rng = random.Random(seed)
    for _ in range(50):
        lines = [line for line in random_lines(rng) if line.strip()]
        expected, shown = [], []
        for number, line in enumerate(lines):
            match rng.randrange(5):
                case 0:
                    expected.append(f"new {number} ")
                    shown.append(f"new {number} ")
                case 1:
                    pass
                case 2:
                    expected += [line, f"added {number}"]
                    shown += [line.rstrip(), f"added {number}"]
                case _:
                    expected.append(line)
                    shown.append(line.rstrip() + rng.choice(["", " "]))
        got = keep_unchanged("\n".join(lines), "\n".join(shown))
        assert got == "\n".join(expected)


def test_a_change_of_indentation_is_a_change():
    assert keep_unchanged("  a \n  b ", "    a\n  b") == "    a\n  b "
