from pathlib import Path

import pytest

from grammars.imports import Import, files_of, find_imports


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("python", "import os\nimport a.b as c, d\n", [("os",), ("a.b",), ("d",)]),
        ("python", "from a.b import c as x, d\n", [("a.b", "c", "d")]),
        ("python", "from . import c\nfrom ..a import *\n", [(".", "c"), ("..a",)]),
        ("python", "def f():\n    from a import b\n", [("a", "b")]),
        ("python", "import a\nimport (\nimport a\n", [("a",)]),
        ("javascript", "import d, { a as b } from './c.js'\n", [("./c.js", "a")]),
        ("javascript", "const { a } = require('./c')\n", [("./c",)]),
        (
            "typescript",
            "import type { A } from '../a'\nexport * from './b'\n",
            [("../a", "A"), ("./b",)],
        ),
        ("typescriptreact", "import * as a from './a'\n", [("./a",)]),
        ("go", 'package p\n\nimport (\n\t"fmt"\n\tx "a.org/b/c"\n)\n', [("fmt",), ("a.org/b/c",)]),
        ("rust", "mod a;\nmod b { }\nuse a::B;\n", [("a",), ("a", "B")]),
        (
            "rust",
            "use crate::a::{b, c::{D as E, *}};\n",
            [("crate::a", "b"), ("crate::a::c", "D"), ("crate::a::c",)],
        ),
        ("c", '#include <stdio.h>\n#include "a/b.h"\n', [("a/b.h",)]),
        ("cpp", '#include "a.hpp"\n', [("a.hpp",)]),
        ("java", "import a.b.C;\n", [("a.b.C", "C")]),
        ("java", "import static a.b.C.d;\n", [("a.b.C.d", "d"), ("a.b.C", "C")]),
        ("cobol", "import a\n", []),
        ("python", "", []),
    ],
)
def test_what_is_imported(language, text, found):
    expected = tuple(Import(module, tuple(names)) for module, *names in found)
    assert find_imports(text, language) == expected


ROOT = Path("/project")
PYTHON = ROOT / "shop/views/cart.py"


@pytest.mark.parametrize(
    ("language", "path", "imported", "expected"),
    [
        ("python", PYTHON, Import("shop.items", ("Item",)), "shop/items.py"),
        ("python", PYTHON, Import("shop", ("items",)), "shop/items.py"),
        ("python", PYTHON, Import("shop.items"), "shop/items/__init__.py"),
        ("python", PYTHON, Import(".", ("form",)), "shop/views/form.py"),
        ("python", PYTHON, Import("..items", ("Item",)), "shop/items.py"),
        ("python", PYTHON, Import("lib.a"), "src/lib/a.py"),
        ("typescript", ROOT / "src/a/b.ts", Import("../c"), "src/c.ts"),
        ("typescript", ROOT / "src/a/b.ts", Import("./c.js"), "src/a/c.ts"),
        ("typescript", ROOT / "src/a/b.ts", Import("./c"), "src/a/c/index.tsx"),
        ("javascript", ROOT / "a.js", Import("./c.mjs"), "c.mjs"),
        ("go", ROOT / "cmd/main.go", Import("a.org/x/stock/store"), "stock/store"),
        ("go", ROOT / "cmd/main.go", Import("a.org/x/store"), "store"),
        ("rust", ROOT / "src/main.rs", Import("a"), "src/a.rs"),
        ("rust", ROOT / "src/a.rs", Import("b"), "src/a/b.rs"),
        ("rust", ROOT / "src/a/b.rs", Import("crate::c", ("D",)), "src/c.rs"),
        ("rust", ROOT / "src/a/b.rs", Import("crate", ("c",)), "src/c.rs"),
        ("rust", ROOT / "src/a/mod.rs", Import("self::c", ("D",)), "src/a/c.rs"),
        ("c", ROOT / "src/a.c", Import("b.h"), "src/b.h"),
        ("cpp", ROOT / "src/a.cpp", Import("x/b.h"), "include/x/b.h"),
        ("java", ROOT / "src/a/B.java", Import("a.c.D", ("D",)), "src/a/c/D.java"),
    ],
)
def test_where_it_may_be(language, path, imported, expected):
    above = [parent for parent in path.parents if parent.is_relative_to(ROOT)]
    folders = [folder for parent in above for folder in (parent, parent / "src")]
    found = [
        Path(str(p).replace("/views/..", "")) for p in files_of(imported, language, path, folders)
    ]
    resolved = [p.resolve() for p in found]
    assert ROOT / expected in resolved


@pytest.mark.parametrize(
    ("language", "imported"),
    [
        ("typescript", Import("react", ("useState",))),
        ("go", Import("fmt")),
        ("python", Import("......" * 40 + "a")),
        ("rust", Import("")),
        ("java", Import("")),
        ("python", Import("")),
    ],
)
def test_what_cannot_be_in_the_project_is_nowhere(language, imported):
    path = ROOT / "src/a"
    assert all(isinstance(p, Path) for p in files_of(imported, language, path, [ROOT]))
    if imported.module in ("react", "fmt"):
        assert not files_of(imported, language, path, [ROOT])
