import stat
import subprocess

import pytest

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop

CODE = "def f(x):\n    return x\n\n\ndef g():\n    work()\n"


def test_fill_prints_a_diff_and_leaves_the_file(diffill, sample):
    path = sample(CODE)
    done = diffill("fill", "a.py", "--lines", "6-6", "--no-single-line")
    assert (done.code, path.read_text()) == (0, CODE)
    assert done.out == (
        "--- a/a.py\n+++ b/a.py\n@@ -3,4 +3,5 @@\n"
        " \n \n def g():\n-    work()\n+first()\n+second()\n"
    )
    assert done.err == "diffill: 3 steps, 4 forward calls, 5 tokens, 0.50 s, 10.0 tokens/s\n"


def test_write(diffill, sample):
    path = sample(CODE)
    done = diffill("fill", path, "--range", "6:5-6:11", "--write", "-q")
    assert (done.code, done.err) == (0, "")
    assert path.read_text() == CODE.replace("work()", "first()")
    assert [p.name for p in path.parent.iterdir()] == ["a.py"]


def test_a_span_of_several_lines_may_become_several(diffill, sample):
    path = sample(CODE)
    diffill("fill", path, "--lines", "5-6", "--write")
    assert path.read_text() == CODE.replace("def g():\n    work()", "first()\nsecond()")


def test_a_hole_on_one_line_may_become_several(diffill, sample):
    path = sample(CODE.replace("work()", "pass"))
    diffill("fill", path, "--lines", "6-6", "--write")
    assert path.read_text() == CODE.replace("    work()", "first()\nsecond()")


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        ("    return x\n", "first()\nsecond()\n"),
        ('    """Give it."""\n    return x\n', '    """Give it."""\nfirst()\nsecond()\n'),
        ("    y = x\n    return y\n", "    y = x\nfirst()\n"),  # the last line alone
    ],
)
def test_all_that_a_function_does_may_become_several_lines(diffill, sample, body, becomes):
    head = "def f(x):\n"
    path = sample(head + body)
    line = 1 + body.count("\n")
    diffill("fill", path, "--lines", f"{line}-{line}", "--write")
    assert path.read_text() == head + becomes


def test_a_cursor_fills_between_two_characters(diffill, sample):
    path = sample("f()\n")
    diffill("fill", path, "--range", "1:3", "--write")
    assert path.read_text() == "f(first())\n"


@pytest.mark.parametrize("column", [1, 3, 5])
def test_a_cursor_in_front_of_code_fills_above_it(diffill, sample, column):
    """The scripted fill has no line end of its own; one by a model has."""
    path = sample("def f():\r\n    g()\r\n")
    diffill("fill", path, "--range", f"2:{column}", "--write")
    assert path.read_bytes() == b"def f():\r\nfirst()\nsecond()    g()\r\n"


@pytest.mark.parametrize("column", [1, 2, 3])
def test_a_cursor_on_an_empty_line_fills_there(diffill, sample, column):
    path = sample("a()\n  \nb()\n")
    diffill("fill", path, "--range", f"2:{column}", "--write")
    line = f"{' ' * (column - 1)}first(){' ' * (3 - column)}"
    assert path.read_text() == f"a()\n{line}\nb()\n"


def test_rewrite(diffill, sample):
    path = sample(CODE)
    done = diffill("rewrite", path, "--lines", "1-2", "--instruction", "louder", "--write")
    assert done.code == 0
    assert path.read_text() == CODE.replace("def f(x):\n    return x", "DEF F(X):\n    RETURN X")


def test_json(diffill, sample):
    sample(CODE)
    done = diffill("fill", "a.py", "--range", "6:5-6:11", "--json", "--write")
    start = CODE.index("work()")
    cost = {"steps": 3, "forward_calls": 4, "tokens": 5, "seconds": 0.5}
    span = {
        "start": start,
        "end": start + 6,
        "line": 6,
        "what": "",
        "step": 0,
        "status": "edited",
        "text": "first()",
        "reasons": [],
        "checked": True,
    }
    file = {
        "file": "a.py",
        "language": "python",
        "changed": True,
        "written": True,
        "refusal": "",
        "spans": [span | cost],
        "diff": "--- a/a.py\n+++ b/a.py\n@@ -3,4 +3,4 @@\n"
        " \n \n def g():\n-    work()\n+    first()\n",
    }
    counts = {"files": 1, "changed": 1, "written": 1, "edited": 1, "spans": 1}
    counts |= dict.fromkeys(("refused", "failed", "invalid", "skipped"), 0)
    summary = counts | cost | {"interrupted": False}
    assert done.json == {"schema": 2, "files": [file], "summary": summary}


