import random
from importlib.resources import files
from itertools import pairwise

import pytest

from grammars.holes import find_holes, is_unwritten, unfinished_function
from grammars.languages import LANGUAGES
from grammars.span import Span

IDS = [known.id for known in LANGUAGES]


def _found(language_id, source, path=""):
    return [hole.span.of(source) for hole in find_holes(source, language_id, path)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    ...\n", ["    ...\n"]),
        ("def f():\n    pass  # later\n\n\nx = 1\n", ["    pass  # later\n"]),
        ("def f(): ...\n", ["..."]),
        ("def f(): pass  # later\n", ["pass"]),
        (
            "def f():\n    if x:\n        pass  # TODO: less\n    else:\n        pass\n",
            ["        pass  # TODO: less\n"],
        ),
        ("def f():\n    try:\n        g()\n    except E:\n        pass  # TODO\n", []),
        ("for x in y:\n    pass  # TODO\n", []),
        ("def f():\n    return NotImplementedError(1)\n", ["    return NotImplementedError(1)\n"]),
        (
            "def f():\n    # TODO: implement\n    return None\n",
            ["    # TODO: implement\n    return None\n"],
        ),
        ("def f():\n    # TODO: implement\n    return x\n", ["    # TODO: implement\n"]),
        ('def f():\n    """Doc."""\n\n    pass\n', ["    pass\n"]),
        ("def f():\n    raise NotImplementedError\n", ["    raise NotImplementedError\n"]),
        (
            "async def f():\n    raise NotImplementedError('x')",
            ["    raise NotImplementedError('x')"],
        ),
        ("def f(x):\n    y = g(x)\n    ...\n    return y\n", ["    ...\n"]),
        ("def f(x):\n    if x:\n        ...\n    return 1\n", ["        ...\n"]),
        ("def f():\n    # TODO: implement\n    pass\n", ["    # TODO: implement\n    pass\n"]),
        ("def f():\n    # TODO: implement\n    # well\n    pass\n", ["    pass\n"]),
        ("def f():\n    # TODO: implement\n", ["    # TODO: implement\n"]),
        ("def f():\n    x = 1\n    # TODO: implement more\n", ["    # TODO: implement more\n"]),
        ("def f():\n    # TODO\n", ["    # TODO\n"]),
        ('def f():\n    """Doc."""\n    # your code here\n\nx = 1\n', ["    # your code here\n"]),
        (
            "def f():\n    # FIXME: slow\n    return None\n",
            ["    # FIXME: slow\n    return None\n"],
        ),
        ("def f():\n    # TODO\n    pass\n", ["    # TODO\n    pass\n"]),
        ("class A:\n    @p\n    def f(self):\n        # TODO\n\n    x = 1\n", ["        # TODO\n"]),
        ("class A:\n    def f(self):\n        pass\n", ["        pass\n"]),
        ("def f() -> int:\n    x = g()\n    pass\n", ["    pass\n"]),
        ("def f():\n    return ...\n", ["    return ...\n"]),
        (
            "def f(x) -> int:\n    if x:\n        raise E\n    raise NotImplementedError\n",
            ["    raise NotImplementedError\n"],
        ),
        ("def 名():\n    '''😀'''\n    ...\ndef b():\n    pass\n", ["    ...\n", "    pass\n"]),
    ],
)
def test_what_a_python_user_calls_a_hole(source, expected, end):
    assert _found("python", source.replace("\n", end)) == [e.replace("\n", end) for e in expected]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "class E(Exception): ...\n",
        "class E(Exception):\n    pass\n",
        "class A:\n    x: int = ...\n    ...\n",
        "def f():\n    try:\n        g()\n    except OSError:\n        pass\n",
        "def f() -> None:\n    x = g()\n    pass\n",
        "def f(x) -> int:\n    if x:\n        return 1\n    raise NotImplementedError\n",
        "def f():\n    try:\n        g()\n    except OSError: ...\n",
        "def f(x=...):\n    return x[..., 0]\n",
        "def f(x):\n    if x:\n        return 1\n    raise NotImplementedError(x)\n",
        "def f(x):\n    while g():\n        pass\n",
        "class A:\n    @abstractmethod\n    def f(self): ...\n",
        "class A:\n    @property\n    @abc.abstractmethod\n    def f(self):\n        pass\n",
        "class A(Protocol):\n    def f(self) -> int: ...\n",
        "class A(typing.Protocol[T]):\n    def f(self) -> int:\n        pass\n",
        "@overload\ndef f(x: int) -> int: ...\n",
        "# TODO: implement f\ndef f():\n    return 1\n",
        "def f():\n    return 1  # TODO: implement caching\n",
        "def f():\n    # TODO: faster\n    return g()\n",
        "def f():\n    x = 1\n    # TODO\n",
        "def f():\n    return None  # TODO\n",
        "def f():\n    # nothing to do\n    return None\n",
        "def f():\n    # implements g\n    return None\n",
        "# TODO\nx = 1\n",
        "def f():\n    raise ValueError\n",
        "def f():\n    return 'TODO: implement'\n",
    ],
)
def test_what_a_python_user_means_as_it_stands(source):
    assert _found("python", source) == []


