"""What an edit of a span must be, beyond good syntax, with drafts that a test gives."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from engine.control import Control
from engine.edit import Editor
from engine.errors import DeadlineExceeded
from engine.protocol import EditRequest, Effort, Priority
from engine.tries import Draft
from grammars.span import Span

HOLES = "def a():\r\n    ...\r\n\r\n\r\ndef b():\r\n    ...\r\n\r\n\r\ndef c():\r\n    ...\r\n"
BODIES = tuple(Span(m.start(), m.end()) for m in re.finditer(r"    \.\.\.\r\n", HOLES))


def request(text, spans, **options):
    return EditRequest(text=text, spans=tuple(spans), **{"effort": Effort.QUICK} | options)


def scripted(*texts):
    """Return an editor whose model proposes each text in turn, and what it is shown."""
    seen, texts = [], iter(texts)

    def tries(shape, *_):
        seen.append(shape)
        return iter([Draft(next(texts), 3, -1.0)])

    return Editor(SimpleNamespace(tries=tries)), seen


@pytest.mark.parametrize("text", ["    pass\n", "    # later\n    raise NotImplementedError\n"])
def test_a_placeholder_is_no_fill(text):
    editor, _ = scripted(text, "    y\n")
    best = editor.edit(request(HOLES, BODIES[:2], language="python"), Control()).best
    assert [verdict.ok for verdict in best.verdicts] == [False, True]
    assert "place 1 of 2: the model puts a placeholder here" in best.verdict.reasons


@pytest.mark.parametrize("fill", ["    pass\n", "pass\n"])
def test_a_placeholder_is_none_the_less_out_of_its_function(fill):
    editor, _ = scripted(fill)
    text = HOLES.replace("    ...", '    """Return."""\r\n    ...', 1)
    start = text.index("    ...")
    asked = request(text, [Span(start, start + 9)], language="python")
    assert editor.edit(asked, Control()).best.verdict.reasons == (
        "the model puts a placeholder here",
    )


def test_a_placeholder_is_none_elsewhere_either():
    """Moved out of its function it would pass for code."""
    text = 'def f():\n    """Do it."""\n    pass\n'
    editor, _ = scripted(*["    ...\n"] * 9)
    span = Span(text.index("    pass"), len(text))
    best = editor.edit(request(text, (span,), language="python"), Control()).best
    assert best.verdict.reasons == ("the model puts a placeholder here",)


PROMISE = "def f(x) -> int:\r\n    ...\r\n\r\n\r\ny = 1\r\n"


def test_the_end_of_a_fill_is_reviewed():
    editor, seen = scripted(*["    return x\n"] * 9)
    start = PROMISE.index("    ...")
    spans = (Span(start, start + len("    ...\r\n")),)
    editor.edit(request(PROMISE, spans, language="python"), Control())
    review = seen[0].review
    assert review("    pass\n") == 4, "a placeholder is taken back"
    for unfinished in ("    x += 1\n", "    if x:\n", "    return (x\n", ""):
        assert review(unfinished) == len(unfinished)
    assert review("    return x\n") is None
    editor.edit(request(PROMISE, spans, language="python", single_line=True), Control())
    review = seen[-1].review
    assert review("    pass\n") == 4
    assert [review(text) for text in ("    x += 1\n", "    if x:\n", "")] == [None] * 3


@pytest.mark.parametrize("single_line", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_name_that_nothing_binds_is_taken_back(single_line, end):
    editor, seen = scripted(*["    return x\n"] * 9)
    text = PROMISE.replace("\r\n", end)
    start = text.index("    ...")
    span = Span(start, start + len(f"    ...{end}"))
    editor.edit(request(text, [span], language="python", single_line=single_line), Control())
    review = seen[0].review
    written = "\n    # ü\n    x += y\n    return (x +\n        z + w)"
    expected = None if single_line else written.index("z")
    assert review(written) == expected
    assert review("    y = x\n    return y\n") is None
    typed = request(text, [span], language="python", priority=Priority.TYPING)
    editor.edit(typed, Control())
    assert seen[-1].review(written) is None  # who types will bind it


@pytest.mark.parametrize("single_line", [False, True])
def test_an_empty_value_is_doubted_once(single_line):
    editor, seen = scripted(*["    return x\n"] * 9)
    start = PROMISE.index("    ...")
    spans = (Span(start, start + len("    ...\r\n")),)
    editor.edit(request(PROMISE, spans, language="python", single_line=single_line), Control())
    review = seen[0].review
    asked = ("    return 0\n", "    return 1\n", "    return 0\n", "    return 1\n")
    doubts = [None] * 4 if single_line else [4, 4, None, None]
    assert [review(text) for text in asked] == doubts


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        (PROMISE, "def f(x) -> int:\n"),
        (
            PROMISE.replace("    ...", "    y = g(x)\r\n    ..."),
            "def f(x) -> int:\n    y = g(x)\n",
        ),
        (PROMISE.replace("    ...\r\n", "    ...\r\n    return y\r\n"), ""),
    ],
)
def test_a_hole_that_ends_a_function_is_known_as_such(text, begun):
    editor, seen = scripted(*["    return x\n"] * 9)
    start = text.index("    ...")
    asked = request(text, (Span(start, start + len("    ...\r\n")),), language="python")
    editor.edit(asked, Control())
    assert seen.pop().begun == begun
    for options in (
        {"single_line": True},
        {"instruction": "Return x."},
        {"priority": Priority.TYPING},
    ):
        editor = Editor(SimpleNamespace(tries=editor._filler.tries), editor._filler)
        editor.edit(replace(asked, **options), Control())
        assert seen.pop().begun == ""


SEAM = "def f(x):\n    y = 1\n        return y\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("    if x:\n", True)),
        ({"single_line": True}, ("    if x:\n", True)),
        ({"priority": Priority.TYPING}, ("    y = 2\n", True)),  # who types will go on
    ],
)
def test_a_fill_that_leaves_its_seam_broken_gives_way_to_one_that_mends_it(options, expected):
    drafts = [Draft("    y = 2\n", 3, -1.0), Draft("    if x:\n", 3, -2.0)]
    editor = Editor(SimpleNamespace(tries=lambda *_: iter(drafts)))
    at = SEAM.index("        return")
    asked = request(SEAM, (Span(at, at),), language="python", candidates=1, **options)
    best = editor.edit(asked, Control()).best
    assert (best.replacements[0].text, best.verdict.ok) == expected


@pytest.mark.parametrize("priority", [Priority.EXPLICIT, Priority.TYPING])
@pytest.mark.parametrize("drafts", ["zx", "zwx", "zzx", "zzzzzzz"])
def test_a_fill_that_reads_what_nothing_binds_gives_way_to_one_that_does_not(drafts, priority):
    text = "def f(x):\n    ...\n    return y\n"
    span = Span(text.index("..."), text.index("...") + 3)
    tries = iter([Draft(f"y = {name}", 3, -n) for n, name in enumerate(drafts)])
    editor = Editor(SimpleNamespace(tries=lambda *_: tries))
    asked = request(text, [span], language="python", priority=priority, effort=Effort.BALANCED)
    best = editor.edit(asked, Control()).best
    assert best.verdict.ok
    is_found = drafts[1] == "x" and priority is Priority.EXPLICIT
    assert best.replacements[0].text == ("y = x" if is_found else "y = z")
    tried = {Priority.EXPLICIT: 2, Priority.TYPING: 1}[priority]
    assert len(list(tries)) == len(drafts) - tried


def test_a_fill_that_is_cut_off_gives_way_to_one_that_ends():
    drafts = [Draft(f"x = {n}\n", 9, -n, is_cut_off=n < 3) for n in range(4)]
    asked = request("a\n\nb\n", (Span(2, 2),), language="python", candidates=1)

    def best(drafts):
        rest = iter(drafts)
        best = Editor(SimpleNamespace(tries=lambda *_: rest)).edit(asked, Control()).best
        return best.replacements[0].text, best.verdict.ok, len([*rest])

    assert best(drafts[2:]) == ("x = 3\n", True, 0)
    assert best(drafts) == ("x = 0\n", True, 2), "one more is tried, no more"
    assert best(drafts[:1]) == ("x = 0\n", True, 0), "it is better than nothing"


@pytest.mark.parametrize(("old", "ok"), [("b = 1\n", False), ("\n", True)])
def test_a_rewrite_that_is_cut_off_takes_nothing_away(old, ok):
    draft = Draft("b = 2\n", 3, -1.0, is_cut_off=True)
    model = SimpleNamespace(tries=lambda *_: iter([draft]))
    text = f"a = 1\n{old}"
    asked = request(text, (Span(6, len(text)),), language="python", instruction="Make it 2.")
    verdict = Editor(model, model).edit(asked, Control()).best.verdict
    assert verdict.ok is ok
    if not ok:
        assert verdict.reasons == ("the model's answer is too long and was cut off",)


def test_a_rewrite_does_not_put_code_where_it_is_not_reached():
    new = "    return x\n    print(x)\n"
    model = SimpleNamespace(tries=lambda *_: iter([Draft(new, 3, -1.0)]))
    for old, ok in (("    return x\n", False), ("    return x\n    print()\n", True)):
        text = f"def f(x):\n{old}"
        span = Span(len("def f(x):\n"), len(text))
        asked = request(text, (span,), language="python", instruction="Print x.")
        verdict = Editor(model, model).edit(asked, Control()).best.verdict
        assert verdict.ok is ok
        if not ok:
            assert verdict.reasons == ("it adds code that is never reached",)


@pytest.mark.parametrize(("single_line", "ok"), [(False, False), (True, True)])
def test_a_whole_fill_that_leaves_its_seam_broken_is_refused(single_line, ok):
    draft = Draft("    y = 2\n", 3, -1.0)
    editor = Editor(SimpleNamespace(tries=lambda *_: iter([draft])))
    at = SEAM.index("        return")
    asked = request(SEAM, (Span(at, at),), language="python", single_line=single_line)
    verdict = editor.edit(asked, Control()).best.verdict
    assert verdict.ok is ok
    if not ok:
        assert verdict.reasons == ("it does not go together with the lines around it",)


def test_code_is_not_made_a_comment():
    text = "print(total(xs))\n"
    at = text.index("))\n")
    editor, _ = scripted(") + 1)  # 6", ") + 1)  # 7", ") + 1")
    asked = request(text, (Span(at, at),), language="python", explain=True)
    result = editor.edit(asked, Control())
    assert not result.best.verdict.ok
    assert result.explanation.attempts[0].verdict.reasons == (
        "it makes a comment of the code behind it",
    )


def test_a_function_is_not_left_without_its_result():
    editor, _ = scripted("    x += 1\n")
    start = PROMISE.index("    ...")
    spans = (Span(start, start + len("    ...\r\n")),)
    best = editor.edit(request(PROMISE, spans, language="python"), Control()).best
    assert best.verdict.reasons == ("the function never returns its int",)


def test_an_ellipsis_is_no_value():
    editor, seen = scripted("...")
    text = "def f(x):\n    return \n"
    spans = (Span(len(text) - 1, len(text) - 1),)
    asked = request(text, spans, language="python", single_line=True)
    best = editor.edit(asked, Control()).best
    assert best.verdict.reasons == ("the model puts a placeholder here",)
    assert seen[0].review("...") == 0


def test_code_around_a_placeholder_is_a_fill():
    editor, _ = scripted("    if a:\n        raise NotImplementedError\n    return 1\n")
    assert editor.edit(request(HOLES, BODIES[:1], language="python"), Control()).best.verdict.ok


class Weighing:
    """A model whose drafts come in turn, and weigh what a test says."""

    def __init__(self, weights, is_late=False):
        self._weights, self._is_late, self.asked = weights, is_late, []

    def tries(self, *_):
        return (Draft(text, 3, -1.0 - n) for n, text in enumerate(self._weights))

    def weights(self, shape, texts, effort, control):
        self.asked.append(texts)
        if self._is_late:
            raise DeadlineExceeded("no result in time")
        return [self._weights[text] for text in texts]


def offered(model, text="a\r\n\r\nb\r\n", span=None, candidates=3):
    asked = request(text, [span or Span(3, 3)], language="python", candidates=candidates)
    result = Editor(model, model).edit(asked, Control())
    found = [(c.replacements[0].text, c.verdict.ok) for c in result.candidates]
    return found, result.is_cut


def test_of_several_fills_the_one_that_weighs_most_comes_first():
    model = Weighing({"x = 1\n": -3.0, "x = (\n": -1.0, "x = 2\n": -2.0})
    best = [("x = 2\r\n", True), ("x = 1\r\n", True), ("x = (\r\n", False)]
    assert offered(model) == (best, False)
    assert model.asked == [["x = 1\n", "x = 2\n"]], "what is refused is not weighed"


def test_a_single_fill_is_not_weighed():
    model = Weighing({"x = 1\n": -3.0, "x = 2\n": -2.0})
    assert offered(model, candidates=1) == ([("x = 1\r\n", True)], False)
    assert model.asked == []


def test_whole_functions_are_not_weighed():
    model = Weighing({"    return x\n": -3.0, "    return -x\n": -2.0})
    text = "def f(x):\r\n    ...\r\n"
    found, _ = offered(model, text, Span(text.index("    ..."), len(text)))
    assert found == [("    return x\r\n", True), ("    return -x\r\n", True)]
    assert model.asked == []


def test_a_rewrite_is_not_weighed():
    model = Weighing({"y = 1\n": -3.0, "y = 2\n": -2.0})
    asked = request("x = 1\n", (Span(0, 6),), instruction="Call it y.", candidates=2)
    result = Editor(model, model).edit(asked, Control())
    assert [c.replacements[0].text for c in result.candidates] == ["y = 1\n", "y = 2\n"]
    assert model.asked == []


def test_what_there_is_no_time_to_weigh_comes_as_it_is():
    model = Weighing({"x = 1\n": -3.0, "x = 2\n": -2.0}, is_late=True)
    assert offered(model) == ([("x = 1\r\n", True), ("x = 2\r\n", True)], True)


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("def f(x):\n    y = x\n    return {}\n", "    return {}\n"),
        ("class A:\n    def f(self):\n        self.x = {}\n", "        self.x = {}\n"),
    ],
)
def test_what_is_there_already_is_not_offered_elsewhere(text, old):
    editor, _ = scripted(*[old] * 9)
    at = text.index(old)
    asked = request(text, [Span(at, at + len(old))], language="python")
    verdict = editor.edit(asked, Control()).best.verdict
    assert verdict.reasons == ("the model would leave it as it is",)


CLASS = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n"


@pytest.mark.parametrize(
    ("instruction", "new", "reasons"),
    [
        ("Add a method h.", CLASS.replace("g(", "h("), ("it drops `g`, and was to add something",)),
        ("Add a method h.", CLASS + "\n    def h(self):\n        return 3\n", ()),
        ("Add h in place of g.", CLASS.replace("g(", "h("), ()),
        ("Keep what is needed.", CLASS.replace("g(", "h("), ()),
    ],
)
def test_what_was_to_add_something_drops_nothing(instruction, new, reasons):
    model = SimpleNamespace(tries=lambda *_: iter([Draft(new, 3, -1.0)]))
    asked = request(CLASS, (Span(0, len(CLASS)),), language="python", instruction=instruction)
    verdict = Editor(model, model).edit(asked, Control()).best.verdict
    assert (verdict.ok, verdict.reasons) == (not reasons, reasons)


def test_a_rewrite_adds_no_second_docstring():
    def verdict(old, new):
        model = SimpleNamespace(tries=lambda *_: iter([Draft(new, 3, -1.0)]))
        asked = request(old, (Span(0, len(old)),), language="python", instruction="Document it.")
        return Editor(model, model).edit(asked, Control()).best.verdict

    once = 'def f():\n    """One."""\n    return 1\n'
    twice = once.replace("    return", '    """Two."""\n    return')
    assert verdict(once, twice).reasons == ("it adds a docstring where one is",)
    assert verdict(once, once.replace("One", "Two")).ok
    assert verdict(twice, twice.replace("One", "Two")).ok, "there were two"


@pytest.mark.parametrize(
    ("options", "ok"),
    [({}, False), ({"priority": Priority.TYPING}, True), ({"single_line": False}, False)],
)
def test_a_line_does_not_leave_above_what_it_is_for(options, ok):
    text = "def f(x):\n    y = 0\n    for z in x:\n        y += z\n    return y\n"
    editor, _ = scripted(*["    return sum(x)"] * 9)
    at = text.index("    y = 0")
    asked = request(text, [Span(at, at + 9)], language="python", **{"single_line": True} | options)
    verdict = editor.edit(asked, Control()).best.verdict
    assert verdict.ok is ok
    if not ok:
        assert verdict.reasons == ("it adds code that is never reached",)
