import pytest
import torch

from engine.config import DenoiseConfig, Pacing
from engine.schedule import tokens_by_factor, tokens_in_entropy, tokens_over, tokens_sure
from engine.scoring import confidence


@pytest.mark.parametrize(
    ("sureness", "masked", "count"),
    [
        ([0.9, 0.8, 0.95], [1, 1, 1], 2),
        ([0.9, 0.8, 0.95], [0, 1, 1], 1),
        ([0.1, 0.2, 0.3], [1, 1, 1], 1),
        ([1.0, 1.0, 1.0], [1, 1, 1], 3),
        ([1.0, 1.0, 0.2], [0, 0, 1], 1),
    ],
)
def test_all_at_or_over_the_threshold_but_at_least_one(sureness, masked, count):
    masked = torch.tensor(masked, dtype=torch.bool)
    assert tokens_over(torch.tensor(sureness, dtype=torch.double), masked, 0.9) == count


@pytest.mark.parametrize(
    ("sureness", "factor", "count"),
    [
        ([0.7, 0.9, 0.95], 1.0, 2),  # 4 * 0.3 is too much, 3 * 0.1 is not
        ([0.99, 0.99, 0.99], 1.0, 3),
        ([0.2, 0.1, 0.3], 1.0, 1),
        ([0.7, 0.9, 0.95], 0.1, 1),
        ([1.0, 1.0], 0.0, 1),
    ],
)
def test_the_more_tokens_the_surer_each(sureness, factor, count):
    masked = torch.tensor([True] * len(sureness))
    assert tokens_by_factor(torch.tensor(sureness), masked, factor) == count
    apart = torch.tensor([False, *[True] * len(sureness)])
    assert tokens_by_factor(torch.tensor([1.0, *sureness]), apart, factor) == count


@pytest.mark.parametrize(
    ("entropy", "bound", "count"),
    [
        ([0.5, 0.01, 0.02], 0.1, 3),  # the largest is left out: 0.03 of doubt beside it
        ([0.5, 0.01, 0.2], 0.1, 2),
        ([3.0, 2.0], 0.1, 1),
        ([0.0, 0.0, 0.0], 0.0, 3),
    ],
)
def test_as_many_tokens_as_leave_little_unsaid(entropy, bound, count):
    masked = torch.tensor([True] * len(entropy))
    assert tokens_in_entropy(torch.tensor(entropy), masked, bound) == count


def test_an_answer_that_has_settled_is_committed_whole():
    logits = torch.tensor([[5.0, 1.0, 0.0], [2.0, 0.0, -1.0], [0.0, 0.0, 9.0]])
    _, sureness = confidence(logits)
    masked = torch.tensor([True, True, True])
    for gap, count in ((None, 2), (2.0, 3), (2.5, 2)):
        config = DenoiseConfig(finish_gap=gap)
        assert tokens_sure(config, logits, sureness, masked) == count
    flat = DenoiseConfig(pacing=Pacing.ENTROPY, entropy_bound=0.0)
    assert tokens_sure(flat, logits, sureness, masked) == 1


def test_confidence_is_the_probability_of_the_likeliest():
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, -90.0]])
    guess, sureness = confidence(logits)
    assert guess.tolist() == [1, 0]
    torch.testing.assert_close(sureness, logits.softmax(-1).amax(-1))
