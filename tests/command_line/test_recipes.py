"""`diffill run` and `diffill check`: several steps as one edit, and what would be edited."""

import io
import json
import subprocess
from pathlib import Path

import pytest

RECIPE = """\
paths = ["a.py"]

[[step]]
name = "shout"
query = '((identifier) @it (#eq? @it "x"))'
instruction = "louder"

[[step]]
query = '''((identifier) @it
           (#eq? @it "X"))'''
"""
CODE = "n = 1\nx\n"


@pytest.fixture
def recipe(sample):
    def write(text=RECIPE):
        return sample(text, "recipe.toml")

    return write


def test_a_step_sees_what_the_one_before_made(diffill, sample, recipe):
    path = sample(CODE)
    done = diffill("run", recipe())
    assert (done.code, path.read_text()) == (0, CODE)
    assert done.out == "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n n = 1\n-x\n+first()\n"
    told = diffill("run", recipe(), "--json", "--write").json["files"]
    assert path.read_text() == "n = 1\nfirst()\n"
    assert [(s["step"], s["what"], s["text"]) for s in told[0]["spans"]] == [
        (0, "@it", "X"),
        (1, "@it", "first()"),
    ]
    diffill("undo")
    assert path.read_text() == CODE


def test_the_command_line_names_other_files_and_limits(diffill, sample, recipe):
    sample(CODE)
    sample("x\nx\n", "b.py")
    assert diffill("run", recipe(), "b.py", "--max-spans", "1").out.count("+first()") == 1
    stdin = subprocess.run(["cat"], input=b"", capture_output=True, check=True)
    assert stdin.returncode == 0
    Path("names").write_text("a.py\nb.py\n")
    done = diffill("run", recipe(), "--files-from", "names", "--json")
    assert [f["file"] for f in done.json["files"]] == ["a.py", "b.py"]


def test_a_patch_of_several_steps_applies(diffill, sample, recipe):
    path = sample(CODE)
    assert diffill("run", recipe(), "--patch", "out.patch", "--sarif").code == 0
    subprocess.run(["git", "apply", "out.patch"], check=True)
    assert path.read_text() == "n = 1\nfirst()\n"


def test_sarif_joins_the_steps(diffill, sample, recipe):
    sample(CODE)
    [result] = json.loads(diffill("run", recipe(), "--sarif").out)["runs"][0]["results"]
    [change] = result["fixes"][0]["artifactChanges"][0]["replacements"]
    assert change == {
        "deletedRegion": {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 2},
        "insertedContent": {"text": "first()"},
    }


def test_checks_and_settings_of_a_recipe(diffill, sample, recipe):
    path = sample(CODE)
    checks = '\n[checks]\ncheck-cmd = "false {file}"\n'
    assert diffill("run", recipe(RECIPE + checks)).code == 0  # nothing is written: no check
    done = diffill("run", recipe(RECIPE + checks), "--write")
    assert (done.code, path.read_text()) == (1, CODE)
    assert (
        diffill("run", recipe(RECIPE + checks), "--write", "--check-cmd", "true {file}").code == 0
    )
    dials = RECIPE + 'effort = "quick"\nseed = 7\nmax-tokens = 9\ntimeout = 2.5\n'
    path.write_text(CODE)
    asked = diffill("run", recipe(dials), "--seed", "3", engine="tells").err
    first, second = (json.loads(line[6:]) for line in asked.splitlines() if line[:6] == "ASKED ")
    assert (first["seed"], second["seed"]) == (3, 7)
    assert (second["effort"], second["max_tokens"], second["deadline_s"]) == ("quick", 9, 2.5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "shout"', "nmae = 1", "recipe.toml:4: unknown key 'nmae'; known: name, query"),
        ('"louder"', "5", "recipe.toml:6: instruction is 5, not a text"),
        ('"louder"', '""', "recipe.toml:6: instruction is empty"),
        ('"louder"', '"a"\nseed = true', "recipe.toml:7: seed is True, not a number"),
        ('"louder"', '"a"\neffort = "much"', "effort is one of quick, balanced, thorough"),
        ('"louder"', '"a"\nrepair = true', "recipe.toml:6: a repair takes no instruction"),
        ('"a.py"', '"a.py", 3', "recipe.toml:1: paths is ['a.py', 3], not a list of texts"),
        ("(identifier) @it\n", "(nonsense) @it\n", "recipe.toml:9: query: python: Invalid node"),
        ("[[step]]\nquery", "[[step]]\nname = 'a'\n[[step]]\nquery", "recipe.toml:8: no places"),
        ("[[step]]\nquery", "[[step\nquery", "not TOML: Expected ']]' at the end of an array"),
        ("[[step]]", "[other]", "recipe.toml"),
    ],
)
def test_a_recipe_that_is_none(diffill, sample, recipe, old, new, message):
    sample(CODE)
    assert old in RECIPE
    done = diffill("run", recipe(RECIPE.replace(old, new)), engine="dies")
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_recipe_needs_steps_and_a_file(diffill, sample, recipe):
    sample(CODE)
    assert "no [[step]]" in diffill("run", recipe("paths = ['a.py']")).err
    assert "no such file" in diffill("run", "other.toml").err
    assert "which files?" in diffill("run", recipe(RECIPE.replace('paths = ["a.py"]', ""))).err


def test_check_tells_what_would_be_edited(diffill, sample, recipe):
    path = sample(CODE)
    sample("y\n", "b.py")
    done = diffill("check", "--recipe", recipe(), engine="dies")
    assert (done.code, done.out) == (1, "a.py:2:1: shout: @it: x\n")
    assert "1 place in 1 file of 1 would be edited" in done.err
    done = diffill("check", ".", "--query", "(identifier) @it", "--json", engine="dies")
    assert [json.loads(line)["file"] for line in done.out.splitlines()] == ["a.py", "a.py", "b.py"]
    assert diffill("check", "b.py", "--holes").code == 0
    assert diffill("check", "b.py").code == 2
    both = diffill("check", "--recipe", recipe(), "--holes")
    assert (both.code, "--recipe names the places" in both.err) == (2, True)
    assert path.read_text() == CODE


def test_check_tells_what_stands_in_the_way(diffill, sample):
    path = sample(CODE)
    path.chmod(0o444)
    done = diffill("check", path, "--lines", "2")
    assert done.code == 1
    assert "read-only" in done.err
    assert "1 file of them could not be written" in done.err


def test_q_ends_all_steps(diffill, sample, recipe, monkeypatch):
    path = sample("X\nx\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    done = diffill("run", recipe(), "-i", "--write", "--json")
    assert path.read_text() == "X\nx\n"
    assert [s["step"] for s in done.json["files"][0]["spans"]] == [0]
