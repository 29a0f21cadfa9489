"""What only Python's own compiler can tell of an edit."""

import pytest

from grammars.python_source import compile_fault
from grammars.span import Replacement, Span
from grammars.validation import new_errors, validate


def _replace(text, old, new):
    at = text.index(old)
    return Replacement(Span(at, at + len(old)), new)


NESTED = """\
class A:
    def f(self):
        if self:
            return 1
        return 2


x = 1
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("            return 1\n", ""),  # an empty body
        ("            return 1\n", "          return 1\n           x = 1\n"),
        ("        return 2\n", "      return 2\n"),  # a dedent to no block
        ("        return 2\n", "\treturn 2\n"),  # tabs among blanks
        ("        return 2\n", "        f(a=1, 2)\n"),
        ("        return 2\n", "        print 2\n"),
        ("x = 1\n", "  x = 1\n"),
    ],
)
def test_what_only_python_refuses(old, new):
    assert not validate(NESTED, [_replace(NESTED, old, new)], "python").ok
    # The grammar alone would let most of it pass; Python must be the one to say no.
    assert new_errors(NESTED, [_replace(NESTED, old, new)], "python")
    # It must not matter that the file is broken somewhere else.
    fault = "\n\ndef g():\n\ny = 2\n"
    for broken in (NESTED + fault, fault + NESTED):
        assert not validate(broken, [_replace(broken, old, new)], "python").ok


def test_python_that_did_not_compile_may_still_be_edited():
    for rest in ("def g():\n\ny = 2\n", "print 1\n", "if a:\n  b\n c\n"):
        for text in (NESTED + rest, rest + NESTED):
            assert compile_fault(text)
            good = _replace(text, "return 2", "return 22\n        # done")
            assert validate(text, [good], "python").ok


def test_an_else_belongs_to_the_statement_above_it():
    text = "print 1\nif a:\n    b = 1\nelse:\n    c = 1\n"
    assert validate(text, [_replace(text, "    c = 1", "    d = 1")], "python").ok
    assert not validate(text, [_replace(text, "    c = 1", "d = 1")], "python").ok


def test_python_may_reveal_an_older_fault_but_not_move_one():
    text = "if a:\nb = 1\n\nif c:\nd = 1\n"
    assert validate(text, [_replace(text, "b = 1", "    b = 1")], "python").ok
    text = "a = 1\nif b:\nc = 1\n"
    assert validate(text, [_replace(text, "a = 1\n", "a = 1\na = 2\n")], "python").ok
    assert not validate(text, [_replace(text, "a = 1\n", "if a:\n")], "python").ok


@pytest.mark.parametrize(
    "source",
    [
        "\ufeffx = 1\n",
        "x = 1\r\nif x:\r\n    y = 2\r\n",
        "x = 1\rif x:\r    y = 2\r",
        "x = 1\n\f\ndef f():\n\f    return 1\n",
        "# coding: latin-1\nx = 'é'\n",
        "x = '\u2028'\n",
        "",
        "x = '\\d'\n",
        "return 1\n",
    ],
)
def test_python_that_parses(source, recwarn):
    assert compile_fault(source) is None
    assert not list(recwarn)


@pytest.mark.parametrize(
    "source", ["-" * 100_000 + "1", "+".join("1" * 100_000), "(" * 1000, "a\0b", "x = '\ud800'"]
)
def test_python_that_defeats_the_compiler_is_a_fault(source):
    assert compile_fault(source)


def test_python_reports_lines_as_editors_count_them():
    fault = compile_fault("x = '\f\u2028'\r\ny = 1\rz = (\n")
    assert fault
    assert fault.line == 2
