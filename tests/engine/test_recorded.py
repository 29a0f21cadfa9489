"""Passes that are recorded: here the same work is done again, where a GPU replays its graph."""

import random

import pytest
import tiny
import torch
from second_device import DEVICE, SecondDevice

from engine.adapter import load_adapter
from engine.config import EFFORTS, Decoding
from engine.control import Control
from engine.fill import Filler
from engine.placement import CPU
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from engine.recorded import RecordedTransformer
from engine.stopping import HoleShape
from engine.tries import Ask
from engine.weights import Precision, weights_of


def again(work):
    work()
    return work


@pytest.fixture
def both(tmp_path):
    """A plain model and a recorded one of the same weights, with an adapter; what was recorded."""
    base = tiny.reference()
    config, tensors = tiny.config_of(base), tiny.tensors_of(base)
    adapter = tiny.write_adapter(tmp_path / "a.safetensors", tiny.adapter_tensors(config))
    recorded = []

    def record(work):
        recorded.append(work)
        return again(work)

    def make(device=CPU, slots=4):
        weights = weights_of(config, tensors, Precision.FLOAT32, device)
        model = RecordedTransformer(weights, record, slots=slots)
        load_adapter(model, adapter, "base")
        return model

    plain = tiny.transformer(base)
    load_adapter(plain, adapter, "base")
    return plain, make, recorded


def context_of(model, length, seed):
    ids = random.Random(seed).choices(range(256), k=length)
    return PrefixCache(model).encoded(ids, length + 80, Control())


@pytest.mark.parametrize("seed", range(6))
def test_runs_are_decoded_as_without_a_recording(both, close, seed):
    plain, make, recorded = both
    model, draw = make(), random.Random(seed)
    lengths = [draw.randint(1, 600) for _ in range(draw.randint(1, 4))]
    caches = [[context_of(m, n, i) for i, n in enumerate(lengths)] for m in (plain, model)]
    assert {cache.slot for cache in caches[1]} == set(range(4 - len(lengths), 4))
    for _ in range(4):
        runs = [draw.choices(range(256), k=draw.randint(1, 9)) for _ in lengths]
        adapted = draw.random() < 0.5
        expected, found = (
            m.decode_each(list(zip(runs, own, strict=True)), adapted=adapted)
            for m, own in zip((plain, model), caches, strict=True)
        )
        for a, b in zip(found, expected, strict=True):
            close(a, b)
        for run, *own in zip(runs, *caches, strict=True):
            kept = draw.randint(0, len(run))
            for cache in own:
                cache.keep(kept)
    assert 0 < len(recorded) <= 4


@pytest.mark.parametrize("length", [16, 17, 64])
def test_a_canvas_is_read_as_without_a_recording(both, close, length):
    plain, make, recorded = both
    model = make()
    x = torch.randn(length, plain.config.width, generator=torch.Generator().manual_seed(1))
    for context in (3, 200, 300):
        close(
            model.canvas(x, context_of(model, context, 1)),
            plain.canvas(x, context_of(plain, context, 1)),
        )
    assert len(recorded) == (length != 17)  # no length of a canvas: run as it comes


def test_a_pass_is_recorded_once_for_its_size(both):
    _, make, recorded = both
    model = make()
    cache = context_of(model, 20, 0)
    for count in (1, 3, 4, 1, 3):
        model.decode(list(range(count)), cache)
    assert len(recorded) == 2  # one token, and up to four
    first = model.decode([1], cache)
    kept = first.clone()
    model.decode([2], cache)
    assert torch.equal(first, kept)


def test_slots_come_back_and_without_one_a_text_runs_as_it_comes(both, close):
    plain, make, recorded = both
    model = make(slots=1)
    first, second = context_of(model, 9, 0), context_of(model, 9, 1)
    assert (first.slot, second.slot) == (0, None)
    expected = plain.decode_each([([7], context_of(plain, 9, seed)) for seed in (1, 0, 1)])
    close(model.decode([7], second), expected[0])
    assert recorded == []
    third = context_of(model, 9, 1)
    found = model.decode_each([([7], second), ([7], first), ([7], third)])
    close(torch.cat(found), torch.cat(expected))
    assert len(recorded) == 1
    del first
    assert context_of(model, 9, 0).slot == 0


def test_what_cannot_be_recorded_runs_as_it_comes(both, close, caplog):
    plain, make, _ = both
    model, tries = make(), []

    def refuse(work):
        tries.append(work)
        raise RuntimeError("operation not permitted when stream is capturing")

    model.record = refuse
    for _ in range(2):
        found = model.decode([7], context_of(model, 9, 0))
        close(found, plain.decode([7], context_of(plain, 9, 0)))
    x = torch.randn(16, plain.config.width)
    close(model.canvas(x, context_of(model, 9, 0)), plain.canvas(x, context_of(plain, 9, 0)))
    assert len(tries) == 2  # each of the two passes once
    assert caplog.text.count("cannot be recorded: operation not permitted") == 2


def test_longer_texts_than_a_slot_run_as_they_come(both, monkeypatch):
    _, make, _ = both
    monkeypatch.setattr("engine.recorded.POSITIONS", 512)
    model = make()
    assert context_of(model, 400, 0).slot is not None
    assert context_of(model, 600, 0).slot is None


@pytest.mark.parametrize("decoding", [Decoding.VERIFIED, Decoding.PARALLEL])
def test_fills_are_the_same_and_nothing_recorded_is_read(both, decoding):
    plain, make, recorded = both
    shape = HoleShape("def total(prices):\n    x = ", "\n    return x\n")
    ask = Ask(EFFORTS[Effort.BALANCED], 30, wanted=3)

    def texts(model):
        filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, decoding, PrefixCache(model))
        tries = filler.tries(shape, ask, Control())
        return [next(tries).text for _ in range(4)]

    expected = texts(plain)
    assert texts(make()) == expected
    with SecondDevice() as device:
        count = len(recorded)
        assert texts(make(DEVICE)) == expected
        device.reads = 0
        for work in recorded[count:]:
            work()
        assert len(recorded) > count
        assert device.reads == 0


def test_texts_weigh_the_same_beside_recordings_and_elsewhere(both):
    plain, make, _ = both
    shape = HoleShape("def total(prices):\n    x = ", "\n    return x\n")

    def weights(model):
        filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.VERIFIED, PrefixCache(model))
        return filler.weights(shape, ["1", "sum(prices)"], EFFORTS[Effort.BALANCED], Control())

    expected = pytest.approx(weights(plain), abs=1e-4)
    assert weights(make()) == expected
    with SecondDevice():
        assert weights(make(DEVICE)) == expected