def test_a_type_stub_has_no_holes():
    source = "def f() -> int: ...\n"
    assert _found("python", source, "a/b.py") == ["..."]
    assert _found("python", source, "a/b.pyi") == []


@pytest.mark.parametrize(
    ("language_id", "source", "expected"),
    [
        ("rust", "fn f() -> u8 { todo!() }\n", ["todo!()"]),
        (
            "rust",
            'fn f() {\n    std::unimplemented!("x");\n}\n',
            ['    std::unimplemented!("x");\n'],
        ),
        ("rust", "fn f() {\n    let x = todo!(todo!());\n}\n", ["todo!(todo!())"]),
        ("rust", "fn f() {\n    println!();\n    mytodo!();\n}\n", []),
        (
            "go",
            'package a\n\nfunc f() {\n\tpanic("not implemented")\n}\n',
            ['\tpanic("not implemented")\n'],
        ),
        ("go", 'package a\n\nfunc f() {\n\tpanic("out of range")\n}\n', []),
        ("go", 'package a\n\nfunc f() {\n\tpanic("todo")\n}\n', ['\tpanic("todo")\n']),
        (
            "javascript",
            "function f() {\n  throw new Error('Todo');\n}\n",
            ["  throw new Error('Todo');\n"],
        ),
        ("javascript", "function f() {\n  throw new Error('todo is empty');\n}\n", []),
        ("cpp", 'int f() {\n  throw E("todo");\n}\n', ['  throw E("todo");\n']),
        (
            "java",
            "class A {\n  int f() {\n    // TODO: implement\n    return 0;\n  }\n}\n",
            ["    // TODO: implement\n    return 0;\n"],
        ),
        (
            "java",
            "class A {\n  int f() {\n    throw new UnsupportedOperationException();\n  }\n}\n",
            ["    throw new UnsupportedOperationException();\n"],
        ),
        (
            "java",
            "class A {\n  int f() {\n    if (x) throw new UnsupportedOperationException(); }\n}\n",
            [],
        ),
        ("c", "int f(void)\n{\n    /* TODO: implement */\n}\n", ["    /* TODO: implement */\n"]),
        (
            "go",
            "package a\n\nfunc f() bool {\n\t// TODO: implement\n\treturn false\n}\n",
            ["\t// TODO: implement\n\treturn false\n"],
        ),
        (
            "c",
            "char *f(void)\n{\n    /* TODO: implement */\n    return NULL;\n}\n",
            ["    /* TODO: implement */\n    return NULL;\n"],
        ),
        ("cpp", "A *f() {\n  // TODO\n  return nullptr;\n}\n", ["  // TODO\n  return nullptr;\n"]),
        (
            "c",
            "int f(int x)\n{\n    /* TODO: implement */\n    return 0 + x;\n}\n",
            ["    /* TODO: implement */\n"],
        ),
        (
            "c",
            "int f() {\n    if (x) {\n        /* TODO: implement */\n        return 1;\n    }\n"
            "    return 2;\n}\n",
            ["        /* TODO: implement */\n"],
        ),
        ("c", "/* TODO: implement f */\nint f(void);\n", []),
        (
            "c",
            "int f(void)\n{\n  /* Write your code here */\n}\n",
            ["  /* Write your code here */\n"],
        ),
        (
            "cpp",
            "int f() {\n  auto g = [] {\n    // TODO\n  };\n  return g();\n}\n",
            ["    // TODO\n"],
        ),
        (
            "rust",
            "fn f() -> u8 {\n    // TODO\n    return 0;\n}\n",
            ["    // TODO\n    return 0;\n"],
        ),
        ("rust", "fn f() -> u8 {\n    // TODO: less\n    g(0)\n}\n", []),
        (
            "go",
            "package a\n\nfunc f() bool {\n\t// TODO\n\treturn false\n}\n",
            ["\t// TODO\n\treturn false\n"],
        ),
        ("go", "package a\n\nfunc f() bool {\n\t// TODO\n\tg()\n\treturn false\n}\n", []),
        (
            "java",
            "class A {\n  A() {\n    /* FIXME */\n  }\n}\n",
            ["    /* FIXME */\n"],
        ),
        ("cpp", "int f() { // TODO: implement\n}\n", ["// TODO: implement"]),
        (
            "cpp",
            'int f() {\n  throw std::logic_error("Not implemented");\n}\n',
            ['  throw std::logic_error("Not implemented");\n'],
        ),
    ],
)
def test_holes_of_other_languages(language_id, source, expected):
    assert _found(language_id, source) == expected


