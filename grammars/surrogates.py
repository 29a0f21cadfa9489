"""Half of a surrogate pair: who cuts UTF-16 by length leaves one, and JSON carries it."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")


def without_halves(text: str) -> str:
    """Return a text, as long as it was, with U+FFFD for what has no encoding."""
    return _HALF.sub("\ufffd", text)
