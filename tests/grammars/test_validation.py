import random
import re

import pytest

import grammars.validation
from grammars.languages import LANGUAGES
from grammars.lines import LineIndex, with_line_end
from grammars.span import Replacement, Span, apply
from grammars.syntax import ParseTimeout
from grammars.validation import new_errors, validate

IDS = [known.id for known in LANGUAGES]

# A line of the sample, a good line in its place, and a broken one.
EDITS = {
    "python": ("result += price * 2", "result += max(price, 0)", "result += max(price, 0"),
    "javascript": ("result += price * 2;", "result += f(price);", "result += f(price;"),
    "javascriptreact": ("this.items.push(item);", "add(<b>{item}</b>);", "add(<b>{item</b>);"),
    "typescript": ("let result = 0;", "let result: number = 1;", "let result: = 1;"),
    "typescriptreact": ("const size = title.length;", "const size = 1;", "const size = ;"),
    "rust": ("result += price * 2;", "result += price.abs();", "result += price.;"),
    "go": ("q.items = append(q.items, item)", "q.add(item)", "q.add(item"),
    "c": ("q->size += 1;", "q->size++;", "q->size + ;"),
    "cpp": ("items_.push_back(item);", "items_.emplace_back(item);", "items_.(item);"),
    "java": ("items.add(item);", "items.add(item.trim());", "items.add(item.trim();"),
}


def _replace(text, old, new):
    start = text.index(old)
    return Replacement(Span(start, start + len(old)), new)


def _whole_line(text, old, new):
    lines = LineIndex(text)
    span = lines.span(lines.line_at(text.index(old)))
    return Replacement(span, span.of(text).replace(old, new))


@pytest.mark.parametrize("cut", [_replace, _whole_line])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("language_id", IDS)
def test_good_edits_pass_and_broken_ones_are_refused(language_id, end, cut, sources):
    text = with_line_end(sources[language_id], end)
    old, good, broken = EDITS[language_id]
    verdict = validate(text, [cut(text, old, good)], language_id)
    assert (verdict.ok, verdict.reasons, verdict.checked) == (True, (), True)
    verdict = validate(text, [cut(text, old, broken)], language_id)
    assert not verdict.ok
    assert verdict.reasons


@pytest.mark.parametrize("language_id", IDS)
def test_the_same_holds_in_a_file_broken_elsewhere(language_id, sources):
    text = sources[language_id] + "\n)\n"
    old, good, broken = EDITS[language_id]
    assert validate(text, [_whole_line(text, old, good)], language_id).ok
    assert not validate(text, [_whole_line(text, old, broken)], language_id).ok


@pytest.mark.parametrize("language_id", IDS)
def test_new_errors_are_where_the_edit_broke_the_text(language_id, sources):
    text = sources[language_id]
    old, good, broken = EDITS[language_id]
    assert new_errors(text, [_replace(text, old, good)], language_id) == []
    found = new_errors(text, [_replace(text, old, broken)], language_id)
    edited = Span(text.index(old), text.index(old) + len(broken))
    assert any(s.start <= edited.end and edited.start <= s.end for s in found)


@pytest.mark.parametrize("language_id", ["python", "javascript", "rust", "go", "c", "java"])
def test_damage_elsewhere_hardly_ever_refuses_a_good_edit(language_id, sources):
    """One token is lost somewhere, then a line is edited: well, or with a second token lost."""
    text = sources[language_id]
    old, good, broken = EDITS[language_id]
    counts = {good: [0, 0], broken: [0, 0]}
    rng = random.Random(language_id)
    tokens = [m.span() for m in re.finditer(r"\w+|[^\w\s]", text)]
    for start, end in rng.sample(tokens, 60):
        damaged = apply(text, [Replacement(Span(start, end), "")])
        if damaged.count(old) != text.count(old):
            continue
        for new, count in counts.items():
            count[0] += 1
            count[1] += validate(damaged, [_whole_line(damaged, old, new)], language_id).ok
    total, passed = counts[good]
    assert total > 40
    assert passed >= 0.9 * total
    assert counts[broken][1] <= 0.1 * total


BROKEN_STATEMENT = "def f(a):\n    x = (a +\n    return x\n\n\ndef g():\n    return 2\n"


