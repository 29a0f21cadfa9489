import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.four_bit import grouped
from engine.int8 import Int8Linear, Int8Weight
from engine.linear import FloatLinear, LowRank
from engine.unpacked import UnpackedInt4, UnpackedInt8


@pytest.fixture
def random():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(shape, generator=generator)


def test_float_is_the_plain_product(random):
    x, weight, bias = random(5, 8), random(3, 8), random(3)
    torch.testing.assert_close(FloatLinear(weight, bias)(x), x @ weight.T + bias)


def test_what_is_unpacked_is_what_was_packed(random):
    x, weight, bias = random(16, 64), random(48, 64), random(48)
    eight = Int8Weight.of(weight)
    expected = F.linear(x, eight.values.float() * eight.scale[:, None], bias)
    torch.testing.assert_close(UnpackedInt8(eight, bias)(x), expected, atol=1e-5, rtol=1e-5)
    values, scale, low = grouped(weight, 32)
    assert values.unique().tolist() == list(range(16))
    expected = F.linear(x, (values * scale + low).flatten(1), bias)
    torch.testing.assert_close(UnpackedInt4(weight, 32, bias)(x), expected)
    exact = F.linear(x, weight, bias)
    assert 0.01 < (expected - exact).norm() / exact.norm() < 0.1


def test_updates_side_by_side_equal_separate_ones(random):
    x = random(5, 32)
    updates = [LowRank(random(r, 32), random(n, r)) for r, n in ((4, 8), (2, 6), (4, 3))]
    joined = LowRank.side_by_side(updates)
    expected = torch.cat([x @ u.down @ u.up for u in updates], 1)
    torch.testing.assert_close(joined(x), expected)
    for shape in ((1, 5, 17), (5, 1, 17)):
        y = random(*shape)
        added = y.clone()
        joined.add_to(added, x.view(*shape[:-1], 32))
        torch.testing.assert_close(added, y + expected.view(shape))


@pytest.mark.parametrize(("inputs", "outputs"), [(896, [4864] * 2), (4864, [896]), (896, [896])])
def test_an_update_of_a_token_does_not_depend_on_those_beside_it(threads, random, inputs, outputs):
    updates = [LowRank(random(16, inputs), random(count, 16)) for count in outputs]
    update = LowRank.side_by_side(updates)
    x, y = random(9, 1, inputs), random(9, 1, sum(outputs))

    def added(count: int) -> Tensor:
        out = y[:count].clone()
        update.add_to(out, x[:count])
        return out

    for count in range(1, 9):
        assert torch.equal(added(count), added(9)[:count])


@pytest.mark.parametrize("kind", [FloatLinear, Int8Linear])
def test_an_update_acts_only_when_switched_on(random, monkeypatch, kind):
    monkeypatch.setattr("engine.int8._LARGE_SHARE", 9)  # none is merged
    x, weight = random(1, 5, 32), random(8, 32)
    linear = kind(weight if kind is FloatLinear else Int8Weight.of(weight))
    plain = linear(x)
    assert torch.equal(linear(x, adapted=True), plain)
    update = LowRank(random(4, 32), random(8, 4))
    linear.adapt(update)
    assert torch.equal(linear(x), plain)
    torch.testing.assert_close(linear(x, adapted=True), plain + update(x))
