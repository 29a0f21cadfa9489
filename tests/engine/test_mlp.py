"""An activation's bits do not tell which tokens went through it together."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from engine.config import BLOCK
from engine.mlp import _apart

WIDTH = 4864  # the default model's


def gate(*shape):
    """Half of what one product makes, as a layer sees it: rows that are not side by side."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, 2 * WIDTH, generator=generator).chunk(2, -1)[0]


@pytest.mark.parametrize("function", [F.silu, partial(F.gelu, approximate="tanh")])
def test_blocks_of_a_pass_are_those_of_passes_of_a_block(threads, function):
    x = gate(1, 4 * BLOCK - 7)
    alone = torch.cat([_apart(function, block) for block in x.split(BLOCK, 1)], 1)
    assert torch.equal(_apart(function, x), alone)
    torch.testing.assert_close(alone, function(x))


@pytest.mark.parametrize("function", [F.silu, partial(F.gelu, approximate="tanh")])
def test_tokens_of_a_run_are_those_of_runs_of_one(threads, function):
    x = gate(25, 1)
    alone = torch.cat([_apart(function, token) for token in x.split(1)])
    assert torch.equal(_apart(function, x), alone)


def test_nothing_stays_nothing():
    assert _apart(F.silu, torch.empty(0, 5)).shape == (0, 5)
