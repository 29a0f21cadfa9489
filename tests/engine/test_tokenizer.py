import dataclasses
import random
import unicodedata

import pytest
import tiny

from engine.errors import CheckpointError
from engine.tokenizer import Tokenizer

PIECES = [
    *"abz09_ \t\n\r.,(){}'\"",
    "\r\n",
    "    ",
    "don't",
    "é",
    "e\u0301",
    "\u0301",
    "\u1100\u1161",
    "中文",
    "😀",
    "👩\u200d💻",
    "\U0001d54f",
    "\x00",
    "\x85",
    "\u2028",
    "\ufeff",
    "\ufffd",
    *tiny.SPECIAL,
    "<|fim_",
    "[PAD0]",
]


@pytest.mark.parametrize("merges", [(), ("Ġ Ġ", "e r", "ĠĠ Ġ")])
@pytest.mark.parametrize("seed", range(5))
def test_text_comes_back_as_it_was(merges, seed):
    tokenizer = Tokenizer(tiny.vocabulary(merges))
    rng = random.Random(seed)
    for _ in range(60):
        text = "".join(rng.choices(PIECES, k=rng.randrange(20)))
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert not any(tokenizer.is_special(i) for i in ids)


def test_bytes_are_tokens_where_nothing_merges():
    assert tiny.tokenizer().encode("aé\n") == [97, 0xC3, 0xA9, 10]


def test_merges_are_applied():
    tokenizer = Tokenizer(tiny.vocabulary(["Ġ Ġ", "ĠĠ Ġ"]))
    assert tokenizer.encode("    x") == [257, 32, 120]


def test_text_is_not_normalised():
    tokenizer = tiny.tokenizer()
    split = "e\u0301"
    assert unicodedata.normalize("NFC", split) == "é"
    assert tokenizer.encode(split) == list(split.encode())
    assert tokenizer.encode(split) != tokenizer.encode("é")


@pytest.mark.parametrize("name", tiny.SPECIAL)
def test_the_text_of_a_special_token_is_ordinary(name):
    tokenizer = tiny.tokenizer()
    assert tokenizer.encode(name) == list(name.encode())


def test_nothing_is_nothing():
    assert tiny.tokenizer().encode("") == []
    assert tiny.tokenizer().decode([]) == ""


def test_special_tokens_are_named_and_have_no_text():
    tokenizer = tiny.tokenizer()
    middle = tokenizer.special("<|fim_middle|>")
    assert tiny.vocabulary().tokens[middle] == "<|fim_middle|>"
    assert tokenizer.is_special(middle)
    assert tokenizer.decode([97, middle, 98]) == "ab"
    with pytest.raises(CheckpointError, match=r"<\|nowhere\|>"):
        tokenizer.special("<|nowhere|>")


def test_half_a_character_is_shown_as_such():
    tokenizer = tiny.tokenizer()
    assert tokenizer.decode(tokenizer.encode("a😀")[:-1]) == "a\ufffd"


def test_a_merge_of_unknown_tokens_is_refused():
    damaged = dataclasses.replace(tiny.vocabulary(), merges=["Ġ nothing"])
    with pytest.raises(CheckpointError, match=r"tokenizer is damaged: .*nothing"):
        Tokenizer(damaged)
