import pytest

from grammars.selection import body_of
from grammars.span import Span
from grammars.symbols import defines, find_symbol

PYTHON = """\
class A:
    @wrapped
    def f(self):
        \"\"\"Told.\"\"\"
        return 1


def f(): pass
"""
CASES = [
    ("python", PYTHON, "A.f", ["    def f(self):"]),
    ("python", PYTHON, "f", ["    def f(self):", "def f(): pass"]),
    ("python", PYTHON, "A", ["class A:"]),
    ("python", PYTHON, "self", []),
    ("typescript", "const f = () => { return 1 };\n", "f", ["f = () => { return 1 }"]),
    ("typescript", "const f = 1;\n", "f", []),
    ("javascript", "class C { m() {} }\n", "C.m", ["m() {}"]),
    ("javascript", "exports.f = function () {};\n", "f", ["exports.f = function () {}"]),
    ("javascript", "f = () => 1;\ng = f;\n", "f", ["f = () => 1"]),
    ("javascript", "exports.f = g;\n", "f", []),
    ("c", "int *f(int a) { return 0; }\n", "f", ["int *f(int a) { return 0; }"]),
    ("cpp", "void A::f() {}\n", "A.f", ["void A::f() {}"]),
    ("rust", "impl Foo { fn bar() {} }\nfn bar() {}\n", "Foo.bar", ["fn bar() {}"]),
    ("go", "package a\nfunc (x *T) M() {}\n", "M", ["func (x *T) M() {}"]),
    ("java", "class A { int f() { return 1; } }\n", "A.f", ["int f() { return 1; }"]),
    ("cobol", "f\n", "f", []),
]


@pytest.mark.parametrize(("language", "text", "name", "expected"), CASES)
def test_definitions_by_name(language, text, name, expected):
    found = find_symbol(text, language, name)
    assert [span.of(text).split("\n")[0] for span in found] == expected


def test_the_body_of_a_function():
    [span] = find_symbol(PYTHON, "python", "A.f")
    assert body_of(PYTHON, "python", span).of(PYTHON) == "        return 1\n"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "def f():\n    pass\n", True),
        ("python", "x = 1\n", False),
        ("python", "class A:\n    def f(self): ...\n", True),
        ("javascript", "const f = () => 1;\n", True),
        ("javascript", "const f = 1;\n", False),
        ("rust", "fn f() {}\n", True),
        ("go", "var x = 1\n", False),
        ("", "def f(): ...\n", False),
    ],
)
def test_whether_a_definition_stands_at_a_place(language, text, expected):
    assert defines(text, language, Span(0, len(text))) is expected
    assert not defines(text, language, Span(0, len(text) - 4)), "only whole ones count"
