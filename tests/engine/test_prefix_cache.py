import random
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
import tiny
import torch

from engine.control import Control
from engine.errors import Cancelled, ConfigError
from engine.loading import context_mb
from engine.model import Transformer
from engine.prefix_cache import BLOCK, DEFAULT_MB, PrefixCache
from engine.weights import QuantizedWeights

MODEL = tiny.transformer(tiny.reference())
TOKENS = len(tiny.vocabulary().tokens)


def some(count, seed=0):
    rng = random.Random(seed)
    return [rng.randrange(TOKENS) for _ in range(count)]


def following(cache, ids=(1, 2, 3)):
    """What the model says behind a cache, which shows all that is in it."""
    return MODEL.logits(MODEL.encode(list(ids), cache))


def alone(ids, then=(1, 2, 3)):
    return following(PrefixCache(MODEL).encoded(ids, len(ids) + len(then), Control()), then)


def test_blocks_hold_what_one_pass_would():
    ids = some(3 * BLOCK + 5)
    cache = MODEL.new_cache(len(ids) + 3)
    MODEL.encode(ids, cache)
    cache.keep(len(ids))
    torch.testing.assert_close(alone(ids), following(cache), rtol=1e-4, atol=1e-4)


class Counting:
    """The model, with a note of how many tokens each pass encoded."""

    def __init__(self, config=MODEL.config):
        self.encoded, self.config = [], config
        self.opened, self.is_by_token = MODEL.opened, MODEL.is_by_token

    def new_cache(self, capacity):
        return MODEL.new_cache(capacity)

    def encode(self, ids, cache, *, block, only):
        assert block is None
        self.encoded.append(len(ids))
        return MODEL.encode(ids, cache, only=only)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_came_before_the_cache_holds_the_context(seed):
    rng = random.Random(seed)
    contexts = PrefixCache(MODEL)
    texts = [some(rng.randrange(1, 5 * BLOCK), seed)]
    for number in range(12):
        ids = list(rng.choice(texts))
        at = rng.randrange(len(ids) + 1)
        ids[at : at + rng.randrange(6)] = some(rng.randrange(1, 5), 100 * seed + number)
        texts.append(ids)
        cache = contexts.encoded(ids, len(ids) + 3 + rng.randrange(600), Control())
        assert cache.length == len(ids)
        assert torch.equal(following(cache), alone(ids))  # bitwise: no answer depends on the past
        cache.keep(3)  # what is decoded behind it is not part of it


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kept", [torch.float32, torch.bfloat16])
def test_int8_blocks_share_passes_and_their_bits_show_nothing_of_it(monkeypatch, kept, seed):
    has_units = kept is torch.bfloat16
    monkeypatch.setattr("engine.model.multiplies_bfloat16", lambda: has_units)
    weights = QuantizedWeights(MODEL.config, tiny.tensors_of(tiny.reference()), on_cpu=True)
    model = Transformer(weights)
    assert model.is_by_token and model.cache_dtype is kept
    rng = random.Random(seed)
    ids = some(rng.randrange(5 * BLOCK, 7 * BLOCK), seed)
    apart = model.new_cache(len(ids))
    while apart.length < len(ids):
        block = ids[apart.length : apart.length + BLOCK]
        model.encode(block, apart)
        apart.keep(len(block))
    contexts, control = PrefixCache(model), Control()
    for known in sorted(rng.sample(range(1, len(ids)), 3)):
        contexts.encoded([*ids[:known], 7], len(ids), control)
    together = contexts.encoded(ids, len(ids), control)
    for own, other in zip(together._store, apart._store, strict=True):
        assert own.dtype is kept
        assert torch.equal(own[..., : len(ids), :], other[..., : len(ids), :])
    alone = Control()
    PrefixCache(model).encoded(ids, len(ids), alone)
    assert alone.forward_calls == 2


def test_a_key_stroke_encodes_only_what_follows_it():
    model = Counting()
    contexts = PrefixCache(model)
    text, control = some(3 * BLOCK), Control()
    contexts.encoded(text, 4 * BLOCK, control)
    assert (model.encoded, control.forward_calls) == ([BLOCK] * 3, 3)
    at = 2 * BLOCK + 40
    for _ in range(2):
        contexts.encoded([*text[:at], 7, *text[at:]], 4 * BLOCK, control)
        assert (model.encoded[3:], control.forward_calls) == ([BLOCK, 1], 5)


@pytest.mark.parametrize("seed", range(8))
def test_a_noted_state_is_that_of_its_token_in_this_text(seed):
    rng = random.Random(seed)
    contexts, found = PrefixCache(MODEL), 0
    text = some(3 * BLOCK, seed)
    for _ in range(12):
        at = rng.randrange(len(text))
        text[at] = rng.randrange(TOKENS)
        ids = text[: rng.randrange(BLOCK, len(text))]
        place = rng.choice([at % len(ids), len(ids) - 1, 20])
        state = contexts.encoded(ids, 200, Control(), place).state_at(place)
        if state is not None:
            found += 1
            alone = PrefixCache(MODEL).encoded(ids, 200, Control(), place).state_at(place)
            assert torch.equal(state, alone)
    assert found > 6


def test_a_state_is_kept_with_its_context():
    contexts, text = PrefixCache(MODEL), some(2 * BLOCK)
    first = contexts.encoded(text, 200, Control(), 5).state_at(5)
    # What follows may change, and another text may begin so: its copy knows, too.
    other = [*text[: BLOCK + 40], *some(2 * BLOCK, 1)]
    for ids in (text, [*text[:-1], 7], other):
        cache = contexts.encoded(ids, 400, Control(), 5)
        assert torch.equal(cache.state_at(5), first)
        assert cache.state_at(6) is None
    assert contexts.encoded(other, 400, Control(), 6).state_at(6) is None


