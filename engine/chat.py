"""A question to a model that was trained on conversations."""

from __future__ import annotations

from engine.family import Chat
from engine.tokenizer import Tokenizer

_SYSTEM = "You complete code. You answer with the missing code only, and repeat nothing around it."
_HOLE = "[MISSING]"
_PROGRAMMER = "You are a careful programmer."


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


def asked_for(tokenizer: Tokenizer, chat: Chat, before: str, after: str) -> list[int]:
    """Return the tokens of a question for what is missing between two texts."""
    question = (
        f"Write the code that belongs in the place of {_HOLE}:\n"
        f"```\n{before}{_HOLE}{after.rstrip()}\n```"
    )
    return conversation(tokenizer, chat, _SYSTEM, question, "```\n")


def asked_to_complete(
    tokenizer: Tokenizer, chat: Chat, others: str, code: str, language: str, begun: str
) -> list[int]:
    """Return the tokens of a request to complete code, `others` shown first.

    The answer is `begun` with the lines that are to be gone on from.
    """
    request = f"{others}Complete this code:\n```{language}\n{code.rstrip()}\n```"
    return conversation(tokenizer, chat, _PROGRAMMER, request, f"```{language}\n{begun}")