def test_an_edit_inside_an_old_error_must_mend_what_it_can():
    line = "    x = (a +\n"
    assert validate(
        BROKEN_STATEMENT, [_replace(BROKEN_STATEMENT, line, "    x = a\n")], "python"
    ).ok
    worse = validate(
        BROKEN_STATEMENT, [_replace(BROKEN_STATEMENT, line, "    x = (b +\n")], "python"
    )
    assert not worse.ok
    javascript = "function f(a) {\n  let x = (a +;\n  return x;\n}\n"
    assert validate(javascript, [_replace(javascript, "(a +", "(a + 1)")], "javascript").ok
    assert not validate(javascript, [_replace(javascript, "(a +", "(b -")], "javascript").ok


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("a();\nlet x = (1;\nb();\n", "let x = (1;", "let y = [2;"),
        ("a();\nx = = 1;\nb();\n", "x = = 1;", "y * / 2;"),
        ("a();\nf(g(1;\nb();\n", "f(g(1;\nb();\n", "f(g(2));\nb(;\n"),
    ],
)
def test_one_error_does_not_pay_for_another(text, old, new):
    assert not validate(text, [_replace(text, old, new)], "javascript").ok


@pytest.mark.parametrize(
    ("language_id", "text", "old", "new", "reason"),
    [
        ("python", "a = 1\nb = 2\n", "b = 2", "retrun 2", "line 2: syntax error near `retrun`"),
        ("python", "def f(a):\n  b\n", "(a)", "(", "line 1: missing `)`"),
        ("java", "class A {\n  int a = 1;\n}\n", "1;", "1", "line 2: missing `;`"),
        ("go", "package a\n\nvar b int\n", "int\n", "int var c int\n", "line 3: missing newline"),
        (
            "python",
            "if a:\n    b\n\nc\n",
            "    b",
            "b",
            "Python: expected an indented block after 'if' statement (line 2)",
        ),
        (
            "python",
            "if a:\n    b\n    c\n",
            "    c",
            "  c",
            "Python: unindent does not match any outer indentation level (line 3)",
        ),
    ],
)
def test_reasons_say_what_and_where(language_id, text, old, new, reason):
    verdict = validate(text, [_replace(text, old, new)], language_id)
    assert (verdict.ok, verdict.reasons) == (False, (reason,))


def test_many_reasons_are_cut_short():
    text = "a\n\nb\n"
    verdict = validate(text, [_replace(text, "a\n", "= )\n" * 20)], "python")
    assert len(verdict.reasons) <= grammars.validation.MAX_REASONS + 1


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("\u202e", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("\u200b", "U+200B (ZERO WIDTH SPACE)"),
        ("\x1b", "U+001B (a control character)"),
        ("\ufeff", "U+FEFF"),
        ("\u2028", "U+2028"),
        ("\u3164", "U+3164"),
        ("\ufffd", "U+FFFD"),
        ("\ud800", "U+D800"),
        ("\f", "U+000C"),
    ],
)
@pytest.mark.parametrize("language_id", ["python", ""])
def test_hidden_characters_are_refused_unless_they_were_there(char, name, language_id):
    text = 'a = 1\nb = "b"\n'
    verdict = validate(text, [_replace(text, '"b"', f'"{char}"')], language_id)
    assert not verdict.ok
    assert verdict.reasons[0].startswith(f"line 2: hidden character {name}")
    text = f'b = "{char}"\n'
    assert not grammars.validation._hidden(
        grammars.validation._Edit(text, [_replace(text, f'"{char}"', f'"x{char}"')])
    )


def test_visible_characters_are_not_hidden():
    text = "a = 1\n"
    new = '"é\u0301 語 😀 \u00a0\t"\r\n'
    assert validate(text, [_replace(text, "1\n", new)], "python").ok


@pytest.mark.parametrize("language_id", [known.id for known in LANGUAGES if known.id != "python"])
def test_prose_in_a_comment_that_nothing_ends_yet_is_no_code(language_id, sources):
    text = sources[language_id]
    at = text.index("\n", text.index("\n") + 1) + 1  # a line in front of code
    opened = f"{text[:at]}/**\n * Returns \n{text[at:].replace('*/', '')}"
    end = Span(opened.index("Returns ") + 8, opened.index("Returns ") + 8)
    assert validate(opened, [Replacement(end, "the sum of what isn't (yet sold")], language_id).ok
    assert validate(opened, [Replacement(end, "the sum.\n */")], language_id).ok
    closed = text + "/** Returns */\n"
    behind = Span(len(closed), len(closed))
    assert not validate(closed, [Replacement(behind, "the sum (")], language_id).ok


