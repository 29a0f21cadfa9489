import random

import pytest

from grammars.completion import CursorLine, is_welcome, worth_showing
from grammars.languages import LANGUAGES
from grammars.lines import LineIndex


def cursor(source):
    return source.replace("‸", ""), source.index("‸")


@pytest.mark.parametrize(
    ("language_id", "source"),
    [
        ("python", "x = ‸\n"),
        ("python", "print(‸)\n"),
        ("python", "print('a', ‸)\n"),
        ("python", "x = 'a'‸\n"),
        ("python", "x = f'{f(a ‸)}'\n"),
        ("python", "def f():\n    ‸\n"),
        ("python", "x = (‸\n    1,\n)\n"),
        ("javascript", "x = `${f(a ‸)}`;\n"),
        ("javascript", "f(() => {‸});\n"),
        ("rust", "fn f<'a>(x: &'a str, ‸) {}\n"),
        ("c", "/* a */ x = ‸;\n"),
    ],
)
def test_where_code_is_typed_a_completion_is_welcome(language_id, source):
    text, at = cursor(source)
    assert is_welcome(text, language_id, at)


@pytest.mark.parametrize(
    ("language_id", "source"),
    [
        ("python", "‸"),
        ("python", "\n\n‸\n"),
        ("python", "# about ‸\n"),
        ("python", "# abo‸ut\n"),
        ("python", "x = 'a‸'\n"),
        ("python", "x = 'a‸\n"),
        ("python", "x = \"it's ‸\n"),
        ("python", '"""Doc ‸\n\nmore"""\n'),
        ("python", "na‸me = 1\n"),
        ("python", "‸name = 1\n"),
        ("python", "x = ‸ + other_name\n"),
        ("python", "def f():‸\n"),
        ("javascript", "// a‸\n"),
        ("javascript", "/* a‸ */\n"),
        ("javascript", "x = `a‸`;\n"),
        ("javascript", "function f() {‸\n}\n"),
        ("rust", '// a\nlet x = "‸";\n'),
        ("go", 'package a\nvar x = "‸"\n'),
        ("java", 'class A { String x = "a‸"; }\n'),
        ("c", "char x = 'a‸';\n"),
        ("plaintext", "dear ‸\n"),
        ("", "x = ‸\n"),
    ],
)
def test_where_it_would_be_noise_it_is_not(language_id, source):
    text, at = cursor(source)
    assert not is_welcome(text, language_id, at)


@pytest.mark.parametrize(
    ("source", "starts"),
    [
        ("def f():\n    ‸\n", True),
        ("def f():\r\n    ‸\r\n\r\nx = 1\r\n", True),
        ('def f():\n    """Doc."""\n    ‸\n\n\nx = 1\n', True),
        ("# sum of a and b\n‸\n", True),
        ("function f() {\n  ‸\n}\n", True),
        ("def f():\n    ‸\n    return 1\n", True),
        ("def f():\n    ‸\n        return 1\n", False),
        ("x = 1\n‸\n", False),
        ("def f():\n    return ‸\n", False),
        ("‸", False),
    ],
)
def test_where_a_block_starts(source, starts):
    text, at = cursor(source)
    assert CursorLine.of(text, at).starts_block("#") is starts


@pytest.mark.parametrize(
    ("source", "fill", "shown"),
    [
        ("x = ‸\n", "1\n", "1"),
        ("x = ‸\n", "  \n", ""),
        ("f(‸)\n", "g(a)", "g(a)"),
        ("f(‸, other)\n", "a, other", ""),
        ("‸\nprint(a)\n", "print(a)", ""),
        ("print(a)\n‸\n", "print(a)", ""),
        ("p‸\nprint(a)\n", "rint(a)", ""),
        ("}\n‸\n", "}", "}"),
        ("def f():\n    ‸\n", "x = 1\n    return x\n\n", "x = 1\n    return x"),
    ],
)
def test_what_is_worth_showing(source, fill, shown):
    text, at = cursor(source)
    assert worth_showing(text, at, fill) == shown


def indexed(text, at):
    """The lines around a cursor by an index of all lines."""
    lines = LineIndex(text)
    number = lines.line_at(at)
    contents = [lines.content(n) for n in range(len(lines))]
    here = contents[number]
    above = [c.of(text) for c in contents[:number] if c.of(text).strip()]
    below = [c.of(text) for c in contents[number + 1 :] if c.of(text).strip()]
    return CursorLine(
        text[here.start : min(at, here.end)],
        text[at : here.end],
        above[-1] if above else "",
        below[0] if below else "",
    )


@pytest.mark.parametrize("seed", range(10))
def test_any_text_can_be_typed(seed, awkward):
    rng = random.Random(seed)
    for _ in range(20):
        text = "".join(awkward(rng) for _ in range(4))
        at = rng.randrange(len(text) + 1)
        for known in LANGUAGES:
            is_welcome(text, known.id, at)
        line = CursorLine.of(text, at)
        assert line == indexed(text, at)
        assert "\n" not in line.before + line.behind
        shown = worth_showing(text, at, awkward(rng))
        assert shown == shown.rstrip()
