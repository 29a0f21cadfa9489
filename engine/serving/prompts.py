"""The marked prompts that clients make themselves, for servers that know no suffix."""

from __future__ import annotations

import re

# As Zed, Continue and llama.vscode write them; in front may stand other files (Qwen's repository
# form). A file that only mentions a mark is no such prompt: all must be there, from end to end.
_FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"(?:.*?<\|file_sep\|>.*?)?<\|fim_prefix\|>(?P<prefix>.*)<\|fim_suffix\|>(?P<suffix>.*)<\|fim_middle\|>",
        r"<fim_prefix>(?P<prefix>.*)<fim_suffix>(?P<suffix>.*)<fim_middle>",
        r"<PRE> (?P<prefix>.*) <SUF>(?P<suffix>.*) <MID>",
        r"<｜fim▁begin｜>(?P<prefix>.*)<｜fim▁hole｜>(?P<suffix>.*)<｜fim▁end｜>",
        r"\[SUFFIX\](?P<suffix>.*)\[PREFIX\](?P<prefix>.*)",
    )
)
# What some send in place of an empty suffix.
_NOTHING = "<|endoftext|>"


def sides(prompt: str, suffix: str) -> tuple[str, str]:
    """Return the text before and behind the hole: what is marked, or prompt and suffix."""
    if suffix:
        return prompt, "" if suffix == _NOTHING else suffix
    for form in _FORMS:
        if match := form.fullmatch(prompt):
            return match["prefix"], match["suffix"]
    return prompt, ""
