"""What a text imports, and which files that may be: `queries/<language>/imports.scm` finds it.

Its captures:
    @import   a whole statement
    @module   the module it names, as it is written
    @name     a name it takes from the module, as the module calls it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grammars.syntax import Node, tree_of

_SCRIPTS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")
_SCRIPT_END = re.compile(r"\.[mc]?jsx?$")
_RUST_CRATE = ("crate", "self", "super")
# Go names a package by its whole address; a project has it in a folder named like the last parts.
_MAX_GO_PARTS = 4


@dataclass(frozen=True, slots=True)
class Import:
    """A module and the names taken from it; none: the module itself, or all of it."""

    module: str
    names: tuple[str, ...] = ()


def find_imports(text: str, language_id: str) -> tuple[Import, ...]:
    """Return what a text imports, in its order; nothing without a grammar."""
    tree = tree_of(text, language_id)
    if tree is None:
        return ()
    found = tree.captures("imports")
    modules, names = found.get("module", []), found.get("name", [])
    imports: dict[Import, None] = {}
    for statement in sorted(found.get("import", ()), key=lambda node: node.span):
        taken = tuple(name.span.of(text) for name in _inside(statement, names))
        for module in _inside(statement, modules):
            for one in _imports(module.span.of(text), taken, language_id):
                imports[one] = None
    return tuple(imports)


def files_of(imported: Import, language_id: str, path: Path, folders: Iterable[Path]) -> list[Path]:
    """Return where the code of an import may be, the likeliest first; they need not exist.

    A folder stands for all of its files. `folders` are those a module's full name may start from,
    the importing file's own (absolute `path`) is looked into first.
    """
    places = {
        "python": _python,
        "go": _go,
        "rust": _rust,
        "java": _java,
        "c": _header,
        "cpp": _header,
    }.get(language_id, _script)
    return list(dict.fromkeys(places(imported, path, [path.parent, *folders])))


def _inside(outer: Node, nodes: Iterable[Node]) -> list[Node]:
    found = (n for n in nodes if outer.span.holds(n.span))
    return sorted(found, key=lambda n: n.span)


def _imports(module: str, names: tuple[str, ...], language_id: str) -> Iterator[Import]:
    if language_id == "rust":
        for path in _use_paths(module):
            head, _, name = path.rpartition("::")
            yield Import(head, (name,)) if head and name != "*" else Import(head or name)
    elif language_id == "java":
        head, _, name = module.rpartition(".")
        yield Import(module, (name,))
        if name[:1].islower():  # static: the name is of a member
            yield Import(head, (head.rpartition(".")[2],))
    else:
        yield Import(module.strip('"`'), names)


def _use_paths(tree: str) -> list[str]:
    """Return the paths of a Rust use tree: `a::{b, c::{d, e}}` is a::b, a::c::d, a::c::e."""
    head, brace, rest = tree.partition("{")
    if not brace:
        return [tree.partition(" as ")[0].strip()]
    parts, depth, part = list[str](), 0, ""
    for char in rest.rpartition("}")[0]:
        depth += (char == "{") - (char == "}")
        if char == "," and not depth:
            parts.append(part)
            part = ""
        else:
            part += char
    return [head.strip() + path for p in (*parts, part) if p.strip() for path in _use_paths(p)]


def _python(imported: Import, path: Path, folders: list[Path]) -> Iterator[Path]:
    bare = imported.module.lstrip(".")
    dots = len(imported.module) - len(bare)
    if dots:
        folders = [path.parent, *path.parents[1:]][dots - 1 : dots]
    parts = bare.split(".") if bare else []
    for folder in folders:
        module = folder.joinpath(*parts)
        # A name may be a module itself: `from package import module`.
        yield from (module / f"{name}.py" for name in imported.names)
        if parts:
            yield module.with_name(f"{module.name}.py")
        yield module / "__init__.py"


def _script(imported: Import, path: Path, folders: list[Path]) -> Iterator[Path]:
    if not imported.module.startswith("."):
        return  # a package, installed somewhere else
    module = path.parent / imported.module
    if module.suffix in _SCRIPTS:
        yield module
    # TypeScript writes `./a.js` for what `a.ts` will be compiled to.
    stem = _SCRIPT_END.sub("", module.name)
    yield from (module.with_name(stem + suffix) for suffix in _SCRIPTS)
    yield from (module / f"index{suffix}" for suffix in _SCRIPTS)


def _go(imported: Import, path: Path, folders: list[Path]) -> Iterator[Path]:
    parts = imported.module.split("/")
    if "." not in parts[0]:
        return  # the standard library
    for count in range(min(len(parts), _MAX_GO_PARTS), 0, -1):
        yield from (folder.joinpath(*parts[-count:]) for folder in folders)


def _rust(imported: Import, path: Path, folders: list[Path]) -> Iterator[Path]:
    parts = imported.module.split("::")
    own = path.parent if path.stem in ("main", "lib", "mod") else path.parent / path.stem
    roots = [own]
    if parts[0] in _RUST_CRATE:
        roots = {
            "crate": [folder for folder in folders if (folder.name == "src")],
            "self": [own],
            "super": [own.parent],
        }[parts.pop(0)]
    for root in roots:
        for module in (root.joinpath(*parts, *imported.names), root.joinpath(*parts)):
            if module != root:
                yield module.with_name(f"{module.name}.rs")
            yield module / "mod.rs"


def _java(imported: Import, path: Path, folders: list[Path]) -> Iterator[Path]:
    parts = imported.module.split(".")
    for folder in folders:
        yield folder.joinpath(*parts[:-1], f"{parts[-1]}.java")


def _header(imported: Import, path: Path, folders: list[Path]) -> Iterator[Path]:
    yield from (folder / imported.module for folder in folders)
    yield from (folder / "include" / imported.module for folder in folders)
