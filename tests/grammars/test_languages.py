import subprocess
import sys

import pytest

from grammars.languages import LANGUAGES, language, language_of_path

IDS = {
    "python",
    "javascript",
    "javascriptreact",
    "typescript",
    "typescriptreact",
    "rust",
    "go",
    "c",
    "cpp",
    "java",
}
PATHS = {
    "python": "a.py a.pyi",
    "javascript": "a.js a.mjs a.cjs",
    "javascriptreact": "a.jsx",
    "typescript": "a.ts a.mts a.cts a.d.ts",
    "typescriptreact": "a.tsx",
    "rust": "a.rs",
    "go": "a.go",
    "c": "a.c a.h",
    "cpp": "a.cc a.cpp a.cxx a.hpp a.hh",
    "java": "A.java",
}


def test_every_language_has_a_grammar():
    assert {known.id for known in LANGUAGES} == IDS
    for known in LANGUAGES:
        assert language(known.id) is known
        assert known.grammar().node_kind_count > 100
        assert known.grammar() is known.grammar()


def test_the_dialects_differ():
    grammars = {known.id: known.grammar() for known in LANGUAGES}
    assert grammars["javascript"] == grammars["javascriptreact"]
    assert grammars["typescript"] != grammars["typescriptreact"]
    assert grammars["c"] != grammars["cpp"]


@pytest.mark.parametrize("language_id", sorted(IDS))
def test_paths_tell_languages(language_id):
    for name in PATHS[language_id].split():
        assert language_of_path(name) == language_id
        assert language_of_path(f"/some dir.rs/{name}") == language_id


@pytest.mark.parametrize("path", ["", "Makefile", "a.txt", ".py", "dir.py/a", "a.py~"])
def test_other_paths_tell_none(path):
    assert language_of_path(path) == ""


@pytest.mark.parametrize("language_id", ["", "Python", "cobol"])
def test_unknown_languages_have_no_grammar(language_id):
    assert language(language_id) is None


def test_a_grammar_is_imported_on_first_use_only():
    program = (
        "import sys, grammars.validation, grammars.languages as l\n"
        "loaded = lambda: [m for m in sys.modules if m.startswith('tree_sitter_')]\n"
        "assert not loaded(), loaded()\n"
        "l.language('go').grammar()\n"
        "assert {m.partition('.')[0] for m in loaded()} == {'tree_sitter_go'}, loaded()\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