@pytest.mark.parametrize(
    "language_id", ["javascript", "javascriptreact", "typescript", "typescriptreact"]
)
def test_holes_of_javascript_and_its_kin(language_id):
    source = (
        'const f = () => { throw new Error("not implemented"); };\n'
        "class A {\n  m() {\n    // TODO: implement\n"
        "    throw new Error(`Not implemented: m`);\n  }\n"
        '  n() {\n    throw new Error("Method not implemented.");\n  }\n}\n'
        'function g() {\n  throw new Error("bad input");\n}\n'
        "const h = () => {\n  // TODO\n};\n"
    )
    assert _found(language_id, source) == [
        'throw new Error("not implemented");',
        "    // TODO: implement\n    throw new Error(`Not implemented: m`);\n",
        '    throw new Error("Method not implemented.");\n',
        "  // TODO\n",
    ]


def test_what_a_hole_says_fits_on_a_line():
    (hole,) = find_holes("fn f() {\n    todo!(\n        1\n    )\n}\n", "rust")
    assert hole.what == "todo!("
    (hole,) = find_holes(f'fn f() {{\n    todo!("{"x" * 90}")\n}}\n', "rust")
    assert len(hole.what) == 40


def test_a_language_without_a_grammar_has_no_holes():
    assert find_holes("...", "cobol") == ()


@pytest.mark.parametrize("language_id", IDS)
def test_every_language_has_a_query_and_finished_code_no_holes(language_id, sources):
    known = next(known for known in LANGUAGES if known.id == language_id)
    assert files("grammars").joinpath("queries", known.queries or known.id, "holes.scm").is_file()
    assert _found(language_id, sources[language_id]) == []


@pytest.mark.parametrize("seed", range(10))
def test_holes_are_in_order_and_apart_in_any_text(seed, awkward):
    rng = random.Random(seed)
    pieces = [
        "def f():\n    ...\n",
        "    pass\n",
        "todo!()",
        "fn f() {",
        "}",
        "# TODO: implement\n",
    ]
    for _ in range(20):
        text = "".join(awkward(rng) + rng.choice(pieces) for _ in range(6))
        for language_id in ("python", "rust", "typescript"):
            spans = [hole.span for hole in find_holes(text, language_id)]
            assert all(a.end <= b.start for a, b in pairwise(spans))
            assert all(span.of(text).strip() for span in spans)


@pytest.mark.parametrize(
    ("body", "unwritten"),
    [
        ("    pass\n", True),
        ("    # TODO: implement\n    return 0\n", True),
        ("    # soon\n\n    raise NotImplementedError  # really\n", True),
        ("    # TODO\n", True),
        ("    # TODO\n    return g()\n", False),
        ("    return 0\n", False),
        ("    x = 1\n    ...\n", False),
        ("    # soon\n", False),
    ],
)
def test_a_body_of_holes_alone_is_unwritten(body, unwritten):
    text = f"def f():\n{body}\n\ndef g():\n    ...\n"
    span = Span(len("def f():\n"), len(f"def f():\n{body}"))
    assert is_unwritten(text, span, "python") == unwritten
    assert not is_unwritten(text, span, "unknown")


