import random

import pytest
import tiny
import torch

from engine.control import Control
from engine.errors import Cancelled, ConfigError
from engine.loading import context_mb
from engine.prefix_cache import PrefixCache

MODEL = tiny.transformer(tiny.reference())
TOKENS = len(tiny.vocabulary().tokens)


def some(count, seed=0):
    rng = random.Random(seed)
    return [rng.randrange(TOKENS) for _ in range(count)]


def following(cache, ids=(1, 2, 3)):
    """What the model says behind a cache, which shows all that is in it."""
    return MODEL.logits(MODEL.encode(list(ids), cache))


def alone(ids):
    cache = MODEL.new_cache(len(ids) + 3)
    MODEL.encode(ids, cache)
    cache.keep(len(ids))
    return following(cache)


class Counting:
    """The model, with a note of how many tokens each pass encoded."""

    def __init__(self):
        self.encoded = []

    def new_cache(self, capacity):
        return MODEL.new_cache(capacity)

    def encode(self, ids, cache):
        self.encoded.append(len(ids))
        return MODEL.encode(ids, cache)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_came_before_the_cache_holds_the_context(seed):
    rng = random.Random(seed)
    contexts = PrefixCache(MODEL)
    texts = [some(rng.randrange(1, 60), seed)]
    for number in range(12):
        ids = list(rng.choice(texts))
        at = rng.randrange(len(ids) + 1)
        ids[at : at + rng.randrange(6)] = some(rng.randrange(1, 5), 100 * seed + number)
        texts.append(ids)
        cache = contexts.encoded(ids, len(ids) + 3 + rng.randrange(600), Control())
        assert cache.length == len(ids)
        torch.testing.assert_close(following(cache), alone(ids), rtol=1e-4, atol=1e-4)
        cache.keep(3)  # what is decoded behind it is not part of it


def test_a_key_stroke_encodes_only_what_follows_it():
    model = Counting()
    contexts = PrefixCache(model)
    text, control = some(50), Control()
    contexts.encoded(text, 60, control)
    assert (model.encoded, control.forward_calls) == ([50], 1)
    contexts.encoded([*text[:40], 7, *text[40:]], 61, control)
    contexts.encoded([*text[:40], 7, *text[40:]], 61, control)
    assert (model.encoded, control.forward_calls) == ([50, 11], 2)


def test_two_texts_that_start_alike_do_not_push_each_other_out():
    model = Counting()
    contexts = PrefixCache(model)
    start, one, two = some(10), some(40, 1), some(40, 2)
    for ids in (start + one, start + two, start + one, start + two):
        contexts.encoded(ids, 60, Control())
    assert model.encoded == [50, 40]


def test_the_oldest_are_dropped_when_memory_is_short():
    bytes_each = MODEL.new_cache(256).num_bytes
    model = Counting()
    contexts = PrefixCache(model, megabytes=0)
    contexts._budget = 2 * bytes_each
    first, second, third = ([number, *some(30, number)] for number in range(3))
    for ids in (first, second, third, second, first):
        contexts.encoded(ids, 40, Control())
    assert model.encoded == [31] * 4  # all but the second time of `second`


def test_nothing_is_kept_without_memory():
    model = Counting()
    contexts = PrefixCache(model, megabytes=0)
    for _ in range(2):
        contexts.encoded(some(20), 30, Control())
    assert model.encoded == [20, 20]


def test_what_was_encoded_before_a_cancel_is_kept():
    model = Counting()
    contexts = PrefixCache(model)
    control, ids = Control(), some(1200)
    encode = model.encode

    def cancelling(ids, cache):
        control.cancel()
        return encode(ids, cache)

    model.encode = cancelling
    with pytest.raises(Cancelled):
        contexts.encoded(ids, 1300, control)
    model.encode = encode
    cache = contexts.encoded(ids, 1300, Control())
    assert model.encoded == [512, 512, 176]
    torch.testing.assert_close(following(cache), alone(ids), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("value", "megabytes"), [(None, 256), ("", 256), ("0", 0), ("64", 64)])
def test_the_environment_says_how_much_is_kept(monkeypatch, value, megabytes):
    monkeypatch.delenv("DIFFILL_CONTEXT_MB", raising=False)
    if value is not None:
        monkeypatch.setenv("DIFFILL_CONTEXT_MB", value)
    assert context_mb() == megabytes


@pytest.mark.parametrize("value", ["-1", "1.5", "much"])
def test_an_amount_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("DIFFILL_CONTEXT_MB", value)
    with pytest.raises(ConfigError, match="DIFFILL_CONTEXT_MB"):
        context_mb()
