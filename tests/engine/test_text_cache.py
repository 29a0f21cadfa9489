from dataclasses import replace

import pytest
import tiny
import torch

from engine.model import Transformer, place_of
from engine.text_cache import TextCache
from engine.weights import FloatWeights

IDS = torch.tensor([5, 80, 3, 17, 42, 42, 25, 9, 61])
# Position i of the new text holds what stood at source[i]; -1: something new.
MOVES = [
    [0, 1, 2, -1, -1, 3, 4, 5, 6, 7, 8],  # grown
    [0, 1, 4, 5, 6, 7, 8],  # shrunk
    [0, 1, -1, 2, 3, 6, -1, -1, -1, 7, 8],  # both
]


def stored(model, ids):
    cache = TextCache(model, len(ids))
    hidden = model.among(ids, place_of(0, len(ids)), cache.at(place_of(0, len(ids))))
    return cache, hidden


def test_a_pass_over_everything_is_the_exact_one(reference):
    model = tiny.transformer(reference())
    assert torch.equal(stored(model, IDS)[1], model.whole(IDS))


def test_a_pass_over_some_leaves_the_others(reference, close):
    model = tiny.transformer(reference())
    cache, hidden = stored(model, IDS)
    before = cache._store.clone()
    places = torch.tensor([2, 3, 6])
    close(model.among(IDS[places], places, cache.at(places)), hidden[places], 1e-5)
    close(cache._store, before, 1e-5)
    changed = torch.tensor([7, 7, 7])
    model.among(changed, places, cache.at(places))
    others = [i for i in range(len(IDS)) if i not in places]
    assert torch.equal(cache._store[..., others, :], before[..., others, :])
    assert not torch.equal(cache._store[..., places, :], before[..., places, :])


@pytest.mark.parametrize("source", MOVES)
def test_turned_keys_are_those_computed_at_the_new_place(reference, close, source):
    """The first layer's inputs do not depend on the text, so its keys must be the very same."""
    model = tiny.transformer(reference())
    cache, _ = stored(model, IDS)
    cache.move(torch.tensor([max(s, 0) for s in source]))
    moved = torch.tensor([IDS[s] if s >= 0 else 99 for s in source])
    fresh, _ = stored(model, moved)
    kept = [i for i, s in enumerate(source) if s >= 0]
    close(cache._store[0][..., kept, :], fresh._store[0][..., kept, :], 1e-5)


@pytest.mark.parametrize("source", MOVES)
def test_a_model_of_one_layer_loses_nothing_by_moving(reference, close, source):
    config, tensors = tiny.config_of(reference()), tiny.tensors_of(reference())
    model = Transformer(FloatWeights(replace(config, num_layers=1), tensors))
    cache, _ = stored(model, IDS)
    cache.move(torch.tensor([max(s, 0) for s in source]))
    moved = torch.tensor([IDS[s] if s >= 0 else 99 for s in source])
    new = torch.tensor([i for i, s in enumerate(source) if s < 0 or i == 1])
    close(model.among(moved[new], new, cache.at(new)), model.whole(moved)[new], 1e-5)
