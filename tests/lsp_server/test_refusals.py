import os

import pytest

from engine.protocol import MAX_TEXT_CHARS
from lsp_server.documents import Snapshot
from lsp_server.refusals import refusal
from lsp_server.settings import Origin, Source, resolve


def reason(uri="file:///a.py", text="x = 1\n", **settings):
    source = Source(Origin.EDITOR, "the editor's settings", settings)
    snapshot = Snapshot(uri, 1, text, "python", "utf-16", 1)
    return refusal(snapshot, resolve([source]).settings)


def test_ordinary_files_are_edited():
    for name in ("a.py", "environment.py", "keys.py", "README.md"):
        assert reason(f"file:///project/{name}") is None
    assert reason("untitled:Untitled-1") is None


@pytest.mark.parametrize(
    "name",
    [".env", ".ENV", ".env.local", "%2Eenv", "id_rsa", "server.key", "a.keystore", ".ssh/config"],
)
@pytest.mark.parametrize("start", ["file:///project/", "vscode-remote://wsl%2Bu/home/u/"])
def test_files_with_secrets_are_left_alone(start, name):
    assert "secrets" in reason(start + name)


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:.env",
        "git:/project/.env?%7B%22ref%22%3A1%7D",
        "file:///c%3A/a/.env",
        "http://[x/.env",
    ],
)
def test_secrets_are_known_by_any_scheme(uri):
    assert "secrets" in reason(uri)


def test_a_link_is_what_it_links_to_and_what_it_is_called(tmp_path):
    (tmp_path / ".env").write_text("x = 1")
    (tmp_path / "config.py").symlink_to(tmp_path / ".env")
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "listed.py").symlink_to(tmp_path / "a.py")
    (tmp_path / ".diffillignore").write_text("listed.py\n")
    assert "secrets" in reason((tmp_path / "config.py").as_uri())
    assert ".diffillignore" in reason((tmp_path / "listed.py").as_uri())
    assert reason((tmp_path / "a.py").as_uri()) is None
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    assert reason((tmp_path / "loop.py").as_uri()) is None
    assert reason("file:///a%00b.py") is None
    assert reason(f"file:///{'a' * 300}/b.py") is None, "no such name can be on a disk"


@pytest.mark.parametrize(
    ("pattern", "listed"),
    [
        ("generated/", True),
        ("*.py\n!b.py", False),
        ("/b.py", False),
        ("**/b.*", True),
        ("[", False),
    ],
)
def test_the_ignore_file_is_read_anew_each_time(tmp_path, pattern, listed):
    (tmp_path / ".git").mkdir()
    (tmp_path / "generated").mkdir()
    uri = (tmp_path / "generated" / "b.py").as_uri()  # not saved yet: there is no such file
    assert reason(uri) is None
    (tmp_path / ".gitignore").write_text("*")
    (tmp_path / ".diffillignore").write_text(pattern)
    assert bool(reason(uri)) is listed
    (tmp_path / ".diffillignore").unlink()
    assert reason(uri) is None


@pytest.mark.parametrize("start", ["file://", "FILE://", "file:", "file://localhost"])
def test_a_listed_file_is_left_alone_however_its_uri_is_written(tmp_path, start):
    (tmp_path / ".diffillignore").write_text("listed.py\n")
    assert ".diffillignore" in reason(f"{start}{tmp_path.as_posix()}/listed.py")
    assert reason(f"{start}{tmp_path.as_posix()}/other.py") is None


def test_what_is_no_uri_is_edited():
    assert reason("file://[scratch]") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_ignore_file_that_is_a_pipe_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / ".diffillignore")
    assert reason((tmp_path / "a.py").as_uri()) is None


def test_huge_and_binary_files_are_left_alone():
    assert "larger than 1,024 KB" in reason(text="x" * (MAX_TEXT_CHARS + 1))
    assert "binary" in reason(text="a\0b")


@pytest.mark.parametrize(("text", "refused"), [("é" * 512, False), ("é" * 513, True)])
def test_the_size_that_counts_is_that_in_bytes(text, refused):
    assert bool(reason(text=text, max_file_kb=1)) is refused


def test_a_language_can_be_switched_off():
    assert "off for python" in reason(disabled_languages=["rust", "python"])
    assert reason(disabled_languages=["rust"]) is None
