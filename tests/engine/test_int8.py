"""Int8 layers, and each of the two products under them."""

import pytest
import torch
from torch import Tensor

from engine import int8
from engine.int8 import CentredProduct, Int8Linear, Int8Weight, StretchedProduct
from engine.linear import FloatLinear, LowRank

NEEDS_VNNI = pytest.mark.skipif(not int8._has_vnni(), reason="no VNNI")


@pytest.fixture
def random():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(shape, generator=generator)


@pytest.fixture(
    params=[
        StretchedProduct,
        pytest.param(CentredProduct, marks=NEEDS_VNNI),
    ]
)
def product(request):
    return request.param


def relative_error(actual, expected):
    return float((actual - expected).norm() / expected.norm())


def test_a_product_is_close_to_that_of_floats(random, product):
    weight = random(48, 64)
    for x in (random(16, 64), random(2, 3, 64), random(1, 64) + 1):
        got = product(Int8Weight.of(weight))(x)
        assert got.shape == (*x.shape[:-1], 48)
        assert 0 < relative_error(got, x @ weight.T) < 0.02


@NEEDS_VNNI
def test_a_number_becomes_the_nearest_of_255(random):
    x = random(20, 64)
    step = x.abs().amax(-1, keepdim=True) / 127
    off = CentredProduct(Int8Weight.of(torch.eye(64)))(x) - x
    assert float((off / step).abs().max()) <= 0.51


def test_an_outlier_hurts_its_own_token_only(random, product):
    x, weight = random(6, 64), random(48, 64)
    multiply = product(Int8Weight.of(weight))
    before = multiply(x)
    x[2, 5] *= 1000
    after = multiply(x)
    others = [0, 1, 3, 4, 5]
    torch.testing.assert_close(after[others], before[others], atol=1e-5, rtol=0.01)
    for token in others:
        assert relative_error(after[token], x[token] @ weight.T) < 0.03


def test_a_token_is_rounded_as_if_it_were_alone(random, product):
    for inputs, outputs in ((64, 48), (896, 1000)):
        x = random(70, inputs) * torch.logspace(-2, 3, 70)[:, None] + random(70, 1)
        multiply = product(Int8Weight.of(random(outputs, inputs)))
        alone = torch.cat([multiply(token) for token in x.split(1)])
        for count in (2, 3, 4, 8, 17, 64, 70):
            assert torch.equal(multiply(x[:count]), alone[:count])


def test_a_small_row_keeps_its_own_scale(random, product):
    x, weight = random(4, 32), random(8, 32)
    weight[3] *= 1e-4
    got = product(Int8Weight.of(weight))(x)
    assert relative_error(got[:, 3], x @ weight[3]) < 0.02


def test_zeros_stay_zeros(random, product):
    weight = random(8, 16)
    weight[2] = 0
    x = random(3, 16)
    x[1] = 0
    got = product(Int8Weight.of(weight))(x)
    torch.testing.assert_close(got[1], torch.zeros(8), atol=1e-9, rtol=0)
    torch.testing.assert_close(got[:, 2], torch.zeros(3), atol=1e-9, rtol=0)


def test_full_bytes_do_not_overflow(product):
    """In 16 bits the sum of two products of these would not fit."""
    weight, x = torch.ones(16, 512), torch.ones(3, 512)
    torch.testing.assert_close(product(Int8Weight.of(weight))(x), x @ weight.T)


def test_the_layer_takes_the_product_that_is_faster_on_the_processor(random, monkeypatch):
    weight = Int8Weight.of(random(48, 64))
    for has_vnni, expected in ((True, CentredProduct), (False, StretchedProduct)):
        monkeypatch.setattr(int8, "_has_vnni", lambda has=has_vnni: has)
        assert isinstance(Int8Linear(weight)._product, expected)


def test_a_bias_is_added(random):
    x, weight, bias = random(16, 64), random(48, 64), random(48)
    got = Int8Linear(Int8Weight.of(weight), bias)(x)
    assert 0 < relative_error(got, FloatLinear(weight, bias)(x)) < 0.02


@pytest.mark.parametrize("has_vnni", [False, pytest.param(True, marks=NEEDS_VNNI)])
@pytest.mark.parametrize(("rank", "is_merged"), [(1, True), (4, True), (1, False), (4, False)])
def test_a_small_update_is_added_and_a_large_one_merged(
    random, monkeypatch, has_vnni, rank, is_merged
):
    monkeypatch.setattr(int8, "_has_vnni", lambda: has_vnni)
    numbers = rank * (48 + 64) + (not is_merged)
    monkeypatch.setattr(int8, "_LARGE_SHARE", numbers / (48 * 64))
    x, weight, bias = random(1, 16, 64), random(48, 64), random(48)
    update = LowRank(random(rank, 64), random(48, rank))
    layer = Int8Linear(Int8Weight.of(weight), bias)
    plain = layer(x)
    layer.adapt(update)
    assert torch.equal(layer(x), plain)
    assert (layer.update is None) is is_merged
    expected = x @ (weight.T + update.down @ update.up) + bias
    assert 0 < relative_error(layer(x, adapted=True), expected) < 0.02


@NEEDS_VNNI
def test_a_merged_matrix_is_quantised_as_it_was_if_nothing_is_added(random):
    x, layer = random(1, 16, 64), Int8Linear(Int8Weight.of(random(48, 64)))
    layer.adapt(LowRank(random(4, 64), torch.zeros(48, 4)))
    assert layer.update is None
    torch.testing.assert_close(layer(x, adapted=True), layer(x))


def test_a_weight_comes_back_out_of_its_product(random, product):
    weight = Int8Weight.of(random(48, 64))
    found = product(weight).weight()
    assert torch.equal(found.values, weight.values)
    assert torch.equal(found.scale, weight.scale)


def test_a_weight_with_an_update_is_the_sum_quantised(random, monkeypatch):
    monkeypatch.setattr(int8, "_ROWS", 20)
    weight, update = Int8Weight.of(random(48, 64)), LowRank(random(4, 64), random(48, 4))
    found = weight.plus(update)
    floats = weight.values * weight.scale[:, None] + (update.down @ update.up).T
    expected = Int8Weight.of(floats)
    assert int((found.values.int() - expected.values.int()).abs().max()) <= 1
    torch.testing.assert_close(found.scale, expected.scale)
    torch.testing.assert_close(
        found.values * found.scale[:, None], floats, rtol=0, atol=float(expected.scale.max()) * 0.51
    )


def test_quantised_values_span_the_range(random):
    weight = Int8Weight.of(random(8, 16))
    assert weight.values.dtype == torch.int8
    assert weight.values.abs().amax(1).tolist() == [127] * 8


def test_stacked_equals_separate(random, product):
    x = random(5, 32)
    weights = [Int8Weight.of(random(n, 32)) for n in (8, 4, 2)]
    stacked: Tensor = product(Int8Weight.stacked(weights))(x)
    assert torch.equal(stacked, torch.cat([product(w)(x) for w in weights], 1))
    assert Int8Weight.stacked(weights[:1]) is weights[0]