@pytest.mark.parametrize(
    ("language_id", "text", "unwritten"),
    [
        ("python", 'def f():\n    """Do it."""\n    pass\n', True),
        ("python", "@once\ndef f():\n    ...\n\n\ndef g():\n    pass\n", True),
        ("python", "def f():\n    ...\n\n\ndef g():\n    return 1\n", False),
        ("python", "class A:\n    def f(self):\n        pass\n", False),
        ("python", "def f():\n    x = 1\n    ...\n", False),
        (
            "typescript",
            'export function f() {\n  throw new Error("Method not implemented.");\n}\n',
            True,
        ),
        ("go", "func f() int {\n\t// TODO\n}\n", True),
        ("go", "func f() int {\n\t// TODO\n\tg()\n}\n", False),
    ],
)
def test_functions_of_holes_alone_are_unwritten(language_id, text, unwritten):
    head = "package p\n\n" if language_id == "go" else "\n"
    span = Span(len(head), len(head + text))
    assert is_unwritten(head + text + "\n", span, language_id) == unwritten


@pytest.mark.parametrize(
    ("language_id", "source", "expected"),
    [
        ("python", "def f(x):\n    pass\n", "def f(x):\n"),
        ("python", 'def f(x):\n    """Doc."""\n    # TODO\n', 'def f(x):\n    """Doc."""\n'),
        (
            "python",
            'class A:\n    @p\n    def f(self):\n        """Doc."""\n        # TODO\n\n    x = 1\n',
            '    def f(self):\n        """Doc."""\n',
        ),
        (
            "python",
            "def f():\n    x = 1\n    # TODO: implement\n    return 0\n",
            "def f():\n    x = 1\n",
        ),
        ("python", "def f(x):\n    y = 1\n    ...\n", "def f(x):\n    y = 1\n"),
        ("python", "def f(x):\n    ...\n    return x\n", None),
        ("python", "def f(x):\n    for y in x:\n        ...\n", None),
        ("python", "def f(x): pass\n", None),
        ("go", 'package a\n\nfunc f() {\n\tpanic("TODO")\n}\n', "func f() {\n"),
        ("rust", "fn f() -> u8 {\n    todo!()\n}\n", "fn f() -> u8 {\n"),
        ("c", "int f(void)\n{\n    /* TODO */\n    return 0;\n}\n", "int f(void)\n{\n"),
        (
            "typescript",
            "export const f = (x: X): Y => {\n  // your code here\n};\n",
            "export const f = (x: X): Y => {\n",
        ),
    ],
)
def test_a_function_of_which_the_end_is_unwritten(language_id, source, expected):
    (hole,) = find_holes(source, language_id)
    lines = unfinished_function(source, hole.span, language_id)
    assert (lines and lines.of(source)) == expected


@pytest.mark.parametrize(
    ("language_id", "before", "behind", "expected"),
    [
        ("python", "def f(x):\n", "", "def f(x):\n"),
        (
            "python",
            'x = 1\n\n\ndef f(x):\n    """Doc."""\n',
            "\n\ny = 1\n",
            'def f(x):\n    """Doc."""\n',
        ),
        ("python", "class A:\n    def f(self):\n", "\n    x = 1\n", "    def f(self):\n"),
        ("python", "def f(x):\n    y = 1\n", "\n", None),
        ("python", "def f(x) -> int:\n    y = 1\n", "\n", "def f(x) -> int:\n    y = 1\n"),
        ("python", "def f(x) -> int:\n    return 1\n", "\n", None),
        ("python", "def f(x):\n", "    return x\n", None),
        ("python", "x = 1\n", "y = 2\n", None),
        ("python", "class A:\n", "\n", None),
        ("go", "package a\n\nfunc f() {\n", "}\n", "func f() {\n"),
        ("go", "package a\n\nfunc f() {\n", "\tg()\n}\n", None),
        ("c", "int f(void)\n{\n", "}\n", "int f(void)\n{\n"),
    ],
)
@pytest.mark.parametrize("blank", ["", "\n", "    \n"])
def test_a_function_of_which_more_is_to_be_written(language_id, before, behind, expected, blank):
    span = Span(len(before), len(before) + len(blank))
    lines = unfinished_function(before + blank + behind, span, language_id)
    assert (lines and lines.of(before)) == expected


def test_a_function_that_is_written_is_finished():
    source = "def f(x):\n    return x\n"
    for language_id in ("python", "cobol"):
        assert (
            unfinished_function(source, Span(len("def f(x):\n"), len(source)), language_id) is None
        )
