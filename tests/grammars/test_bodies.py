import pytest

from grammars.bodies import computes_nothing, has_two_docstrings
from grammars.span import Span


def _computes_nothing(language_id, before, inside, behind):
    span = Span(len(before), len(before) + len(inside))
    return computes_nothing(before + inside + behind, span, language_id)


@pytest.mark.parametrize(
    ("language_id", "before", "inside", "behind"),
    [
        ("python", "def f(x):\n", "    return 0\n", ""),
        ("python", 'def f(x):\n    """Doc."""\n', "    return []\n", "\n\ny = 1\n"),
        ("python", "class A:\n    def f(self, x):\n", "        return dict()\n", ""),
        ("javascript", "const f = x => {\n", "  return null;\n", "}\n"),
        (
            "typescript",
            "function f(xs: X[]): Map<string, X[]> {\n",
            "  return new Map<string, X[]>();\n",
            "}\n",
        ),
        (
            "go",
            "package a\nfunc F(s string) map[string]int {\n",
            "\treturn map[string]int{}\n",
            "}\n",
        ),
        (
            "go",
            "package a\nfunc F(s string) map[string]int {\n",
            "\treturn make(map[string]int)\n",
            "}\n",
        ),
        ("rust", "fn f(a: u8) -> Vec<u8> {\n", "    Vec::new()\n", "}\n"),
        ("rust", "fn f(a: u8) -> f64 {\n", "    0.0\n", "}\n"),
        ("java", "class A { List<B> f(int a) {\n", "    return new ArrayList<>();\n", "} }\n"),
        ("c", "int *f(int a)\n{\n", "    return NULL;\n", "}\n"),
        ("cpp", "std::vector<int> f(int a) {\n", "    return std::vector<int>{};\n", "}\n"),
        ("python", "class A:\n    def f(self, x):\n", "        return self.f(g(x), 1)\n", ""),
        ("javascript", "function f(x) {\n", "  return f(x);\n", "}\n"),
        ("rust", "impl A { fn f(&self, a: u8) -> u8 {\n", "    self.f(a)\n", "} }\n"),
    ],
)
def test_a_function_that_computes_nothing(language_id, before, inside, behind):
    assert _computes_nothing(language_id, before, inside, behind)


@pytest.mark.parametrize(
    ("language_id", "before", "inside", "behind"),
    [
        ("python", "def f():\n", "    return 0\n", ""),
        ("python", "def f(_x):\n", "    return 0\n", ""),
        ("python", "class A:\n    def f(self):\n", "        return 0\n", ""),
        ("python", "def f(x):\n", "    return x\n", ""),
        ("python", "def f(x):\n", "    return g()\n", ""),
        ("python", "def f(x):\n", "    return f(x - 1) if x else 0\n", ""),
        ("python", "def f(x):\n", "    return a.f(x)\n", ""),
        ("python", "def f(x):\n", "    return LIMIT\n", ""),
        ("python", "def f(x):\n", "    return A(x)\n", ""),
        ("python", "def f(x):\n", "    y = 1\n    return 0\n", ""),
        ("python", "def f(x):\n    y = g(x)\n", "    return []\n", ""),
        ("python", "def f(x):\n    if x:\n", "        return []\n", ""),
        ("python", "def f(x):\n    def g():\n", "        return 0\n", "    return g\n"),
        ("python", "x = [\n", "    0\n", "]\n"),
        ("typescript", "function f(xs: X[]) {\n", "  return new Set(xs);\n", "}\n"),
        ("go", "package a\nfunc F(s string) []int {\n", "\treturn []int{len(s)}\n", "}\n"),
        ("go", "package a\nfunc (a *A) F() int {\n", "\treturn 0\n", "}\n"),
        ("rust", "impl A { fn f(&self) -> f64 {\n", "    0.0\n", "} }\n"),
        ("c", "int f(void)\n{\n", "    return 0;\n", "}\n"),
        ("cobol", "f(x)", "0", ""),
    ],
)
def test_what_may_be_all_there_is_to_do(language_id, before, inside, behind):
    assert not _computes_nothing(language_id, before, inside, behind)


@pytest.mark.parametrize(
    ("text", "doubled"),
    [
        ('def f():\n    "a"\n    "b"\n    return 1\n', True),
        ('class A:\n    "a"\n    # so\n    """b"""\n', True),
        ('class A:\n    "a"\n    def f():\n        "b"\n        "c"\n', True),
        ('def f():\n    "a"\n    return "b"\n', False),
        ('def f():\n    "a" "b"\n    return 1\n', False),
        ('def f():\n    x = 1\n    "b"\n    "c"\n', False),
        ('"a"\n"b"\ndef f(): pass\n', False),
        ("def f(:\n", False),
    ],
)
def test_two_docstrings(text, doubled):
    assert has_two_docstrings(text, Span(0, len(text)), "python") is doubled
    assert not has_two_docstrings(text, Span(0, 0), "python")
    assert not has_two_docstrings(text, Span(0, len(text)), "javascript")
