"""The languages Diffill can check, by the ids the language server protocol gives them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePath

import tree_sitter


@dataclass(frozen=True, slots=True)
class Language:
    """A language and where its grammar comes from."""

    id: str  # the LSP language id
    suffixes: tuple[str, ...]
    line_comment: str
    wheel: str  # the module that ships the grammar
    entry: str = "language"  # its function that returns it
    queries: str = ""  # the folder of its queries, if not named as the id

    def grammar(self) -> tree_sitter.Language:
        """Return the grammar; its wheel is imported on first use, for most sessions need one."""
        return _grammar(self.wheel, self.entry)

    def query(self, name: str) -> tree_sitter.Query:
        """Return a query of `queries/`, such as "holes"; it is read and compiled on first use."""
        return _query(self.wheel, self.entry, self.queries or self.id, name)


@cache
def _grammar(wheel: str, entry: str) -> tree_sitter.Language:
    capsule: object = getattr(importlib.import_module(wheel), entry)()
    return tree_sitter.Language(capsule)


@cache
def _query(wheel: str, entry: str, folder: str, name: str) -> tree_sitter.Query:
    source = files("grammars").joinpath("queries", folder, f"{name}.scm")
    return tree_sitter.Query(_grammar(wheel, entry), source.read_text("utf-8"))


_JAVASCRIPT = "tree_sitter_javascript"
_TYPESCRIPT = "tree_sitter_typescript"

LANGUAGES = (
    Language("python", (".py", ".pyi"), "#", "tree_sitter_python"),
    Language("javascript", (".js", ".mjs", ".cjs"), "//", _JAVASCRIPT),
    Language("javascriptreact", (".jsx",), "//", _JAVASCRIPT, queries="javascript"),
    Language(
        "typescript",
        (".ts", ".mts", ".cts"),
        "//",
        _TYPESCRIPT,
        "language_typescript",
        queries="javascript",
    ),
    Language("typescriptreact", (".tsx",), "//", _TYPESCRIPT, "language_tsx", queries="javascript"),
    Language("rust", (".rs",), "//", "tree_sitter_rust"),
    Language("go", (".go",), "//", "tree_sitter_go"),
    Language("c", (".c", ".h"), "//", "tree_sitter_c"),
    Language("cpp", (".cc", ".cpp", ".cxx", ".hpp", ".hh"), "//", "tree_sitter_cpp"),
    Language("java", (".java",), "//", "tree_sitter_java"),
)

_BY_ID = {language.id: language for language in LANGUAGES}
_BY_SUFFIX = {suffix: language.id for language in LANGUAGES for suffix in language.suffixes}


def language(language_id: str) -> Language | None:
    """Return the language of an LSP language id, None if there is no grammar for it."""
    return _BY_ID.get(language_id)


def language_of_path(path: str) -> str:
    """Return the LSP language id a file name tells, "" if it tells none."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower(), "")
