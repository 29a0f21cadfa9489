import random

import pytest

from grammars.languages import LANGUAGES
from grammars.lines import LineIndex
from grammars.selection import body_of, select
from grammars.span import Span

IDS = [known.id for known in LANGUAGES]


def _marked(source):
    """Return a text and the span between its «marks»; one ‸ is a cursor."""
    if "‸" in source:
        at = source.index("‸")
        return source.replace("‸", ""), Span(at, at)
    start, end = source.index("«"), source.index("»") - 1
    return source.replace("«", "").replace("»", ""), Span(start, end)


def _selected(language_id, source):
    text, span = _marked(source)
    return select(text, language_id, span).of(text)


FUNCTION = (
    'def f(a):\n    """Doc."""\n    if a:\n        g(a,\n          b)\n\n    return 1  # one\n'
)
BODY = FUNCTION[FUNCTION.index("    if") :]


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("‸return", "    return 1  # one\n"),
        ("  # o‸ne", "    return 1  # one\n"),
        ("  # one‸", "    return 1  # one\n"),
        ("‸    return", "    return 1  # one\n"),
        ("  b‸)", "        g(a,\n          b)\n"),
        ("  b)‸", "        g(a,\n          b)\n"),
        ("i‸f a", "    if a:\n        g(a,\n          b)\n"),
        ("d‸ef", BODY),
        ("f(a):‸", BODY),
        ('"""D‸oc."""', '    """Doc."""\n'),
        ("b)\n‸\n", ""),
    ],
)
def test_a_cursor_in_python(mark, expected):
    assert _selected("python", FUNCTION.replace(mark.replace("‸", ""), mark, 1)) == expected


def test_a_cursor_on_a_blank_line_takes_its_blanks():
    for text in ("a = 1\n\nb = 2\n", "a = 1\n   \nb = 2\n", "a = 1\n\t", ""):
        lines = LineIndex(text)
        for line in range(len(lines)):
            content = lines.content(line)
            if not content.of(text).strip():
                for at in range(content.start, content.end + 1):
                    assert select(text, "python", Span(at, at)) == content


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("d‸ef f():\n", ""),
        ("class A:\n    d‸ef f(self):\n\nx = 1\n", ""),
        ("‸def f(): return 1\n", "return 1"),
        ("@d‸ec\ndef f():\n    # why\n    return 1", "    # why\n    return 1"),
        ("‸class A:\r\n    x = 1\r\n\r\ny = 2\r\n", "    x = 1\r\n"),
        ("a = 1; b‸ = 2\n", "a = 1; b = 2\n"),
        ("x ==== ‸1\n", "x ==== 1\n"),
        ("def f(((:\n    re‸turn 1\n    y\n", "    return 1\n"),
    ],
)
def test_more_cursors_in_python(source, expected):
    assert _selected("python", source) == expected


def test_an_empty_body_is_where_its_first_line_belongs():
    text = 'def f():\n    """Doc."""\nx = 1\n'
    assert select(text, "python", Span(4, 4)) == Span(text.index("x"), text.index("x"))
    text = "function f() {\n}\n"
    assert select(text, "javascript", Span(0, 0)) == Span(15, 15)


@pytest.mark.parametrize(
    ("language_id", "source", "expected"),
    [
        ("javascript", "export const f‸ = (x) => {\n  return x;\n};\n", "  return x;\n"),
        ("javascript", "class A { // all\n  m‸() { return 1; }\n}\n", "return 1;"),
        ("javascript", "‸class A { // all\n  m() {}\n}\n", "  m() {}\n"),
        (
            "javascript",
            "if (a) {\n  b();\n} else‸ if (c) {\n}\n",
            "if (a) {\n  b();\n} else if (c) {\n}\n",
        ),
        (
            "javascriptreact",
            "const a = ‸(\n  <b>hi</b>\n);\nf();\n",
            "const a = (\n  <b>hi</b>\n);\n",
        ),
        ("typescript", "‸interface A {\n  b: string;\n}\n", "  b: string;\n"),
        ("typescript", "interface A {\n  b‸: string;\n}\n", "  b: string;\n"),
        ("typescriptreact", "fun‸ction V() {\n  return <b/>;\n}\n", "  return <b/>;\n"),
        ("rust", "impl A {\n    fn f() -> u8 {‸\n        1\n    }\n}\n", "        1\n"),
        (
            "rust",
            "fn f() {\n    match a {\n        1 =‸> 2,\n        _ => 3,\n    }\n}\n",
            "        1 => 2,\n",
        ),
        ("go", "package a\n\nfunc f() {\n\tx := 1‸\n\treturn\n}\n", "\tx := 1\n"),
        ("go", "package a\n\nfunc ‸f() {\n\tx := 1\n\treturn\n}\n", "\tx := 1\n\treturn\n"),
        ("c", "#ifndef ‸H\nint f(void)\n{\n  return 1;\n}\n#endif\n", "#ifndef H\n"),
        ("c", "#ifndef H\nint f‸(void)\n{\n  return 1;\n}\n#endif\n", "  return 1;\n"),
        (
            "cpp",
            "namespace n {\nclass A {\n  int f() { ret‸urn 1; }\n};\n}\n",
            "  int f() { return 1; }\n",
        ),
        ("cpp", "template <class T>\nT f‸(T a) {\n  return a;\n}\n", "  return a;\n"),
        ("java", "class A {\n  A() {\n    x =‸ 1;\n  }\n}\n", "    x = 1;\n"),
        ("java", "class A {\n  int f() {\n    return 1;\n  }‸\n}\n", "    return 1;\n"),
    ],
)
def test_a_cursor_in_braces(language_id, source, expected):
    assert _selected(language_id, source) == expected


