import io
import json
import sys
from pathlib import Path

import pytest

CODE = """\
import os


class Shape:
    def area(self):
        # INVALID
        print("area")
        return 0


def area():
    print("other")
    pass


print("end")
"""
PRINTS = '(call function: (identifier) @_f (#eq? @_f "print")) @it'


@pytest.fixture
def places(diffill, sample):
    """Which texts a rewrite would be asked about."""

    def of(*options, name="a.py", content=CODE):
        path = sample(content, name)
        done = diffill("rewrite", path, "--instruction", "louder", "--json", *options)
        assert done.code in (0, 4), done.err
        return [
            content[span["start"] : span["end"]]
            for file in done.json["files"]
            for span in file["spans"]
        ]

    return of


def test_a_query_captures_places(places):
    assert places("--query", PRINTS) == ['print("area")', 'print("other")', 'print("end")']
    assert places("--query", PRINTS, "--max-spans", "2") == ['print("area")', 'print("other")']
    assert places("--query", '((identifier) @it (#eq? @it "nowhere"))') == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("(nonsense) @it", "Invalid node type"),
        ("(call", "Unexpected EOF"),
        ("(call)", "captures nothing"),
        ("(call) @_only", "captures nothing"),
    ],
)
def test_queries_that_are_none(diffill, sample, query, message):
    sample(CODE)
    done = diffill("fill", "a.py", "--query", query, engine=None)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_symbols(places):
    method = CODE[CODE.index("    def area") : CODE.index("\n\n\ndef area")]
    function = CODE[CODE.index("def area():") : CODE.index("\n\n\nprint")]
    assert places("--symbol", "Shape.area") == [method]
    assert places("--symbol", "area") == [method, function]
    assert places("--symbol", "Shape") == [CODE[CODE.index("class") : CODE.index("\n\n\ndef area")]]


def test_a_symbol_that_nothing_is_called_is_told(diffill, sample, monkeypatch):
    path = sample(CODE)
    symbols = [f"--symbol={name}" for name in ("Shape", "Shape.area", "are", "Area")]
    told = "".join(
        f"diffill: {name}: no function, method or class has that name\n" for name in ("are", "Area")
    )
    for few_files in (256, 0):
        monkeypatch.setattr("editor_clients.command_line.scanning.FEW_FILES", few_files)
        for command, code in (("fill", 4), ("check", 1), ("explain", 4)):
            done = diffill(command, path, *symbols)
            assert (done.code, done.err.startswith(told)) == (code, True), done.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CODE.encode())))
    done = diffill("fill", "-", *symbols, "--stdin-filename", "a.py")
    assert (done.code, done.err.startswith(told)) == (4, True)
    assert "has that name" not in diffill("fill", path, *symbols[:2]).err


@pytest.mark.parametrize("command", ["fill", "check"])
def test_where_a_misspelt_symbol_is_all_there_is_that_is_an_error(diffill, sample, command):
    done = diffill(command, sample(CODE), "--symbol", "are", engine=None)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("diffill: are: no function, method or class has that name\n")


def test_a_fill_of_a_function_fills_its_body(diffill, sample):
    path = sample(CODE)
    done = diffill("fill", path, "--symbol", "Shape.area", "--write")
    assert done.code == 4  # the comment in it asks the scripted engine to refuse
    assert diffill("fill", path, "--symbol", "area", "--write").code == 4
    assert "def area():\nfirst()\nsecond()\n\n\nprint" in path.read_text()


def test_a_class_in_a_function_is_filled_itself(diffill, sample):
    text = "def make():\n    class Inner:\n        size = 1\n\n    return Inner\n"
    done = diffill("fill", sample(text), "--symbol", "Inner", "--json")
    [span] = done.json["files"][0]["spans"]
    assert text[span["start"] : span["end"]] == "    class Inner:\n        size = 1"


def test_ways_to_name_places_add_up(places):
    found = places("--lines", "1", "--query", PRINTS, "--symbol", "Shape.area")
    assert [text.split("\n")[0].strip() for text in found] == [
        "import os",
        "def area(self):",  # holds a print, which is not edited twice
        'print("other")',
        'print("end")',
    ]


def test_several_ranges_and_lines(places):
    assert places("--lines", "1", "--lines", "12-13", "--range", "16:1-16:6") == [
        "import os",
        '    print("other")\n    pass',
        "print",
    ]


