import random

import pytest
import tiny
import torch

from engine.adapter import load_adapter
from engine.config import BLOCK
from engine.model import Transformer
from engine.past import attention
from engine.weights import QuantizedWeights

IDS = torch.randint(0, 256, (14,), generator=torch.Generator().manual_seed(1)).tolist()
BOTH = pytest.mark.parametrize("architecture", ["qwen2", "llama"])


def logits_of(model, ids, *, adapted=False):
    return model.logits(model.encode(ids, model.new_cache(len(ids)), adapted=adapted))


def expected_logits(reference, ids):
    return reference(torch.tensor([ids])).logits[0]


@pytest.fixture
def tensors(reference):
    return tiny.adapter_tensors(tiny.config_of(reference()))


@pytest.fixture
def adapter_file(tensors, tmp_path):
    return tiny.write_adapter(tmp_path / "a.safetensors", tensors)


@pytest.fixture
def adapted(reference, tensors, adapter_file):
    model = tiny.transformer(reference())
    load_adapter(model, adapter_file, "base")
    return model, tensors


@BOTH
@pytest.mark.parametrize("tied", [False, True])
def test_logits_are_those_of_transformers(reference, close, architecture, tied):
    base = reference(architecture, tied=tied)
    close(logits_of(tiny.transformer(base), IDS), expected_logits(base, IDS))


@BOTH
def test_cached_equals_uncached(reference, close, architecture):
    model = tiny.transformer(reference(architecture))
    whole = logits_of(model, IDS)
    for split in range(1, len(IDS)):
        cache = model.new_cache(len(IDS))
        head = model.logits(model.encode(IDS[:split], cache))
        cache.keep(split)
        tail = model.logits(model.encode(IDS[split:], cache))
        close(torch.cat([head, tail]), whole)


def test_what_is_not_kept_is_forgotten(reference, close):
    model = tiny.transformer(reference())
    cache = model.new_cache(len(IDS) + 4)
    model.encode([*IDS[:6], 1, 2, 3, 4], cache)
    cache.keep(6)
    rest = model.logits(model.encode(IDS[6:], cache))
    close(rest, logits_of(model, IDS)[6:])


@BOTH
@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("only", [(), (0,), (7,), (6, 2)])
def test_states_of_a_few_tokens_are_those_of_all(reference, close, architecture, block, only):
    model = tiny.transformer(reference(architecture))
    whole, few = model.new_cache(len(IDS)), model.new_cache(len(IDS))
    for cache in (whole, few):
        model.encode(IDS[:5], cache)
        cache.keep(5)
    expected = model.encode(IDS[5:], whole, block=block)
    close(model.encode(IDS[5:], few, block=block, only=only), expected[list(only)])
    for one, other in zip(whole._store, few._store, strict=True):
        assert torch.equal(one, other)  # later passes see no difference


@pytest.mark.parametrize("is_adapted", [False, True])
def test_decoding_a_run_equals_encoding_it(adapted, close, is_adapted):
    model, _ = adapted
    cache = model.new_cache(len(IDS) + 4)
    model.encode(IDS, cache)  # what stands behind the place is not seen
    cache.keep(6)
    expected = model.encode(IDS[6:], cache, adapted=is_adapted)
    close(model.decode(IDS[6:], cache, adapted=is_adapted), expected)


@pytest.mark.parametrize(("is_adapted", "large"), [(False, 9), (True, 9), (True, 0)])
def test_a_token_is_the_same_to_the_bit_alone_and_in_company(
    adapter_file, monkeypatch, is_adapted, large
):
    monkeypatch.setattr("engine.int8._LARGE_SHARE", large)  # an update is merged if it is large
    base = tiny.reference()
    model = Transformer(QuantizedWeights(tiny.config_of(base), tiny.tensors_of(base)))
    load_adapter(model, adapter_file, "base")
    ids = [i % 90 for i in range(40, 40 + 2 * BLOCK)]

    def decoded(start, sizes, beside=()):
        cache = model.new_cache(4 * BLOCK)
        model.encode(ids[:start], cache)
        cache.keep(start)
        states = []
        for size in sizes:
            run = ids[cache.length : cache.length + size], cache
            states.append(model.decode_each([*beside, run], adapted=is_adapted)[-1])
            cache.keep(size)
        return torch.cat(states)

    other = model.new_cache(2 * BLOCK)
    other.keep(BLOCK - 3)
    for start in (BLOCK - 5, 2 * BLOCK - 9):  # over the end of a block, and up to one
        alone = decoded(start, [1] * 9)
        for sizes in ([9], [4, 5], [5, 4], [2, 7]):
            assert torch.equal(decoded(start, sizes), alone)
            assert torch.equal(decoded(start, sizes, [([3, 4, 5, 6, 7], other)]), alone)