@pytest.mark.parametrize("language_id", ["python", "", "cobol"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = «b» + c\n", "b"),
        ("a = « b »+ c\n", " b "),
        ("  «a = 1»\nb\n", "  a = 1\n"),
        ("«  a = 1»\nb\n", "  a = 1\n"),
        ("  «a = 1\n»b\n", "  a = 1\n"),
        ("  a = «1\nb» = 2\nc", "  a = 1\nb = 2\n"),
        ("  a«\r\n  b = 2»\r\nc", "  b = 2\r\n"),
        ("a«\n»b", "\n"),
        ("a\n«\n»b", "\n"),
        ("a\n  «b»", "  b"),
        ("«a\fb\u2028c»\nd", "a\fb\u2028c\n"),
    ],
)
def test_a_selection_snaps_to_lines(language_id, source, expected):
    assert _selected(language_id, source) == expected


def test_without_a_grammar_a_cursor_means_its_line():
    assert _selected("cobol", "  a\n  b‸ c\nd") == "  b c\n"
    assert body_of("def f(): pass", "cobol", Span(0, 0)) is None


@pytest.mark.parametrize("language_id", IDS)
def test_what_is_selected_tiles_lines_and_holds_the_cursors_line(language_id, sources):
    text = sources[language_id]
    lines = LineIndex(text)
    for at in range(len(text) + 1):
        span = select(text, language_id, Span(at, at))
        assert span.end <= len(text)
        line = lines.content(lines.line_at(at))
        if span.start <= at < span.end and line.of(text).strip() and span.start in lines.starts:
            assert span.start <= line.start
            assert span.end == len(text) or span.end in lines.starts


@pytest.mark.parametrize("seed", range(20))
def test_anything_can_be_selected(seed, awkward):
    rng = random.Random(seed)
    for _ in range(20):
        text = "".join(awkward(rng) for _ in range(4))
        start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        for language_id in ("python", "javascript", ""):
            span = select(text, language_id, Span(start, end))
            assert span.end <= len(text)
            # Whatever a selection covers but line ends stays covered.
            if start < end:
                chosen = text[start:end]
                assert chosen.strip("\r\n") in span.of(text)
            body = body_of(text, language_id, Span(start, end))
            assert body is None or body.end <= len(text)


IF = "    if (x) {\n      y();\n    }\n"


@pytest.mark.parametrize(
    ("language_id", "source", "expected"),
    [
        ("python", FUNCTION.replace("g(a", "g(‸a"), BODY),
        ("python", FUNCTION.replace("    return 1  # one\n", "«    return 1  # one\n»"), BODY),
        ("python", "x‸ = 1\n", None),
        ("python", "«def f():\n    a\n\n\ndef g():\n    b\n»", None),
        ("python", "class A:\n    x‸ = 1\n", None),
        ("javascript", "f(() => {\n  a‸();\n});\n", "  a();\n"),
        ("java", "class A {\n  A() {\n    if (x) {\n      y‸();\n    }\n  }\n}\n", IF),
        ("rust", "fn f() {\n    a‸();\n}\n", "    a();\n"),
        ("go", "package a\nfunc f‸() {\n\tb()\n}\n", "\tb()\n"),
    ],
)
def test_the_body_around(language_id, source, expected):
    text, span = _marked(source)
    body = body_of(text, language_id, span)
    assert (body and body.of(text)) == expected
