import pytest

from grammars.names import unbound_reads
from grammars.span import Span

MODULE = """\
import os
from json import loads as read

LIMIT = 3


class Reader:
    size = 4

    def first(self, path):
        self.path = path
        return read(os.path.join(path, __file__))

    @staticmethod
    def second(lines, *, strict=False):
        global total
        total = 0
        for number, line in enumerate(lines):
            $
        return total


def third(items):
    return [mystery(item) for item in items]
"""


def names(fill, module=MODULE, language="python"):
    """What is found with a fill in place of the dollar."""
    start = module.index("$")
    text = module.replace("$", fill)
    found = unbound_reads(text, Span(start, start + len(fill)), language)
    assert list(found) == sorted(found)
    return [span.of(text) for span in found]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("total += len(line)", []),
        ("lines[number] = read(line)[:LIMIT]", []),
        ("assert Reader.size, Reader.first(line, os)", []),
        ("print(self.path, path)", ["self", "path"]),
        ("self.path = path = line", ["self"]),
        ("path = line; print(path)", []),
        ("print(f'{line} {lien}')", ["lien"]),
        ("é = 'ä'; print(é, ö)", ["ö"]),
        ("print(size)", ["size"]),  # a class is no scope about its functions
        ("print([n for n in line], [m for m in k])", ["k"]),
        ("def inner():\n                return line + lien", ["lien"]),
        ("inner = lambda total: total + extra", ["extra"]),
        ("line.lien(lien=1)", []),
        ("try: pass\n            except OSError as error: print(error)", []),
        ("print(WindowsError, __name__, __debug__)", []),
        ("mystery(line)", []),  # another function reads it
        ("print(lien", []),  # does not compile
    ],
)
def test_names_are_found_that_nothing_binds(fill, expected):
    assert names(fill) == expected
    assert names(fill, MODULE.replace("\n", "\r\n")) == expected


def test_names_are_found_that_are_read_behind_the_place():
    module = "def f(x):\n    $\n    return y + x\n"
    assert names("y = x", module) == []
    assert names("z = x", module) == ["y"]
    assert names("print(y)", module) == ["y", "y"]


def test_what_was_read_before_the_place_is_bound_somewhere():
    module = "def f(x):\n    y.clear()\n    $\n    return y\n"
    assert names("z = y", module) == []
    assert names("z = w", module) == ["w"]


def test_functions_of_one_name_are_told_apart():
    module = "if x:\n    def f():\n        return $\nelse:\n    def f():\n        return a\n"
    assert names("a", module) == []
    assert names("b", module) == ["b"]


def test_a_whole_function_is_looked_at():
    assert names("def f(x):\n    return x + y\n\n\ndef g():\n    return z\n", "$") == ["y", "z"]
    assert names("x = y", "$\n") == []  # a module's names may be its own in time


def test_a_generic_function_is_looked_at():
    module = "@decorated\ndef f(x):\n    return $\n"
    assert names("x + y", module) == ["y"]


@pytest.mark.parametrize("line", ["from os import *", "if 1:\n    from a.b import  *"])
def test_nothing_is_known_where_all_of_a_module_is_imported(line):
    module = f"{line}\ndef f(x):\n    $\n"
    assert names("return y", module) == []


def test_nothing_is_known_of_other_languages():
    assert names("return y", "function f(x) {\n    $\n}\n", "javascript") == []


def test_a_name_in_a_string_of_several_lines_is_found_somewhere():
    found = names("return f'''ä\nä {y}\n{y}'''", "def f(x):\n    $\n")
    assert len(found) == 2


def test_a_byte_order_mark_moves_nothing():
    assert names("return y", "\ufeff# first\ndef f(x):\n    $\n") == ["y"]


def test_a_file_past_all_bounds_is_left_alone():
    assert names("return y", "#" * (1 << 19) + "\ndef f(x):\n    $\n") == []
    assert names("-" * 100_000 + "y", "def f(x):\n    return $\n") == []
