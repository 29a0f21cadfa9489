"""Linear layers of few bits for any device, unpacked for each call to the activations' type.

They take the memory of their bits, on the device or on the host, but the time of unpacked ones and
more. Shapes as in linear.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.four_bit import grouped
from engine.int8 import Int8Weight
from engine.linear import Adaptable


class UnpackedInt8(Adaptable):
    """y = x W^T + b, where W is int8 with a scale a row; activations stay as they are."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None = None) -> None:
        self._weight, self.bias = weight, bias

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        values = self._weight.values.to(x.device).to(x.dtype)  # the fewer bits are moved
        y = F.linear(x, values) * self._weight.scale.to(x.device, x.dtype)
        if self.bias is not None:
            y = y + self.bias.to(x.device, x.dtype)
        return y + self.update(x) if adapted and self.update else y


class UnpackedInt4(Adaptable):
    """y = x W^T + b, where W is 4-bit numbers, two a byte, with a scale and an offset a group."""

    def __init__(self, weight: Tensor, group: int, bias: Tensor | None = None) -> None:
        values, self._scale, self._low = grouped(weight, group)  # the latter (O, groups, 1)
        flat = values.flatten(1)
        self._pairs = flat[:, ::2] | flat[:, 1::2] << 4  # (O, I / 2)
        self._group, self.bias = group, bias

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        pairs = self._pairs.to(x.device)
        values = torch.stack([pairs & 15, pairs >> 4], -1)  # (O, I / 2, 2)
        values = values.view(len(values), -1, self._group).to(x.dtype)
        weight = values * self._scale.to(x.device, x.dtype) + self._low.to(x.device, x.dtype)
        y = F.linear(x, weight.flatten(1))
        if self.bias is not None:
            y = y + self.bias.to(x.device, x.dtype)
        return y + self.update(x) if adapted and self.update else y
