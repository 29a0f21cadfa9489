"""LLaDA2.2 chooses experts for a block of tokens at once, then each token's among these."""

from types import MethodType

import published
import pytest
import torch

from engine.errors import EngineError
from engine.folder import CheckpointFolder
from engine.loading import load_editor
from engine.model import Transformer
from engine.recognition import family_of
from engine.weights import FloatWeights

IDS = [5, 80, 3, 17, 42, 42, 250, 9, 61, 77, 140, 8]
BLOCK, CAPACITY, PER_TOKEN, EXPERTS = 4, 4, 3, 8


def routed(gate, hidden_states):
    """The published rule, token for token: logits, shares and experts."""
    hidden = hidden_states.reshape(-1, hidden_states.shape[-1])
    logits = hidden @ gate.weight.T
    shares, experts = [], []
    for start in range(0, len(hidden), BLOCK):
        scores = logits[start : start + BLOCK].sigmoid()
        biased = (scores + gate.e_score_correction_bias).tolist()
        best = [max(token[e] for token in biased) for e in range(EXPERTS)]
        allowed = sorted(range(EXPERTS), key=lambda e: -best[e])[:CAPACITY]
        for token, own in zip(biased, scores, strict=True):
            chosen = sorted(allowed, key=lambda e: -token[e])[:PER_TOKEN]
            experts.append(chosen)
            shares.append(own[chosen] / own[chosen].sum() * gate.routed_scaling_factor)
    return logits, torch.stack(shares), torch.tensor(experts)


def write(tmp_path, **change):
    base = published.reference("grouped")
    change = {"expert_capacity": CAPACITY, "block_size": BLOCK} | change
    return base, published.write(tmp_path, "llada2.1", base, change=change)


def test_experts_are_chosen_for_a_block(tmp_path, close):
    base, folder = write(tmp_path)
    grouped = published.read_in_blocks(base, IDS, BLOCK)
    for layer in base.model.layers[1:]:
        layer.mlp.gate.forward = MethodType(routed, layer.mlp.gate)
    expected = published.read_in_blocks(base, IDS, BLOCK)
    assert not torch.allclose(grouped, expected, atol=1e-2), "it makes a difference"
    files = CheckpointFolder(folder, family_of(folder))
    model = Transformer(FloatWeights(files.config, files))
    cache = model.new_cache(len(IDS))
    close(model.logits(model.in_blocks(torch.tensor(IDS), cache, BLOCK)), expected)
    for start in range(0, len(IDS), BLOCK):
        part = torch.tensor(IDS[start : start + BLOCK])
        got = model.logits(model.in_blocks(part, cache, BLOCK))
        close(got, expected[start : start + BLOCK])
        cache.keep(BLOCK)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"block_size": 48}, "chosen for 48 tokens at a time, which do not make up a block of 32"),
        ({"expert_capacity": 2}, "2 experts for 4 tokens in a row, 3 a token, of 8"),
        ({"expert_capacity": 9}, "9 experts for 4 tokens in a row"),
        ({"block_size": None}, "4 experts for 0 tokens in a row"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, change, told):
    _, folder = write(tmp_path, **change)
    with pytest.raises(EngineError, match=told):
        load_editor(str(folder), lambda message, share: None)
