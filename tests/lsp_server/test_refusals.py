import pytest

from engine.protocol import MAX_TEXT_CHARS
from lsp_server.documents import Snapshot
from lsp_server.refusals import refusal


def reason(uri="file:///a.py", text="x = 1\n"):
    return refusal(Snapshot(uri, 1, text, "python", "utf-16", 1))


def test_ordinary_files_are_edited():
    for name in ("a.py", "environment.py", "keys.py", "README.md"):
        assert reason(f"file:///project/{name}") is None
    assert reason("untitled:Untitled-1") is None


@pytest.mark.parametrize("name", [".env", ".ENV", ".env.local", "id_rsa", "server.key", "a.pem"])
def test_files_with_secrets_are_left_alone(name):
    assert "secrets" in reason(f"file:///project/{name}")


def test_huge_and_binary_files_are_left_alone():
    assert "characters" in reason(text="x" * (MAX_TEXT_CHARS + 1))
    assert "binary" in reason(text="a\0b")