@pytest.mark.parametrize("seed", range(6))
def test_branches_of_a_cache_are_to_the_bit_what_copies_of_it_are(seed):
    base, rng = tiny.reference(), random.Random(seed)
    model = Transformer(QuantizedWeights(tiny.config_of(base), tiny.tensors_of(base)))
    trunk = model.new_cache(3 * BLOCK)
    known = rng.randrange(BLOCK - 9, 2 * BLOCK)
    model.encode([i % 90 for i in range(known)], trunk)
    trunk.keep(known)
    copies = [model.copied(trunk, trunk.capacity) for _ in range(3)]
    branches = [model.branched(trunk) for _ in range(3)]
    assert all(room.length == known for room in branches)
    for _ in range(12):
        texts = rng.sample(range(3), rng.choice((1, 2, 3, 3)))
        runs = [[rng.randrange(90) for _ in range(rng.randrange(1, 6))] for _ in texts]
        found, expected = (
            model.decode_each([(run, rooms[i]) for run, i in zip(runs, texts, strict=True)])
            for rooms in (branches, copies)
        )
        for run, i, one, other in zip(runs, texts, found, expected, strict=True):
            assert torch.equal(one, other)
            kept = rng.randrange(len(run) + 1)  # the rest of a draft that was refused is forgotten
            for room in (branches[i], copies[i]):
                room.keep(kept)
        if rng.random() < 0.3:  # a text whose end is taken back
            i = texts[0]
            branches[i].length = copies[i].length = rng.randrange(known, copies[i].length + 1)


@pytest.mark.parametrize("sizes", [[9], [4, 5], [2, 7]])
def test_a_token_reads_as_far_in_company_as_alone(reference, monkeypatch, sizes):
    model = tiny.transformer(reference())
    read = []

    def noted(query, keys, values, mask):
        read.extend([keys.shape[2]] * len(query))
        return attention(query, keys, values, mask)

    monkeypatch.setattr("engine.cache.attention", noted)
    cache = model.new_cache(4 * BLOCK)
    cache.keep(BLOCK - 5)
    for size in sizes:
        model.decode([1] * size, cache)
        cache.keep(size)
    assert sorted(read) == [BLOCK] * 5 * len(model.layers) + [2 * BLOCK] * 4 * len(model.layers)


def test_a_canvas_sees_context_and_itself_in_both_directions(reference, adapted, close):
    base = reference()
    model, tensors = adapted
    context, length = IDS[:9], 5
    cache = model.new_cache(len(context) + length)
    model.encode(context, cache)
    cache.keep(len(context))
    x = torch.cat([model.embed(torch.tensor([7])), model.mask_vector.expand(length - 1, -1)])
    got = model.logits(model.canvas(x, cache))

    past = base(torch.tensor([context]), use_cache=True).past_key_values
    everything = torch.zeros(1, 1, length, len(context) + length)
    expected = tiny.merged(base, tensors)(
        inputs_embeds=x[None],
        past_key_values=past,
        attention_mask=everything,
        position_ids=torch.arange(len(context), len(context) + length)[None],
    ).logits[0]
    close(got, expected)


def test_canvases_side_by_side_equal_each_alone(adapted, close):
    model, _ = adapted
    cache = model.new_cache(len(IDS) + 18)
    model.encode(IDS, cache)
    cache.keep(len(IDS))
    everything = torch.randn(12, model.config.width, generator=torch.Generator().manual_seed(2))
    canvases = everything.split([6, 2, 4])
    alone = [model.canvas(x, cache) for x in canvases]
    close(model.canvas(torch.cat(canvases), cache, [6, 2, 4]), torch.cat(alone))


def test_a_canvas_leaves_the_context_as_it_was(adapted, close):
    model, _ = adapted
    cache = model.new_cache(len(IDS) + 8)
    model.encode(IDS[:6], cache)
    cache.keep(6)
    model.canvas(torch.randn(16, model.config.width), cache)
    assert cache.length == 6
    close(model.logits(model.encode(IDS[6:], cache)), logits_of(model, IDS)[6:])


def test_an_adapter_that_is_off_changes_nothing(reference, adapted):
    model, _ = adapted
    assert model.has_adapter
    plain = tiny.transformer(reference())
    assert not plain.has_adapter
    assert torch.equal(logits_of(model, IDS), logits_of(plain, IDS))


def test_an_adapter_that_is_on_equals_merged_weights(reference, adapted, close):
    model, tensors = adapted
    got = logits_of(model, IDS, adapted=True)
    close(got, expected_logits(tiny.merged(reference(), tensors), IDS))
    assert (got - logits_of(model, IDS)).abs().max() > 0.1
