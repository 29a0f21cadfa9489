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


@pytest.mark.parametrize("name", [".env", ".ENV", ".env.local", "id_rsa", "server.key", "a.pem"])
def test_files_with_secrets_are_left_alone(name):
    assert "secrets" in reason(f"file:///project/{name}")


def test_huge_and_binary_files_are_left_alone():
    assert "larger than 1,024 KB" in reason(text="x" * (MAX_TEXT_CHARS + 1))
    assert "binary" in reason(text="a\0b")


@pytest.mark.parametrize(("text", "refused"), [("é" * 512, False), ("é" * 513, True)])
def test_the_size_that_counts_is_that_in_bytes(text, refused):
    assert bool(reason(text=text, max_file_kb=1)) is refused


def test_a_language_can_be_switched_off():
    assert "off for python" in reason(disabled_languages=["rust", "python"])
    assert reason(disabled_languages=["rust"]) is None
