"""Which documents are left alone, and the reason the user is given."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from engine.protocol import MAX_TEXT_CHARS
from grammars.span import Span
from lsp_server.documents import Snapshot, local_path
from lsp_server.ignoring import OUR_IGNORE_FILE, ignore_list, is_refused, is_secret
from lsp_server.settings import Settings

# About 10,000 tokens. A rewrite holds the old text twice and the new one; models hold 32,768.
MAX_REWRITE_CHARS = 40_000


def refusal(snapshot: Snapshot, settings: Settings) -> str | None:
    """Return why a document is not edited, None if it may be."""
    if reason := _off_limits(snapshot.uri):
        return reason
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


def rewrite_refusal(text: str, span: Span) -> str | None:
    """Return why a part of a text is not rewritten, None if it may be."""
    if not span.of(text).strip():
        return "there is nothing to rewrite here"
    if len(span) > MAX_REWRITE_CHARS:
        return f"{len(span):,} characters are too many to rewrite, more than {MAX_REWRITE_CHARS:,}"
    return None


def _off_limits(uri: str) -> str | None:
    """Say why a file is neither read nor edited: its name, or that of what it links to, tells."""
    secret = "files of this name may hold secrets: Diffill leaves them alone"
    # Editors show files by other schemes, too: of a remote machine, or as they were in git.
    if is_secret(PurePath(unquote(_path(uri)).replace("\\", "/"))):
        return secret
    named = local_path(uri)
    if not named:
        return None
    ignore_list.cache_clear()  # the user may have changed the lists since
    for path in (Path(os.path.abspath(named)), Path(os.path.realpath(named))):  # noqa: PTH100
        if is_secret(path):
            return secret
        if is_refused(path):
            return f"the file is listed in {OUR_IGNORE_FILE}: Diffill leaves it alone"
    return None


def _path(uri: str) -> str:
    try:
        return urlsplit(uri).path
    except ValueError:  # what stands in `[]` for a host is no address
        return uri


def _num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
