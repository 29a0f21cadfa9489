import random

import pytest

from engine.stopping import HoleShape, whole_lines

BODY = HoleShape("def f():\n    ", "\n\nprint(f())\n")
BETWEEN = HoleShape("a = 1\n", "print(a, b)  # done\n", old="b = 2\n")
CALL = HoleShape("x = total(", ")  # the end of it\ny = 2\n")
DONE = HoleShape("f()", "\n", single_line=True)
LINE = HoleShape("x = ", "\ny = 2\n", single_line=True)
EMPTY = HoleShape("", "")


@pytest.mark.parametrize(
    ("shape", "text", "end"),
    [
        pytest.param(LINE, "1\n2", "1", id="single line"),
        pytest.param(LINE, "\n\n1\n2", "\n\n1", id="single line after blank ones"),
        pytest.param(LINE, "1", None, id="single line unfinished"),
        pytest.param(DONE, "\ng()", "", id="single line that is complete"),
        pytest.param(EMPTY, "1\n2", None, id="several lines are wanted"),
        pytest.param(CALL, "a, b)  # the end of it\n", "a, b", id="suffix within a line"),
        pytest.param(CALL, "a, b)  # the end", None, id="suffix only begun"),
        pytest.param(BETWEEN, "b = 3\nprint(a, b)  # done\n", "b = 3\n", id="suffix as a line"),
        pytest.param(BETWEEN, "c = print(a, b)  # done\n", None, id="suffix not as a line"),
        pytest.param(BETWEEN, "print(a, b)  # done", "", id="suffix at once"),
        pytest.param(EMPTY, "x = 1\n```\nmore", "x = 1\n", id="fence"),
        pytest.param(EMPTY, "x = 1\n  ```", "x = 1\n", id="indented fence"),
        pytest.param(EMPTY, "x = 1 ```", None, id="no fence within a line"),
        pytest.param(BODY, "return 1\nx", "return 1\n", id="dedent"),
        pytest.param(BODY, "return 1\n  x", None, id="no dedent to within the block"),
        pytest.param(BODY, "if x:\n\n        y\n    z\n", None, id="blank lines are no dedent"),
        pytest.param(EMPTY, "a\nb\nb\nb\n", "a\nb\n", id="a line three times"),
        pytest.param(EMPTY, "a\nb\nb\nb", None, id="the third unfinished"),
        pytest.param(EMPTY, "a\n\n\n\n\n", None, id="blank lines may repeat"),
        pytest.param(EMPTY, "a\nb\nc\nb\nc\nb\nc\n", "a\nb\nc\n", id="two lines three times"),
        pytest.param(EMPTY, "a\nb\nc\nb\nc\nb\n", None, id="the second of them missing"),
        pytest.param(EMPTY, 3 * "a\n\nb\nc\n", "a\n\nb\nc\n", id="four lines, one blank"),
        pytest.param(EMPTY, 3 * "a\nb\nc\nd\ne\n", None, id="five lines may repeat"),
        pytest.param(BODY, "a\nx\n```", "a\n", id="the first end counts"),
        pytest.param(EMPTY, "", None, id="nothing yet"),
    ],
)
def test_where_a_fill_ends(shape, text, end):
    assert shape.end(text) == end


@pytest.mark.parametrize(
    ("prefix", "old", "lead"),
    [
        ("f:\n", "    c\n", "    "),
        ("", "\t\tc", "\t\t"),
        ("f:\n", "    c\n  d\n", "    "),
        ("f:\n", "", ""),
        ("f:\n", "\n    c\n", ""),
        ("f:\n  ", "  c\n", ""),
        ("f: ", "    c\n", ""),
    ],
)
def test_the_indentation_it_begins_with(prefix, old, lead):
    assert HoleShape(prefix, "", old).lead == lead


@pytest.mark.parametrize(
    ("prefix", "suffix", "floor"),
    [
        ("def f():\n    ", "\n    return x\n", 4),
        ("def f():\n    ", "\n", 1),
        ("def f():\n", "print()\n", 1),
        ("def f():\n    a\n", "    return x\n", 4),
        ("a = 1\n", "b = 2\n", 0),
        ("a = ", "\nb = 2\n", 0),
        ("\tif x:\n\t\t", "\n\ty()\n", 1),
        ("", "", 0),
    ],
)
def test_the_least_indentation(prefix, suffix, floor):
    assert HoleShape(prefix, suffix).floor == floor


@pytest.mark.parametrize(("old", "floor"), [("", 3), ("\n", 3), ("    pass\n", 4)])
def test_a_function_s_code_is_deeper_than_its_header(old, floor):
    header = "  def f():\n"
    shape = HoleShape(f"class A:\n{header}", "\n  def g():\n", old, begun=header)
    assert shape.floor == floor
    assert shape.end("    x\n\n  def") == "    x\n\n"


