"""Linear layers whose weights are 4-bit numbers with a scale and an offset for each group."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.linear import LowRank

_GROUPS = (64, 32)  # inputs that share a scale, the larger where it divides them
_MULTIPLE = 16  # what the kernel wants the outputs to be
_ROWS = 512  # quantised at a time, to keep few of them as floats
_TINY = 1e-12


def group_of(rows: int, inputs: int) -> int | None:
    """Return how many inputs share a scale; None for a matrix that the kernel does not take."""
    return next((g for g in _GROUPS if inputs % g == 0 and rows % _MULTIPLE == 0), None)


def _quantised(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Return (O, I) as numbers from 0 to 15, and scale and offset of each group (O, I / group, 2).

    The kernel multiplies a number less 8.
    """
    grouped = weight.unflatten(1, (-1, group))
    low, high = grouped.aminmax(dim=-1, keepdim=True)
    scale = ((high - low) / 15).clamp_min(_TINY)
    values = ((grouped - low) / scale).round().clamp(0, 15).to(torch.uint8)
    return values.flatten(1), torch.cat([scale, low + 8 * scale], -1)


class Int4Linear:
    """y = x W^T + b, where W is unpacked as it is multiplied; x is rounded to bfloat16.

    Torch's kernel has vectors for bfloat16 alone: in float32 it takes thirty times as long.
    """

    def __init__(self, weight: Tensor, group: int, bias: Tensor | None = None) -> None:
        parts = [_quantised(rows.float(), group) for rows in weight.split(_ROWS)]
        values, offsets = (torch.cat(part) for part in zip(*parts, strict=True))
        self._group, self._offsets = group, offsets.transpose(0, 1).bfloat16().contiguous()
        self._packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.int(), 1)
        self.bias = bias
        self.update: LowRank | None = None

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
