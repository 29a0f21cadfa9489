"""A question to a model that was trained on conversations."""

from __future__ import annotations

from engine.family import Chat
from engine.tokenizer import Tokenizer


def conversation(
    tokenizer: Tokenizer, chat: Chat, system: str, user: str, answer: str
) -> list[int]:
    """Return the tokens of two turns and of the begun answer; no word of them is special."""
    ids: list[int] = []
    for turn, words in ((chat.system, system), (chat.user, user), (chat.answer + "{}", answer)):
        for part in tokenizer.parts(turn):
            if isinstance(part, int):
                ids.append(part)
            elif text := part.replace("{}", words):
                ids += tokenizer.encode(text)
    return ids