RUFF = [
    {
        "code": "F401",
        "message": "`os` imported but unused",
        "filename": "a.py",
        "location": {"row": 1, "column": 8},
        "end_location": {"row": 2, "column": 1},
    }
]
PYRIGHT = {
    "generalDiagnostics": [
        {
            "file": "a.py",
            "message": "bad",
            "rule": "reportX",
            "range": {"start": {"line": 11, "character": 4}, "end": {"line": 12, "character": 3}},
        }
    ]
}
SARIF = {
    "runs": [
        {
            "results": [
                {
                    "message": {"text": "bad"},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "a.py"},
                                "region": {"startLine": 16},
                            }
                        }
                    ],
                },
                {"message": {"text": "about no place"}},
            ]
        }
    ]
}


@pytest.mark.parametrize(
    ("content", "expected", "message"),
    [
        (json.dumps(RUFF), "import os", "F401: `os` imported but unused"),
        (json.dumps(PYRIGHT), '    print("other")\n    pass', "bad (reportX)"),
        (json.dumps(SARIF), 'print("end")', "bad"),
        (
            "a.py:16: note: ignored\na.py:12: error: Bad type  [arg-type]\nFound 1 error\n",
            '    print("other")',
            "Bad type  [arg-type]",
        ),
        ("a.py:12:5:12:9: error: Bad\nb.py:1: error: gone\n", '    print("other")', "Bad"),
    ],
)
def test_findings_of_other_tools(diffill, sample, content, expected, message):
    sample(CODE)
    Path("report").write_text(content)
    for files in ((), ("a.py",), (".",)):
        done = diffill("rewrite", *files, "--diagnostics", "report", "--json")
        assert done.code == 0, done.err
        [span] = done.json["files"][0]["spans"]
        assert CODE[span["start"] : span["end"]] == expected
        assert (span["text"], span["what"]) == (expected.upper(), message)


@pytest.mark.parametrize("content", ["[1]", "{}", "nonsense\n", "[" * 100_000, '{"runs": 1}'])
def test_findings_that_are_none(diffill, sample, content):
    sample(CODE)
    Path("report").write_text(content)
    done = diffill("fill", "a.py", "--diagnostics", "report", engine=None)
    assert (done.code, done.out) == (2, "")
    assert "not the output of" in done.err


@pytest.mark.parametrize("content", ["", "[]", "Success: no issues found in 1 source file\n"])
def test_no_findings_is_nothing_to_do(diffill, sample, content):
    sample(CODE)
    Path("report").write_text(content)
    done = diffill("fill", "a.py", "--diagnostics", "report", engine=None)
    assert (done.code, done.out) == (0, "")
    assert "nothing to edit" in done.err


def test_holes_are_listed_and_filled(diffill, sample):
    path = sample("def f():\n    raise NotImplementedError\n\n\ndef g():\n    ...\n")
    done = diffill("holes", path.name)
    assert done.out == "a.py:2:1: raise NotImplementedError\na.py:6:1: ...\n"
    rows = [json.loads(line) for line in diffill("holes", "--json").out.splitlines()]
    assert [(r["file"], r["line"], r["what"]) for r in rows] == [
        ("a.py", 2, "raise NotImplementedError"),
        ("a.py", 6, "..."),
    ]
    assert diffill("fill", path, "--holes", "--write").code == 0
    assert path.read_text() == "def f():\nfirst()\nsecond()\n\n\ndef g():\nfirst()\nsecond()\n"


def test_edits_of_one_file_do_not_shift_each_other(diffill, sample):
    lines = [f"a{i}" for i in range(20)]
    path = sample("\n".join(lines) + "\n")
    picked = [i for i in range(20) if i % 3 == 0]
    options = [o for i in picked for o in ("--lines", f"{i + 1}-{i + 1}")]
    assert diffill("fill", path, *options, "--no-single-line", "--write").code == 0
    expected = [line if i not in picked else "first()\nsecond()" for i, line in enumerate(lines)]
    assert path.read_text() == "\n".join(expected) + "\n"


def test_a_refused_place_leaves_the_others(diffill, sample):
    path = sample("one\nINVALID\nthree\n")
    options = ("--lines", "1", "--lines", "2", "--lines", "3")
    done = diffill("fill", path, *options, "--write")
    assert (done.code, path.read_text()) == (4, "first()\nINVALID\nfirst()\n")
    assert "a.py:2: refused: line 1: a new syntax error" in done.err
    assert "3 places in 1 file: 2 edited, 1 refused" in done.err


def test_incomplete_calls(diffill, sample):
    sample(CODE)
    assert "which places?" in diffill("fill", "a.py").err
    assert "which files?" in diffill("fill", "--holes").err
    assert "rewrite to what?" in diffill("rewrite", "a.py", "--holes").err
    assert diffill("fill", "a.py", "--holes", "--max-spans", "0").code == 2