def test_a_pattern_that_looks_like_a_comment_is_code():
    text = 'const all = glob("src/**");\nconst size = 1;\n'
    at = text.index("1;")
    assert not validate(text, [Replacement(Span(at, at + 1), "the sum of")], "javascript").ok


@pytest.mark.parametrize(
    ("language_id", "reason"),
    [
        ("cobol", "no grammar for 'cobol': syntax not checked"),
        ("", "unknown language: syntax not checked"),
    ],
)
def test_an_unknown_language_is_not_checked(language_id, reason):
    verdict = validate("a", [Replacement(Span(0, 1), "(((")], language_id)
    assert (verdict.ok, verdict.reasons, verdict.checked) == (True, (reason,), False)
    assert new_errors("a", [Replacement(Span(0, 1), "(((")], language_id) == []


def test_several_replacements_are_judged_together():
    text = "function f() {\n  a();\n  b();\n}\n"
    opening, closing = _replace(text, "a();", "if (x) {"), _replace(text, "b();", "}")
    assert validate(text, [closing, opening], "javascript").ok
    assert not validate(text, [opening], "javascript").ok
    assert not validate(text, [closing], "javascript").ok


@pytest.mark.parametrize("language_id", IDS)
def test_no_change_is_never_worse(language_id, sources, awkward):
    rng = random.Random(language_id)
    for _ in range(20):
        text = sources[language_id][: rng.randrange(300)] + awkward(rng)
        start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        assert validate(text, [Replacement(Span(start, end), text[start:end])], language_id).ok


@pytest.mark.parametrize("seed", range(15))
def test_any_edit_gets_a_verdict(seed, awkward):
    rng = random.Random(seed)
    for language_id in IDS:
        text = "".join(awkward(rng) for _ in range(4))
        start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        edit = Replacement(Span(start, end), awkward(rng))
        verdict = validate(text, [edit], language_id)
        assert verdict.ok == (not verdict.reasons)
        for span in new_errors(text, [edit], language_id):
            assert span.end <= len(apply(text, [edit]))


def test_deep_nesting_gets_a_verdict():
    deep = "[" * 100_000 + "]" * 100_000
    assert validate("x = 1;\n", [Replacement(Span(4, 5), deep)], "javascript").ok
    assert not validate("x = 1;\n", [Replacement(Span(4, 5), deep[1:])], "javascript").ok
    assert not validate("x = 1\n", [Replacement(Span(4, 5), deep)], "python").ok


def test_a_file_that_cannot_be_parsed_in_time_is_not_edited(monkeypatch):
    def late(*_):
        raise ParseTimeout("parsing took more than 5 s")

    monkeypatch.setattr(grammars.validation.SyntaxTree, "parse", late)
    verdict = validate("unseen = 1\n", [Replacement(Span(0, 1), "U")], "python")
    assert (verdict.ok, verdict.reasons) == (False, ("parsing took more than 5 s",))
    assert not verdict.checked
    assert new_errors("unseen = 1\n", [Replacement(Span(0, 1), "U")], "python") == []


def test_overlapping_replacements_are_a_callers_mistake():
    with pytest.raises(ValueError, match="overlaps"):
        validate("abc", [Replacement(Span(0, 2), ""), Replacement(Span(1, 3), "")], "python")


REPEATED = {
    "python": (
        "class Cart:\n    def total(self):\n        return 1\n",
        "    def total(self):\n        return 1\n",
        "    class Cart:\n        def total(self):\n            return 2\n",
    ),
    "typescript": (
        "function total(): number {\n  return 1;\n}\n",
        "  return 1;\n",
        "  function total(): number {\n    return 2;\n  }\n",
    ),
    "rust": (
        "fn total() -> i32 {\n    1\n}\n",
        "    1\n",
        "    fn total() -> i32 {\n        2\n    }\n    total()\n",
    ),
    "java": (
        "class Cart {\n  int total() {\n    return 1;\n  }\n}\n",
        "  int total() {\n    return 1;\n  }\n",
        "  class Cart {\n    int total() {\n      return 2;\n    }\n  }\n",
    ),
}