def test_nothing_to_change(diffill, sample):
    path = sample(CODE)
    before = path.stat()
    done = diffill("fill", path, "--lines", "6-6", "--write", engine="keep")
    assert (done.code, done.out) == (0, "")
    assert "nothing to change" in done.err
    assert path.stat().st_ino == before.st_ino


def test_what_does_not_validate_is_not_written(diffill, sample):
    path = sample(CODE)
    done = diffill("fill", path, "--lines", "6-6", "--write", engine="invalid")
    assert (done.code, done.out, path.read_text()) == (4, "", CODE)
    assert "refused: line 1: a new syntax error" in done.err
    told = diffill("fill", path, "--lines", "6-6", "--json", engine="invalid")
    assert told.code == 4
    [span] = told.json["files"][0]["spans"]
    assert (span["status"], span["reasons"]) == ("invalid", ["line 1: a new syntax error"])


def test_unknown_language_works_and_says_so(diffill, sample):
    path = sample("one\n", "a.zig")
    done = diffill("fill", path, "--lines", "1-1", "--write")
    assert (done.code, path.read_text()) == (0, "first()\n")
    assert "unknown language: the edit was not checked" in done.err
    named = diffill("fill", path, "--lines", "1-1", "--language", "cobol")
    assert "no grammar for cobol: the edit was not checked" in named.err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\r\nb\r\nc\r\n", b"a\r\nfirst()\r\nc\r\n"),
        (b"\xef\xbb\xbfa\nb\nc\n", b"\xef\xbb\xbfa\nfirst()\nc\n"),
        (b"a\nb", b"a\nfirst()"),
        ("ä\n𝒳\r\nz\f\u2028\n".encode(), "ä\nfirst()\r\nz\f\u2028\n".encode()),
        (b"a\rb\rc", b"a\rfirst()\rc"),
        (b"a\n", b"a\nfirst()"),
    ],
)
def test_bytes_outside_the_span_stay(diffill, sample, content, expected):
    path = sample(content)
    assert diffill("fill", path, "--lines", "2-2", "--write").code == 0
    assert path.read_bytes() == expected


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_has_one_line(diffill, sample, content):
    path = sample(content)
    assert diffill("fill", path, "--lines", "1-1", "--write").code == 0
    assert path.read_bytes() == content + b"first()"


@pytest.mark.parametrize(
    "content",
    [
        "a\nb\nc\n",
        "a\nb",
        "a\r\nb\r\n",
        "\ufeffa\nb\n",
        "a\n\n",
        "a\fa\nb\u2028\nc",
        "a\rb\rc",
    ],
)
@pytest.mark.parametrize("name", ["a.py", "with blank.py", "ü.py", 'quo"te.py', "tab\t.py"])
def test_git_applies_the_diff(diffill, sample, content, name):
    path = sample(content, name)
    done = diffill("fill", name, "--lines", "2-2", "-q")
    assert done.code == 0
    applied = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        input=done.out.encode(),
        capture_output=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    by_git = path.read_bytes()
    path.write_bytes(content.encode())
    diffill("fill", name, "--lines", "2-2", "--write")
    assert path.read_bytes() == by_git


def test_colours_show_controls_instead_of_sending_them(diffill, sample):
    sample("a = '\x1b[2J'\nb\n")
    done = diffill("fill", "a.py", "--lines", "2-2", "--color", "always")
    assert "\x1b[31m-b\x1b[0m" in done.out
    assert "\\x1b[2J" in done.out
    assert "\x1b[2J" not in done.out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "a directory, not a file"),
        (lambda p: p.write_bytes(b"a\0b"), "a binary file"),
        (lambda p: p.write_bytes(b"a\xff\n"), "not UTF-8 (byte 2)"),
        (lambda p: p.write_bytes(b"a\n" * (1 << 19) + b"a"), "larger than 1,024 KB"),
        (lambda p: __import__("os").mkfifo(p), "not a regular file"),
        (lambda p: p.symlink_to("nowhere"), "no such file"),
    ],
)
def test_unusable_files(diffill, tmp_path, make, message):
    path = tmp_path / "work" / "bad.py"
    make(path)
    done = diffill("fill", "bad.py", "--lines", "1-1", engine=None)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("diffill: bad.py: ")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_unreadable_file(diffill, sample, monkeypatch):
    sample(CODE)  # root reads everything: the refusal of the system is played

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "_read_bytes", refuse)
    done = diffill("fill", "a.py", "--lines", "1-1")
    assert (done.code, done.err) == (2, "diffill: a.py: permission denied\n")


