"""Every mode of output with every mode of writing: each combination means what its parts mean."""

import itertools
import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from editor_clients.command_line import reports

BEFORE = {
    "a.py": "one = 1\nx\n",
    "b.py": "two = 2\r\nx",
    "sub/c.py": "\ufeffthree = 3\nx\n",
    "sub/d.py": "four = 4\n",
}
QUERY = '((identifier) @it (#eq? @it "x"))'
FORMS = ((), ("--json",), ("--json=stream",), ("--sarif",))
WRITES = ((), ("--write",), ("--write", "--atomic"), ("--write", "--check-cmd", "true {file}"))
SCHEMA = jsonschema.Draft202012Validator(json.loads(reports.SCHEMA_FILE.read_text()))
PATCH, RECORD = ("--patch", "out.patch"), ("--record", "out.jsonl")
EXTRAS = ((), ("--check",), PATCH, ("--check", *PATCH, *RECORD))


@pytest.fixture
def tree():
    def make(files=BEFORE):
        for name, content in files.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes(content.encode())

    make()
    return make


def current():
    return {name: Path(name).read_bytes().decode() for name in BEFORE}


def after(text):
    return {name: old.replace("\nx", f"\n{text}") for name, old in BEFORE.items()}


def check_schema(form, out):
    """The objects are as the published schema says, and its version is theirs."""
    for line in out.splitlines() if form in (("--json",), ("--json=stream",)) else ():
        SCHEMA.validate(json.loads(line))


def replacements(form, out):
    """What a form says would change, as (file, new text)."""
    check_schema(form, out)
    if form == ("--json",):
        files = json.loads(out)["files"]
    elif form == ("--json=stream",):
        *files, summary = map(json.loads, out.splitlines())
        assert [f["type"] for f in files] == ["file"] * len(files)
        assert summary["type"] == "summary"
    else:
        results = json.loads(out)["runs"][0]["results"]
        changes = [r["fixes"][0]["artifactChanges"][0] for r in results]
        return [
            (c["artifactLocation"]["uri"], c["replacements"][0]["insertedContent"]["text"])
            for c in changes
        ]
    return [(f["file"], span["text"]) for f in files for span in f["spans"]]


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("write", WRITES, ids=" ".join)
@pytest.mark.parametrize("extra", EXTRAS, ids=" ".join)
@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["", "quiet"])
def test_modes_compose(diffill, tree, form, write, extra, quiet):
    done = diffill("fill", ".", "--query", QUERY, *form, *write, *extra, *quiet)
    assert done.code == ("--check" in extra), done.err
    assert current() == (after("first()") if write else BEFORE)
    if quiet:
        assert done.err == ""
    if "--record" in extra:
        asked = [json.loads(line)["request"] for line in Path("out.jsonl").read_text().splitlines()]
        assert [request["path"] for request in asked] == ["a.py", "b.py", "sub/c.py"]
    patches = [Path("out.patch").read_bytes()] if "--patch" in extra else []
    if form:
        changed = [name for name in BEFORE if name != "sub/d.py"]
        assert replacements(form, done.out) == [(name, "first()") for name in changed]
    else:
        patches.append(done.out.encode())
    for patch in patches:
        tree()
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(command, input=patch, check=True)
        assert current() == after("first()")


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("write", WRITES, ids=" ".join)
def test_nothing_to_change_in_every_mode(diffill, tree, form, write):
    for query, engine in (('((identifier) @i (#eq? @i "z"))', "dies"), (QUERY, "keep")):
        options = ("--check", "--patch", "out.patch", *form, *write)
        done = diffill("fill", ".", "--query", query, *options, engine=engine)
        assert (done.code, current()) == (0, BEFORE)
        assert Path("out.patch").read_bytes() == b""
        if form in (("--json",), ("--json=stream",)):
            last = json.loads(done.out.splitlines()[-1])
            assert last.get("summary", last)["changed"] == 0


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("write", WRITES, ids=" ".join)
def test_one_refused_place_in_every_mode(diffill, tree, form, write):
    bad = BEFORE | {"b.py": "INVALID"}
    tree(bad)
    query = '((identifier) @i (#match? @i "^(x|INVALID)$"))'
    done = diffill("fill", ".", "--query", query, *form, *write)
    kept = bad if not write or "--atomic" in write else after("first()") | {"b.py": "INVALID"}
    check_schema(form, done.out)
    assert current() == kept
    assert done.code == (1 if "--atomic" in write else 4)
    assert "b.py:1: refused" in done.err


def test_every_object_has_the_version_of_the_schema():
    kinds = SCHEMA.schema["oneOf"]
    assert {kind["properties"]["schema"]["const"] for kind in kinds} == {reports.JSON_SCHEMA}


def test_options_that_do_not_go_together(diffill, tree):
    for options in itertools.combinations(("--json", "--json=stream", "--sarif"), 2):
        assert diffill("fill", "a.py", "--lines", "1", *options).code == 2
    for option in (("--atomic",), ("--check-cmd", "true")):
        done = diffill("fill", "a.py", "--lines", "1", *option)
        assert (done.code, "needs --write" in done.err) == (2, True)
    done = diffill("fill", "-", "--interactive", "--lines", "1")
    assert (done.code, "would both read standard input" in done.err) == (2, True)
    assert diffill("fill", "a.py", "--lines", "1", "--patch", "no/such/folder").code == 2


def test_context(diffill, sample):
    sample("".join(f"{i}\n" for i in range(9)))
    done = diffill("fill", "a.py", "--lines", "5", "--context", "0")
    assert done.out.splitlines()[2:] == ["@@ -5 +5 @@", "-4", "+first()"]


def test_the_schema_of_sarif(diffill, tree):
    done = diffill("fill", "sub/c.py", "--query", QUERY, "--sarif")
    [run] = done.json["runs"]
    [result] = run["results"]
    assert done.json["version"] == "2.1.0"
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 2}


def answering(monkeypatch, answers):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))


@pytest.mark.parametrize(
    ("answers", "changed"),
    [
        ("y\nn\ny\n", ["a.py", "sub/c.py"]),
        ("n\na\n", ["b.py", "sub/c.py"]),
        ("y\nq\n", ["a.py"]),
        ("?\nr\ny\nq\n", ["a.py"]),
        ("y\n", ["a.py"]),  # the end of input
        ("", []),
    ],
)
@pytest.mark.parametrize("write", [(), ("--write",), ("--write", "--atomic")], ids=" ".join)
def test_interactive(diffill, tree, monkeypatch, answers, changed, write):
    answering(monkeypatch, answers)
    done = diffill("fill", ".", "--query", QUERY, "-i", "--json", *write)
    assert done.code == 0
    assert [f["file"] for f in done.json["files"] if f["changed"]] == changed
    all_of_it = after("other1()" if "r\n" in answers else "first()")
    expected = {n: all_of_it[n] if write and n in changed else BEFORE[n] for n in BEFORE}
    assert current() == expected
    assert "keep this edit? [y,n,a,q,e,r,?]" in done.err
