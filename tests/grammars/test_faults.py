import pytest

from grammars.faults import broken_lines, is_mended


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("python", "x = 1\n", []),
        ("python", "x = 1\ny = (2\n", [("y = (2", "'(' was never closed")]),
        ("python", "x = 1\r\ny = 2)\r\n", [("y = 2)", "unmatched ')'")]),
        ("python", "def f():\n\nx = 1\n", [("x = 1", "expected an indented block after")]),
        ("typescript", "const a = [1;\n", [("const a = [1;", "missing ]")]),
        ("cobol", "x = (\n", []),
        ("python", "", []),
    ],
)
def test_the_lines_and_what_is_wrong(language, text, found):
    broken = broken_lines(text, language)
    assert [
        (b.span.of(text), b.message[: len(said)])
        for b, (_, said) in zip(broken, found, strict=True)
    ] == found


@pytest.mark.parametrize(
    ("language", "before", "after", "mended"),
    [
        ("python", "x = (1\n", "x = (1)\n", True),
        ("python", "x = (1\n", "x = (2\n", False),
        ("python", "x = )\ny = ]\n", "x = 1\ny = ]\n", True),
        ("python", "def f():\n\nx = 1\n", "def f(): pass\n\nx = 1\n", True),
        ("python", "def f():\n\nx = 1\n", "def f():\n\nx = 2\n", False),
        ("python", "def f():\n\nx = 1\n", "def f():\n\nx = (1\n", False),
        ("python", "x = 1\n", "x = 2\n", False),
        ("go", "package p\nfunc f( {\n}\n", "package p\nfunc f() {\n}\n", True),
        ("cobol", "x = (\n", "x = ()\n", False),
    ],
)
def test_what_is_mended(language, before, after, mended):
    assert is_mended(before, after, language) is mended
