import pytest
import torch

from engine.schedule import tokens_over
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


def test_confidence_is_the_probability_of_the_likeliest():
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, -90.0]])
    guess, sureness = confidence(logits)
    assert guess.tolist() == [1, 0]
    torch.testing.assert_close(sureness, logits.softmax(-1).amax(-1))
