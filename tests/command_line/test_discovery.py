import io
import subprocess
import sys
from pathlib import Path

import pytest

HOLE = "def f():\n    raise NotImplementedError\n"


def write(name, content=HOLE):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def git(*arguments):
    names = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *names, *arguments], check=True, capture_output=True)


def commit_all():
    git("init", "-q")
    git("add", "-A", "-f")
    git("commit", "-qm", "all")


def listed(done):
    assert done.code == 0, done.err
    return sorted({line.split(":")[0] for line in done.out.splitlines()})


def test_a_folder_is_walked(diffill):
    for name in ("a.py", "sub/b.py", "sub/c.txt", "node_modules/d.py", ".git/e.py"):
        write(name)
    Path("link.py").symlink_to("a.py")
    Path("linked").symlink_to("sub")
    assert listed(diffill("holes")) == listed(diffill("holes", ".")) == ["a.py", "sub/b.py"]
    assert listed(diffill("holes", "sub", "sub/b.py")) == ["sub/b.py"]


def test_ignore_files_are_honoured(diffill):
    for name in ("a.py", "build/b.py", "src/gen_c.py", "src/gen_keep.py", "src/d.py", "e/f.py"):
        write(name)
    write(".gitignore", "build/\ngen_*.py\n")
    write("src/.gitignore", "!gen_keep.py\n")
    write(".diffillignore", "/e\n")
    assert listed(diffill("holes")) == ["a.py", "src/d.py", "src/gen_keep.py"]
    assert listed(diffill("holes", "**/*.py")) == ["a.py", "src/d.py", "src/gen_keep.py"]
    assert listed(diffill("holes", "build/b.py")) == ["build/b.py"]  # told by name
    assert listed(diffill("holes", "src")) == ["src/d.py", "src/gen_keep.py"]
    refused = diffill("holes", "e/f.py")
    assert (refused.code, ".diffillignore" in refused.err) == (2, True)


def test_the_repositorys_own_list_is_honoured_in_worktrees_too(diffill, monkeypatch):
    for name in ("a.py", "mine/b.py", "kept.py"):
        write(name)
    commit_all()
    write(".git/info/exclude", "mine/\nkept.py\n")
    write(".gitignore", "!kept.py\n")
    assert listed(diffill("holes")) == ["a.py", "kept.py"]
    git("worktree", "add", "-q", "tree")
    monkeypatch.chdir("tree")
    assert listed(diffill("holes")) == ["a.py"]


@pytest.mark.parametrize(
    "name", [".env", ".env.py", "id_rsa", "server.key", "secrets.json", ".ssh/config", "a/cert.pem"]
)
def test_secrets_are_never_read(diffill, name):
    write(name, "password\n")
    for target in (name, f"./{name}"):
        refused = diffill("fill", target, "--lines", "1", engine=None)
        assert (refused.code, refused.out) == (2, "")
        assert "may hold keys or passwords" in refused.err
    Path("innocent.py").symlink_to(Path(name).absolute())
    assert "may hold keys" in diffill("fill", "innocent.py", "--lines", "1", engine=None).err
    write("b.py")
    assert listed(diffill("holes", "--language", "python")) == ["b.py"]


def test_a_module_called_secrets_is_source(diffill):
    write("secrets.py")
    assert listed(diffill("holes")) == ["secrets.py"]


def test_a_file_named_in_two_ways_is_one(diffill):
    path = write("sub/a.py")
    Path("link.py").symlink_to("sub/a.py")
    Path("linked").symlink_to("sub")
    for names in (
        ("sub/a.py", "./sub/a.py"),
        ("sub/a.py", "link.py"),
        ("link.py", "sub/a.py"),
        ("sub/a.py", path.absolute()),
        ("sub/a.py", "sub"),
        ("sub", "linked/a.py"),
        ("linked", "sub"),
        ("*/*.py",),
    ):
        first = {"sub": "sub/a.py", "linked": "linked/a.py", "*/*.py": "linked/a.py"}
        done = diffill("fill", *names, "--holes", "--write", "--json")
        assert (done.code, done.err.count("1 file written")) == (0, 1), done.err
        assert [file["file"] for file in done.json["files"]] == [first.get(names[0], names[0])]
        path.write_text(HOLE)


def test_an_empty_name_is_none(diffill):
    write("a.py")
    for command in ("fill", "holes", "check"):
        done = diffill(command, "", *(() if command == "holes" else ("--holes",)))
        assert (done.code, done.err) == (2, "diffill: an empty PATH names no file\n")


def test_names_from_a_file(diffill, monkeypatch):
    for name in ("a.py", "b c.py", "d.py"):
        write(name)
    write("names", "a.py\r\nb c.py\n\n")
    assert listed(diffill("holes", "--files-from", "names")) == ["a.py", "b c.py"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"b c.py\0d.py\0")))
    assert listed(diffill("holes", "--files-from", "-")) == ["b c.py", "d.py"]
    write("empty", "\n")
    assert diffill("holes", "--files-from", "empty").code == 2
    assert diffill("holes", "--files-from", "missing").code == 2


def test_what_a_list_names_and_nobody_may_read_is_passed_over(diffill):
    """As in a folder: `git ls-files` names what it knows."""
    write("a.py")
    write("b.py")
    write("ignored.py")
    write(".diffillignore", "ignored.py\n")
    Path("latin.py").write_bytes(b"x = '\xe9'\npass\n")
    write("names", "a.py\nignored.py\nlatin.py\nb.py\n")
    done = diffill("holes", "--files-from", "names")
    assert listed(done) == ["a.py", "b.py"]
    for name in ("ignored.py", "latin.py", "gone.py", "x" * 5000):  # told by name, or wrong
        write("one", name)
        assert diffill("holes", "--files-from", "one").code == 2
    write("names", "a.py\ngone.py\n")
    assert diffill("holes", "--files-from", "names").code == 2


