"""Which documents are left alone, and the reason the user is given."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePath

from engine.protocol import MAX_TEXT_CHARS
from lsp_server.documents import Snapshot
from lsp_server.settings import Settings

# Files that hold secrets, by their names: they are neither read as context nor edited.
SECRET_FILES = (
    ".env",
    ".env.*",
    "*.env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.keystore",
)


def refusal(snapshot: Snapshot, settings: Settings) -> str | None:
    """Return why a document is not edited, None if it may be."""
    name = PurePath(snapshot.path.replace("\\", "/")).name.lower()
    if any(fnmatch(name, pattern) for pattern in SECRET_FILES):
        return "files of this name may hold secrets: Diffill leaves them alone"
    if snapshot.language in settings.disabled_languages:
        return f"Diffill is off for {snapshot.language} (setting `disabled_languages`)"
    if (
        len(snapshot.text) > MAX_TEXT_CHARS
        or _num_bytes(snapshot.text) > settings.max_file_kb << 10
    ):
        return f"the file is larger than {settings.max_file_kb:,} KB (setting `max_file_kb`)"
    if "\0" in snapshot.text:
        return "the file is binary"
    return None


def _num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