def test_a_file_of_exactly_one_mebibyte_works(diffill, sample):
    sample(b"ab\n" + b"x" * ((1 << 20) - 3))
    assert diffill("fill", "a.py", "--lines", "1-1").code == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (("--lines", "8-8"), "lines 8-8 is outside the file: it has lines 1 to 7"),
        (("--lines", "0-1"), "outside"),
        (("--lines", "3-2"), "inverted"),
        (("--lines", "a-b"), "is not A-B"),
        (("--lines", "-1"), "is not A-B"),
        (("--range", "1:1-9:1"), "outside"),
        (("--range", "1:11"), "line 1 has columns 1 to 10"),
        (("--range", "1:0"), "outside"),
        (("--range", "2:3-1:1"), "inverted"),
        (("--range", "1-2"), "is not L:C-L:C"),
        ((), "--lines"),
        (("--lines", "1-2", "--range", "2:1-2:3"), "two of the spans overlap"),
        (("--range", "1:1", "--range", "1:1"), "two of the spans overlap"),
    ],
)
def test_unusable_targets(diffill, sample, target, message):
    sample(CODE)
    done = diffill("fill", "a.py", *target, engine=None)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--instruction", ""), "the instruction is empty"),
        (("--instruction", " \n"), "the instruction is empty"),
        (("--instruction", "x" * 100_000), "the instruction has 100,000 characters"),
        (("--instruction", "x", "--max-tokens", "0"), "max_tokens is 0"),
        (("--instruction", "x", "--timeout", "-1"), "deadline_s is -1"),
        (("--instruction", "x", "--effort", "huge"), "invalid choice"),
        ((), "--instruction"),
    ],
)
def test_unusable_options(diffill, sample, options, message):
    sample(CODE)
    done = diffill("rewrite", "a.py", "--lines", "1-2", *options, engine=None)
    assert done.code == 2
    assert message in done.err


def test_rewriting_nothing_is_refused(diffill, sample):
    sample(CODE)
    done = diffill("rewrite", "a.py", "--range", "1:1", "--instruction", "x")
    assert done.code == 2
    assert "the span is empty" in done.err


def test_special_token_text_is_ordinary_text(diffill, sample):
    path = sample("s = '<|fim_middle|><|endoftext|>'\nx\n")
    assert diffill("fill", path, "--lines", "2-2", "--write").code == 0
    assert path.read_text() == "s = '<|fim_middle|><|endoftext|>'\nfirst()\n"


def test_mode_and_symlink_stay(diffill, sample):
    path = sample("#!/bin/sh\nx\n", "script")
    path.chmod(0o750)
    link = path.parent / "link"
    link.symlink_to("script")
    assert diffill("fill", "link", "--lines", "2-2", "--write").code == 0
    assert link.is_symlink()
    assert path.read_text() == "#!/bin/sh\nfirst()\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_a_read_only_file_is_refused_before_any_work(diffill, sample):
    path = sample(CODE)
    path.chmod(0o444)
    done = diffill("fill", path, "--lines", "6-6", "--write", engine="dies")
    assert (done.code, path.read_text()) == (1, CODE)
    assert "read-only" in done.err
    assert diffill("fill", path, "--lines", "6-6").code == 0  # to look is allowed


def test_a_file_changed_meanwhile_is_left_alone_and_the_diff_is_shown(diffill, sample, monkeypatch):
    path = sample(CODE)
    write = files.write

    def someone_else_first(file, *new):
        path.write_text("theirs\n")
        write(file, *new)

    monkeypatch.setattr(files, "write", someone_else_first)
    done = diffill("fill", path, "--lines", "6-6", "--write")
    assert (done.code, path.read_text()) == (1, "theirs\n")
    assert "changed since it was read" in done.err
    assert "+first()" in done.out
    assert [p.name for p in path.parent.iterdir()] == ["a.py"]


@pytest.mark.parametrize("failing", ["fsync", "chown"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_file_and_no_temporary(
    diffill, sample, monkeypatch, failing, error
):
    path = sample(CODE)

    def fail(*_):
        raise error

    monkeypatch.setattr(files.os, failing, fail)
    done = diffill("fill", path, "--lines", "6-6", "--write")
    assert path.read_text() == CODE
    assert [p.name for p in path.parent.iterdir()] == ["a.py"]
    if isinstance(error, OSError):
        assert (done.code, "no space left on the disk" in done.err) == (1, True)
    else:
        assert done.code == 130


def test_a_file_deleted_meanwhile_is_not_written(sample):
    path = sample(CODE)
    file = files.read("a.py")
    path.unlink()
    with pytest.raises(Stop) as refused:
        files.write(file, b"new")
    assert refused.value.code == Exit.REFUSED
    assert not path.exists()


@pytest.mark.parametrize(
    ("engine", "code", "message"),
    [("dies", 3, "the engine ended unexpectedly"), ("config", 2, "no such")],
)
def test_engine_errors(diffill, sample, engine, code, message):
    path = sample(CODE)
    done = diffill("fill", path, "--lines", "6-6", "--write", engine=engine)
    assert (done.code, path.read_text()) == (code, CODE)
    assert message in done.err
