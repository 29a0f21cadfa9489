"""Which definitions of other files are chosen, and which files are never read."""

import os
from dataclasses import replace

import pytest

from grammars.span import Span
from lsp_server import surroundings
from lsp_server.surroundings import MAX_CHARS, Project, Subject, candidates, choose, fitting


@pytest.fixture
def project(tmp_path):
    """A folder of files; `subject` marks the hole with ‸."""
    (tmp_path / ".git").mkdir()
    return Project((tmp_path,), {})


def write(project, name, text):
    path = project.folders[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def subject(project, text, name="app/main.py", language="python"):
    at = text.index("‸")
    return Subject(project.folders[0] / name, text.replace("‸", ""), language, (Span(at, at),))


def names(found):
    return [min(one.definition.names) for one in found]


def test_an_imported_definition_is_found_and_told_why(project):
    path = write(project, "app/shop.py", "class Item:\n    price: int\n\n\nclass Other: ...\n")
    (found,) = candidates(subject(project, "from app.shop import Item\n\nx = Item(‸)\n"), project)
    assert (found.path, found.reason, found.is_near) == (path, "imported", True)
    assert found.definition.text == "class Item:\n    price: int\n"


def test_what_an_imported_definition_uses_comes_after_it(project):
    write(
        project,
        "app/shop.py",
        "class Tax: ...\n\n\nclass Item:\n    tax: Tax\n\n\nclass Far: ...\n",
    )
    found = candidates(subject(project, "from app.shop import Item\n\nx = Item(‸)\n"), project)
    assert names(found) == ["Item", "Tax"]


def test_a_module_brings_all_its_definitions_those_used_first(project):
    write(project, "app/shop.py", "A1 = 1\nB1 = 2\n\n\ndef c1(): ...\n")
    text = "from app import shop\n\nshop.c1()\n" + "\n" * 60 + "x = shop.B1 + ‸\n"
    assert names(candidates(subject(project, text), project)) == ["B1", "c1", "A1"]


def test_open_files_count_where_the_text_names_them_and_as_they_are_in_the_editor(project):
    path = write(project, "app/near.py", "def old(): ...\n")
    opened = {
        path: "def new(): ...\n\n\ndef unused(): ...\n",
        project.folders[0] / "b.go": "package b\n",
    }
    project = replace(project, opened=opened)
    (found,) = candidates(subject(project, "x = new(‸)\n"), project)
    assert (names([found]), found.reason) == (["new"], "in an open file")
    (imported,) = candidates(subject(project, "from .near import new\nx = new(‸)\n"), project)
    assert (names([imported]), imported.reason) == (["new"], "imported")


def test_the_word_being_typed_is_no_name_yet(project):
    project = replace(project, opened={project.folders[0] / "b.py": "def pause(): ...\n"})
    assert not candidates(subject(project, "pause‸\n"), project)
    assert candidates(subject(project, "pause(‸\n"), project)


def test_the_text_itself_is_no_other_file(project):
    write(project, "app/main.py", "def f(): ...\n")
    text = "from app.main import f\nimport app.main\nf(‸)\n"
    project = replace(project, opened={project.folders[0] / "app/main.py": "def f(): ...\n"})
    assert not candidates(subject(project, text), project)


@pytest.mark.parametrize(
    ("ignore", "name"),
    [
        ("", "app/.env.py"),
        ("", ".ssh/shop.py"),
        ("", "app/credentials.json"),
        (".gitignore: app/shop.py", "app/shop.py"),
        (".gitignore: /app/", "app/shop.py"),
        (".diffillignore: shop.py", "app/shop.py"),
    ],
)
def test_private_files_are_never_read(project, monkeypatch, ignore, name):
    path = write(project, name, "class Item: ...\n")
    if ignore:
        write(project, *ignore.split(": "))
    monkeypatch.setattr(surroundings, "files_of", lambda *_: [path])
    monkeypatch.setattr(surroundings, "_read", lambda path, *_: pytest.fail(f"{path} was read"))
    text = "from app.shop import Item\nx = Item(‸)\n"
    opened = replace(project, opened={path: "class Item: ...\n"})
    for each in (project, opened):
        assert not candidates(subject(each, text), each)


def test_a_link_to_a_private_file_or_out_of_the_project_is_not_followed(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "shop.py"
    outside.write_text("class Item: ...\n")
    secret = write(project, ".ssh/id.py", "class Item: ...\n")
    (project.folders[0] / "app").mkdir()
    link = project.folders[0] / "app/shop.py"
    text = "from app.shop import Item\nx = Item(‸)\n"
    for target in (outside, secret):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert not candidates(subject(project, text), project)
    # A relative import out of the project leads nowhere, too.
    up = "." * 12 + str(outside.with_suffix("")).replace("/", ".").lstrip(".")
    assert not candidates(subject(project, f"from {up} import Item\nx = Item(‸)\n"), project)


def test_what_is_no_text_or_too_large_is_left_out(project):
    text = "from app.shop import Item\nx = Item(‸)\n"
    path = write(project, "app/shop.py", "class Item: ...\n" + "#" * 200)
    assert candidates(subject(project, text), project)
    assert not candidates(subject(project, text), replace(project, max_bytes=100))
    off = replace(project, disabled_languages=frozenset({"python"}))
    assert not candidates(subject(project, text), off)
    path.write_bytes(b"class Item: ...\n\xff\xfe")
    assert not candidates(subject(project, text), project)
    path.unlink()
    os.mkfifo(path)  # to open it would wait for a writer
    assert not candidates(subject(project, text), project)


def test_a_package_of_go_is_all_of_its_files_but_the_tests(project):
    write(project, "store/a.go", "package store\n\ntype A struct{}\n")
    write(project, "store/b.go", "package store\n\nfunc B() {}\n")
    write(project, "store/a_test.go", "package store\n\nfunc TestA() {}\n")
    text = 'package main\n\nimport "example.org/x/store"\n\nvar x = store.‸\n'
    found = candidates(subject(project, text, "cmd/main.go", "go"), project)
    assert names(found) == ["A", "B"]


def test_the_choice_is_bounded(project):
    for n in range(60):
        write(project, f"app/m{n}.py", f"def f{n}():\n    return '{'x' * 400}'\n")
    imports = "".join(f"from app.m{n} import f{n}\n" for n in range(60))
    found = candidates(subject(project, imports + "x = ‸\n"), project)
    assert len(found) == surroundings.MAX_FILES
    chosen = fitting(found)
    assert 0 < sum(len(one.definition.text) for one in chosen) <= MAX_CHARS


def test_the_choice_stays_while_one_types_and_changes_when_it_must(project):
    for n in range(20):
        write(project, f"app/m{n}.py", f"def f{n}(x):\n    return '{'x' * 500}'\n")
    imports = "".join(f"from app.m{n} import f{n}\n" for n in range(20))

    def chosen(line, last):
        return choose(subject(project, imports + "\n" * 40 + line), project, last)

    first = chosen("x = f3(‸\n", ())
    assert names(first)[0] == "f3"
    assert chosen("x = f3(1‸\n", first) is first
    assert chosen("x = f3(1) + f5(‸\n", first) is first, "it is among them already"
    left_out = next(f"f{n}" for n in range(20) if f"f{n}" not in names(first))
    second = chosen(f"x = f3(1) + {left_out}(‸\n", first)
    assert {"f3", left_out} <= set(names(second))
    assert chosen("x = f3(‸\n", second) is second
    write(project, "app/m3.py", "def f3(x, changed): ...\n")
    third = chosen("x = f3(‸\n", second)
    assert "changed" in third[0].definition.text