def test_changed_files(diffill, tmp_path):
    for name in ("old.py", "edited.py", "sub/staged.py"):
        write(name)
    assert "not in a git repository" in diffill("holes", "--changed").err
    commit_all()
    write(".gitignore", "ignored.py\n")
    for name in ("edited.py", "sub/staged.py", "new.py", "ignored.py"):
        write(name, HOLE + "\n")
    git("add", "sub/staged.py")
    assert listed(diffill("holes", "--changed")) == ["edited.py", "new.py", "sub/staged.py"]
    assert listed(diffill("holes", "--changed", "sub")) == ["sub/staged.py"]
    git("add", "-A")
    git("commit", "-qm", "more")
    assert listed(diffill("holes", "--changed")) == []
    assert "new.py" in listed(diffill("holes", "--since", "HEAD~1"))
    assert diffill("holes", "--since", "nonsense").code == 2
    assert diffill("holes", "--since=--output=x").code == 2


def test_names_that_mean_nothing(diffill):
    write("a.py")
    assert "matches no file" in diffill("holes", "*.rs").err
    assert "no such file" in diffill("holes", "missing.py").err
    assert diffill("fill", "--holes").code == 2
    assert diffill("fill", "a.py", "-", "--holes").code == 2
    assert diffill("fill", ".", "--lines", "1").code == 2


def test_what_a_folder_holds_may_be_unreadable(diffill):
    write("a.py")
    Path("bad.py").write_bytes(b"\xff\0")
    done = diffill("fill", ".", "--holes", "--json")
    assert (done.code, done.json["summary"]["skipped"]) == (0, 1)
    assert diffill("fill", "bad.py", "--holes").code == 2


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("py", "python"),
        ("Python", "python"),
        ("typscript", "typescript"),
    ],
)
def test_a_slip_in_a_language_id_is_told(diffill, said, meant):
    write("a.py")
    for command in (("fill", "--lines", "1"), ("holes",), ("check", "--holes")):
        done = diffill(*command, "a.py", "--language", said, engine=None)
        told = f"diffill: --language {said}: did you mean {meant}?\n"
        assert (done.code, done.out, done.err) == (2, "", told)


def test_a_text_of_unknown_language_is_told(diffill, monkeypatch):
    def feed():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HOLE.encode())))

    def told(*arguments):
        feed()
        done = diffill(*arguments, engine=None)
        assert (done.code, done.out) == (2, "")
        return done.err

    write("notes")
    write("a.zig")
    write("b.py")
    of_unknown = "of unknown language; --language says which\n"
    for command in (("fill", "--holes"), ("fill", "--symbol", "f"), ("holes",), ("repair",)):
        assert told(*command, "-") == f"diffill: stdin: {of_unknown}"
        assert told(*command, "notes") == f"diffill: notes: {of_unknown}"
    assert told("check", "notes", "a.zig", "--holes") == f"diffill: notes and 1 more: {of_unknown}"
    assert told("explain", "-", "--holes") == f"diffill: stdin: {of_unknown}"
    assert "a.zig: no grammar for ruby" in told("holes", "a.zig", "--language", "ruby")
    assert "missing: no such file" in told("holes", "missing")
    feed()
    assert "+first()" in diffill("fill", "-", "--holes", "--language", "python").out
    mixed = diffill("fill", "b.py", "notes", "--holes")
    assert (mixed.code, "1 file of unknown language not looked into" in mixed.err) == (0, True)
    Path("empty").mkdir()
    assert diffill("fill", "empty", "--holes").err == "diffill: nothing to edit: no file found\n"


def test_standard_input(diffill, monkeypatch):
    def feed(raw):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    feed(b"x\r\ny\r\n")
    done = diffill("fill", "-", "--lines", "1", "--stdin-filename", "sub/a.py")
    assert (done.code, done.out.splitlines()[:2]) == (0, ["--- a/sub/a.py", "+++ b/sub/a.py"])
    feed(b"x\r\ny\r\n")
    assert diffill("fill", "-", "--lines", "1", "--write").out == "first()\r\ny\r\n"
    feed(b"\xef\xbb\xbfx\ny\n")
    done = diffill("fill", "-", "--symbol", "f", "--write", "--stdin-filename", "a.py")
    assert (done.code, done.out) == (0, "\ufeffx\ny\n")  # nothing found: as it came
    feed(HOLE.encode())
    assert listed(diffill("holes", "-", "--stdin-filename", "a.py")) == ["a.py"]
    feed(b"\0")
    assert diffill("fill", "-", "--lines", "1").code == 2


def test_many_files_are_looked_into_by_other_processes(diffill, monkeypatch):
    monkeypatch.setattr("editor_clients.command_line.scanning.FEW_FILES", 2)
    for number in range(150):
        write(f"f{number:03}.py", HOLE if number % 50 == 0 else "x = 1\n")
    write("hostile/json.py", "raise SystemExit('imported')\n")
    monkeypatch.chdir("hostile")
    done = diffill("holes", "..", "json.py")
    assert listed(done) == ["../f000.py", "../f050.py", "../f100.py"]
    assert diffill("holes", "..", "--query", "(nonsense) @x").code == 2
