"""Linear layers in int8 on the CPU, by torch's own kernels. Shapes: T tokens, I inputs, O outputs.

Activations are quantised on the fly, each token with a range of its own: the outliers of a single
token in `down_proj` would cost the default model half of its accuracy otherwise. And a token's
result does not depend on those beside it, to the bit.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.linear import Adaptable, LowRank

# Keeps a row of zeros from dividing by zero; far below any real activation.
_TINY = 1e-12
_ROWS = 512  # quantised at a time: those of an output, all as floats, would be gigabytes
# An update of this share of its matrix's numbers takes a fifth of that matrix's time to half of it,
# so there is a second such matrix with the update in it. In the default model all matrices of a
# layer but the last have one.
_LARGE_SHARE = 1 / 32
_NEARLY_ZERO = torch.tensor(_TINY)
# Floats of this size are whole numbers: adding it to a small one rounds that, and leaves it in the
# last byte. 128 more, so that the byte is unsigned.
_ROUNDING = torch.tensor(1.5 * 2**23 + 128)


@functools.cache
def _capabilities() -> Mapping[str, bool]:
    return getattr(torch.cpu, "get_capabilities", dict[str, bool])()  # torch >= 2.10


def _has_vnni() -> bool:
    """Tell whether the processor adds products of 8 bits up in 32."""
    return _capabilities().get("avx512_vnni", False) or _capabilities().get("avx_vnni", False)


def multiplies_bfloat16() -> bool:
    """Tell whether the processor has matrix units for bfloat16."""
    return _capabilities().get("amx_bf16", False)


@dataclass(frozen=True, slots=True)
class Int8Weight:
    """A weight matrix in int8: row i stands for values[i] * scale[i]."""

    values: Tensor  # (O, I) int8
    scale: Tensor  # (O,) float32

    @classmethod
    def of(cls, weight: Tensor) -> Int8Weight:
        """Quantise (O, I) of any float type, symmetric, a scale a row."""
        return cls._of_blocks(weight.split(_ROWS), weight)

    @classmethod
    def _of_blocks(cls, blocks: Iterable[Tensor], like: Tensor) -> Int8Weight:
        """Quantise a matrix, shaped and placed like another, that comes in blocks of rows."""
        made = cls(
            torch.empty(like.shape, dtype=torch.int8, device=like.device),
            torch.empty(len(like), device=like.device),
        )
        columns = made.values.split(_ROWS), made.scale.split(_ROWS)
        for rows, values, scale in zip(blocks, *columns, strict=True):
            torch.div(rows.abs().amax(1).float().clamp_min(_TINY), 127, out=scale)
            values.copy_((rows / scale[:, None]).round())
        return made

    def plus(self, update: LowRank) -> Int8Weight:
        """Return what it is with an update, quantised anew."""
        parts = self.values.split(_ROWS), self.scale.split(_ROWS), update.up.split(_ROWS, 1)
        blocks = (
            torch.addmm(values * scale[:, None], up.t(), update.down.t())
            for values, scale, up in zip(*parts, strict=True)
        )
        return self._of_blocks(blocks, self.values)

    @classmethod
    def stacked(cls, weights: Sequence[Int8Weight]) -> Int8Weight:
        """Join the rows of several matrices that share their input."""
        if len(weights) == 1:
            return weights[0]
        return cls(torch.cat([w.values for w in weights]), torch.cat([w.scale for w in weights]))


class StretchedProduct:
    """x W^T by the kernel that torch chooses, for processors without VNNI; one range for all of x.

    Stretching each token to 0 to 1 first makes that range fit them all; the sums of the weight's
    rows put back what the stretching took away.
    """

    def __init__(self, weight: Int8Weight) -> None:
        zero = torch.zeros(len(weight.scale), dtype=torch.long)
        with warnings.catch_warnings():
            # Torch moves these tensors to another package after 2.13; our range ends there.
            warnings.simplefilter("ignore", UserWarning)
            quantized = torch._make_per_channel_quantized_tensor(  # pyright: ignore[reportPrivateUsage]
                weight.values, weight.scale.double(), zero, 0
            )
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        # By numpy: torch makes wider numbers of all it adds up, half a gigabyte for an output.
        sums = weight.values.numpy().sum(1, dtype=np.int32)
        self._sums = torch.from_numpy(sums) * weight.scale

    def weight(self) -> Int8Weight:
        """Return what it was made of."""
        weight, _ = torch.ops.quantized.linear_unpack(self._packed)
        return Int8Weight(weight.int_repr(), weight.q_per_channel_scales().float())

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Map x (..., I) to (..., O), and add a bias (O,) if there is one."""
        # (..., 1) each; torch's aminmax does the same many times slower.
        low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
        scale = (high - low).clamp_min(_TINY)
        y = self.kernel((x - low) / scale).mul_(scale).addcmul_(low, self._sums)
        return y if bias is None else y.add_(bias)

    def kernel(self, x: Tensor) -> Tensor:
        """Multiply what lies between 0 and 1."""
        reduce_range = True  # to 7 bits: sums of two products of 8 do not fit into 16
        return torch.ops.quantized.linear_dynamic(x, self._packed, reduce_range)


class CentredProduct:
    """x W^T by oneDNN's kernel, for processors with VNNI or AMX; a token is -127 to 127.

    The kernel is fast for unsigned numbers alone, so 128 is added to each, and what that makes of
    the product is taken off as a bias.
    """

    def __init__(self, weight: Int8Weight) -> None:
        self._packed = torch.ops.onednn.qlinear_prepack(weight.values, None)
        self._scale = weight.scale.clone()  # may be mapped: nothing is to hold its file
        self._zero = torch.zeros(len(weight.scale), dtype=torch.long)
        self._bias = torch.zeros(len(weight.scale))
        ones = torch.ones(1, weight.values.shape[1], dtype=torch.uint8)
        self._bias = self.kernel(ones)[0] * -128

    def weight(self) -> Int8Weight:
        """Return what it was made of."""
        return Int8Weight(self._packed.to_dense().t().contiguous(), self._scale)

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Map x (..., I) to (..., O), and add a bias (O,) if there is one."""
        step = torch.add(_NEARLY_ZERO, x.abs().amax(-1, keepdim=True), alpha=1 / 127)  # (..., 1)
        # By way of whole numbers: of floats torch makes unsigned bytes four times as slowly.
        y = self.kernel((x / step).add_(_ROUNDING).view(torch.int32).to(torch.uint8))
        return y.mul_(step) if bias is None else torch.addcmul(bias, y, step)

    def kernel(self, q: Tensor) -> Tensor:
        """Multiply bytes, of which 128 stands for nothing."""
        return torch.ops.onednn.qlinear_pointwise(
            q, 1.0, 0, self._packed, self._scale, self._zero, self._bias,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip


def product_of(weight: Int8Weight) -> StretchedProduct | CentredProduct:
    """Return the product that is the faster one on this processor."""
    return CentredProduct(weight) if _has_vnni() else StretchedProduct(weight)


class Int8Linear(Adaptable):
    """y = x W^T + b with weights in int8, a scale a row."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None = None) -> None:
        self._product = self._adapted = product_of(weight)
        self._shape = weight.values.shape
        self.bias = bias

    def adapt(self, update: LowRank) -> None:
        """Attach an update: a large one as another such matrix, a small one as it is."""
        if update.num_weights < _LARGE_SHARE * self._shape.numel():
            super().adapt(update)
        else:
            self._adapted = product_of(self._product.weight().plus(update))

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        product = self._adapted if adapted else self._product
        y = product(x, self.bias)
        if adapted and self.update:
            self.update.add_to(y, x)
        return y
