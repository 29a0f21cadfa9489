"""What the trainer learns from: holes, older texts, samples and their batches."""

import dataclasses
import random

import pytest
import tiny
import torch

from engine.config import CANVAS_BUCKETS
from engine.training.batches import batches
from engine.training.holes import hole, piece
from engine.training.older import older, renamed

VOID = tiny.tokenizer().special(tiny.FAMILY.void)


@pytest.mark.parametrize("language", ["python", "rust", "unknown"])
def test_holes_lie_in_the_text_and_hold_something(language, python):
    spans = [hole(random.Random(i), python, language) for i in range(200)]
    found = [span for span in spans if span]
    assert len(found) > 150
    assert all(0 <= s.start < s.end <= len(python) and s.of(python).strip() for s in found)
    lines = [s.of(python).count("\n") for s in found]
    assert min(lines) == 0
    assert max(lines) >= 6


@pytest.mark.parametrize("text", ["", "\n", "x", "a\r\nb", "é\u2028\n" * 3])
def test_odd_texts_give_a_hole_or_none(text):
    for seed in range(50):
        span = hole(random.Random(seed), text, "python")
        assert span is None or span.of(text).strip()
        older(random.Random(seed), text, text)


def test_a_long_text_is_cut_at_lines_without_indentation(python):
    long = python * 20
    for seed in range(20):
        part = piece(random.Random(seed), long)
        assert part in long
        assert part.startswith("def ")
        assert len(part) <= 6_000


def test_a_renaming_leads_back():
    pair = renamed(random.Random(0), "total = count + 1\nreturn total + count\n")
    words = pair.instruction.replace("`", "").rstrip(".").split()
    old, new = (words[1], words[3]) if "to" in words else (words[1], words[2])
    assert pair.text.replace(old, new) == "total = count + 1\nreturn total + count\n"
    assert renamed(random.Random(0), "x = 1") is None


def test_samples_depend_on_seed_and_number_alone_and_fit(sampler):
    samples = [sampler.draw(i) for i in range(150)]
    assert samples[100] == sampler.draw(100)
    assert samples[0] != samples[1]
    assert all(len(s.context) <= 200 and 0 < len(s.text) < 256 for s in samples)
    drafts = sum(s.draft is not None for s in samples)
    assert 0.05 < drafts / len(samples) < 0.3


def test_some_rewrites_are_in_the_chat_layout(sampler):
    wide = dataclasses.replace(sampler, max_context=4000)
    middle = wide.tokenizer.special(tiny.FAMILY.fim.middle)
    chats = [s for s in map(wide.draw, range(300)) if s.sentinel != middle]
    assert chats
    for chat in chats:
        assert "Instruction: " in wide.tokenizer.decode(chat.context)
        assert wide.tokenizer.decode(chat.text).endswith("\n```")
        assert chat.draft != chat.text


def test_batches_go_on_at_any_step(sampler):
    def take(start, workers=0):
        source = batches(sampler, 2, VOID, start=start, workers=workers)
        return [next(source) for _ in range(3)]

    whole = [*take(0), *take(3), *take(6), *take(9)]
    again = [*take(0), *take(3), *take(6, workers=1), *take(9)]
    for one, other in zip(whole, again, strict=True):
        assert one.text.shape[1] in CANVAS_BUCKETS
        assert torch.equal(one.text, other.text)
        assert torch.equal(one.context, other.context)
    assert torch.equal(whole[7].text, take(7)[0].text)
