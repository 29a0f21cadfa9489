"""Mercury's `/v1/edit/completions`, as Zed and Continue speak it: edit the code at the cursor.

One user message holds the file with the code to edit marked in it, and the cursor in that. Diffill
fills at the cursor; snippets and the history of edits are passed over. The answer is the marked
code in a fence, or `None`.
"""

from __future__ import annotations

import re
from typing import Any

from engine.errors import ConfigError
from engine.protocol import EditResult
from engine.scheduler import Message
from engine.serving.completion import Completion, Fields, Fill
from engine.serving.openai import OpenAIAnswer

_FILE = re.compile(
    r"<\|current_file_content\|>\n?(?:current_file_path: (?P<path>[^\n]*)\n)?(?P<before>.*?)"
    r"<\|code_to_edit\|>\n?(?P<code>.*)<\|/code_to_edit\|>\n?(?P<behind>.*)"
    r"<\|/current_file_content\|>",
    re.DOTALL,
)
_CURSOR = "<|cursor|>"
_NOTHING = "None"


class EditCompletions(OpenAIAnswer):
    """One request to `/v1/edit/completions` and its answer."""

    def __init__(self, body: Message) -> None:
        fields = Fields(body)
        marked = _FILE.search(_message(fields))
        if marked is None:
            raise ConfigError("the message has no <|code_to_edit|> in a <|current_file_content|>")
        self._above, cursor, self._below = marked["code"].partition(_CURSOR)
        if not cursor:
            raise ConfigError(f"the code to edit has no {_CURSOR}")
        super().__init__(
            body,
            Completion(
                prefix=marked["before"] + self._above,
                suffix=self._below + marked["behind"],
                path=marked["path"] or "",
                max_tokens=fields.max_tokens("max_tokens", "max_completion_tokens"),
                seed=fields.seed("seed"),
                stream=fields.flag("stream"),
            ),
        )

    def fills(self, result: EditResult | None) -> list[Fill]:
        """Return the code to edit with the fill in it, as Mercury hands it over."""
        fill = super().fills(result)[0]
        text = f"```\n{self._above}{fill.text}{self._below}\n```" if fill.text else _NOTHING
        return [Fill(text, fill.end, fill.refused)]


def _message(fields: Fields) -> str:
    """Return what the user says; a system's prompt has no say here."""
    said = [message for message in fields.objects("messages") if message.get("role") == "user"]
    if len(said) != 1:
        raise ConfigError(f"there are {len(said)} user messages, not one")
    content: Any = said[0].get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise ConfigError("the message's content is not a text")
    return content