@pytest.mark.parametrize("seed", range(10))
def test_an_end_cuts_and_adds_nothing(seed):
    rng = random.Random(seed)
    pieces = [
        "a",
        "b",
        " ",
        "    ",
        "\n",
        "\n\n",
        "```",
        "\t",
        ")",
        "x = 1\n",
        "print(a, b)  # done",
    ]

    def text():
        return "".join(rng.choices(pieces, k=rng.randrange(12)))

    ended = 0
    for _ in range(200):
        made = text()
        shape = HoleShape(text(), text(), text(), rng.random() < 0.2)
        end = shape.end(made)
        assert end is None or made.startswith(end)
        ended += end is not None
    assert ended > 20


@pytest.mark.parametrize(
    ("shape", "text", "fitted"),
    [
        (BETWEEN, "\n\n  b = 3 \n\n", "  b = 3\n"),
        (BETWEEN, "b = 3", "b = 3\n"),
        (BETWEEN, " \n", ""),
        (BODY, "return 1\n\n", "return 1"),
        (CALL, "\n    a,\n", "\n    a,\n"),
        (LINE, "\n1 \n", "1"),
        (HoleShape("x = ", ""), "1 \n", "1"),
        (HoleShape("x = 1\n", ""), "y", "y\n"),
        (HoleShape("x = 1\n", "\nz\n"), "y\n", "y"),
        (HoleShape("def f(): ", "\n"), "    return 1\n", "return 1"),
        (HoleShape("    ", "\n"), "    x", "    x"),
        (HoleShape("a(", ")", single_line=True), "b \n", "b "),
        (HoleShape("x = 1", " ;\n"), " + 1;", " + 1"),
        (HoleShape("x = 1", "\n"), " + 1;", " + 1;"),
    ],
)
def test_a_fill_fits_its_hole(shape, text, fitted):
    assert shape.fit(text) == fitted


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("    # TODO: add\n    x += 1", "    x += 1\n"),
        ("    # TODO: add\n    # well\n    x += 1\n", "    # well\n    x += 1\n"),
        ("    # TODO: add\n    pass\n    x += 1\n", "    x += 1\n"),
        ("    # TODO: add\n", "    # TODO: add\n"),
        ("    x += 1\n    \n    y\n", "    x += 1\n\n    y\n"),
    ],
)
def test_a_task_that_is_done_is_not_repeated(text, fitted):
    shape = HoleShape("def f():\n", "", "    # TODO: add\n    pass\n", begun="def f():\n")
    assert shape.fit(text) == fitted
    within = HoleShape("def f():\n", "\n", "    # TODO: add\n    pass", begun="def f():\n")
    assert within.fit(text) == fitted.removesuffix("\n")
    assert HoleShape("f:\n", "", "    x\n").fit("    x\n    y\n") == "    x\n    y\n"


@pytest.mark.parametrize(
    ("old", "suffix", "gap"),
    [
        ("\n", "def g():\n", "\n"),
        ("    \n", "    x = 1\n", "\n"),
        ("\n", "\ndef g():\n", ""),
        ("\n", "}\n", ""),
        ("\n", "", ""),
        ("    pass\n", "def g():\n", ""),
        ("", "def g():\n", ""),
        ("", "\ndef g():\n", "\n"),
        ("    ", "\n    x = 1\n", "\n"),
        ("    ", "\n\n    x = 1\n", ""),
        ("    ", "\n", ""),
        ("    pass", "\ndef g():\n", ""),
    ],
)
def test_a_function_stays_apart_from_what_follows(old, suffix, gap):
    def fit(**more):
        return HoleShape("def f():\n", suffix, old, **more).fit("    y\n\n")

    assert fit(begun="def f():\n") == fit() + gap


@pytest.mark.parametrize(
    ("shape", "text", "others"),
    [
        (HoleShape("f(", ")\n"), "1)", ["1"]),
        (HoleShape("f(g(", "))\n"), "(1))) # 2", ["(1)"]),
        (HoleShape("f([", "], 1)\n"), "1) + [2", []),
        (
            HoleShape("def f():\n", "", old="    pass\n"),
            "return 1\n",
            ["    return 1\n"],
        ),
        (
            HoleShape("def f():\n    if x:\n", "    return 2\n"),
            "y()\nz()\n",
            [
                "    y()\n    z()\n",
                "        y()\n        z()\n",
                "y()\n",
            ],
        ),
        (HoleShape("f(", "\n"), "1\n2\n3", ["1\n2\n", "1\n"]),
        (HoleShape("f(", "\n"), "1", []),
    ],
)
def test_what_a_refused_fill_may_have_meant(shape, text, others):
    assert list(shape.alternatives(text)) == others


@pytest.mark.parametrize(
    ("text", "kept"),
    [("a = 1\nb", "a = 1\n"), ("a = 1\n", "a = 1\n"), ("a = 1", "a = 1"), ("\n  \nb", "\n  \nb")],
)
def test_the_line_a_fill_was_cut_off_in_is_dropped(text, kept):
    assert whole_lines(text) == kept
