"""Whether code can end where a fill does: ⟦ and ⟧ stand about the place."""

import pytest

from grammars.endings import breaks_off, comments_out, is_comment, joins, unkept_promise, unreached
from grammars.span import Span


def marked(source):
    start = source.index("⟦")
    return source.replace("⟦", "").replace("⟧", ""), Span(start, source.index("⟧") - 1)


OWED = [
    ("python", "def f() -> int:\n⟦    x = 1\n⟧", "int"),
    ("python", "def f() -> int:\n    def g():\n        return 2\n⟦    x = 1\n⟧", "int"),
    ("python", "class A:\n    def f(self) -> A:\n⟦        x = 1\n⟧\n    def g(self): ...\n", "A"),
    ("rust", "fn f(x: u8) -> u8 {\n⟦    let y = x;\n⟧}\n", "u8"),
    ("rust", "fn f(x: u8) -> u8 {\n⟦    x.do_it();\n⟧}\n", "u8"),
    ("go", "package p\nfunc f() (int, error) {\n⟦\tx := 1\n⟧}\n", "(int, error)"),
    ("typescript", "function f(): number {\n⟦  const a = 1;\n⟧}\n", "number"),
    ("typescript", "const f = (): number => {\n⟦  g();\n⟧};\n", "number"),
    ("java", "class A { int f() {\n⟦ int x = 1;\n⟧} }", "int"),
    ("c", "int f(void) {\n⟦ int x = 1;\n⟧}\n", "int"),
    ("cpp", "std::string f() {\n⟦ int x = 1;\n⟧}\n", "std::string"),
]
KEPT = [
    ("python", "def f() -> int:\n⟦    return 1\n⟧"),
    ("python", "def f() -> None:\n⟦    x = 1\n⟧"),
    ("python", "def f():\n⟦    x = 1\n⟧"),
    ("python", "def f() -> int:\n⟦    raise E\n⟧\nx = 2\n"),
    ("python", "def f() -> int:\n⟦    sys.exit(1)\n⟧"),
    ("python", "def f() -> Iterator[int]:\n⟦    yield 1\n⟧"),
    ("python", "def f() -> int:\n⟦    x = 1\n⟧    return x\n"),
    ("python", "⟦x = 1\n⟧"),
    ("rust", "fn f(x: u8) {\n⟦    let y = x;\n⟧}\n"),
    ("rust", "fn f(x: u8) -> u8 {\n⟦    let y = x;\n    y\n⟧}\n"),
    ("rust", "fn f(x: u8) -> u8 {\n⟦    if x > 1 { 1 } else { 2 }\n⟧}\n"),
    ("rust", 'fn f(x: u8) -> u8 {\n⟦    panic!("no");\n⟧}\n'),
    ("rust", "fn f() -> V {\n⟦    V { a: 1 } // all\n⟧}\n"),
    ("go", "package p\nfunc f() int {\n⟦\tfor {\n\t}\n⟧}\n"),
    ("go", 'package p\nfunc f() int {\n⟦\tpanic("no")\n⟧}\n'),
    ("go", "package p\nfunc f() {\n⟦\tx()\n⟧}\n"),
    ("typescript", "class A { f(): void {\n⟦  g();\n⟧} }\n"),
    ("typescript", "const f = (): number => ⟦g()⟧;\n"),
    ("typescript", "async function f(): Promise<void> {\n⟦  await g();\n⟧}\n"),
    ("java", "class A { int f() {\n⟦ throw new E();\n⟧} }"),
    ("c", "int main(void) {\n⟦ int x = 1;\n⟧}\n"),
    ("cpp", "A::A() {\n⟦ int x = 1;\n⟧}\n"),
    ("javascript", "function f() {\n⟦ g();\n⟧}\n"),
    ("text", "⟦x⟧"),
]


@pytest.mark.parametrize(("language", "source", "owed"), OWED)
def test_a_function_that_ends_without_its_result(language, source, owed):
    assert unkept_promise(*marked(source), language) == owed


@pytest.mark.parametrize(("language", "source"), KEPT)
def test_a_function_that_owes_nothing(language, source):
    assert unkept_promise(*marked(source), language) is None


