import dataclasses
import os

import pytest

from engine.protocol import Effort
from lsp_server.setting_sources import sources
from lsp_server.settings import (
    DEBOUNCE_MS,
    SCHEMA,
    Origin,
    Settings,
    Source,
    debounce_of,
    resolve,
)

DEFAULTS = resolve(()).settings


def said(values, origin=Origin.EDITOR):
    return resolve([Source.of(origin, "the editor's settings", values)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project, and a user's folder beside it; no variable is set."""
    for name in SCHEMA:
        monkeypatch.delenv(f"DIFFILL_{name.upper()}", raising=False)
    monkeypatch.setenv("DIFFILL_CONFIG", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    return project


def test_the_schema_has_every_setting_and_a_good_default_for_it():
    assert set(SCHEMA) == {field.name for field in dataclasses.fields(Settings)}
    defaults = {name: about["default"] for name, about in SCHEMA.items()}
    assert said(defaults).problems == ()
    assert said(defaults).settings == DEFAULTS


@pytest.mark.parametrize("values", [None, {}, dict.fromkeys(SCHEMA)])
def test_without_values_all_is_default(values):
    assert said(values).settings == DEFAULTS
    assert said(values).problems == ()


def test_good_values_are_taken():
    values = {
        "model": "tiny",
        "effort": "quick",
        "debounce_ms": 0,
        "deadline_seconds": 2.5,
        "code_lens": False,
        "disabled_languages": ["rust"],
        "max_file_kb": 1,
    }
    expected = {**values, "effort": Effort.QUICK, "disabled_languages": frozenset({"rust"})}
    effective = said(values)
    assert effective.settings == dataclasses.replace(DEFAULTS, **expected)
    assert effective.problems == ()
    assert effective.sources["effort"].origin is Origin.EDITOR
    assert effective.sources["inline_completion"].origin is Origin.DEFAULT


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"effort": "much"}, "`effort` is 'much', not one of quick, balanced, thorough"),
        ({"effort": ["quick"]}, "`effort` is ['quick'], not one of"),
        ({"model": 3}, "`model` is 3, not a name"),
        ({"model": " "}, "`model` is ' ', not a name"),
        ({"debounce_ms": -1}, "`debounce_ms` is -1, not a whole number from 0 to 5000"),
        ({"debounce_ms": True}, "`debounce_ms` is True"),
        ({"debounce_ms": 1.5}, "`debounce_ms` is 1.5"),
        ({"deadline_seconds": float("nan")}, "`deadline_seconds` is nan, not a number from 1"),
        ({"code_lens": 1}, "`code_lens` is 1, not true or false"),
        ({"disabled_languages": "rust"}, "`disabled_languages` is 'rust', not a list of names"),
        ({"disabled_languages": [1]}, "`disabled_languages` is [1]"),
        ({"colour": "red"}, "no setting `colour`"),
        (["quick"], "not a table"),
    ],
)
def test_a_bad_value_gives_a_sentence_and_the_default(values, problem):
    effective = said(values)
    assert effective.settings == DEFAULTS
    (sentence,) = effective.problems
    assert sentence.startswith("the editor's settings: ")
    assert problem in sentence


def test_each_source_goes_before_the_ones_before_it(folder, monkeypatch):
    names = list(SCHEMA)
    given = {
        "model": "user",
        "effort": "quick",
        "max_file_kb": 1,
        "debounce_ms": 1,
    }

    def toml(values):
        return "".join(f"{name} = {value!r}\n" for name, value in values.items())

    (folder.parent / "user" / "config.toml").write_text(toml(given))
    (folder / "pyproject.toml").write_text(
        "[project]\nname = 'x'\n[tool.diffill]\neffort = 'thorough'\nmax_file_kb = 2\n"
        "debounce_ms = 2"
    )
    (folder / "diffill.toml").write_text("max_file_kb = 3\ndebounce_ms = 3")
    monkeypatch.setenv("DIFFILL_DEBOUNCE_MS", "4")
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    effective = resolve(sources(below))
    settings = effective.settings
    assert (settings.model, settings.effort) == ("user", Effort.THOROUGH)
    assert (settings.max_file_kb, settings.debounce_ms) == (3, 4)
    where = {name: os.path.basename(effective.sources[name].name) for name in names[:2]}  # noqa: PTH119
    assert where == {"model": "config.toml", "effort": "pyproject.toml"}
    assert effective.sources["debounce_ms"].origin is Origin.ENVIRONMENT
    assert effective.problems == ()