@pytest.mark.parametrize("language", REPEATED)
def test_a_definition_written_into_itself_is_refused(language):
    text, old, new = REPEATED[language]
    name = "Cart" if "Cart" in text else "total"
    verdict = validate(text, [_replace(text, old, new)], language)
    assert verdict.reasons == (f"`{name}` is defined again inside itself",)
    # What stood so before is not the edit's doing.
    nested = text.replace(old, new)
    assert validate(nested, [_replace(nested, "2", "3")], language).ok


def test_a_statement_answered_with_its_whole_function_is_refused():
    text = "def mean(v):\n    print(v)\n    return sum(v)\n"
    whole = "import logging\n\n\ndef mean(v):\n    logging.info(v)\n    return sum(v)"
    assert validate(text, [_replace(text, "print(v)", whole)], "python").reasons == (
        "`mean` is defined again",
    )
    overloads = "@o\ndef mean(v: int): ...\n@o\ndef mean(v: str): ...\n" + text
    assert validate(text, [_replace(text, text, overloads)], "python").ok
    beside = "class A:\n    def f(self):\n        X\n\n    def g(self):\n        pass\n"
    assert validate(
        beside, [_replace(beside, "X", "pass\n\n    def h(self):\n        pass")], "python"
    ).ok


@pytest.mark.parametrize(
    ("language", "text", "new"),
    [
        ("java", "class Cart {\n  X\n}\n", "Cart() {}"),
        ("cpp", "class Cart {\n  int x;\n};\n", "Cart() {}"),
        ("python", "def f():\n    X\n", "def g():\n        pass\n    f = g"),
        ("python", "class A:\n    X\n\n\nclass B:\n    x = 1\n", "class B:\n        pass"),
    ],
)
def test_constructors_and_other_names_are_not_repeats(language, text, new):
    old = "X" if "X" in text else "int x;"
    assert validate(text, [_replace(text, old, new)], language).ok


@pytest.mark.parametrize(
    ("language", "text", "new", "ok"),
    [
        ("python", "X\n\n\ndef f(a):\n    return 1\n", "def f(a):\n    return 2", False),
        ("python", "X\n\n\ndef f(a):\n    return 1\n", "def f(a, b):\n    return 2", True),
        ("python", "if x:\n    X\nelse:\n    def f(): g()\n", "def f(): h()", True),
        ("typescript", "X\nexport function f() {\n}\n", "export function f() { g(); }", False),
        (
            "python",
            "@g.x(int)\nX\n\n\n@g.x(str)\ndef _(a):\n    pass\n",
            "def _(a):\n    h()",
            True,
        ),
        ("java", "class A { X\n void f(int a) {} }", "void f(long a) {}", True),
        ("rust", "X\n\nimpl A { fn f() {} }\n", "impl A { fn g() {} }", True),
        ("c", "X\nstruct a *f(void);\n", "struct a *g(void);", True),
        ("go", "package a\n\nX\n\nfunc g()\n", "func f()", True),
        ("java", "class A { X\n void f(int a) {} }", "void f(int  a) { g(); }", False),
    ],
)
def test_a_neighbour_is_not_defined_once_more(language, text, new, ok):
    verdict = validate(text, [_replace(text, "X", new)], language)
    assert verdict.ok is ok
    if not ok:
        assert verdict.reasons == ("`f` is defined again",)
        repeated = text.replace("X", new)  # as it was: not the edit's doing
        assert validate(repeated, [_replace(repeated, "g()" if "g" in new else "2", "3")], language)


def test_a_fault_that_another_one_hid_is_no_new_one():
    text = (
        "class S:\n    def a(self):\n        return (\n\n    def b(self):\n        return len(v\n"
    )
    assert validate(text, [_replace(text, "return (", "return 1")], "python").ok
    assert not validate(text, [_replace(text, "return (", "return [")], "python").ok
    assert not validate(text, [_replace(text, "return (", "return 1 2")], "python").ok