@pytest.mark.parametrize(
    ("language", "source", "breaks"),
    [
        ("python", "def f(x):\n⟦    if x:\n⟧\n\ny = 1\n", True),
        ("python", "def f(x):\n    if x:\n⟦        for y in x:\n⟧    return 2\n", True),
        ("python", "def f(x):\n⟦    return (x +\n⟧\n\ny = 1\n", True),
        ("python", "def f(x):\n⟦    return x\n⟧\n\ny = 1\n", False),
        ("python", "def f(x):\n⟦    return x\n⟧\n\ny = 1\nz = (1\n", False),
        ("go", "package p\nfunc f() int {\n⟦\tif x {\n⟧}\n", True),
        ("go", "package p\nfunc f() int {\n⟦\tif x {\n\t}\n⟧}\n", False),
        ("rust", "fn f() -> u8 {\n⟦    g(1,\n⟧}\n", True),
        ("text", "⟦(⟧", False),
        ("python", "⟦⟧x = (", False),
    ],
)
def test_where_the_syntax_asks_for_more(language, source, breaks):
    assert breaks_off(*marked(source), language) is breaks


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("python", "def f():\n    x = 1\n⟦    y = 2\n⟧    return x\n", True),
        ("python", "def f():\n    x = 1\n⟦    y = 2\n⟧        return x\n", False),
        ("python", "def f():\n    try:\n⟦        y = 2\n⟧\n    x = 1\n    return x\n", False),
        ("python", "x = [1,\n⟦     2,\n⟧y = 1\n", False),  # opened on the line above
        ("python", "x = (\n\n\ndef f():\n⟦    return 1\n⟧", True),  # far above: not its matter
        ("python", "def f():\n⟦    return 1\n⟧\n\nx = 1\ny = 2\nz = (\n", True),
        ("javascript", "function f() {\n⟦  g(1);\n⟧  h(2;\n}\n", False),
        ("javascript", "function f() {\n⟦  g(1);\n⟧  h(2);\n}\n", True),
        ("python", "def f():\n⟦    return 1\n⟧    return 2\n", False),  # never reached
        ("python", "def f():\n⟦    if x:\n        return 1\n⟧    return 2\n", True),
        ("python", "def f():\n⟦    return 1\n⟧    # why\n\nx = 1\n", True),
        ("python", "while x:\n⟦    break⟧\n    y()\n", False),
        ("javascript", "function f() {\n⟦  return 1;\n⟧  g();\n}\n", False),
        ("javascript", "function f() {\n⟦  return g();\n⟧  function g() {}\n}\n", True),
        ("c", "void f() {\n  switch (x) {\n  case 1:\n⟦    return;\n⟧  case 2: g();\n}}", True),
        ("c", "void f() {\n  switch (x) {\n  case 1:\n⟦    return;\n    break;\n⟧  }\n}", True),
        ("c", "int f() {\n⟦  return 0;\n⟧err:\n  g();\n  return 1;\n}", True),
        ("c", "int f() {\n⟦  return 0;\n⟧  ;\n}", True),
        ("java", "class A { int f() {\n  if (x) ⟦return 1;⟧ else { g(); }\n}}", True),
        ("java", "class A { int f() {\n⟦    throw e;\n⟧    return 1;\n}}", False),
        ("unknown", "a ⟦(⟧ b", True),
    ],
)
def test_a_fill_goes_with_the_lines_about_it_or_not(language, source, expected):
    text, place = marked(source)
    assert joins(text, place, language) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n⟦    if x:\n        return 1\n        g()\n⟧    return 2\n", True),
        ("def f():\n⟦    if x:\n        return 1\n    else:\n        g()\n⟧", False),
        ("def f():\n    return 1\n⟦    g()\n⟧", False),  # whoever asks there knows
        ("⟦def f():\n    raise E\n\n\ndef g():\n    return\n⟧x = 1\n", False),
    ],
)
def test_code_that_is_never_reached(source, expected):
    assert unreached(*marked(source), "python") is expected


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("python", "print(x⟦)  # 6⟧)\n", True),
        ("python", "y = f(x) ⟦# it⟧ + 1\n", True),
        ("python", "y = f(x) ⟦# it⟧\nz = 1\n", False),
        ("python", "y = ⟦1⟧  # one\n", False),
        ("python", "# y ⟦is⟧ one\n", False),  # a comment as it is
        ("javascript", "f(⟦x /* the first */⟧, y);\n", False),
        ("javascript", "f(⟦x); // 6⟧);\n", True),
        ("javascript", "⟦/**\n⟧ * Told.\n */\n", False),
        ("javascript", "⟦x(); // 6\n⟧y();\n", False),
        ("unknown", "f(⟦x // 6⟧)\n", False),
    ],
)
def test_a_line_comment_takes_what_is_behind_it_or_not(language, source, expected):
    text, place = marked(source)
    assert comments_out(text, place, language) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [("x = 1 ⟦⟧ # one\n", True), ("# o⟦⟧ne\n", True), ("x = ⟦⟧1\n", False), ("x⟦⟧\n# y\n", False)],
)
def test_what_stands_behind_a_place_is_a_comment_or_not(source, expected):
    text, place = marked(source)
    assert is_comment(text, place.end, "python") is expected
    assert not is_comment(text, place.end, "unknown")