def test_the_nearest_project_file_counts_and_none_outside_the_repository(folder):
    (folder.parent / "diffill.toml").write_text("effort = 'quick'")
    (folder / "a").mkdir()
    assert resolve(sources(folder / "a")).settings == DEFAULTS
    (folder / "diffill.toml").write_text("max_file_kb = 7")
    assert resolve(sources(folder / "a")).settings.max_file_kb == 7
    (folder / "a" / "diffill.toml").write_text("debounce_ms = 7")
    nearest = resolve(sources(folder / "a")).settings
    assert (nearest.debounce_ms, nearest.max_file_kb) == (7, DEFAULTS.max_file_kb)
    assert resolve(sources(None)).settings == DEFAULTS


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("code_lens", "off", False),
        ("code_lens", "TRUE", True),
        ("debounce_ms", "30", 30),
        ("deadline_seconds", "2.5", 2.5),
        ("disabled_languages", "rust, go", frozenset({"rust", "go"})),
        ("model", "7", "7"),
        ("effort", "", Effort.BALANCED),
    ],
)
def test_variables_are_read_as_the_schema_wants_them(folder, monkeypatch, name, text, value):
    monkeypatch.setenv(f"DIFFILL_{name.upper()}", text)
    effective = resolve(sources(folder))
    assert effective.problems == ()
    assert getattr(effective.settings, name) == value


@pytest.mark.parametrize(
    ("name", "text"), [("code_lens", "maybe"), ("debounce_ms", "soon"), ("max_file_kb", "1e9")]
)
def test_a_variable_that_makes_no_sense_is_told(folder, monkeypatch, name, text):
    monkeypatch.setenv(f"DIFFILL_{name.upper()}", text)
    effective = resolve(sources(folder))
    assert effective.settings == DEFAULTS
    (sentence,) = effective.problems
    assert "environment" in sentence
    assert f"`{name}` is {text!r}" in sentence


def test_a_project_cannot_name_a_model_file(folder):
    (folder / "diffill.toml").write_text("model = './model.gguf'\neffort = 'quick'")
    effective = resolve(sources(folder))
    assert (effective.settings.model, effective.settings.effort) == (None, Effort.QUICK)
    assert "a project may name no other" in effective.problems[0]
    (folder / "diffill.toml").write_text("model = 'qwen2.5-coder-0.5b'")
    effective = resolve(sources(folder))
    assert effective.settings.model == "qwen2.5-coder-0.5b"


@pytest.mark.parametrize(("name", "strict"), [("confirm_edits", True), ("metrics", False)])
def test_a_project_can_be_stricter_than_the_user_and_not_laxer(folder, name, strict):
    lines = {value: f"{name} = {str(value).lower()}" for value in (True, False)}
    (folder.parent / "user" / "config.toml").write_text(lines[strict])
    (folder / "diffill.toml").write_text(lines[not strict])
    effective = resolve(sources(folder))
    assert getattr(effective.settings, name) is strict
    assert "a project may only turn it" in effective.problems[0]
    (folder.parent / "user" / "config.toml").write_text("")
    (folder / "diffill.toml").write_text(lines[strict])
    assert getattr(resolve(sources(folder)).settings, name) is strict


def test_a_folder_that_cannot_be_says_what_is_wrong_at_most(folder):
    assert resolve(sources(folder / "nowhere")).problems == ()
    effective = resolve(sources(folder / ("a" * 300)))
    assert effective.settings == DEFAULTS


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"effort = ", "Invalid value"),
        (b"\xff", "utf-8"),
        (b"a = " + b"[" * 100_000, "config.toml"),
        (b"#" * (2 << 20), "too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_not_used(folder, content, problem):
    (folder.parent / "user" / "config.toml").write_bytes(content)
    effective = resolve(sources(folder))
    assert effective.settings == DEFAULTS
    (sentence,) = effective.problems
    assert "config.toml" in sentence
    assert problem in sentence
    assert "\n" not in sentence


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_holds_nobody_up(folder):
    os.mkfifo(folder / "diffill.toml")
    (sentence,) = resolve(sources(folder)).problems
    assert "not a regular file" in sentence


def test_a_pyproject_of_others_says_nothing(folder):
    (folder / "pyproject.toml").write_text("tool = 3")
    assert resolve(sources(folder)).problems == ()
    (folder / "pyproject.toml").write_text("[tool]\ndiffill = 3")
    (sentence,) = resolve(sources(folder)).problems
    assert "not a table" in sentence


@pytest.mark.parametrize(
    ("set_to", "client", "waits_ms"),
    [
        (None, "Neovim", 0),
        (None, "Visual Studio Code - Insiders", 0),
        (None, "helix", DEBOUNCE_MS),
        (None, "", DEBOUNCE_MS),
        (300, "Neovim", 300),
        (0, "helix", 0),
    ],
)
def test_who_waits_for_a_pause_in_the_typing(set_to, client, waits_ms):
    settings = dataclasses.replace(DEFAULTS, debounce_ms=set_to)
    assert debounce_of(settings, client) == waits_ms
