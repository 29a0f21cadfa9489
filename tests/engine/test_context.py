import random
from dataclasses import replace

import pytest
import tiny

from engine.context import Context, quoted, repository
from engine.protocol import Excerpt

PREFIX = tiny.tokenizer().special("<|fim_prefix|>")
SUFFIX = tiny.tokenizer().special("<|fim_suffix|>")


def cut(prefix, suffix, max_prefix, max_suffix):
    """The prefix and suffix that are left; a token is a byte here."""
    ids = Context(prefix, suffix).tokens(tiny.tokenizer(), tiny.FAMILY.fim, max_prefix, max_suffix)
    assert ids[0] == PREFIX
    middle = ids.index(SUFFIX)
    assert ids.count(PREFIX) == ids.count(SUFFIX) == 1
    kept = ids[1:middle], ids[middle + 1 :]
    assert len(kept[1]) <= max_suffix
    assert len(kept[0]) <= max_prefix + max_suffix - len(kept[1])
    return tuple(bytes(side).decode() for side in kept)


@pytest.mark.parametrize(
    ("prefix", "suffix"), [("", ""), ("a\nb", ""), ("", "a\nb"), ("a\n", "\nb\n")]
)
def test_what_fits_is_kept_whole(prefix, suffix):
    assert cut(prefix, suffix, 3, 3) == (prefix, suffix)


def test_cuts_are_at_line_starts_and_nearest_the_hole():
    assert cut("one\ntwo\nthree\nfo", "ur\nfive\nsix\n", 10, 9) == ("three\nfo", "ur\nfive\n")


def test_a_line_that_just_fits_is_kept():
    assert cut("one\ntwo\n", "ab\ncde\n", 4, 3) == ("two\n", "ab\n")


def test_room_the_suffix_leaves_goes_to_the_prefix():
    assert cut("one\ntwo\n", "x\n", 4, 6) == ("one\ntwo\n", "x\n")


def test_one_giant_line_is_cut_within():
    line = "".join(chr(97 + i % 26) for i in range(5000))
    assert cut(line, line, 50, 20) == (line[-50:], line[:20])


def test_the_text_of_special_tokens_stays_text():
    text = "x = '<|fim_suffix|>'\n"
    assert cut(text, text, 100, 100) == (text, text)


def line_starts(text):
    return [0, *(i + 1 for i, c in enumerate(text) if c == "\n" and i + 1 < len(text))]


@pytest.mark.parametrize("seed", range(30))
def test_the_window_holds_whole_lines_up_to_a_stride_less_than_fit(seed):
    rng = random.Random(seed)
    prefix, suffix = (
        "".join(rng.choice("ab cd\n") for _ in range(rng.randrange(200))) for _ in range(2)
    )
    max_prefix, max_suffix = rng.randrange(20, 80), rng.randrange(20, 80)
    tail, head = cut(prefix, suffix, max_prefix, max_suffix)
    ends = [i + 1 for i, c in enumerate(suffix) if c == "\n"]
    ends = [i for i in [*ends, len(suffix)] if i <= max_suffix]
    if ends:
        assert head == suffix[: max(ends)]
    room = max_prefix + max_suffix - len(head)
    fitting = [i for i in line_starts(prefix) if len(prefix) - i <= room]
    if not fitting:
        return
    first, start = min(fitting), len(prefix) - len(tail)
    assert prefix.endswith(tail) and start in fitting
    if first == 0:
        assert start == 0
    else:  # the first line behind a multiple of the stride, unless too little would be left
        stride = max_prefix // 2
        behind = [i for i in fitting if i >= -(-first // stride) * stride]
        steady = min(behind, default=first)
        assert start in (first, steady)
        assert 2 * len(tail) >= len(prefix) - first


def test_a_growing_text_seldom_moves_its_window():
    rng = random.Random(0)
    text, starts = "", []
    for number in range(400):
        text += "x" * rng.randrange(12) + "\n"
        tail, _ = cut(text, "", 200, 50)
        starts.append(len(text) - len(tail))
        assert number < 100 or len(tail) > 125
    assert starts == sorted(starts)
    assert len(set(starts)) <= len(text) // 100 + 1


def repository_of(excerpts, path="/home/me/shop/total.py", limit=1000):
    """What is put in front, as text; a token is a byte here."""
    tokenizer = tiny.tokenizer()
    ids = repository(tokenizer, tiny.FAMILY.fim, excerpts, path, limit)
    named = {tokenizer.special(name): name for name in ("<|repo_name|>", "<|file_sep|>")}
    return "".join(named[i] if i in named else tokenizer.decode([i]) for i in ids), len(ids)


A, B = Excerpt("shop/a.py", "a = 1\n"), Excerpt("shop/b.py", "b = 2\nc = 3\n")


def test_the_most_useful_excerpt_stands_nearest():
    text, _ = repository_of([A, B])
    assert text == (
        "<|repo_name|>project\n<|file_sep|>shop/b.py\nb = 2\nc = 3\n\n"
        "<|file_sep|>shop/a.py\na = 1\n\n<|file_sep|>shop/total.py\n"
    )


def test_what_does_not_fit_is_cut_at_a_line_or_left_out():
    whole, _ = repository_of([A])
    for limit in range(60):
        text, count = repository_of([B, A], limit=limit)
        excerpts = text.partition("project\n")[2].removesuffix("<|file_sep|>shop/total.py\n")
        assert len(excerpts.replace("<|file_sep|>", "?")) <= limit
        assert count == 0 or "b = 2\n" in text or "b" in text
    assert repository_of([B], limit=19)[0].count("c = 3") == 0
    assert "<|file_sep|>shop/a.py\na = 1\n" in whole


def test_without_excerpts_nothing_is_added():
    assert repository_of([]) == ("", 0)
    fim = replace(tiny.FAMILY.fim, file_sep=None, repo_name=None)
    assert repository(tiny.tokenizer(), fim, [A], "x.py", 100) == []


def test_excerpts_as_a_conversation_shows_them():
    def shown(limit):
        return quoted(tiny.tokenizer(), [A, B], "python", limit)

    parts = [f"{e.path}\n```python\n{e.text.rstrip()}\n```\n\n" for e in (B, A)]
    assert shown(1000) == "".join(parts)
    assert shown(len(f"{A.path}\n{A.text}") + 4) == parts[1]
    assert shown(0) == ""
