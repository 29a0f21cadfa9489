"""Linear layers whose weights are 4-bit numbers with a scale and an offset for each group."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.linear import Adaptable

_GROUPS = (64, 32)  # inputs that share a scale, the larger where it divides them
_MULTIPLE = 16  # what the kernel wants the outputs to be
_ROWS = 512  # quantised at a time, to keep few of them as floats
_TINY = 1e-12


def group_of(rows: int, inputs: int) -> int | None:
    """Return how many inputs share a scale; None for a matrix that the kernel does not take."""
    return next((g for g in _GROUPS if inputs % g == 0 and rows % _MULTIPLE == 0), None)


def grouped(weight: Tensor, group: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return 4-bit values of (O, I), and each group's scale and lowest: value * scale + lowest.

    Shapes (O, I / group, group), uint8, and twice (O, I / group, 1).
    """
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in weight.split(_ROWS):
        numbers = rows.float().unflatten(1, (-1, group))
        low, high = numbers.aminmax(dim=-1, keepdim=True)
        scale = ((high - low) / 15).clamp_min(_TINY)
        values = ((numbers - low) / scale).round().clamp(0, 15).to(torch.uint8)
        parts.append((values, scale, low))
    values, scale, low = map(torch.cat, zip(*parts, strict=True))
    return values, scale, low


class Int4Linear(Adaptable):
    """y = x W^T + b, where W is unpacked as it is multiplied; x is rounded to bfloat16.

    Torch's kernel has vectors for bfloat16 alone: in float32 it takes thirty times as long.
    """

    def __init__(self, weight: Tensor, group: int, bias: Tensor | None = None) -> None:
        values, scale, low = grouped(weight, group)
        offsets = torch.cat([scale, low + 8 * scale], -1)  # the kernel multiplies value - 8
        self._group, self._offsets = group, offsets.transpose(0, 1).bfloat16().contiguous()
        self._packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(
            values.flatten(1).int(), 1
        )
        self.bias = bias

    def __call__(self, x: Tensor, adapted: bool = False) -> Tensor:
        """Map x (..., I) to (..., O), with the update if `adapted`."""
        flat = x.reshape(-1, x.shape[-1]).bfloat16()
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(
            flat, self._packed, self._group, self._offsets
        )
        y = y.view(*x.shape[:-1], -1).to(x.dtype)
        if self.bias is not None:
            y = y + self.bias
        return y + self.update(x) if adapted and self.update else y
