"""An activation's bits do not tell which tokens went through it together."""

import pytest
import torch

from engine.config import BLOCK, Activation
from engine.mlp import _FUNCTIONS, _activated

WIDTH = 4864  # the default model's


def gate(*shape):
    """Half of what one product makes, as a layer sees it: rows that are not side by side."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, 2 * WIDTH, generator=generator).chunk(2, -1)[0]


@torch.inference_mode()
def activated(activation, x):
    return _activated(activation, x)


@pytest.mark.parametrize("activation", list(Activation))
def test_blocks_of_a_pass_are_those_of_passes_of_a_block(threads, activation):
    shape = (1, 4 * BLOCK - 7)
    alone = torch.cat([activated(activation, block) for block in gate(*shape).split(BLOCK, 1)], 1)
    assert torch.equal(activated(activation, gate(*shape)), alone)
    torch.testing.assert_close(alone, _FUNCTIONS[activation](gate(*shape)))


@pytest.mark.parametrize("activation", list(Activation))
def test_tokens_of_a_run_are_those_of_runs_of_one(threads, activation):
    alone = torch.cat([activated(activation, token) for token in gate(25, 1).split(1)])
    assert torch.equal(activated(activation, gate(25, 1)), alone)


@pytest.mark.parametrize("activation", list(Activation))
def test_where_gradients_flow_nothing_is_lost(activation):
    x = gate(1, 2 * BLOCK).requires_grad_()
    before = x.detach().clone()
    _activated(activation, x).sum().backward()
    assert torch.equal(x.detach(), before)


def test_nothing_stays_nothing():
    assert activated(Activation.SILU, torch.empty(0, 5)).shape == (0, 5)
