import pytest

from grammars.outline import MAX_CHARS, outline


def told(text, language):
    return [(sorted(d.names), d.text) for d in outline(text, language)]


def test_short_definitions_are_told_whole_and_private_code_is_not():
    text = "import a\n\nLIMIT = 3\n\n\ndef f(x: int) -> int:\n    return x\n\n\nf(LIMIT)\n"
    text += "if a:\n    b = 1\n"
    assert told(text, "python") == [
        (["LIMIT"], "LIMIT = 3\n"),
        (["f"], "def f(x: int) -> int:\n    return x\n"),
    ]


LONG = "\n".join(f"        step({n})" for n in range(5))


def test_long_bodies_are_left_out_and_docstrings_kept():
    text = 'class A:\n    """One."""\n\n    size: int\n\n    def b(self):\n        """Do b."""\n'
    text += f"{LONG}\n\n    def c(self):\n{LONG}\n"
    ((names, shown),) = told(text, "python")
    assert names == ["A"]
    assert shown == (
        'class A:\n    """One."""\n\n    size: int\n\n    def b(self):\n        """Do b."""\n\n'
        "    def c(self):\n        ...\n"
    )


def test_braces_stay_around_what_is_left_out():
    text = "func F(a int) int {\n" + "\tg()\n" * 9 + "}\n"
    assert told("package p\n\n" + text, "go") == [(["F"], "func F(a int) int { ... }\n")]


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("python", "@d\ndef f(): pass\n\n@d\nclass B: pass\n", [["f"], ["B"]]),
        ("javascript", "export function f() {}\nexport const a = 1, b = 2\n", [["f"], ["a", "b"]]),
        ("javascript", "class A { b() {} }\nexport default class C {}\n", [["A"], ["C"]]),
        (
            "typescript",
            "export interface A { b: string }\ntype T = A | null\nenum E { X }\n",
            [["A"], ["T"], ["E"]],
        ),
        (
            "go",
            "package p\n\ntype A struct{}\n\nfunc (a *A) B() {}\n\n"
            "const (\n\tC = 1\n\tD = 2\n)\n\nvar x int\n",
            [["A"], ["A"], ["C", "D"], ["x"]],
        ),
        (
            "rust",
            "struct A;\nimpl A { fn b(&self) {} }\nimpl<T> G<T> {}\nconst C: u8 = 1;\nenum E {}\n",
            [["A"], ["A"], ["G"], ["C"], ["E"]],
        ),
        (
            "c",
            "#ifndef H\n#define MAX 3\nstruct a { int b; };\ntypedef struct { int c; } d;\n"
            "int f(int);\nchar *g(void);\n#endif\n",
            [["MAX"], ["a"], ["d"], ["f"], ["g"]],
        ),
        ("cpp", "namespace n {\nclass A { int b; };\nusing B = A;\n}\n", [["A"], ["B"]]),
        ("java", "class A { int b() { return 1; } }\nrecord B(int c) {}\n", [["A"], ["B"]]),
        ("python", "def (:\n", []),
        ("cobol", "x", []),
    ],
)
def test_what_other_files_can_see(language, text, names):
    assert [sorted(d.names) for d in outline(text, language)] == names


def test_a_comment_above_belongs_to_it_and_a_licence_does_not():
    text = "// Licence.\n\n// F does it.\n// All of it.\nfunc F() {}\n"
    ((_, shown),) = told("package p\n\n" + text, "go")
    assert shown == "// F does it.\n// All of it.\nfunc F() {}\n"


def test_a_huge_definition_is_cut_at_a_line():
    text = "T = {\n" + "".join(f"    {n}: 'value {n}',\n" for n in range(2_000)) + "}\n"
    ((_, shown),) = told(text, "python")
    assert len(shown) <= MAX_CHARS + 1
    assert shown.endswith("',\n")


def test_line_ends_are_lf():
    ((_, shown),) = told("def f():\r\n    return 1\r\n", "python")
    assert shown == "def f():\n    return 1\n"
