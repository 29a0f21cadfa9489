"""Linear layers of few bits on any device, unpacked for each call to the activations' type.

They take the memory of their bits, but the time of unpacked ones and more. Shapes as in linear.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.four_bit import grouped
from engine.linear import Int8Weight, LowRank


class UnpackedInt8:
    """y = x W^T + b, where W is int8 with a scale a row; activations stay as they are."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None = None) -> None:
        self._weight, self.bias = weight, bias
        self.update: LowRank | None = None

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        values, scale = self._weight.values, self._weight.scale
        y = F.linear(x, values.to(x.dtype)) * scale.to(x.dtype)
        if self.bias is not None:
            y = y + self.bias
        return y + self.update(x) if adapted and self.update else y


class UnpackedInt4:
    """y = x W^T + b, where W is 4-bit numbers, two a byte, with a scale and an offset a group."""

    def __init__(self, weight: Tensor, group: int, bias: Tensor | None = None) -> None:
        values, self._scale, self._low = grouped(weight, group)  # the latter (O, groups, 1)
        flat = values.flatten(1).to(torch.uint8)
        self._pairs = flat[:, ::2] | flat[:, 1::2] << 4  # (O, I / 2)
        self._group, self.bias = group, bias
        self.update: LowRank | None = None

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        values = torch.stack([self._pairs & 15, self._pairs >> 4], -1)  # (O, I / 2, 2)
        values = values.view(len(values), -1, self._group).to(x.dtype)
        weight = values * self._scale.to(x.dtype) + self._low.to(x.dtype)
        y = F.linear(x, weight.flatten(1), self.bias)
        return y + self.update(x) if adapted and self.update else y