@pytest.mark.parametrize("place", [BLOCK, BLOCK + 3])
def test_the_state_of_a_token_that_has_gone_is_forgotten(place):
    contexts, text = PrefixCache(MODEL), some(2 * BLOCK)
    assert contexts.encoded(text, 200, Control(), place).state_at(place) is not None
    text[BLOCK] += 1
    contexts.encoded(text, 200, Control(), 5)
    assert contexts.encoded(text, 200, Control(), place).state_at(place) is None


def test_threads_that_take_turns_at_a_text_keep_a_cache_each_and_no_more():
    contexts, text = PrefixCache(Counting()), some(2 * BLOCK)

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for typed in range(6):
            thread = (one, other)[typed % 2]
            ids = [*text, *range(typed)]
            cache = thread.submit(contexts.encoded, ids, 200, Control()).result(60)
            assert torch.equal(following(cache), alone(ids))
    assert len(contexts._kept) == 2


def test_two_texts_that_start_alike_do_not_push_each_other_out():
    model = Counting()
    contexts = PrefixCache(model)
    start, one, two = some(BLOCK), some(2 * BLOCK, 1), some(2 * BLOCK, 2)
    for ids in (start + one, start + two, start + one, start + two):
        contexts.encoded(ids, 200, Control())
    assert model.encoded == [BLOCK] * 5


def test_a_text_cut_short_is_encoded_as_if_it_were_new():
    ids = some(BLOCK + 30)
    contexts = PrefixCache(MODEL)
    for length in (len(ids), len(ids) - 5, BLOCK - 3):
        cache = contexts.encoded(ids[:length], 200, Control())
        assert torch.equal(following(cache), alone(ids[:length]))


def test_the_oldest_are_dropped_when_memory_is_short():
    bytes_each = MODEL.new_cache(256).num_bytes
    model = Counting()
    contexts = PrefixCache(model, megabytes=0)
    contexts._budget = 2 * bytes_each
    first, second, third = ([number, *some(30, number)] for number in range(3))
    for ids in (first, second, third, second, first):
        contexts.encoded(ids, 40, Control())
    assert model.encoded == [31] * 4  # all but the second time of `second`


def test_what_is_dropped_for_a_new_one_goes_first(monkeypatch):
    model = Counting()
    contexts = PrefixCache(model, megabytes=0)
    contexts._budget = 2 * MODEL.new_cache(256).num_bytes
    alive = weakref.WeakSet()

    def new_cache(capacity):
        assert sum(cache.num_bytes for cache in alive) <= contexts._budget / 2
        cache = MODEL.new_cache(capacity)
        alive.add(cache)
        return cache

    monkeypatch.setattr(model, "new_cache", new_cache)
    for number in range(4):
        contexts.encoded([1, *some(30, number)], 40, Control())  # as all prompts begin
    assert len(alive) == 2


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_context_that_was_cut_back_is_as_before(is_cancelled):
    model, ids = Counting(), some(3 * BLOCK)
    contexts = PrefixCache(model)
    cache = contexts.encoded(ids, 4 * BLOCK, Control(), 9)
    state, at = cache.state_at(9), BLOCK
    with suppress(Cancelled), contexts.cut_back(cache, at, 30):
        assert torch.equal(following(cache, [3] * 30), alone(ids[:at], [3] * 30))
        if is_cancelled:
            raise Cancelled
    assert cache.length == len(ids)
    encoded = len(model.encoded)
    again = contexts.encoded(ids, 4 * BLOCK, Control(), 9)
    assert again is cache and len(model.encoded) == encoded
    assert torch.equal(following(cache), alone(ids))
    assert torch.equal(cache.state_at(9), state)


def test_a_context_that_is_cut_back_is_not_copied():
    contexts, ids = PrefixCache(Counting()), some(3 * BLOCK)
    cache = contexts.encoded(ids, 4 * BLOCK, Control())
    with contexts.cut_back(cache, BLOCK, 70), ThreadPoolExecutor(1) as other:
        MODEL.encode([3] * 70, cache)
        for text in (ids, [*ids[:-1], 7]):
            copy = other.submit(contexts.encoded, text, 4 * BLOCK, Control()).result(60)
            assert torch.equal(following(copy), alone(text))


def test_no_cache_goes_past_the_models_positions():
    contexts = PrefixCache(Counting(replace(MODEL.config, max_positions=300)))
    assert contexts.encoded(some(20), 290, Control()).capacity == 300
    assert contexts.encoded(some(40), 300, Control()).capacity == 300
    assert contexts.encoded(some(20, 1), 60, Control()).capacity == 256


def test_nothing_is_kept_without_memory():
    model = Counting()
    contexts = PrefixCache(model, megabytes=0)
    for _ in range(2):
        contexts.encoded(some(20), 30, Control())
    assert model.encoded == [20, 20]


def test_what_was_encoded_before_a_cancel_is_kept():
    model = Counting()
    contexts = PrefixCache(model)
    control, ids = Control(), some(2 * BLOCK + 7)
    encode = model.encode

    def cancelling(ids, cache, *, block, only):
        control.cancel()
        return encode(ids, cache, block=block, only=only)

    model.encode = cancelling
    with pytest.raises(Cancelled):
        contexts.encoded(ids, 200, control)
    model.encode = encode
    cache = contexts.encoded(ids, 200, Control())
    assert model.encoded == [BLOCK, BLOCK, 7]
    assert torch.equal(following(cache), alone(ids))


@pytest.mark.parametrize(
    ("value", "megabytes"), [(None, DEFAULT_MB), ("", DEFAULT_MB), ("0", 0), ("64", 64)]
)
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
