import pytest
import torch

from engine.canvas import Canvas
from engine.remasking import revisable, surest

VOID = 9


@pytest.mark.parametrize(
    ("sureness", "masked", "count", "chosen"),
    [
        ([0.1, 0.9, 0.5, 0.7], [1, 1, 1, 1], 2, [1, 3]),
        ([0.1, 0.9, 0.5, 0.7], [1, 0, 1, 1], 2, [2, 3]),
        ([0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1], 2, [0, 1]),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 0], 3, [1]),
        ([0.0, 0.0, 0.0, 0.0], [0, 0, 0, 1], 1, [3]),
        ([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0], 1, []),
    ],
)
def test_the_surest_masked_positions_ties_to_the_left(sureness, masked, count, chosen):
    got = surest(torch.tensor(sureness), torch.tensor(masked, dtype=torch.bool), count)
    assert got.nonzero()[:, 0].tolist() == chosen


@pytest.mark.parametrize(
    ("id", "masked", "revisions", "guess", "sureness", "expected"),
    [
        (1, False, 0, 2, 0.9, True),
        (1, False, 0, 2, 0.89, False),  # not sure enough
        (1, False, 0, 1, 1.0, False),  # the same token
        (1, False, 1, 2, 1.0, True),
        (1, False, 2, 2, 1.0, False),  # revised often enough
        (VOID, True, 0, 2, 1.0, False),  # not committed
        (VOID, False, 0, 2, 1.0, False),  # the end stays
        (1, False, 0, VOID, 1.0, False),  # and does not come nearer
    ],
)
def test_what_may_be_revised(id, masked, revisions, guess, sureness, expected):
    canvas = Canvas(torch.tensor([id]), torch.tensor([masked]), torch.tensor([revisions]), VOID)
    got = revisable(
        torch.tensor([guess]), torch.tensor([sureness], dtype=torch.double), canvas, 0.9, 2
    )
    assert got.tolist() == [expected]
