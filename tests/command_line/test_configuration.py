"""`diffill config`, and what the settings change for the other commands."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    return folder / "config.toml"


def asked(done):
    """The request the engine got."""
    (line,) = [line for line in done.err.splitlines() if line.startswith("ASKED ")]
    return json.loads(line.removeprefix("ASKED "))


def test_the_table_tells_where_each_setting_comes_from(diffill, user, monkeypatch):
    user.write_text("effort = 'quick'\ndisabled_languages = ['rust', 'go']")
    Path("pyproject.toml").write_text("[tool.diffill]\nmax_file_kb = 7")
    monkeypatch.setenv("DIFFILL_CODE_LENS", "off")
    done = diffill("config")
    assert done.code == 0
    rows = [line.split(maxsplit=1) for line in done.out.splitlines()]
    table = {name: " ".join(rest.split()) for name, rest in rows}
    assert table["SETTING"] == "VALUE FROM"
    assert table["model"] == "- default"
    assert table["effort"] == f"quick {user}"
    assert table["disabled_languages"] == f"go, rust {user}"
    assert table["max_file_kb"] == f"7 {Path('pyproject.toml').absolute()}"
    assert table["code_lens"] == "false DIFFILL_CODE_LENS"
    assert done.err == f"diffill: the user's file: {user}\n"


def test_the_same_as_json(diffill, user, monkeypatch):
    monkeypatch.setenv("DIFFILL_EFFORT", "thorough")
    Path("diffill.toml").write_text("debounce_ms = 'soon'")
    done = diffill("config", "--json")
    assert done.json["settings"]["effort"] == {
        "value": "thorough",
        "origin": "environment",
        "from": "DIFFILL_EFFORT",
    }
    assert done.json["settings"]["debounce_ms"]["origin"] == "default"
    assert done.json["user_file"] == str(user)
    (problem,) = done.json["problems"]
    assert "`debounce_ms` is 'soon'" in problem
    assert (done.code, done.err) == (1, "")


def test_outside_of_any_project_the_defaults_count(diffill, user):
    done = diffill("config")
    assert {line.split()[-1] for line in done.out.splitlines()[1:]} == {"default"}
    assert f"{user} (not there)" in done.err


@pytest.mark.parametrize("command", ["fill", "rewrite"])
def test_an_edit_heeds_effort_and_deadline_and_its_options_go_before(diffill, sample, command):
    sample("x = 1\n")
    Path("diffill.toml").write_text("effort = 'quick'\ndeadline_seconds = 7")
    told = ("--instruction", "go") if command == "rewrite" else ()
    request = asked(diffill(command, "a.py", "--lines", "1", *told, engine="tells"))
    assert (request["effort"], request["deadline_s"]) == ("quick", 7)
    options = ("--effort", "thorough", "--timeout", "9")
    request = asked(diffill(command, "a.py", "--lines", "1", *told, *options, engine="tells"))
    assert (request["effort"], request["deadline_s"]) == ("thorough", 9)


def test_without_settings_the_effort_is_balanced(diffill, sample):
    sample("x = 1\n")
    request = asked(diffill("fill", "a.py", "--lines", "1", engine="tells"))
    assert (request["effort"], request["deadline_s"]) == ("balanced", None)


def test_the_model_is_that_of_the_settings_unless_an_option_names_one(diffill, user):
    user.write_text("model = '/nowhere/user.gguf'")
    assert "/nowhere/user.gguf is neither" in diffill("doctor", "--quick").out
    done = diffill("doctor", "--quick", "--model", "/nowhere/option.gguf")
    assert "/nowhere/option.gguf is neither" in done.out


def test_larger_files_are_left_alone(diffill, sample):
    Path("diffill.toml").write_text("max_file_kb = 1")
    sample("def f(): ...\n" + "#" * 1024, "large.py")
    sample("def f(): ...\n", "small.py")
    done = diffill("fill", "large.py", "--holes")
    assert done.code == 2
    assert done.err == "diffill: large.py: larger than 1 KB (setting `max_file_kb`)\n"
    assert "small.py" in (done := diffill("holes", ".")).out
    assert "large.py" not in done.out


def test_a_setting_that_is_not_used_is_told_and_the_work_goes_on(diffill, sample):
    sample("x = 1\n")
    Path("diffill.toml").write_text("effort = 'much'\nmodel = './x.gguf'")
    done = diffill("fill", "a.py", "--lines", "1", engine="tells")
    assert done.code == 0
    assert asked(done)["effort"] == "balanced"
    assert f"{Path('diffill.toml').absolute()}: `effort` is 'much'" in done.err
    assert "a project may name no other" in done.err
