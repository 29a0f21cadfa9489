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
        ('name = "shout"', "nmae = 1", "recipe.toml:4: step 1: unknown key 'nmae'; known: name"),
        ('"louder"', "5", "recipe.toml:6: step 1: instruction is 5, not a text"),
        ('"louder"', '""', "recipe.toml:6: step 1: instruction is empty"),
        ('"louder"', '"a"\nseed = true', "recipe.toml:7: step 1: seed is True, not a number"),
        ('"louder"', '"a"\neffort = "much"', "effort is one of quick, balanced, thorough"),
        ('"louder"', '"a"\nrepair = true', "recipe.toml:6: step 1: a repair takes no instruction"),
        ('"a.py"', '"a.py", 3', "recipe.toml:1: paths is ['a.py', 3], not a list of texts"),
        ("(identifier) @it\n", "(nonsense) @it\n", "recipe.toml:9: step 2: query: python: Invalid"),
        (
            "[[step]]\nquery",
            "[[step]]\nname = ''\n[[step]]\nquery",
            "recipe.toml:9: step 2: name is empty",
        ),
        ("[[step]]\nquery", "[[step\nquery", "not TOML: Expected ']]' at the end of an array"),
        ("[[step]]\nquery", "[[step]]\n[[step]]\nquery", "recipe.toml:8: step 2: no places"),
        ("[[step]]\nquery", "[other]\nquery", "recipe.toml:8: unknown key 'other'; known: paths,"),
        ('"louder"', '" "', "recipe.toml:6: step 1: the instruction is empty"),
    ],
)
def test_a_recipe_that_is_none(diffill, sample, recipe, old, new, message):
    sample(CODE)
    assert old in RECIPE
    done = diffill("run", recipe(RECIPE.replace(old, new)), engine="dies")
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("max-tokens", "0", "max-tokens is 0, not between 1 and 1024"),
        ("candidates", "99", "candidates is 99, not between 1 and 16"),
        ("seed", "-1", "seed is -1, not between 0 and "),
        ("timeout", "-5", "timeout is -5, not between 0.0 and 3600.0"),
        ("timeout", "nan", "timeout is nan, not between 0.0 and 3600.0"),
    ],
)
def test_a_bound_is_told_before_the_first_edit(diffill, sample, recipe, key, value, told):
    path = sample(CODE)
    done = diffill("run", recipe(f"{RECIPE}{key} = {value}\n"), "--write", engine="dies")
    assert (done.code, path.read_text()) == (2, CODE)
    assert done.err.startswith(f"diffill: {path.parent}/recipe.toml:11: step 2: {told}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("check-timeout = -5", "check-timeout is -5, not a number of seconds"),
        ("check-timeout = 0", "check-timeout is 0, not a number of seconds"),
        ("check-timeout = inf", "check-timeout is inf, not a number of seconds"),
        ("check-cmd = '\"'", "check-cmd: no closing quotation"),
        ("lint-cmd = ['ruff check', ' ']", "lint-cmd: the command is empty"),
    ],
)
def test_checks_are_looked_at_before_they_are_needed(diffill, sample, recipe, line, told):
    sample(CODE)
    done = diffill("run", recipe(f"{RECIPE}[checks]\n{line}\n"), engine="dies")
    assert (done.code, done.err.endswith(f"/recipe.toml:12: {told}\n")) == (2, True), done.err


@pytest.mark.parametrize(
    "wrong", ["[step]\nholes = true\n", "step = 3\n", "step = [3]\n", "[step]\n[step]\n"]
)
def test_a_step_has_two_brackets(diffill, sample, recipe, wrong):
    done = diffill("run", recipe(f"paths = ['a.py']\n{wrong}"), engine="dies")
    assert done.code == 2
    assert done.err.endswith(" a step is written as [[step]], with two brackets\n")


def test_a_symbol_that_no_step_finds_is_told(diffill, sample, recipe):
    sample(CODE)
    first, second = ('[[step]]\nsymbols = ["one"]\n', '[[step]]\nsymbols = ["two"]\n')
    done = diffill("check", "a.py", "--recipe", recipe(first + second))
    assert done.err.startswith(
        "diffill: one: no function, method or class has that name\n"
        "diffill: two: no function, method or class has that name yet\n"
    )


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
